// The library: its two tabs, the order of the papers and which are shown, ticks and the chips of the chosen ones, and
// what is known of one paper.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const MOST_CHIPS = 5;
  const LONGEST_CHIP = 24; // characters
  const TABS = ["papers", "conversations", "notes"];
  const TAB = "tab"; // in the tab's own storage
  const ticks = new Set();
  let cited = null; // paper -> how often answers quoted it; asked for when it is needed

  function element(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    if (name === "button") made.type = "button";
    return made;
  }

  const rows = () => Array.from(document.querySelectorAll("#paper-rows li"));
  const nameOf = (row) => row.querySelector("input").value;
  const STATES = { "full-text": "library.full-text", "digest-only": "library.digest-only", "no-text": "library.no-text", unreadable: "library.unreadable" };
  const tagsOf = (row) => JSON.parse(row.dataset.tags || "[]");
  const titleOf = (row) => row.querySelector(".open-paper, .title").textContent;

  // -- tabs ------------------------------------------------------------------------------------------------------
  function showTab(name, focus) {
    for (const one of TABS) {
      document.body.classList.toggle(`tab-${one}`, one === name);
      const tab = byId(`tab-${one}`);
      if (!tab) continue;
      tab.setAttribute("aria-selected", String(one === name));
      tab.tabIndex = one === name ? 0 : -1;
      if (focus && one === name) tab.focus();
    }
    try { sessionStorage.setItem(TAB, name); } catch { /* storage is switched off */ }
    document.dispatchEvent(new CustomEvent("tab-shown", { detail: name }));
  }

  // -- ticks -----------------------------------------------------------------------------------------------------
  function showTicks() {
    const all = rows(), there = new Set(all.map(nameOf));
    if (there.size) for (const name of ticks) if (!there.has(name)) ticks.delete(name);
    for (const row of all) row.querySelector("input").checked = ticks.has(nameOf(row));
    showChips();
  }

  function showChips() {
    const note = byId("scope-note");
    if (!note) return;
    const chosen = rows().filter((row) => ticks.has(nameOf(row))), chip = byId("papers-chip");
    const words = chosen.length ? say("page.n-papers", { n: chosen.length }) : say("page.all-papers");
    if (chip && chip.textContent !== words) chip.textContent = words;
    note.replaceChildren();
    if (!chosen.length) return;
    note.append(element("span", "", say("page.only-papers", { n: chosen.length })));
    for (const row of chosen.slice(0, MOST_CHIPS)) {
      const short = titleOf(row).split(":")[0];
      const chip = element("button", "chip");
      chip.append(element("span", "", short.length > LONGEST_CHIP ? short.slice(0, LONGEST_CHIP) + "…" : short));
      chip.title = titleOf(row);
      chip.setAttribute("aria-label", say("page.drop-paper", { title: titleOf(row) }));
      chip.addEventListener("click", () => { ticks.delete(nameOf(row)); showTicks(); });
      note.append(chip);
    }
    if (chosen.length > MOST_CHIPS) note.append(element("span", "", say("page.more-papers", { n: chosen.length - MOST_CHIPS })));
    const clear = element("button", "text-button ask-all", say("page.ask-all"));
    clear.addEventListener("click", () => { ticks.clear(); showTicks(); });
    note.append(clear);
  }

  // -- order and choice --------------------------------------------------------------------------------------------
  const number = (row, name) => Number(row.dataset[name]) || 0;
  const byTitle = (one, other) => one.dataset.title.localeCompare(other.dataset.title);
  const orders = {
    title: byTitle,
    year: (one, other) => number(other, "year") - number(one, "year") || byTitle(one, other),
    added: (one, other) => number(other, "added") - number(one, "added") || byTitle(one, other),
    cited: (one, other) => (cited?.get(nameOf(other)) || 0) - (cited?.get(nameOf(one)) || 0) || byTitle(one, other),
  };

  async function count() {
    try {
      const said = await (await fetch(window.reader.base + "map")).json();
      cited = new Map(said.points.map((point) => [point.paper, point.pages.reduce((sum, [, times]) => sum + times, 0)]));
    } catch { cited = new Map(); }
  }

  // Only places in the list change: a row that moves in the document would lose its focus.
  async function arrange() {
    const order = byId("paper-sort")?.value || "title";
    if (order === "cited") await count();
    const bad = (row) => ["unreadable", "no-text"].includes(row.dataset.state);
    const sorted = rows().sort((one, other) => bad(one) - bad(other) || (orders[order] || byTitle)(one, other));
    sorted.forEach((row, at) => { row.style.order = at; });
  }

  function drawFilter() {
    const box = byId("paper-filter");
    if (!box) return;
    const before = box.value || "all";
    const all = rows();
    const values = (name) => [...new Set(all.map((row) => row.dataset[name]).filter((one) => one && one !== "0"))];
    const tags = [...new Set(all.flatMap(tagsOf))].sort((one, other) => one.localeCompare(other));
    const states = Object.keys(STATES).filter((one) => all.some((row) => row.dataset.state === one));
    const key = JSON.stringify([values("topic"), values("year"), tags, states, all.length]);
    if (box.dataset.key === key) return;
    box.dataset.key = key;
    const option = (value, text) => { const made = element("option", "", text); made.value = value; return made; };
    const group = (label, name, list) => {
      const made = document.createElement("optgroup");
      made.label = label;
      made.append(...list.map((one) => option(`${name}:${one}`, one)));
      return made;
    };
    box.replaceChildren(option("all", say("library.all")), option("ticked", say("library.ticked")), option("problems", say("library.problems")));
    const topics = values("topic").sort(), years = values("year").sort().reverse();
    if (topics.length) box.append(group(say("library.topics"), "topic", topics));
    if (tags.length) box.append(group(say("library.tags"), "tag", tags));
    if (years.length > 1) box.append(group(say("library.years"), "year", years));
    if (states.length > 1) {
      const made = group(say("library.states"), "state", states);
      for (const one of made.children) one.textContent = say(STATES[one.value.slice("state:".length)]);
      box.append(made);
    }
    box.value = Array.from(box.options, (one) => one.value).includes(before) ? before : "all";
  }

  function choose() {
    const wanted = (byId("paper-search")?.value || "").toLowerCase().split(/\s+/).filter(Boolean);
    const [kind, ...rest] = (byId("paper-filter")?.value || "all").split(":");
    const value = rest.join(":");
    const fits = (row) => kind === "all" || (kind === "ticked" && ticks.has(nameOf(row)))
      || (kind === "problems" && Boolean(row.querySelector(".state"))) || (kind === "tag" && tagsOf(row).includes(value))
      || (kind !== "tag" && value && row.dataset[kind] === value);
    for (const row of rows()) row.hidden = !(wanted.every((word) => row.dataset.search.includes(word)) && fits(row));
  }

  // -- what is in the library, in three lines of the welcome ---------------------------------------------------------
  function showFacts() {
    const place = document.querySelector(".library-facts"), all = rows();
    if (!place || !all.length) return;
    const years = all.map((row) => number(row, "year")).filter(Boolean);
    const pages = all.reduce((sum, row) => sum + number(row, "pages"), 0);
    const topics = JSON.parse(all[0].parentElement.dataset.topics || "[]");
    const bad = all.filter((row) => ["unreadable", "no-text"].includes(row.dataset.state)).length;
    const first = [say("page.facts-papers", { n: all.length, pages: pages.toLocaleString() })];
    const [oldest, newest] = [Math.min(...years), Math.max(...years)];
    if (years.length) first.push(oldest === newest ? say("page.facts-year", { year: oldest }) : say("page.facts-years", { first: oldest, last: newest }));
    const lines = [first.join(" · "), topics.length ? say("page.facts-topics", { topics: topics.join(", ") }) : "",
      bad ? say("page.facts-unread", { n: bad }) : say("page.facts-all-read")].filter(Boolean);
    if (place.dataset.shown === lines.join("\n")) return;
    place.dataset.shown = lines.join("\n");
    place.replaceChildren(...lines.flatMap((line, at) => [element(at ? "span" : "b", "", line), document.createElement("br")]));
  }

  // -- about one paper ---------------------------------------------------------------------------------------------
  async function about(button) {
    const row = button.closest("li"), name = button.value;
    let said;
    try { said = await (await fetch(`${window.reader.base}paper/${name}/card`)).json(); } catch { return; }
    const dialog = element("dialog", "asking paper-card");
    const head = element("h2", "", said.title);
    head.id = "card-title";
    head.tabIndex = -1;
    head.autofocus = true; // not a button: the card would be scrolled to its end
    dialog.setAttribute("aria-labelledby", "card-title");
    dialog.append(head);
    if (said.authors) dialog.append(element("p", "authors", said.authors));
    if (said.venue) dialog.append(element("p", "facts", said.venue));
    const tags = element("p", "tags");
    for (const tag of said.tags) tags.append(element("span", "tag", tag));
    if (said.tags.length) dialog.append(tags);
    dialog.append(element("p", "facts", [said.facts, said.file].filter(Boolean).join(" · ")));
    if (said.problem) dialog.append(element("p", "problem", said.problem));
    for (const place of said.hidden) dialog.append(element("p", "problem", say("library.hidden", { place })));
    const summary = element("section", "summary");
    dialog.append(summary);
    const whole = element("details");
    const shown = row.querySelector(".open-paper") ? showSummary(summary, name, () => dialog.close()) : Promise.resolve(false);
    shown.then((found) => { whole.open = !found; });
    if (said.abstract) {
      whole.append(element("summary", "", say("library.abstract")), element("blockquote", "", said.abstract));
      dialog.append(whole);
    }
    const notes = element("section", "notes-of-paper");
    dialog.append(notes);
    showNotes(notes, said.file, () => dialog.close());
    const buttons = element("div", "dialog-buttons");
    const press = (text, kind, act) => {
      const made = element("button", `text-button ${kind}`, text);
      made.addEventListener("click", () => { dialog.close(); act(); });
      buttons.append(made);
    };
    press(say("page.close"), "", () => {});
    press(say("library.correct"), "", () => window.details.open(name, button));
    press(say("library.ask-this"), "", () => { ticks.clear(); ticks.add(name); showTicks(); document.querySelector("#question textarea").focus(); });
    if (row.querySelector(".open-paper")) press(say("library.read"), "strong", () => window.reader.show(`paper/${name}/1`));
    dialog.append(buttons);
    dialog.addEventListener("close", () => { dialog.remove(); if (button.isConnected) button.focus(); });
    document.body.append(dialog);
    dialog.showModal();
  }

  // The notes that link to a page of the paper.
  async function showNotes(part, file, leave) {
    let notes;
    try { notes = (await window.grow.read(await fetch(`${window.reader.base}notes?${new URLSearchParams({ find: `(${encodeURIComponent(file)}#page=` })}`))).notes; } catch { return; }
    if (!notes.length) return;
    part.append(element("h3", "", say("library.notes")), ...notes.map((note) => {
      const button = element("button", "open-note text-button", note.title);
      button.value = note.id;
      button.addEventListener("click", leave);
      return button;
    }));
  }

  // -- the papers that are asked, chosen at the question box -----------------------------------------------------------
  function choosePapers() {
    const dialog = element("dialog", "asking choose-papers"), head = element("h2", "", say("page.choose-papers")), find = element("input"), list = element("ul");
    head.id = "choose-title";
    dialog.setAttribute("aria-labelledby", head.id);
    find.type = "search";
    find.placeholder = say("library.search");
    find.setAttribute("aria-label", say("library.search-label"));
    const shown = rows().sort((one, other) => ticks.has(nameOf(other)) - ticks.has(nameOf(one)) || byTitle(one, other)).map((row) => {
      const made = element("li"), label = element("label"), box = element("input");
      box.type = "checkbox";
      box.checked = ticks.has(nameOf(row));
      box.addEventListener("change", () => { if (box.checked) ticks.add(nameOf(row)); else ticks.delete(nameOf(row)); showTicks(); });
      label.append(box, element("span", "", titleOf(row)));
      made.append(label);
      made.dataset.search = row.dataset.search;
      return made;
    });
    find.addEventListener("input", () => {
      const wanted = find.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const one of shown) one.hidden = !wanted.every((word) => one.dataset.search.includes(word));
    });
    list.append(...shown);
    const buttons = element("div", "dialog-buttons"), all = element("button", "text-button", say("page.ask-all")), done = element("button", "text-button strong", say("adding.done"));
    all.addEventListener("click", () => { ticks.clear(); showTicks(); dialog.close(); });
    done.addEventListener("click", () => dialog.close());
    buttons.append(all, done);
    dialog.append(head, find, list, buttons);
    dialog.addEventListener("close", () => { dialog.remove(); choose(); document.querySelector("#question textarea")?.focus(); });
    document.body.append(dialog);
    dialog.showModal();
  }

  // Two or three sentences of the paper, each with its place; a model writes one when it is asked to. The card waits for neither.
  async function showSummary(part, name, leave, model = false) {
    let said;
    try { said = await window.grow.read(await fetch(`${window.reader.base}paper/${name}/summary?model=${model}`)); }
    catch (error) { if (model) part.append(element("p", "problem", error.message)); return false; }
    if (said.problem) { part.append(element("p", "problem", said.problem)); return false; }
    const rows = said.lines.map((line) => {
      const text = element("p");
      for (const piece of line) {
        if (!piece.place) { text.append(piece.text); continue; }
        const mark = element("button", "cite", piece.number);
        mark.value = piece.place;
        mark.title = piece.hint;
        mark.setAttribute("aria-label", say("answer.citation", { number: piece.number, hint: piece.hint }));
        mark.addEventListener("click", () => { leave(); window.reader.show(`place/${piece.place}`); });
        text.append(" ", mark);
      }
      return text;
    });
    part.replaceChildren();
    if (rows.length) part.append(element("h3", "", say("library.summary")), ...rows, element("p", "facts", said.by));
    if (said.doubts) part.append(element("p", "problem", said.doubts));
    if (said.offer) part.append(offerSummary(part, name, leave, said.offer));
    return rows.length > 0;
  }

  function offerSummary(part, name, leave, model) {
    const offer = element("button", "text-button", say("library.summary-offer", { model }));
    offer.addEventListener("click", () => {
      offer.disabled = true;
      offer.textContent = say("library.summary-coming");
      showSummary(part, name, leave, true).finally(() => offer.remove());
    });
    return offer;
  }

  // -- what happens ------------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("button");
    if (!button) return;
    if (button.matches(".tabs [role=tab]")) showTab(button.id.slice("tab-".length));
    else if (button.matches(".open-adding")) showTab("papers");
    else if (button.matches(".about-paper")) about(button);
    else if (button.id === "papers-chip") choosePapers();
  });
  document.addEventListener("keydown", (event) => {
    if (!event.target.matches || !event.target.matches("[role=tab]") || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    const at = TABS.indexOf(event.target.id.slice("tab-".length)), step = event.key === "ArrowRight" ? 1 : TABS.length - 1;
    showTab(TABS[(at + step) % TABS.length], true);
  });
  document.addEventListener("change", (event) => {
    const box = event.target;
    if (!box.matches) return;
    if (box.matches("#paper-rows input[type=checkbox]")) {
      if (box.checked) ticks.add(box.value); else ticks.delete(box.value);
      showChips();
      choose();
    } else if (box.id === "paper-sort") arrange();
    else if (box.id === "paper-filter") choose();
  });
  document.addEventListener("input", (event) => { if (event.target.id === "paper-search") choose(); });

  // The list of papers is changed in place: a box may get another paper's name and keep its tick.
  let watched = null;
  const changed = new MutationObserver(() => { showTicks(); drawFilter(); arrange(); choose(); showFacts(); });
  new MutationObserver(() => {
    showFacts();
    const list = byId("paper-rows");
    if (!list || list === watched) return;
    watched = list;
    changed.disconnect();
    changed.observe(list, { childList: true, subtree: true, attributeFilter: ["value", "data-search", "data-tags"] });
    let kept = "papers";
    try { kept = sessionStorage.getItem(TAB) || kept; } catch { /* storage is switched off */ }
    showTab(TABS.includes(kept) ? kept : "papers");
  }).observe(document.documentElement, { childList: true, subtree: true });

  window.papers = { ticked: () => JSON.stringify([...ticks]), reading: window.reader.base, open: (path) => window.reader.show(path), showTab };
})();
