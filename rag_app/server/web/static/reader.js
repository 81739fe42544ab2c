// The reading pane: the whole paper in one scroll. A page is drawn when it comes near, under its own words as text that
// can be selected; all places that an answer cites are marked, the chosen one strongest. Texts of papers are put in as
// text, never as HTML.
(() => {
  "use strict";
  const root = new URL((window.gradio_config && window.gradio_config.root) || "./", document.baseURI).pathname;
  const base = new URL(root.replace(/\/?$/, "/") + "reading/", location.origin).href;
  const byId = (id) => document.getElementById(id);
  const GAP = 12; // pixels between two pages
  const STEPS = [0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 2.5, 3, 4]; // pixels per point
  const PICTURES = [1.5, 2, 3]; // pixels per point that the server draws
  const ZOOM = "zoom", SPLIT = "split"; // in the browser's storage
  const NEAR = 900; // pixels above and below the window in which pages are drawn
  const SETTLE = 90; // milliseconds without scrolling, before pages beside the seen ones are drawn
  const TYPED = 250; // milliseconds after the last key
  const LINK = "link"; // the place that the page's own address names

  let paper = null; // what the server said of the paper that is open
  let tops = []; // where each page begins, in pixels
  let scale = 1; // pixels per point
  let fit = null; // "width", "column" (of the chosen mark) or "" (as chosen); null: not looked up yet
  let asText = false;
  let chosen = ""; // the place that is strongly marked
  let cited = []; // all places of the answer that it belongs to
  let found = [], foundAt = -1, sought = "";
  let asked = 0; // only the latest request may move the pane
  let pressed = null; // what opened the pane, to return to

  const places = new Map(); // name -> what the server says of the place
  const asking = new Map(); // path -> promise; a few only
  const pane = () => byId("reading-scroll");
  const phone = () => innerWidth < 780;

  // -- asking the server ---------------------------------------------------------------------------------------
  function get(path, kept = 60) {
    if (!asking.has(path)) {
      if (asking.size > kept) asking.delete(asking.keys().next().value);
      const answer = fetch(base + path).then(async (response) => {
        const said = await response.json();
        if (!response.ok) throw new Error(said.detail || response.statusText);
        return said;
      });
      answer.catch(() => asking.delete(path));
      asking.set(path, answer);
    }
    return asking.get(path);
  }

  async function placesOf(names) {
    const missing = names.filter((name) => !places.has(name));
    if (missing.length) {
      const said = await get(`places?names=${missing.join(",")}`);
      if (places.size > 2000) places.clear();
      for (const [name, place] of Object.entries(said)) places.set(name, place);
    }
    return names.map((name) => places.get(name)).filter(Boolean);
  }

  const layoutOf = (name) => get(`paper/${name}/layout`);
  const linesOf = (page) => get(`paper/${paper.paper}/${page}/lines?version=${paper.version}`);

  // -- opening -------------------------------------------------------------------------------------------------
  function namesAround(button) {
    const answer = button && button.closest(".answer");
    const names = answer ? Array.from(answer.querySelectorAll("button.cite, button.place"), (one) => one.value) : [];
    return [...new Set(names)];
  }

  async function show(path, button) {
    const request = ++asked;
    if (button) pressed = button;
    document.body.classList.add("reading-open", "has-paper");
    document.body.classList.remove("library-open");
    try {
      const [kind, name, number] = path.split("/");
      if (kind === "place") await showPlace(name, button, request);
      else await showPage(name, Number(number) || 1, request);
    } catch (error) {
      if (request === asked) tell(error.message || say("reading.not-reached"), "bad");
    }
  }

  async function showPlace(name, button, request) {
    const names = namesAround(button);
    if (names.length) cited = names;
    markPressed(name);
    const [place] = await placesOf([name]);
    if (request !== asked) return;
    if (!place) throw new Error(say("reading.no-place"));
    await openPaper(place.paper, request);
    if (request !== asked) return;
    chosen = name;
    describe(place);
    if (asText) drawAll(); else drawMarks();
    await reveal(place, request);
    const all = await placesOf(cited);
    if (request === asked && all.length) drawMarks();
  }

  // An address may name a place: ?paper=…&page=…&words=…
  async function showLink() {
    const wanted = new URLSearchParams([...new URLSearchParams(location.search)].filter(([key]) => ["paper", "page", "words"].includes(key)));
    if (!wanted.get("paper")) return;
    await showWords(wanted.get("paper"), wanted.get("page") || 1, wanted.get("words") || "");
  }

  // Words on a page of a paper, by the paper's own name: what a note links to.
  async function showWords(paperName, page, words, button) {
    const request = ++asked;
    if (button) pressed = button;
    document.body.classList.add("reading-open", "has-paper");
    document.body.classList.remove("library-open");
    try {
      const said = await get(`at?${new URLSearchParams({ paper: paperName, page, words })}`);
      if (request !== asked) return;
      if (!said.quote) return show(`paper/${said.paper}/${said.page}`, button);
      places.set(LINK, said);
      cited = [LINK];
      await showPlace(LINK, null, request);
    } catch (error) { if (request === asked) tell(error.message || say("reading.not-reached"), "bad"); }
  }

  async function showPage(name, number, request) {
    await openPaper(name, request);
    if (request !== asked) return;
    chosen = "";
    markPressed("");
    describe(null);
    drawMarks();
    goTo(number);
  }

  async function openPaper(name, request) {
    if (paper && paper.paper === name) return;
    const said = await layoutOf(name);
    if (request !== asked) return;
    paper = said;
    found = []; foundAt = -1; sought = "";
    byId("reading-found").textContent = "";
    document.querySelector(".reading-head").hidden = false;
    document.querySelector(".reading-tools").hidden = false;
    byId("reading-title").textContent = said.title;
    byId("reading-title").title = said.title;
    byId("reading-page").textContent = `/ ${said.pages.length}`;
    openRecording();
    drawOutline();
    build();
  }

  // A talk plays from the recording beside its transcript; its slides are a paper of their own.
  function openRecording() {
    const player = byId("reading-recording"), slides = byId("reading-slides");
    player.pause();
    player.hidden = !paper.recording;
    if (paper.recording) player.src = base + paper.recording; else player.removeAttribute("src");
    slides.hidden = !paper.slides;
    slides.value = paper.slides;
  }

  function markPressed(name) {
    document.querySelectorAll("#chat .now-open").forEach((old) => old.classList.remove("now-open"));
    if (name) document.querySelectorAll("#chat button.cite, #chat button.place").forEach((button) => {
      if (button.value === name) button.classList.add("now-open");
    });
  }

  function tell(text, kind) {
    const note = byId("reading-note");
    note.textContent = text;
    note.hidden = !text;
    note.className = kind || "";
  }

  // What is known of the chosen place: whether it was verified, its words, and which of the answer's it is.
  function describe(place) {
    tell(place ? place.note : paper.problem, !place ? "doubt" : place.verified === false ? "bad" : place.digest || !place.located ? "doubt" : "");
    const box = byId("reading-quote");
    box.hidden = !place;
    box.querySelector("blockquote").textContent = place ? place.quote : "";
    if (place && paper.recording && place.second !== null) byId("reading-recording").currentTime = place.second;
    byId("reading-references").replaceChildren(...(place ? place.references : []).map(referenceRow));
    const at = cited.indexOf(chosen);
    byId("reading-citations").hidden = !place || cited.length < 2;
    byId("reading-citation").textContent = say("reading.citation", { number: at + 1, all: cited.length });
  }

  // A work that the quoted words cite; one that is in the library opens.
  function referenceRow(reference) {
    const row = document.createElement("li");
    const mark = document.createElement("b");
    mark.textContent = reference.mark;
    row.append(mark, ` ${reference.entry} `);
    if (reference.paper) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "text-button open-paper";
      button.value = reference.paper;
      button.textContent = say("page.opens");
      row.append(button);
    }
    return row;
  }

  function drawOutline() {
    const menu = byId("reading-outline");
    menu.hidden = !paper.outline.length;
    menu.open = false;
    menu.querySelector("div").replaceChildren(...paper.outline.map(([title, depth, page]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "heading";
      button.style.paddingInlineStart = 10 + depth * 14 + "px";
      button.append(title, Object.assign(document.createElement("span"), { textContent: page }));
      button.addEventListener("click", () => { menu.open = false; goToHeading(title, page); });
      return button;
    }));
  }

  // -- the pages -------------------------------------------------------------------------------------------------
  let watcher = null;
  const near = new Set();

  function build() {
    if (watcher) watcher.disconnect();
    near.clear();
    const text = asText || !paper.picture;
    byId("reading-pages").className = text ? "as-text" : "";
    byId("reading-pages").replaceChildren(...paper.pages.map(([width, height, label], at) => {
      const sheet = document.createElement("div");
      sheet.className = text ? "sheet text" : "sheet";
      sheet.dataset.page = at + 1;
      sheet.setAttribute("role", "group");
      sheet.setAttribute("aria-label", say("reading.page-of", { page: at + 1, title: paper.title }));
      sheet.style.setProperty("--w", width);
      sheet.style.setProperty("--h", height);
      return sheet;
    }));
    document.querySelectorAll("[data-do=smaller], [data-do=larger], [data-do=fit]").forEach((button) => { button.disabled = text; });
    const switcher = document.querySelector("#reading-more [data-do=text]");
    switcher.hidden = !paper.picture;
    switcher.setAttribute("aria-pressed", String(asText));
    measure();
    watcher = new IntersectionObserver(seen, { root: pane(), rootMargin: `${NEAR}px 0px` });
    sheets().forEach((sheet) => watcher.observe(sheet));
  }

  const sheets = () => Array.from(byId("reading-pages").children);
  const sheetOf = (number) => byId("reading-pages").children[number - 1];

  function seen(entries) {
    for (const entry of entries) {
      if (entry.isIntersecting) near.add(entry.target);
      else if (near.delete(entry.target)) clear(entry.target);
    }
    later();
  }

  // A page far away keeps its place and nothing else.
  function clear(sheet) {
    if (sheet.classList.contains("text")) return;
    sheet.replaceChildren();
    sheet.classList.remove("drawn");
    delete sheet.dataset.scale;
  }

  let waiting = 0;
  function later() {
    clearTimeout(waiting);
    waiting = setTimeout(drawAll, SETTLE);
  }

  // Those in sight first, from the middle outwards.
  function drawAll() {
    const middle = pane().scrollTop + pane().clientHeight / 2;
    const far = (sheet) => Math.abs(tops[sheet.dataset.page - 1] + sheet.offsetHeight / 2 - middle);
    [...near].sort((one, other) => far(one) - far(other)).forEach(draw);
  }

  function draw(sheet) {
    if (sheet.classList.contains("text")) return drawText(sheet);
    drawPicture(sheet);
    if (!sheet.querySelector(".words")) drawWords(sheet);
    if (!sheet.querySelector(".marks")) marksOf(sheet);
  }

  function pictureOf(page, wanted = scale * devicePixelRatio) {
    const size = PICTURES.find((one) => one >= wanted * 0.95) || PICTURES[PICTURES.length - 1];
    return { size, url: `${base}paper/${paper.paper}/${page}/picture?scale=${size}&version=${paper.version}` };
  }

  async function drawPicture(sheet) {
    const { size, url } = pictureOf(Number(sheet.dataset.page));
    if (Number(sheet.dataset.scale || 0) >= size) return;
    sheet.dataset.scale = size;
    const picture = new Image();
    picture.alt = "";
    picture.decoding = "async";
    picture.src = url;
    try {
      await picture.decode();
    } catch {
      if (sheet.isConnected && near.has(sheet)) { delete sheet.dataset.scale; tell(await whyNot(url), "bad"); }
      return;
    }
    if (!near.has(sheet) || Number(sheet.dataset.scale) !== size) return;
    const old = sheet.querySelector("img");
    if (old) old.replaceWith(picture); else sheet.prepend(picture);
    sheet.classList.add("drawn");
  }

  // Why a page could not be drawn, in the server's words; what was known of the paper is asked anew the next time.
  async function whyNot(url) {
    asking.delete(`paper/${paper.paper}/layout`);
    places.clear();
    try {
      const answer = await fetch(url);
      return answer.ok ? say("reading.not-drawn") : (await answer.json()).detail || say("reading.not-drawn");
    } catch { return say("reading.not-reached"); }
  }

  // -- the words over the picture --------------------------------------------------------------------------------
  const pen = document.createElement("canvas").getContext("2d");
  const FONT = "sans-serif";

  async function drawWords(sheet) {
    const layer = document.createElement("div");
    layer.className = "words";
    sheet.append(layer);
    let lines;
    try { lines = await linesOf(Number(sheet.dataset.page)); } catch { layer.remove(); return; }
    if (!layer.isConnected) return;
    const rows = document.createDocumentFragment();
    let before = null, bottom = 0; // the line before: what stands beside it is copied with a blank between, else with a line's end
    for (const [text, left, top, width, height] of lines) {
      if (before && Math.abs(top + height - bottom) < height / 2) before.textContent += " ";
      else if (before) rows.append(document.createElement("br"));
      const line = document.createElement("span");
      line.textContent = text;
      pen.font = `${height}px ${FONT}`;
      const natural = pen.measureText(text).width || 1;
      line.style.cssText = `left:${left}px;top:${top}px;font-size:${height}px;transform:scaleX(${(width / natural).toFixed(4)})`;
      rows.append(line);
      [before, bottom] = [line, top + height];
    }
    layer.append(rows);
  }

  // -- marks -----------------------------------------------------------------------------------------------------
  function markAt([left, top, width, height], name) {
    const mark = document.createElement("span");
    mark.className = name;
    Object.assign(mark.style, { left: left + "%", top: top + "%", width: width + "%", height: height + "%" });
    return mark;
  }

  function marksOf(sheet) {
    const page = Number(sheet.dataset.page);
    let layer = sheet.querySelector(".marks");
    if (!layer) {
      layer = document.createElement("div");
      layer.className = "marks";
      layer.setAttribute("aria-hidden", "true");
      sheet.append(layer);
    }
    const marks = [];
    for (const name of new Set([...cited, chosen])) {
      const place = places.get(name);
      if (!place || place.paper !== paper.paper || place.page !== page) continue;
      if (name !== chosen) for (const box of place.marks) {
        const mark = markAt(box, "mark pale");
        mark.dataset.name = name;
        marks.push(mark);
      }
    }
    const place = places.get(chosen);
    if (place && place.paper === paper.paper && place.page === page) for (const box of place.marks) marks.push(markAt(box, "mark chosen"));
    found.forEach((hit, at) => {
      if (hit.page === page) for (const box of hit.marks) marks.push(markAt(box, at === foundAt ? "hit now" : "hit"));
    });
    layer.replaceChildren(...marks);
  }

  function drawMarks() {
    sheets().forEach((sheet) => { if (!sheet.classList.contains("text") && (near.has(sheet) || sheet.querySelector(".marks"))) marksOf(sheet); });
    later();
  }

  // A press on a pale mark chooses it; one that selects text does not.
  function pressMark(event) {
    if (!(getSelection() || { isCollapsed: true }).isCollapsed) return;
    const under = (mark) => { const box = mark.getBoundingClientRect();
      return event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom; };
    const sheet = event.target.closest(".sheet");
    const mark = sheet && Array.from(sheet.querySelectorAll(".mark.pale")).find(under);
    if (mark) choose(mark.dataset.name);
  }

  function choose(name) {
    const place = places.get(name);
    if (!place) return;
    ++asked;
    chosen = name;
    markPressed(name);
    describe(place);
    drawMarks();
  }

  // -- a page as text --------------------------------------------------------------------------------------------
  async function drawText(sheet) {
    const page = Number(sheet.dataset.page);
    const place = places.get(chosen);
    const here = place && place.paper === paper.paper && place.page === page;
    const key = here ? chosen : "page";
    if (sheet.dataset.shown === key) return;
    sheet.dataset.shown = key;
    try {
      const said = here && place.text ? place : await get(here ? `place/${chosen}` : `paper/${paper.paper}/${page}`);
      if (sheet.dataset.shown !== key) return;
      const mark = document.createElement("mark");
      mark.textContent = said.text[1];
      sheet.replaceChildren(said.text[0], mark, said.text[2]);
      measure();
      if (here && said.text[1]) scrollToElement(mark);
    } catch (error) {
      delete sheet.dataset.shown;
      tell(error.message || say("reading.not-reached"), "bad");
    }
  }

  function scrollToElement(element) {
    const box = element.getBoundingClientRect(), frame = pane().getBoundingClientRect();
    pane().scrollTop += box.top - frame.top - frame.height / 3;
  }

  // -- size and place --------------------------------------------------------------------------------------------
  function stored(key) { try { return localStorage.getItem(key); } catch { return null; } }
  function store(key, value) { try { localStorage.setItem(key, value); } catch { /* storage is switched off */ } }

  function widest() { return Math.max(...paper.pages.map(([width]) => width), 1); }

  function fitted() { return Math.max((pane().clientWidth - 20) / widest(), 0.2); }

  function measure() {
    if (fit === null) {
      const kept = stored(ZOOM);
      const size = STEPS.find((one) => String(one) === kept);
      fit = size ? "" : phone() ? "column" : "width";
      if (size) scale = size;
    }
    if (fit === "width" || (fit === "column" && scale < fitted())) scale = fitted();
    apply();
  }

  function apply() {
    const holder = byId("reading-pages");
    holder.style.setProperty("--scale", scale);
    const button = document.querySelector("[data-do=fit]");
    button.setAttribute("aria-pressed", String(fit === "width"));
    if (holder.classList.contains("as-text")) {
      tops = sheets().map((sheet) => sheet.offsetTop);
      return;
    }
    let top = 4;
    tops = paper.pages.map(([, height]) => { const at = top; top += height * scale + GAP; return at; });
  }

  // The point of the paper that must stay where it is while the size changes: the chosen mark if it is seen.
  function anchor() {
    const frame = pane();
    const mark = Array.from(byId("reading-pages").querySelectorAll(".mark.chosen")).find((one) => {
      const box = one.getBoundingClientRect(), all = frame.getBoundingClientRect();
      return box.bottom > all.top && box.top < all.bottom;
    });
    const all = frame.getBoundingClientRect();
    const x = mark ? mark.getBoundingClientRect().left + mark.getBoundingClientRect().width / 2 - all.left : frame.clientWidth / 2;
    const y = mark ? mark.getBoundingClientRect().top - all.top : frame.clientHeight / 3;
    const page = pageAt(frame.scrollTop + y);
    const sheet = sheetOf(page).getBoundingClientRect();
    return { page, x, y, across: (x + all.left - sheet.left) / sheet.width, down: (y + all.top - sheet.top) / sheet.height };
  }

  function resize(change) {
    if (!paper) return;
    const at = anchor();
    change();
    apply();
    const sheet = sheetOf(at.page);
    pane().scrollTop = tops[at.page - 1] + at.down * paper.pages[at.page - 1][1] * scale - at.y;
    pane().scrollLeft = sheet.offsetLeft + at.across * paper.pages[at.page - 1][0] * scale - at.x;
    showNumber();
    later();
  }

  function zoom(step) {
    const others = step > 0 ? STEPS.filter((one) => one > scale * 1.02) : STEPS.filter((one) => one < scale * 0.98).reverse();
    if (!others.length) return;
    resize(() => { fit = ""; scale = others[0]; });
    store(ZOOM, String(scale));
  }

  function fitWidth() {
    resize(() => { fit = "width"; scale = fitted(); });
    store(ZOOM, "width");
  }

  // The column of text that the marks stand in, in points: on a phone it takes the whole width.
  function columnOf(lines, [left, right]) {
    const wide = (line) => line[3] > 30;
    const shares = (line) => Math.min(line[1] + line[3], right) - Math.max(line[1], left) > 0.6 * Math.min(line[3], right - left);
    const same = lines.filter((line) => wide(line) && shares(line));
    if (!same.length) return [left, right];
    const part = (values, at) => values.sort((one, other) => one - other)[Math.round(at * (values.length - 1))];
    return [Math.min(left, part(same.map((line) => line[1]), 0.15)), Math.max(right, part(same.map((line) => line[1] + line[3]), 0.85))];
  }

  async function reveal(place, request) {
    const page = place.page, sheet = sheetOf(page);
    if (!sheet) return;
    near.add(sheet);
    if (!place.marks.length || asText || !paper.picture) { goTo(page); if (asText || !paper.picture) draw(sheet); return; }
    const [width, height] = paper.pages[page - 1];
    const left = Math.min(...place.marks.map((box) => box[0])) / 100 * width;
    const right = Math.max(...place.marks.map((box) => box[0] + box[2])) / 100 * width;
    let across = left - 24 / scale;
    if (fit === "column") {
      const lines = await linesOf(page).catch(() => []);
      if (request !== asked) return;
      const [from, to] = columnOf(lines, [left, right]);
      scale = Math.min(Math.max((pane().clientWidth - 12) / (to - from + 6), fitted()), 4);
      apply();
      across = from - 3;
    }
    pane().scrollTop = tops[page - 1] + place.marks[0][1] / 100 * height * scale - pane().clientHeight / 3;
    pane().scrollLeft = sheet.offsetLeft + across * scale;
    showNumber();
    draw(sheet);
  }

  function goTo(page) {
    const number = Math.min(Math.max(page, 1), paper.pages.length);
    near.add(sheetOf(number));
    pane().scrollTop = tops[number - 1] - 4;
    showNumber();
    drawAll();
  }

  async function goToHeading(title, page) {
    goTo(page);
    const lines = await linesOf(page).catch(() => []);
    const words = title.replace(/\s+/g, " ").toLowerCase();
    const line = lines.find(([text]) => text.length > 3 && (words.startsWith(text.toLowerCase()) || text.toLowerCase().endsWith(words)));
    if (line && !asText) pane().scrollTop = tops[page - 1] + line[2] * scale - 12;
  }

  function pageAt(y) {
    let page = 1;
    while (page < tops.length && tops[page] <= y) page += 1;
    return page;
  }

  function current() { return pageAt(pane().scrollTop + pane().clientHeight / 3); }

  function showNumber() {
    const page = current(), box = byId("reading-number");
    if (document.activeElement !== box) box.value = page;
    const label = paper.pages[page - 1][2];
    const printed = label && label !== String(page) ? ` ${say("answer.printed", { label })}` : "";
    byId("reading-page").textContent = `/ ${paper.pages.length}${printed}`;
    document.querySelector("[data-do=previous]").disabled = page <= 1;
    document.querySelector("[data-do=next]").disabled = page >= paper.pages.length;
    const place = places.get(chosen);
    const section = paper.outline.filter(([, , at]) => at <= page).pop();
    byId("reading-place").textContent = place && place.page === page && place.section ? place.section : section ? section[0] : paper.file;
    const file = byId("reading-file");
    file.href = `${base}paper/${paper.paper}/${page}/file#page=${page}`;
    file.textContent = paper.picture ? say("reading.open-pdf") : say("reading.open-file");
    file.title = paper.picture ? say("reading.open-pdf-at", { page }) : say("reading.open-the-file");
  }

  // -- finding words -----------------------------------------------------------------------------------------------
  function openFind(open) {
    const form = byId("reading-find");
    form.hidden = !open;
    document.querySelector(".reading-tools [data-do=find]").setAttribute("aria-expanded", String(open));
    if (open) { byId("reading-words").focus(); byId("reading-words").select(); return; }
    found = []; foundAt = -1; sought = "";
    byId("reading-found").textContent = "";
    drawMarks();
    pane().focus();
  }

  async function find(words) {
    const wanted = words.trim();
    sought = wanted;
    if (wanted.length < 2) { found = []; foundAt = -1; byId("reading-found").textContent = ""; return drawMarks(); }
    try {
      const hits = await get(`paper/${paper.paper}/find?words=${encodeURIComponent(wanted)}`);
      if (sought !== wanted) return;
      found = hits;
      const here = current();
      foundAt = found.findIndex((hit) => hit.page >= here);
      if (foundAt < 0 && found.length) foundAt = 0;
      showFound();
    } catch { byId("reading-found").textContent = say("reading.not-reached"); }
  }

  function stepFound(step) {
    if (!found.length) return;
    foundAt = (foundAt + step + found.length) % found.length;
    showFound();
  }

  function showFound() {
    byId("reading-found").textContent = found.length ? `${foundAt + 1} / ${found.length}` : say("reading.none-found");
    drawMarks();
    const hit = found[foundAt];
    if (!hit) return;
    const sheet = sheetOf(hit.page);
    near.add(sheet);
    if (hit.marks.length && !asText) {
      const [left, top] = hit.marks[0];
      const [width, height] = paper.pages[hit.page - 1];
      pane().scrollTop = tops[hit.page - 1] + top / 100 * height * scale - pane().clientHeight / 3;
      const x = sheet.offsetLeft + left / 100 * width * scale;
      if (x < pane().scrollLeft || x > pane().scrollLeft + pane().clientWidth - 60) pane().scrollLeft = x - 40;
    } else goTo(hit.page);
    drawAll();
    marksOf(sheet);
  }

  // -- the split ---------------------------------------------------------------------------------------------------
  function setSplit(percent) {
    const value = Math.min(Math.max(percent, 25), 75);
    document.documentElement.style.setProperty("--reading", value + "vw");
    byId("split").setAttribute("aria-valuenow", String(Math.round(value)));
    store(SPLIT, String(value));
  }

  function dragSplit(event) {
    const bar = byId("split");
    bar.setPointerCapture(event.pointerId);
    document.body.classList.add("splitting");
    const move = (moved) => setSplit(100 - moved.clientX / innerWidth * 100);
    bar.addEventListener("pointermove", move);
    bar.addEventListener("lostpointercapture", () => {
      bar.removeEventListener("pointermove", move);
      document.body.classList.remove("splitting");
    }, { once: true });
    event.preventDefault();
  }

  // -- going through the citations -----------------------------------------------------------------------------------
  function stepCitation(step) {
    if (!cited.length) return;
    const at = cited.indexOf(chosen);
    const name = cited[(at + step + cited.length) % cited.length];
    const button = Array.from(document.querySelectorAll("#chat button.cite, #chat button.place")).find((one) => one.value === name);
    const request = ++asked;
    showPlace(name, null, request).catch((error) => tell(error.message, "bad"));
    const row = button && (button.closest("details:not([open])") ? null : button);
    if (row) row.scrollIntoView({ block: "nearest" });
  }

  async function copyPage(button) {
    try { window.answers.copy(button, (await get(`paper/${paper.paper}/${current()}`)).text.join("")); } catch (error) { tell(error.message, "bad"); }
  }

  function quoteText() {
    const place = places.get(chosen);
    const label = place.label && place.label !== String(place.page) ? ` ${say("answer.printed", { label: place.label })}` : "";
    const where = place.second === null ? `${say("answer.page", { page: place.page })}${label}` : place.label;
    return `“${place.quote}” ${place.title}, ${where}\n`;
  }

  function switchText() {
    const page = current();
    asText = !asText;
    build();
    goTo(page);
    const place = places.get(chosen);
    if (place && place.paper === paper.paper && place.page === page) reveal(place, asked);
  }

  function close() {
    document.body.classList.remove("reading-open");
    if (pressed && pressed.isConnected) pressed.focus({ preventScroll: true });
  }

  const actions = {
    previous: () => goTo(current() - 1),
    next: () => goTo(current() + 1),
    smaller: () => zoom(-1),
    larger: () => zoom(1),
    fit: fitWidth,
    before: () => stepCitation(-1),
    citation: () => stepCitation(1),
    text: switchText,
    find: () => openFind(byId("reading-find").hidden),
    "found-before": () => stepFound(-1),
    "found-next": () => stepFound(1),
    copy: (button) => window.answers.copy(button, quoteText()),
    "copy-page": copyPage,
  };

  // What the pointer or the keyboard rests on is fetched before it is pressed.
  async function foresee(event) {
    const button = event.target.closest && event.target.closest("#chat button.cite, #chat button.place");
    if (!button) return;
    try {
      const [place] = await placesOf([button.value]);
      if (!place) return;
      const said = await layoutOf(place.paper);
      if (!said.picture) return;
      const size = document.body.classList.contains("reading-open") ? scale * devicePixelRatio : PICTURES[0];
      const wanted = PICTURES.find((one) => one >= size * 0.95) || PICTURES[PICTURES.length - 1];
      new Image().src = `${base}paper/${said.paper}/${place.page}/picture?scale=${wanted}&version=${said.version}`;
      get(`paper/${said.paper}/${place.page}/lines?version=${said.version}`).catch(() => {});
    } catch { /* the press itself says what is wrong */ }
  }
  document.addEventListener("pointerover", foresee);
  document.addEventListener("focusin", foresee);

  document.addEventListener("click", (event) => {
    const target = event.target.closest ? event.target : null;
    const button = target && target.closest("button");
    // Only a reader's own press closes a menu: the page itself presses hidden buttons at each news of a build.
    if (event.isTrusted) document.querySelectorAll("#reading details.menu[open]").forEach((menu) => { if (!target || !menu.contains(target) || (button && button.dataset.do === "text")) menu.open = false; });
    if (button && button.dataset.do in actions) actions[button.dataset.do](button);
    else if (button && button.matches("#chat button.cite, #chat button.place")) show("place/" + button.value, button);
    else if (button && button.matches(".open-paper")) show(`paper/${button.value}/1`, button);
    else if (button && button.matches(".close-reading")) close();
    else if (button && button.matches(".open-reading")) { document.body.classList.toggle("reading-open"); if (paper) requestAnimationFrame(measure); }
    else if (target && target.closest("#reading-pages")) pressMark(event);
  });

  // Single letters only where nothing is typed: N and P go through the citations of the answer that is open.
  document.addEventListener("keydown", (event) => {
    const inside = event.target.closest && event.target.closest("#reading");
    if (event.key === "Escape" && document.body.classList.contains("reading-open") && !document.querySelector("dialog[open]")) {
      if (inside && !byId("reading-find").hidden) openFind(false); else close();
      return;
    }
    if (inside && paper && (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "f") { event.preventDefault(); openFind(true); return; }
    if (event.target.id === "split" && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
      setSplit(Number(event.target.getAttribute("aria-valuenow")) + (event.key === "ArrowLeft" ? 3 : -3));
      event.preventDefault();
      return;
    }
    if (event.target.id === "reading-words" && event.key === "Enter") { event.preventDefault(); stepFound(event.shiftKey ? -1 : 1); return; }
    if (event.target.id === "reading-number" && event.key === "Enter") { goTo(Number(event.target.value) || current()); return; }
    const letter = event.ctrlKey || event.metaKey || event.altKey ? "" : event.key.toLowerCase();
    if (!chosen || !["n", "p"].includes(letter) || event.target.closest("input, textarea, [contenteditable]")) return;
    stepCitation(letter === "n" ? 1 : -1);
  });

  let typing = 0;
  document.addEventListener("input", (event) => {
    if (event.target.id !== "reading-words") return;
    clearTimeout(typing);
    typing = setTimeout(() => find(event.target.value), TYPED);
  });
  document.addEventListener("submit", (event) => { if (event.target.id === "reading-find") event.preventDefault(); });
  document.addEventListener("pointerdown", (event) => { if (event.target.id === "split") dragSplit(event); });
  document.addEventListener("dblclick", (event) => { if (event.target.id === "split") setSplit(45); });

  let moving = false;
  document.addEventListener("scroll", (event) => {
    if (event.target.id !== "reading-scroll" || moving || !paper) return;
    moving = true;
    requestAnimationFrame(() => { moving = false; showNumber(); later(); });
  }, { capture: true, passive: true });

  // The pane is made by the web library after this script: it is watched for its size once it is there.
  new MutationObserver((_, self) => {
    if (!pane()) return;
    self.disconnect();
    const kept = Number(stored(SPLIT));
    if (kept) setSplit(kept);
    showLink();
    let width = 0;
    new ResizeObserver(() => {
      if (!paper || !pane().clientWidth || Math.abs(pane().clientWidth - width) < 2) return;
      width = pane().clientWidth;
      if (fit === "width") resize(() => { scale = fitted(); }); else later();
    }).observe(pane());
  }).observe(document.documentElement, { childList: true, subtree: true });

  window.reader = { base, show, showWords, chosen: () => chosen };
})();
