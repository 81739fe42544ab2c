// The ticks of the library, copying and saving, and the panes of a narrow window.
(() => {
  "use strict";
  const reading = window.reader.base;
  const byId = (id) => document.getElementById(id);

  // -- library: ticks and search -------------------------------------------------------------------------------
  const ticks = new Set();

  function showTicks() {
    const boxes = document.querySelectorAll("#paper-rows input[type=checkbox]");
    const there = new Set(Array.from(boxes, (box) => box.value));
    if (there.size) for (const name of ticks) if (!there.has(name)) ticks.delete(name);
    boxes.forEach((box) => { box.checked = ticks.has(box.value); });
    showScope();
  }

  function showScope() {
    const note = byId("scope-note");
    if (!note) return;
    note.replaceChildren();
    if (!ticks.size) return;
    note.append(say("page.only-papers", { n: ticks.size }), " ");
    const clear = document.createElement("button");
    clear.type = "button";
    clear.className = "text-button";
    clear.textContent = say("page.ask-all");
    clear.addEventListener("click", () => { ticks.clear(); showTicks(); });
    note.append(clear);
  }

  function search(words) {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    document.querySelectorAll("#paper-rows li").forEach((row) => {
      row.hidden = !wanted.every((word) => row.dataset.search.includes(word));
    });
  }

  window.papers = { ticked: () => JSON.stringify([...ticks]), reading, open: (path) => window.reader.show(path) };

  // -- taking away ---------------------------------------------------------------------------------------------
  async function save(button) {
    const menu = button.closest("details");
    try {
      const response = await fetch(`${reading}answer/${button.value}`);
      if (!response.ok) throw new Error();
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await response.blob());
      link.download = (response.headers.get("content-disposition") || "").split('"')[1] || "answer";
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
      if (menu) menu.open = false;
    } catch {
      const before = button.textContent;
      button.textContent = say("answer.not-saved");
      setTimeout(() => { button.textContent = before; }, 3000);
    }
  }

  // -- who was pressed -----------------------------------------------------------------------------------------
  function toggle(name, on) {
    document.body.classList.toggle(name, on);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("button");
    if (!button) return;
    if (button.matches(".export")) save(button);
    else if (button.matches(".change-plan, #ask-again")) toggle("plan-open");
    else if (button.matches(".open-conversation, .new-conversation")) toggle("library-open", false);
    else if (button.matches(".open-library")) toggle("library-open");
    else if (button.matches(".close-library")) toggle("library-open", false);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") toggle("library-open", false);
  });

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (!box.matches || !box.matches("#paper-rows input[type=checkbox]")) return;
    if (box.checked) ticks.add(box.value); else ticks.delete(box.value);
    showScope();
  });

  document.addEventListener("input", (event) => {
    if (event.target.id === "paper-search") search(event.target.value);
  });

  // -- lists and answers change while a button is pressed: what is meant is what stood there when it went down ---------
  const nameOf = (button) => [button.classList[0], button.value || button.textContent].join(" ");
  const LISTS = "#chat, #history-rows, #paper-rows";
  let down = null; // the button, and its name then

  const buttonOf = (event) => event.target.closest && event.target.closest(`:is(${LISTS}) button`);
  document.addEventListener("pointerdown", (event) => {
    const button = buttonOf(event);
    down = button && { button, name: nameOf(button), list: button.closest(LISTS) };
  }, true);
  function pressMeant(meant) {
    Array.from(meant.list.querySelectorAll("button")).find((one) => nameOf(one) === meant.name)?.click();
  }
  document.addEventListener("pointerup", (event) => {
    if (!down || down.button.isConnected) return; // what is gone gets no click
    const meant = down, on = buttonOf(event);
    down = null;
    if (on && nameOf(on) === meant.name) pressMeant(meant);
  }, true);
  document.addEventListener("click", (event) => {
    const meant = down;
    down = null;
    if (!event.isTrusted || !meant || buttonOf(event) !== meant.button || nameOf(meant.button) === meant.name) return;
    event.stopPropagation(); // the button has become another's
    event.preventDefault();
    pressMeant(meant);
  }, true);

  // -- what changes by itself ----------------------------------------------------------------------------------
  let questions = 0;
  let watched = null;

  // The list of papers is changed in place: a box may get another paper's name and keep its tick.
  const rowsWatch = new MutationObserver(() => {
    showTicks();
    const words = byId("paper-search");
    if (words) search(words.value);
  });

  // An address may name a place: ?paper=…&page=…&words=…
  let linked = new URLSearchParams(location.search);
  function openLink() {
    if (!linked || !byId("reading-sheet")) return;
    const place = new URLSearchParams([...linked].filter(([key]) => ["paper", "page", "words"].includes(key)));
    linked = null;
    if (place.get("paper")) show(`at?${place}`);
  }

  function look() {
    openLink();
    const rows = byId("paper-rows");
    if (rows && rows !== watched) {
      watched = rows;
      rowsWatch.disconnect();
      rowsWatch.observe(rows, { childList: true, subtree: true, attributeFilter: ["value", "data-search"] });
    }
    const asked = document.querySelectorAll("#chat p.question");
    if (asked.length > questions) {
      const bubble = asked[asked.length - 1];
      requestAnimationFrame(() => bubble.scrollIntoView({ block: "start", behavior: "auto" }));
    }
    questions = asked.length;
  }

  new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });
})();
