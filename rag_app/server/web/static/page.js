// Saving an answer, the panes of a narrow window, and presses that meet what they were meant for.
(() => {
  "use strict";
  const reading = window.reader.base;

  // -- export ---------------------------------------------------------------------------------------------------
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
    if (event.key === "Escape" && !document.querySelector("dialog[open]")) toggle("library-open", false);
  });

  // -- lists and answers change while a button is pressed: what is meant is what stood there when it went down ---------
  const nameOf = (button) => [button.classList[0], button.value || button.textContent].join(" ");
  const LISTS = "#chat, #history-rows, #paper-rows";
  let down = null; // the button, and its name then
  let answered = false; // this press has been acted for: its own click, which falls on whatever came up, is nobody's

  const buttonOf = (event) => event.target.closest && event.target.closest(`:is(${LISTS}) button`);
  document.addEventListener("pointerdown", (event) => {
    const button = buttonOf(event);
    answered = false;
    down = button && { button, name: nameOf(button), list: button.closest(LISTS) };
  }, true);
  function pressMeant(meant) {
    Array.from(meant.list.querySelectorAll("button")).find((one) => nameOf(one) === meant.name)?.click();
  }
  document.addEventListener("pointerup", (event) => {
    if (!down || down.button.isConnected) return; // what is gone gets no click
    const meant = down, on = buttonOf(event);
    down = null;
    if (!on || nameOf(on) !== meant.name) return;
    pressMeant(meant);
    answered = true;
  }, true);
  document.addEventListener("click", (event) => {
    const meant = down;
    down = null;
    if (event.isTrusted && answered) {
      answered = false;
      event.stopPropagation();
      event.preventDefault();
      return;
    }
    if (!event.isTrusted || !meant || buttonOf(event) !== meant.button || nameOf(meant.button) === meant.name) return;
    event.stopPropagation(); // the button has become another's
    event.preventDefault();
    pressMeant(meant);
  }, true);

  // -- what changes by itself ----------------------------------------------------------------------------------
  let questions = 0;

  function look() {
    const asked = document.querySelectorAll("#chat p.question");
    if (asked.length > questions) {
      const bubble = asked[asked.length - 1];
      requestAnimationFrame(() => bubble.scrollIntoView({ block: "start", behavior: "auto" }));
    }
    questions = asked.length;
  }

  new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });
})();
