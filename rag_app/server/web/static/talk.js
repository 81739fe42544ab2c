// Conversations: the list of kept ones, a question changed and asked again, thumbs. What is pressed becomes an action that
// the hidden button #action carries to the server.
(() => {
  "use strict";
  const KEPT = "conversation"; // in the tab's own storage, so that a reload comes back to it
  const byId = (id) => document.getElementById(id);
  let action = "";

  function send(value) {
    action = JSON.stringify(value);
    byId("action").click();
  }

  window.talk = {
    fill,
    action: () => action,
    branch: () => { const turn = branch && `/${branch}`; leaveBranch(); return turn; },
    kept: () => { try { return sessionStorage.getItem(KEPT) || ""; } catch { return ""; } },
  };

  // -- a question, changed and asked again ----------------------------------------------------------------------
  let branch = ""; // the turn in whose place what is typed is asked, in a new conversation

  function editQuestion(button) {
    const asked = Array.from(document.querySelectorAll("#chat .asked-question .edit-question"));
    const earlier = button.value && asked.indexOf(button) >= 0 && asked.indexOf(button) < asked.length - 1;
    leaveBranch();
    fill(button.parentElement.querySelector(".question, .question-text").innerText);
    if (earlier) enterBranch(button.value);
  }

  function enterBranch(turn) {
    branch = turn;
    const note = document.createElement("div");
    note.id = "branch-note";
    note.setAttribute("role", "status");
    const words = document.createElement("span"), end = document.createElement("button");
    words.textContent = say("question.branch");
    end.type = "button";
    end.className = "text-button";
    end.textContent = say("question.no-branch");
    end.addEventListener("click", () => { leaveBranch(); document.querySelector("#question textarea").focus(); });
    note.append(words, end);
    byId("question").before(note);
  }

  function leaveBranch() {
    branch = "";
    byId("branch-note")?.remove();
  }

  function fill(text) {
    const box = document.querySelector("#question textarea");
    Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set.call(box, text);
    box.dispatchEvent(new Event("input", { bubbles: true }));
    box.focus();
    box.setSelectionRange(text.length, text.length);
  }

  // -- thumbs -----------------------------------------------------------------------------------------------------
  function field(label, value, save, put) {
    const form = document.createElement("form");
    const box = document.createElement("input");
    const button = document.createElement("button");
    form.className = "small-form";
    box.value = value;
    box.setAttribute("aria-label", label);
    box.placeholder = label;
    box.maxLength = 1000;
    button.type = "submit";
    button.className = "text-button";
    button.textContent = say("page.save");
    form.append(box, button);
    form.addEventListener("submit", (event) => { event.preventDefault(); form.remove(); save(box.value); });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      form.remove();
    });
    document.querySelectorAll(".small-form").forEach((old) => old.remove());
    put(form);
    box.focus();
    box.select();
  }

  function rate(button) {
    const [turn, verdict] = button.value.split(":");
    const label = verdict === "up" ? say("answer.what-good") : say("answer.what-bad");
    field(label, "", (text) => send({ do: "rate", id: turn, verdict, text }), (form) => button.parentElement.append(form));
  }

  // -- the list ---------------------------------------------------------------------------------------------------
  function rename(button) {
    const row = button.closest("li");
    const title = row.querySelector(".title").textContent;
    field(say("history.new-title"), title, (text) => { if (text.trim()) send({ do: "rename", id: button.value, text }); }, (form) => row.append(form));
  }

  const closed = new Set(); // folders

  function putIntoFolder(button) {
    const row = button.closest("li"), list = document.createElement("datalist");
    list.id = "folder-names";
    for (const head of document.querySelectorAll("#history-rows summary[data-folder]")) list.append(new Option(head.dataset.folder));
    field(say("history.folder-name"), row.dataset.folder || "", (text) => send({ do: "folder", id: button.value, text }), (form) => {
      form.append(list);
      form.querySelector("input").setAttribute("list", list.id);
      row.append(form);
    });
  }

  function showFolders() {
    document.querySelectorAll("#history-rows summary[data-folder]").forEach((head) => {
      const open = !closed.has(head.dataset.folder);
      if (head.parentElement.open !== open) head.parentElement.open = open;
    });
  }

  document.addEventListener("click", (event) => {
    const head = event.target.closest && event.target.closest("#history-rows summary[data-folder]");
    if (!head) return;
    if (head.parentElement.open) closed.add(head.dataset.folder); else closed.delete(head.dataset.folder);
  });

  function remove(button) {
    if (button.dataset.sure) { send({ do: "delete", id: button.value }); return; }
    button.dataset.sure = "yes";
    button.textContent = say("history.sure");
    button.addEventListener("blur", () => { delete button.dataset.sure; button.textContent = "✕"; }, { once: true });
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("button");
    if (!button) return;
    if (button.matches(".edit-question")) editQuestion(button);
    else if (button.matches(".thumb")) rate(button);
    else if (button.matches(".open-conversation")) { leaveBranch(); send({ do: "open", id: button.value }); }
    else if (button.matches(".new-conversation")) { leaveBranch(); send({ do: "new" }); fill(""); }
    else if (button.matches(".folder-conversation")) putIntoFolder(button);
    else if (button.matches(".rename-conversation")) rename(button);
    else if (button.matches(".delete-conversation")) remove(button);
  });

  let waiting = 0;

  function seek(box) {
    clearTimeout(waiting);
    waiting = setTimeout(() => { waiting = 0; send({ do: "seek", text: box.value }); }, 250);
  }

  document.addEventListener("input", (event) => { if (event.target.id === "history-search") seek(event.target); });

  // A list that was made before what is sought was known may come after the one that was: then it is asked for again.
  function seekAgain(list) {
    const box = byId("history-search");
    if (box && !waiting && list.dataset.sought !== box.value) seek(box);
  }

  // -- what changes by itself: the thumbs' state, and which conversation this tab is in ---------------------------
  let shown = null; // the list of conversations that was looked at last
  new MutationObserver(() => {
    document.querySelectorAll("#chat .thumb").forEach((button) => {
      const chosen = String(button.classList.contains("chosen"));
      if (button.getAttribute("aria-pressed") === chosen) return;
      button.setAttribute("aria-pressed", chosen);
      button.setAttribute("aria-label", button.title);
    });
    const list = document.querySelector("#history-rows ul.conversations");
    if (!list) return;
    showFolders();
    if (list !== shown) { shown = list; seekAgain(list); }
    try {
      if (list.dataset.now) sessionStorage.setItem(KEPT, list.dataset.now); else sessionStorage.removeItem(KEPT);
    } catch { /* storage is switched off: a reload begins anew */ }
  }).observe(document.documentElement, { childList: true, subtree: true, attributeFilter: ["data-now"] });
})();
