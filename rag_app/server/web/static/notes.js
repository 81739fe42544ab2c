// Notes: the list of them, one that is read or written in, and what is kept to them. The server renders a note; what is
// typed is saved by itself a moment after the last key.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const base = () => window.reader.base + "notes";
  const PAUSE = 700; // milliseconds after the last key
  const MOST_OFFERED = 8;
  let open = null; // the note that is shown: id, revision
  let saving = 0, dirty = false, opener = null;

  const element = (...of) => window.grow.element(...of);

  async function ask(path, value) {
    let response;
    try {
      response = await fetch(base() + path, value && {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });
    } catch { throw new Error(say("page.gone")); }
    return window.grow.read(response);
  }

  // -- the list --------------------------------------------------------------------------------------------------
  async function drawList() {
    const list = byId("note-rows");
    if (!list || !document.body.classList.contains("tab-notes")) return;
    let said;
    try { said = await ask(`?find=${encodeURIComponent(byId("notes-search").value)}`); } catch (error) { said = { notes: [], problem: error.message }; }
    const rows = said.notes.map((note) => {
      const row = element("li"), button = element("button", "open-note");
      button.value = note.id;
      if (open && open.id === note.id) button.setAttribute("aria-current", "true");
      button.append(element("span", "title", note.title), element("span", "facts", new Date(note.updated * 1000).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" })));
      row.append(button);
      return row;
    });
    if (!rows.length) rows.push(element("li", "empty", said.problem || say(byId("notes-search").value ? "notes.none-found" : "notes.none")));
    list.replaceChildren(...rows);
  }

  // -- one note --------------------------------------------------------------------------------------------------
  function show(note, write) {
    open = { id: note.id, revision: note.revision };
    dirty = false;
    byId("note-title").value = note.title;
    byId("note-text").value = note.text;
    byId("note-read").innerHTML = note.html; // of the server's making, escaped there
    byId("note-file").href = `${base()}/${note.id}/file`;
    byId("note").hidden = false;
    document.body.classList.add("note-open");
    document.body.classList.remove("library-open");
    tell("");
    setWriting(write ?? !note.text);
    drawList();
  }

  function setWriting(on) {
    byId("note-text").hidden = !on;
    byId("note-read").hidden = on;
    const button = document.querySelector("[data-note=write]");
    button.setAttribute("aria-pressed", String(on));
    button.textContent = say(on ? "notes.read" : "notes.write");
  }

  function tell(words, bad) {
    const state = byId("note-state");
    state.textContent = words;
    state.className = bad ? "bad" : "";
  }

  async function openNote(id, button) {
    await save();
    if (button) opener = button;
    try { show(await ask(`/${id}`)); byId(byId("note-text").hidden ? "note-read" : "note-text").focus(); } catch (error) { tell(error.message, true); }
  }

  async function begin() {
    await save();
    try { show(await ask("/do/write", { title: "", text: "" }), true); byId("note-title").select(); } catch (error) { tell(error.message, true); }
  }

  async function save() {
    clearTimeout(saving);
    if (!open || !dirty) return true;
    const sent = { ...open, title: byId("note-title").value, text: byId("note-text").value };
    dirty = false;
    try {
      const said = await ask("/do/write", sent);
      if (!open || open.id !== said.id) return true;
      open.revision = said.revision;
      byId("note-read").innerHTML = said.html;
      tell(say("notes.saved"));
      drawList();
      return true;
    } catch (error) {
      dirty = true;
      tell(error.message, true);
      return false;
    }
  }

  function typed() {
    dirty = true;
    tell("");
    clearTimeout(saving);
    saving = setTimeout(save, PAUSE);
  }

  async function close() {
    if (!(await save())) return;
    open = null;
    byId("note").hidden = true;
    document.body.classList.remove("note-open");
    drawList();
    if (opener && opener.isConnected) opener.focus(); else document.querySelector("#question textarea")?.focus();
  }

  async function remove(button) {
    if (!button.dataset.sure) {
      button.dataset.sure = "yes";
      button.textContent = say("history.sure");
      button.addEventListener("blur", () => { delete button.dataset.sure; button.textContent = say("history.delete"); }, { once: true });
      return;
    }
    try { await ask("/do/delete", { id: open.id }); } catch (error) { tell(error.message, true); return; }
    dirty = false;
    button.blur();
    close();
  }

  // -- keeping ---------------------------------------------------------------------------------------------------
  // A list of notes at the button that was pressed: a new one first, then those that were changed last.
  async function offer(button) {
    document.querySelector(".note-choice")?.remove();
    const choice = element("div", "note-choice");
    choice.setAttribute("role", "group");
    choice.setAttribute("aria-label", say("notes.keep-hint"));
    let notes = [];
    try { notes = (await ask("")).notes.slice(0, MOST_OFFERED); } catch { /* a new one may still work */ }
    const row = (id, words) => {
      const one = element("button", "", words);
      one.addEventListener("click", () => { choice.remove(); keep(button, id); });
      choice.append(one);
    };
    row("", say("notes.new"));
    for (const note of notes) row(note.id, note.title);
    document.body.append(choice);
    const place = button.getBoundingClientRect(), size = choice.getBoundingClientRect();
    choice.style.left = Math.max(8, Math.min(place.left, innerWidth - size.width - 8)) + "px";
    choice.style.top = Math.max(8, place.top > size.height + 12 ? place.top - size.height - 4 : Math.min(place.bottom + 4, innerHeight - size.height - 8)) + "px";
    choice.querySelector("button").focus();
    const away = (event) => {
      if (event.type === "keydown" ? event.key !== "Escape" : choice.contains(event.target)) return;
      if (event.type === "keydown") { event.stopPropagation(); button.focus(); }
      choice.remove();
    };
    for (const kind of ["keydown", "pointerdown"]) {
      const heard = (event) => { if (choice.isConnected) away(event); if (!choice.isConnected) document.removeEventListener(kind, heard, true); };
      document.addEventListener(kind, heard, true);
    }
  }

  async function keep(button, id) {
    const [kind, name] = button.matches(".keep-quote") ? ["quote", window.reader.chosen()] : button.value.split("/");
    const before = button.textContent;
    if (open && open.id === id && !(await save())) return;
    let words = say("notes.kept");
    try {
      const note = await ask("/do/keep", { kind, name, id });
      if (open && open.id === note.id) show(await ask(`/${note.id}`)); else drawList();
      announce(say("notes.kept-in", { title: note.title }));
    } catch (error) {
      words = error.message;
      announce(words);
    }
    button.focus();
    button.textContent = words;
    setTimeout(() => { button.textContent = before; }, 2500);
  }

  function announce(words) {
    const spoken = byId("spoken");
    if (spoken) spoken.textContent = words;
  }

  // -- what happens ------------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("button, .note-place");
    if (!button) return;
    if (button.matches(".note-place")) {
      event.preventDefault();
      window.reader.showWords(button.dataset.paper, button.dataset.page, button.dataset.words, button);
    } else if (button.matches(".keep-note")) offer(button);
    else if (button.matches(".open-note")) openNote(button.value, button);
    else if (button.matches(".new-note")) begin();
    else if (button.matches(".close-note")) close();
    else if (button.dataset.note === "write") save().then(() => { const on = byId("note-text").hidden; setWriting(on); byId(on ? "note-text" : "note-read").focus(); });
    else if (button.dataset.note === "delete") remove(button);
    else if (button.matches(".open-conversation, .new-conversation") && open) close();
  });
  document.addEventListener("input", (event) => {
    if (event.target.id === "note-title" && event.target.value.includes("\n")) event.target.value = event.target.value.replace(/\s*\n\s*/g, " ");
    if (["note-title", "note-text"].includes(event.target.id)) typed();
    else if (event.target.id === "notes-search") drawList();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !event.target.closest || !event.target.closest("#note")) return;
    if (document.body.classList.contains("reading-open")) return; // that pane lies in front
    event.stopPropagation();
    close();
  }, true);
  document.addEventListener("tab-shown", drawList);
  addEventListener("beforeunload", () => { if (dirty) save(); });
})();
