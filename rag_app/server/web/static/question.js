// The question box: keys that lead to it and from it, what it says of a text that is too long, and who answers.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const box = () => document.querySelector("#question textarea");
  const typing = (target) => target.closest && target.closest("input, textarea, select, [contenteditable], dialog");

  function lastQuestion() {
    const asked = document.querySelectorAll("#chat p.question");
    return asked.length ? asked[asked.length - 1].innerText.trim() : "";
  }

  // The newest answer's first citation, else its first button.
  function toAnswer() {
    const answers = document.querySelectorAll("#chat .answer:not(.coming)");
    const last = answers[answers.length - 1];
    const target = last ? last.querySelector("button.cite, button.place, summary, button") : document.querySelector("#chat .example");
    if (target) { target.focus(); target.scrollIntoView({ block: "nearest" }); }
    return Boolean(target);
  }

  document.addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.key === "/" && plain && !typing(event.target)) { event.preventDefault(); box()?.focus(); return; }
    if (event.target !== box()) return;
    if (event.key === "ArrowUp" && plain && !event.shiftKey && !event.target.value && lastQuestion()) {
      event.preventDefault();
      window.talk.fill(lastQuestion());
    } else if (event.key === "Tab" && plain && !event.shiftKey && !event.target.value && toAnswer()) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest(".skips a");
    if (!link) return;
    event.preventDefault();
    if (link.hash === "#question" || !toAnswer()) box()?.focus();
  });

  // What does not fit is cut by the box itself: it must not go unsaid.
  document.addEventListener("paste", (event) => {
    const area = event.target, limit = area === box() ? area.maxLength : -1;
    if (limit < 0) return;
    const pasted = event.clipboardData?.getData("text").length || 0;
    const left = limit - area.value.length + (area.selectionEnd - area.selectionStart);
    tell(pasted > left ? say("page.too-long", { n: limit.toLocaleString() }) : "");
  });
  document.addEventListener("input", (event) => { if (event.target === box() && event.target.value.length < event.target.maxLength) tell(""); });

  function tell(words) {
    const note = byId("question-note");
    if (note && note.textContent !== words) note.textContent = words;
  }

  // Who answers stands in the pane of the library; here it is said in short, and opens the settings.
  function showReader() {
    const known = document.querySelector("#reader-note .reader b"), chip = byId("reader-chip");
    if (!known || !chip) return;
    const name = known.textContent.trim();
    const words = name === say("reader.quoting") ? say("page.quotes-only") : name;
    if (chip.textContent !== words) { chip.textContent = words; chip.setAttribute("aria-label", say("page.reads", { name: words })); }
    const can = Boolean(document.querySelector("#reader-note .open-settings"));
    if (chip.disabled === can) chip.disabled = !can;
    const welcome = document.querySelector(".welcome .give-model");
    if (welcome && welcome.hidden === can) welcome.hidden = !can;
  }
  let due = false;
  new MutationObserver(() => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; showReader(); });
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
