// The library grows: papers dropped, chosen or fetched from arXiv, each with its progress; removed ones put back.
// Whatever a file's name or a paper's title says is put in as text, never as HTML.
(() => {
  "use strict";
  const MOST_FILES = 200;
  const LARGEST = 200 * 1024 * 1024;
  const UPLOADS_AT_ONCE = 2;
  const root = new URL((window.gradio_config && window.gradio_config.root) || "./", document.baseURI).pathname;
  const base = new URL(root.replace(/\/?$/, "/"), location.origin).href;
  const byId = (id) => document.getElementById(id);

  async function post(path, value) {
    let response;
    try {
      response = await fetch(base + path, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value || {}),
      });
    } catch { throw new Error(say("page.gone")); }
    return read(response);
  }

  async function read(response) {
    let said = null;
    try { said = await response.json(); } catch { /* not ours: said below */ }
    if (!response.ok || !said) throw new Error((said && String(said.detail)) || say("page.not-done", { status: response.status }));
    return said;
  }

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    if (tag === "button") made.type = "button";
    return made;
  }

  // -- a question that is answered with yes or no ---------------------------------------------------------------
  function ask(title, text, yes) {
    const box = element("dialog", "asking");
    const no = element("button", "text-button", say("page.cancel"));
    const sure = element("button", "text-button danger", yes);
    const row = element("div", "dialog-buttons");
    const head = element("h2", "", title);
    head.id = "asking-title";
    box.setAttribute("aria-labelledby", head.id);
    row.append(no, sure);
    box.append(head, ...text.map((line) => element("p", "", line)), row);
    box.addEventListener("keydown", (event) => { if (event.key === "Escape") event.stopPropagation(); });
    document.body.append(box);
    return new Promise((done) => {
      sure.addEventListener("click", () => box.close("yes"));
      no.addEventListener("click", () => box.close());
      box.addEventListener("close", () => { box.remove(); done(box.returnValue === "yes"); });
      box.showModal();
      no.focus();
    });
  }

  window.grow = { post, read, element, base };

  // -- rows -----------------------------------------------------------------------------------------------------
  const shown = new Map(); // id -> { row, json }
  const uploads = new Map(); // id -> what this tab is uploading, or could not
  let last = 0;
  let state = { rows: [], removed: [], summary: "" };

  function button(className, text, value, label) {
    const made = element("button", className, text);
    if (value !== undefined) made.value = value;
    if (label) { made.setAttribute("aria-label", label); made.title = label; }
    return made;
  }

  function drawRow(data) {
    const row = element("li", `arrival ${data.state}`);
    row.dataset.id = data.id;
    const words = element("div");
    words.append(element("span", "name", data.name), element("span", "words", data.words));
    if (["uploading", "fetching", "building"].includes(data.state)) {
      const bar = element("progress");
      bar.setAttribute("aria-label", say("adding.progress", { name: data.name }));
      if (data.size && (data.state === "fetching" || data.state === "uploading")) { bar.max = data.size; bar.value = data.received; }
      words.append(bar);
    }
    const more = element("span", "arrival-buttons");
    if (data.opens) more.append(button("text-button open-paper", say("page.opens"), data.opens, say("adding.read", { name: data.name })));
    if (data.again) more.append(button("text-button again", say("adding.again"), data.id, say("adding.again-one", { name: data.name })));
    if (data.removes) more.append(button("text-button remove-paper", say("adding.remove-file"), data.removes));
    if (more.childNodes.length) words.append(more);
    row.append(words);
    if (!data.underway) row.append(button("icon forget", "✕", data.id, say("adding.forget", { name: data.name })));
    return row;
  }

  function draw() {
    const list = byId("arrivals");
    if (!list) return;
    const rows = [...[...uploads.values()].reverse(), ...state.rows];
    const there = new Set(rows.map((row) => String(row.id)));
    for (const [id, old] of shown) if (!there.has(id)) { old.row.remove(); shown.delete(id); }
    rows.forEach((data, at) => {
      const json = JSON.stringify(data);
      const old = shown.get(String(data.id));
      if (!old || old.json !== json) {
        const row = drawRow(data);
        if (old) old.row.replaceWith(row);
        shown.set(String(data.id), { row, json });
      }
      const row = shown.get(String(data.id)).row;
      if (list.children[at] !== row) list.insertBefore(row, list.children[at] || null);
    });
    const sending = [...uploads.values()].filter((one) => one.underway).length;
    const parts = [sending ? say("adding.to-upload", { n: sending }) : "", state.summary || ""].filter(Boolean);
    const sum = byId("adding-sum");
    sum.hidden = !parts.length;
    if (sum.firstChild.textContent !== parts.join(" · ")) sum.firstChild.textContent = parts.join(" · ");
    document.querySelector(".clear-arrivals").hidden = rows.filter((row) => !row.underway).length < 2;
    drawRemoved();
  }

  function drawRemoved() {
    const box = byId("removed-papers");
    const removed = state.removed || [];
    const json = JSON.stringify(removed);
    box.hidden = !removed.length;
    if (box.dataset.json === json) return;
    box.dataset.json = json;
    const count = removed.length + (state.more_removed || 0);
    box.querySelector("summary").textContent = say("adding.removed-kept", { n: count });
    box.querySelector("ul").replaceChildren(...removed.map((file) => {
      const row = element("li");
      row.append(element("span", "", file), button("text-button put-back", say("adding.put-back"), file, say("adding.put-back-one", { file })));
      return row;
    }));
  }

  // What was done or went wrong, below the head of the list; `back` is a removed file that can be put back.
  function tell(text, kind, back) {
    const note = byId("adding-said");
    if (!note) return;
    note.className = kind || "";
    note.replaceChildren(text || "");
    if (!text) return;
    if (back) note.append(" ", button("text-button put-back", say("adding.put-back"), back));
    note.append(" ", button("icon hush", "✕", undefined, say("adding.hide")));
  }

  // -- what the server knows ------------------------------------------------------------------------------------
  let timer = 0;
  let looking = false;

  async function look() {
    clearTimeout(timer);
    if (looking) { timer = setTimeout(look, 300); return; }
    looking = true;
    try {
      take(await read(await fetch(base + "adding/state")));
    } catch { /* the page itself says when the program has ended; try again later */ }
    looking = false;
    if (state.busy || state.building || building()) timer = setTimeout(look, document.hidden ? 4000 : 900);
  }

  // The list opens by itself when the page begins with something on its way or wrong, and never against the user.
  function take(said) {
    const first = !state.known;
    state = { ...said, known: true };
    if (first && (state.busy || state.rows.some((row) => ["failed", "kept"].includes(row.state)))) open(true, false);
    draw();
  }

  async function act(name, value, kind) {
    try {
      const said = await post(`adding/do/${name}`, value);
      take(said);
      tell(said.said || "", kind, name === "remove" ? said.removed[0] : "");
    } catch (error) {
      tell(error.message, "bad");
    }
    look();
  }

  // -- files ----------------------------------------------------------------------------------------------------
  const queue = [];
  let sending = 0;

  function add(files) {
    open(true, false);
    tell("");
    const taken = [...files].slice(0, MOST_FILES);
    if (files.length > taken.length) tell(say("adding.only-first", { most: MOST_FILES, n: files.length }), "bad");
    for (const file of taken) {
      const row = { id: `up${++last}`, name: file.name, state: "uploading", words: say("adding.waits-upload"), underway: true, size: file.size, received: 0 };
      uploads.set(row.id, row);
      if (file.size > LARGEST) fail(row, say("adding.too-large", { name: file.name, most: LARGEST / 2 ** 20 }));
      else queue.push([row, file]);
    }
    draw();
    next();
  }

  function fail(row, words) {
    Object.assign(row, { state: "failed", words, underway: false });
  }

  function next() {
    while (sending < UPLOADS_AT_ONCE && queue.length) {
      sending += 1;
      const [row, file] = queue.shift();
      send(row, file).then((words) => {
        if (words) fail(row, words); else uploads.delete(row.id);
      }).finally(() => { sending -= 1; delete row.abort; look().finally(draw); next(); });
    }
  }

  // Resolves to what went wrong, empty when the server has the file and a row for it.
  function send(row, file) {
    return new Promise((done) => {
      const request = new XMLHttpRequest();
      row.abort = () => request.abort();
      Object.defineProperty(row, "abort", { enumerable: false });
      request.open("POST", base + "adding/file");
      request.setRequestHeader("X-File-Name", encodeURIComponent(file.name.toWellFormed ? file.name.toWellFormed() : file.name));
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.upload.addEventListener("progress", (event) => {
        const share = event.total ? Math.floor((100 * event.loaded) / event.total) : 0;
        Object.assign(row, { received: event.loaded, words: share < 100 ? say("adding.uploading", { share }) : say("adding.checked") });
        draw();
      });
      request.addEventListener("load", () => {
        let said = null;
        try { said = JSON.parse(request.responseText); } catch { /* not ours: said below */ }
        if (request.status === 200 && said) done("");
        else done(said && said.detail ? `${file.name}: ${said.detail}` : say("adding.not-taken", { name: file.name, status: request.status }));
      });
      request.addEventListener("error", () => done(say("adding.not-sent", { name: file.name })));
      request.addEventListener("abort", () => done(say("adding.upload-cancelled", { name: file.name })));
      request.send(file);
    });
  }

  function cancel() {
    for (const [row] of queue.splice(0)) fail(row, say("adding.upload-cancelled", { name: row.name }));
    for (const row of uploads.values()) if (row.abort) row.abort();
    act("cancel");
  }

  // -- dropping, anywhere on the page ---------------------------------------------------------------------------
  const holdsFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  let inside = 0;

  function over(on) { document.body.classList.toggle("dropping", on); }

  document.addEventListener("dragenter", (event) => { if (holdsFiles(event)) { inside += 1; over(true); } });
  document.addEventListener("dragleave", (event) => { if (holdsFiles(event) && --inside <= 0) { inside = 0; over(false); } });
  document.addEventListener("dragover", (event) => { if (holdsFiles(event)) event.preventDefault(); });
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.stopPropagation();
    inside = 0;
    over(false);
    const items = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry());
    const folders = items.filter((item) => item && item.isDirectory);
    const files = [...event.dataTransfer.files].filter((file, at) => !(items[at] && items[at].isDirectory));
    document.body.classList.add("library-open");
    if (files.length) add(files); else open(true, false);
    if (folders.length) tell(say("adding.a-folder", { name: folders[0].name }), "bad");
  }, true);

  // -- what is pressed ------------------------------------------------------------------------------------------
  function open(on, focus) {
    const panel = byId("adding");
    const opener = document.querySelector(".open-adding");
    if (!panel || panel.hidden === !on) return;
    panel.hidden = !on;
    opener.setAttribute("aria-expanded", String(on));
    opener.textContent = on ? say("adding.done") : say("adding.open");
    if (on && focus) byId("drop-here").focus();
  }

  function titleOf(pressed) {
    const row = pressed.closest("li");
    const title = row && row.querySelector(".open-paper, .title, .name");
    return title ? title.textContent : say("adding.this-paper");
  }

  async function remove(pressed) {
    const name = pressed.value;
    const sure = await ask(say("adding.remove-title"), [
      titleOf(pressed),
      say("adding.remove-text"),
    ], say("library.remove"));
    if (sure) act("remove", { paper: name });
  }

  async function rebuildAll() {
    const count = document.querySelectorAll("#paper-rows li").length;
    const sure = await ask(say("build.all-title"), [
      say("build.all-text", { count }),
      say("build.all-hint"),
    ], say("build.all-yes"));
    if (sure) act("rebuild-all");
  }

  function forget(pressed) {
    if (uploads.delete(pressed.value)) draw(); else act("forget", { id: Number(pressed.value) });
  }

  document.addEventListener("click", (event) => {
    const pressed = event.target.closest && event.target.closest("button");
    if (!pressed) return;
    if (pressed.matches(".open-adding")) open(byId("adding").hidden, true);
    else if (pressed.id === "drop-here") byId("file-choice").click();
    else if (pressed.matches(".remove-paper")) remove(pressed);
    else if (pressed.matches(".rebuild-all")) rebuildAll();
    else if (pressed.matches(".cancel-build, .cancel-adding")) cancel();
    else if (pressed.matches(".again")) act("again", { id: Number(pressed.value) });
    else if (pressed.matches(".forget")) forget(pressed);
    else if (pressed.matches(".put-back")) act("restore", { file: pressed.value });
    else if (pressed.matches(".hush")) tell("");
    else if (pressed.matches(".clear-arrivals")) {
      for (const [id, row] of uploads) if (!row.underway) uploads.delete(id);
      act("forget", { id: 0 });
    }
  });

  document.addEventListener("change", (event) => {
    if (event.target.id !== "file-choice") return;
    const files = [...event.target.files];
    event.target.value = "";
    if (files.length) add(files);
  });

  document.addEventListener("submit", (event) => {
    if (event.target.id !== "arxiv-form") return;
    event.preventDefault();
    const field = byId("arxiv-ids");
    const text = field.value;
    act("fetch", { text }).then(() => { if (!byId("adding-said").classList.contains("bad")) field.value = ""; });
  });

  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "arxiv-ids" || event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    byId("arxiv-form").requestSubmit();
  });

  // -- what changes by itself: a build that runs, or ended ------------------------------------------------------
  const building = () => Boolean(document.querySelector("#build-status progress"));
  let built = null;
  new MutationObserver(() => {
    if (!byId("arrivals")) return;
    const now = building();
    const ender = document.querySelector(".cancel-build");
    if (ender && ender.hidden === now) ender.hidden = !now;
    if (now !== built) { built = now; look(); }
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
