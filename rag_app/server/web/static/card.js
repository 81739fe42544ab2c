// What a citation's number says when the pointer or the keyboard rests on it: a card with the quoted words. And what is
// told to a screen reader, since the conversation's sanitizer drops aria attributes.
(() => {
  "use strict";
  const DELAY = 120; // milliseconds, so that passing over an answer does not flicker
  const card = document.createElement("div");
  card.id = "cite-card";
  card.hidden = true;
  card.setAttribute("aria-hidden", "true"); // the button's own label says the same
  const PHRASE = "#chat .compared .phrase"; // of a cell: resting on it is resting on its number
  const RESTING = `#chat button.cite:hover, #chat button.cite:focus-visible, ${PHRASE}:hover`;
  let waiting = 0, of = null, dismissed = null, focused = null;

  function line(name, text) {
    const part = document.createElement("p");
    part.className = name;
    part.textContent = text;
    return part;
  }

  // The number on which the pointer or the keyboard rests, be it by its words.
  function numberAt(place) {
    const found = place && place.closest && place.closest(`#chat button.cite, ${PHRASE}`);
    return found && found.matches(".phrase") ? found.parentElement.querySelector("button.cite") : found;
  }
  const resting = () => numberAt(document.querySelector(RESTING));

  // The row of the list below the answer that has the same place.
  function rowOf(button) {
    const answer = button.closest(".answer");
    const rows = answer ? Array.from(answer.querySelectorAll("button.place")) : [];
    return rows.find((row) => row.value === button.value);
  }

  function put(button) {
    const row = rowOf(button);
    const text = (name) => { const part = row.querySelector(name); return part ? part.textContent.trim() : ""; };
    if (button.title) { button.dataset.hint = button.title; button.removeAttribute("title"); } // not twice
    if (row) card.replaceChildren(line("quote", `“${text(".quote")}”`), ...[text(".table-row")].filter(Boolean).map((cells) => line("where", cells)), line("where", text(".where")), line("state", text(".badge")));
    else card.replaceChildren(line("quote", button.dataset.hint || ""));
    card.className = button.classList.contains("unverified") ? "unverified" : "";
    if (!card.isConnected) document.body.append(card);
    card.hidden = false;
    const place = button.getBoundingClientRect(), size = card.getBoundingClientRect();
    const below = place.bottom + 6 + size.height < innerHeight;
    card.style.left = Math.max(8, Math.min(place.left - 20, innerWidth - size.width - 8)) + "px";
    card.style.top = (below ? place.bottom + 6 : Math.max(8, place.top - size.height - 6)) + "px";
    of = button;
  }

  function hide() {
    clearTimeout(waiting);
    waiting = 0;
    card.hidden = true;
    of = null;
  }

  // After a scroll, or when the answer was drawn anew: the number that the pointer or the keyboard still rests on.
  function showAgain() {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      waiting = 0;
      const button = resting();
      if (button && !isDismissed(button)) put(button);
    }, DELAY);
  }

  function isDismissed(button) {
    return dismissed !== null && (button === dismissed || (!dismissed.isConnected && button.value === dismissed.value));
  }

  const cites = () => Array.from(document.querySelectorAll("#chat button.cite"));

  // An answer that is drawn anew has new numbers: the keyboard goes on where it was, and the card comes back.
  function follow() {
    if (focused && !focused.button.isConnected) {
      const { button, at } = focused, now = cites();
      const same = now[at] && now[at].value === button.value ? now[at] : now.filter((one) => one.value === button.value).pop();
      focused = null;
      if (same && document.activeElement === document.body) same.focus({ preventScroll: true, focusVisible: true });
    }
    if (of && !of.isConnected) hide();
    const button = card.hidden && !waiting ? resting() : null;
    if (button && !isDismissed(button)) showAgain();
  }

  function dismiss() {
    dismissed = of || resting();
    hide();
  }

  function rest(event) {
    const button = numberAt(event.target);
    if (!button) { if (of) hide(); return; }
    if (button === of) return;
    dismissed = null;
    showAgain();
  }
  document.addEventListener("pointerover", (event) => { if (event.pointerType !== "touch") rest(event); });
  document.addEventListener("focusin", (event) => {
    const button = event.target.matches && event.target.matches("#chat button.cite:focus-visible") ? event.target : null;
    focused = button && { button, at: cites().indexOf(button) };
    if (event.target.matches && event.target.matches(":focus-visible")) rest(event); else hide();
  });
  document.addEventListener("pointerout", (event) => {
    if (numberAt(event.target)) hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", () => { hide(); showAgain(); }, true);
  document.addEventListener("click", (event) => { if (event.isTrusted) dismiss(); }); // not the page's own presses of hidden buttons
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") dismiss(); });

  // -- what is told -----------------------------------------------------------------------------------------------
  let spoken = "", answers = 0;

  function speak(text) {
    const place = document.getElementById("spoken");
    if (!place || text === spoken) return;
    place.textContent = spoken = text;
  }

  function told() {
    const log = document.querySelector("#chat [role=log]");
    if (log && log.getAttribute("aria-live") !== "off") { // it would read it ten times
      log.setAttribute("aria-live", "off");
      log.setAttribute("aria-label", say("page.conversation"));
    }
    document.querySelectorAll("#chat button.cite:not([aria-label])").forEach((button) => {
      button.setAttribute("aria-label", say("answer.citation", { number: button.textContent, hint: (button.title || button.dataset.hint || "").slice(0, 300) }));
    });
    document.querySelectorAll("#chat .table:not([tabindex])").forEach((table) => {
      table.tabIndex = 0;
      table.setAttribute("role", "region");
      table.setAttribute("aria-label", table.classList.contains("compared") ? say("answer.comparison") : say("answer.table"));
    });
    const examples = document.querySelector("#chat .examples[role=list]"); // of buttons, which a list may not hold
    if (examples) { examples.setAttribute("role", "group"); examples.setAttribute("aria-label", say("page.examples")); }
    const note = document.querySelector("#reader-note .reader"), who = document.querySelector(".who-reads");
    if (note && who && who.textContent !== note.textContent) who.textContent = note.textContent;
    const doing = document.querySelector("#chat .answer.coming .doing");
    if (doing) return speak(doing.textContent);
    const done = document.querySelectorAll("#chat .answer:not(.coming)");
    if (done.length > answers) {
      const last = done[done.length - 1], cited = last.querySelectorAll(".citations li").length;
      const verdict = last.querySelector(".verdict");
      speak(verdict ? verdict.textContent : say("answer.there", { n: cited }));
    }
    answers = done.length;
  }
  let due = false;
  new MutationObserver(() => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; told(); follow(); });
  }).observe(document.documentElement, { childList: true, subtree: true, characterData: true });
})();
