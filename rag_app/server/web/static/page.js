// The reading pane, the ticks of the library and the panes of a narrow window.
// All text of papers is put in as text, never as HTML.
(() => {
  "use strict";
  const root = new URL((window.gradio_config && window.gradio_config.root) || "./", document.baseURI).pathname;
  const reading = new URL(root.replace(/\/?$/, "/") + "reading/", location.origin).href;
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

  window.papers = { ticked: () => JSON.stringify([...ticks]), reading, open: (path) => show(path) };

  // -- reading pane --------------------------------------------------------------------------------------------
  const zooms = [60, 80, 100, 125, 150, 200, 300];
  const ZOOM = "zoom"; // in the browser's storage: who needs large pages needs them tomorrow
  let zoom = 0; // percent of the pane's width; 0: not looked up yet
  let asText = false; // the page's text in place of its picture
  let open = null; // what the server said of the page that is open
  let asked = 0; // only the latest request may show its page
  const known = new Map(); // place -> promise of what the server says; a few only

  // On a phone a column of the page is as wide as the screen, so that it can be read.
  function usual() {
    return innerWidth < 780 ? 150 : 100;
  }

  function stored() {
    try { return zooms.find((one) => String(one) === localStorage.getItem(ZOOM)) || usual(); } catch { return usual(); }
  }

  function fetchPlace(path) {
    if (!known.has(path)) {
      if (known.size > 60) known.delete(known.keys().next().value);
      const answer = fetch(reading + path).then(async (response) => {
        const said = await response.json();
        if (!response.ok) throw new Error(said.detail || response.statusText);
        return said;
      });
      answer.catch(() => known.delete(path));
      known.set(path, answer);
    }
    return known.get(path);
  }

  function pictureOf(said) {
    zoom = zoom || stored();
    const scale = zoom > 150 ? 3 : 2;
    return `${reading}paper/${said.paper}/${said.page}/picture?scale=${scale}`;
  }

  async function show(path, pressed) {
    const request = ++asked;
    document.body.classList.add("reading-open");
    document.body.classList.remove("library-open");
    document.querySelectorAll(".now-open").forEach((old) => old.classList.remove("now-open"));
    if (pressed) markPressed(pressed.value);
    try {
      const said = await fetchPlace(path);
      if (request === asked) draw(said);
    } catch (error) {
      if (request === asked) tell(error.message || say("reading.not-reached"), "bad");
    }
  }

  function markPressed(name) {
    document.querySelectorAll("#chat button.cite, #chat button.place").forEach((button) => {
      if (button.value === name) button.classList.add("now-open");
    });
  }

  function tell(text, kind) {
    const note = byId("reading-note");
    note.textContent = text;
    note.hidden = !text;
    note.className = kind || "";
  }

  function draw(said) {
    open = said;
    document.querySelector(".reading-head").hidden = false;
    document.querySelector(".reading-tools").hidden = false;
    document.querySelector(".reading-empty").hidden = true;
    byId("reading-title").textContent = said.title;
    byId("reading-place").textContent = said.section || said.file;
    const label = said.label && said.label !== String(said.page) ? ` ${say("answer.printed", { label: said.label })}` : "";
    byId("reading-page").textContent = `${said.page} / ${said.pages}${label}`;
    document.querySelector("[data-do=previous]").disabled = said.page <= 1;
    document.querySelector("[data-do=next]").disabled = said.page >= said.pages;
    const file = byId("reading-file");
    file.href = `${reading}paper/${said.paper}/${said.page}/file#page=${said.page}`;
    file.textContent = said.picture ? say("reading.open-pdf") : say("reading.open-file");
    file.title = said.picture ? say("reading.open-pdf-at", { page: said.page }) : say("reading.open-the-file");
    const text = document.querySelector("[data-do=text]");
    text.hidden = !said.picture;
    text.setAttribute("aria-pressed", String(asText));
    document.querySelectorAll("[data-do=smaller], [data-do=larger]").forEach((button) => {
      button.disabled = !said.picture || asText;
    });
    tell(said.note || "", said.verified === false ? "bad" : said.digest || !said.located ? "doubt" : "");
    drawQuote(said);
    byId("reading-sheet").hidden = false;
    if (said.picture && !asText) drawPicture(said); else drawText(said);
    const places = placesOfAnswer();
    const at = places.findIndex((place) => place.classList.contains("now-open"));
    byId("reading-citations").hidden = places.length < 2 || !said.quote;
    byId("reading-citation").textContent = say("reading.citation", { number: at + 1, all: places.length });
  }

  function drawQuote(said) {
    const box = byId("reading-quote");
    box.hidden = !said.quote;
    box.querySelector("blockquote").textContent = said.quote || "";
    byId("reading-references").replaceChildren(...(said.references || []).map(referenceRow));
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

  function drawPicture(said) {
    const sheet = byId("reading-sheet");
    const picture = byId("reading-picture");
    sheet.className = "picture";
    sheet.style.aspectRatio = `${said.width} / ${said.height}`;
    const wanted = pictureOf(said);
    sheet.style.width = zoom + "%";
    byId("reading-text").replaceChildren();
    if (picture.getAttribute("src") !== wanted) {
      picture.classList.add("loading");
      picture.onload = () => picture.classList.remove("loading");
      picture.onerror = () => { picture.classList.remove("loading"); tell(say("reading.not-drawn"), "bad"); };
      picture.src = wanted;
    }
    picture.hidden = false;
    picture.alt = say("reading.page-of", { page: said.page, title: said.title });
    const marks = said.marks.map(([left, top, width, height]) => {
      const mark = document.createElement("span");
      mark.className = "mark";
      Object.assign(mark.style, { left: left + "%", top: top + "%", width: width + "%", height: height + "%" });
      return mark;
    });
    byId("reading-marks").replaceChildren(...marks);
    scrollToMark(marks[0]);
  }

  function drawText(said) {
    const sheet = byId("reading-sheet");
    sheet.className = "text";
    sheet.style.aspectRatio = "";
    sheet.style.width = "";
    byId("reading-picture").hidden = true;
    byId("reading-picture").removeAttribute("src");
    byId("reading-marks").replaceChildren();
    const mark = document.createElement("mark");
    mark.textContent = said.text[1];
    byId("reading-text").replaceChildren(said.text[0], mark, said.text[2]);
    scrollToMark(said.text[1] ? mark : null);
  }

  function scrollToMark(mark) {
    const pane = byId("reading-scroll");
    requestAnimationFrame(() => {
      if (!mark) { pane.scrollTop = 0; return; }
      const place = mark.getBoundingClientRect();
      const frame = pane.getBoundingClientRect();
      pane.scrollTop += place.top - frame.top - frame.height / 3;
      pane.scrollLeft += place.left - frame.left - 24;
    });
  }

  function placesOfAnswer() {
    const now = document.querySelector("#chat button.place.now-open");
    const list = now && now.closest(".citations");
    return list ? Array.from(list.querySelectorAll("button.place")) : [];
  }

  function resize(step) {
    const at = zooms.indexOf(zoom);
    zoom = zooms[Math.min(Math.max(at + step, 0), zooms.length - 1)];
    try { localStorage.setItem(ZOOM, String(zoom)); } catch { /* storage is switched off */ }
    if (open && open.picture) drawPicture(open);
  }

  function turn(step) {
    if (open) show(`paper/${open.paper}/${open.page + step}`);
  }

  function stepCitation(step) {
    const places = placesOfAnswer();
    const at = places.findIndex((place) => place.classList.contains("now-open"));
    const next = places[(at + step + places.length) % places.length];
    if (next) show("place/" + next.value, next);
  }

  function switchText() {
    asText = !asText;
    draw(open);
  }

  // -- copying -------------------------------------------------------------------------------------------------
  async function copy(button, text) {
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = say("answer.copied");
    } catch {
      button.textContent = say("answer.not-copied");
    }
    setTimeout(() => { button.textContent = before; }, 1500);
  }

  function answerText(answer) {
    const words = document.createElement("div");
    answer.querySelectorAll(".verdict, .answer-text").forEach((part) => words.append(part.cloneNode(true)));
    words.querySelectorAll("button.cite").forEach((mark) => { mark.textContent = `[${mark.textContent}]`; });
    words.querySelectorAll(".katex-mathml annotation").forEach((source) => {
      const formula = source.closest(".katex");
      if (formula) formula.textContent = source.textContent;
    });
    words.querySelectorAll("p, li, tr, pre, h1, h2, h3").forEach((block) => block.append("\n"));
    const sources = Array.from(answer.querySelectorAll(".citations li"), (row) => {
      const part = (name) => row.querySelector(name).textContent.trim();
      return `[${part(".number")}] “${part(".quote")}” ${part(".where")}`;
    });
    return words.textContent.trim() + "\n\n" + sources.join("\n") + "\n";
  }

  function quoteText() {
    const label = open.label && open.label !== String(open.page) ? ` ${say("answer.printed", { label: open.label })}` : "";
    return `“${open.quote}” ${open.title}, ${say("answer.page", { page: open.page })}${label}\n`;
  }

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
  const actions = {
    previous: () => turn(-1),
    next: () => turn(1),
    smaller: () => resize(-1),
    larger: () => resize(1),
    before: () => stepCitation(-1),
    citation: () => stepCitation(1),
    text: switchText,
    copy: (button) => copy(button, quoteText()),
    "copy-page": (button) => copy(button, open.text.join("")),
  };

  function toggle(name, on) {
    document.body.classList.toggle(name, on);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("button");
    if (!button) return;
    if (button.matches("#chat button.cite, #chat button.place")) show("place/" + button.value, button);
    else if (button.matches(".open-paper")) show(`paper/${button.value}/1`);
    else if (button.matches(".export")) save(button);
    else if (button.matches(".copy-answer")) copy(button, answerText(button.closest(".answer")));
    else if (button.dataset.do in actions) actions[button.dataset.do](button);
    else if (button.matches(".change-plan, #ask-again")) toggle("plan-open");
    else if (button.matches(".open-conversation, .new-conversation")) toggle("library-open", false);
    else if (button.matches(".open-library")) toggle("library-open");
    else if (button.matches(".open-reading")) toggle("reading-open");
    else if (button.matches(".close-library")) toggle("library-open", false);
    else if (button.matches(".close-reading")) toggle("reading-open", false);
  });

  // Single letters only where nothing is typed: N and P go through the citations of the answer that is open.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      toggle("library-open", false);
      toggle("reading-open", false);
    }
    const letter = event.ctrlKey || event.metaKey || event.altKey ? "" : event.key.toLowerCase();
    if (!open || !["n", "p"].includes(letter) || event.target.closest("input, textarea, [contenteditable]")) return;
    stepCitation(letter === "n" ? 1 : -1);
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

  // What the pointer or the keyboard rests on is fetched before it is pressed.
  function foresee(event) {
    const button = event.target.closest && event.target.closest("#chat button.cite, #chat button.place");
    if (!button) return;
    fetchPlace("place/" + button.value).then((said) => {
      if (said.picture) new Image().src = pictureOf(said);
    }, () => {}); // the press itself says what is wrong
  }
  document.addEventListener("pointerover", foresee);
  document.addEventListener("focusin", foresee);

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
