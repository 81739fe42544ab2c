// What can be done with an answer: copy it as formatted text and Markdown, ask again, and read its tables.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);

  // -- copying -------------------------------------------------------------------------------------------------
  async function copy(button, text, html) {
    const before = button.textContent;
    try {
      if (html) await navigator.clipboard.write([new ClipboardItem({
        "text/plain": new Blob([text], { type: "text/plain" }), "text/html": new Blob([html], { type: "text/html" }) })]);
      else await navigator.clipboard.writeText(text);
      button.textContent = say("answer.copied");
    } catch {
      button.textContent = say("answer.not-copied");
    }
    setTimeout(() => { button.textContent = before; }, 1500);
  }

  // What a cell folds away, as in the exports: its own statements, and of what is further only the marks.
  function unfold(folded) {
    const far = Array.from(folded.querySelectorAll("p.far"));
    const marks = far.map((statement) => `[${statement.querySelector("button.cite").textContent}]`);
    far.concat(folded.querySelector("summary")).forEach((part) => part.remove());
    folded.replaceWith(...folded.childNodes, marks.length ? ` … ${marks.join(" ")}` : "");
  }

  // A copy without buttons: marks as [n], formulas as they were written.
  function clean(part) {
    const words = part.cloneNode(true);
    words.removeAttribute("class");
    words.querySelectorAll("details.further").forEach(unfold);
    words.querySelectorAll("td > p + p").forEach((statement) => statement.prepend(" · ")); // as in the exports
    words.querySelectorAll("button.cite").forEach((mark) => mark.replaceWith(`[${mark.textContent}]`));
    words.querySelectorAll(".katex").forEach((formula) => {
      const source = formula.querySelector(".katex-mathml annotation");
      if (source) formula.replaceWith(source.textContent);
    });
    words.querySelectorAll("button.sort-column").forEach((button) => button.replaceWith(button.textContent));
    words.querySelectorAll("button, .table-tools").forEach((button) => button.remove());
    words.querySelectorAll("[class], [tabindex], [title], [role]").forEach((one) => {
      for (const name of ["class", "tabindex", "title", "role", "aria-label"]) one.removeAttribute(name);
    });
    return words;
  }

  const COMPUTED = /^["'\s]*[=@+\-＝＠＋－]/, AMOUNT = /^[+-] ?[\d.,]+(?: ?(?:%|[a-zµ]{1,8}))?(?: ?\[\d+\])*$/i;

  // A cell in one piece: a spreadsheet makes a row of each paragraph, and computes what begins like a formula.
  function asCells(part) {
    for (const cell of part.querySelectorAll("th, td")) {
      const words = flat(cell);
      cell.textContent = COMPUTED.test(words) && !AMOUNT.test(words) ? `'${words}` : words;
    }
    return part;
  }

  const flat = (node) => node.textContent.replace(/\s+/g, " ").trim();

  function tableText(table) {
    const rows = Array.from(table.rows, (row) => Array.from(row.cells, (cell) => flat(cell).replace(/\|/g, "\\|")));
    const width = Math.max(...rows.map((row) => row.length));
    const line = (row) => `| ${Array.from({ length: width }, (_, at) => row[at] || "").join(" | ")} |`;
    const head = table.tHead ? rows.shift() : Array(width).fill("");
    return [line(head), `|${" --- |".repeat(width)}`, ...rows.map(line)].join("\n");
  }

  function markdown(part) {
    const blocks = [];
    for (const node of part.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) { if (node.textContent.trim()) blocks.push(node.textContent.trim()); continue; }
      const name = node.nodeName;
      if (name === "TABLE") blocks.push(tableText(node));
      else if (/^H[1-6]$/.test(name)) blocks.push(`${"#".repeat(Number(name[1]))} ${flat(node)}`);
      else if (name === "UL" || name === "OL") blocks.push(Array.from(node.children, (item, at) => `${name === "OL" ? `${at + 1}.` : "-"} ${flat(item)}`).join("\n"));
      else if (name === "PRE") blocks.push("```\n" + node.textContent.replace(/\n$/, "") + "\n```");
      else if (name === "P") blocks.push(Array.from(node.childNodes, (one) => (one.nodeName === "BR" ? "\n" : one.nodeName === "STRONG" ? `**${one.textContent}**` : one.textContent)).join("").trim());
      else blocks.push(markdown(node));
    }
    return blocks.filter(Boolean).join("\n\n");
  }

  function answerParts(answer) {
    const words = document.createElement("div");
    answer.querySelectorAll(".verdict, .answer-text").forEach((part) => words.append(clean(part)));
    const sources = Array.from(answer.querySelectorAll(".citations li"), (row) => {
      const part = (name) => flat(row.querySelector(name));
      return `[${part(".number")}] “${part(".quote")}” ${part(".where")}`;
    });
    const list = document.createElement("div");
    sources.forEach((source) => { const line = document.createElement("p"); line.textContent = source; list.append(line); });
    return { text: `${markdown(words)}\n\n${sources.join("\n")}\n`, html: asCells(words).innerHTML + list.innerHTML };
  }

  function copyAnswer(button) {
    const { text, html } = answerParts(button.closest(".answer"));
    copy(button, text, html);
  }

  function copyTable(button) {
    const table = clean(button.closest(".comparison").querySelector("table"));
    copy(button, tableText(table) + "\n", asCells(table).outerHTML);
  }

  // -- comparisons ---------------------------------------------------------------------------------------------
  function fill(button) {
    const block = button.closest(".comparison");
    const full = block.classList.toggle("full");
    document.body.classList.toggle("table-full", full);
    button.textContent = say(full ? "answer.leave-full-screen" : "answer.full-screen");
    if (full) block.querySelector(".table").focus();
  }

  function leaveFull() {
    const button = document.querySelector(".comparison.full .fill-screen");
    if (button) { fill(button); button.focus(); }
    return Boolean(button);
  }

  // Figures by size, words by the alphabet, empty cells last; a second press turns the order round, a third restores it.
  function sort(button) {
    const head = button.closest("th"), body = button.closest("table").tBodies[0];
    const rows = Array.from(body.rows), column = head.cellIndex;
    rows.forEach((row, at) => { if (!row.dataset.place) row.dataset.place = at; });
    const order = head.dataset.order === "up" ? "down" : head.dataset.order === "down" ? "" : "up";
    button.closest("tr").querySelectorAll("th").forEach((one) => { delete one.dataset.order; one.removeAttribute("aria-sort"); });
    if (order) { head.dataset.order = order; head.setAttribute("aria-sort", order === "up" ? "ascending" : "descending"); }
    const value = (row) => {
      const cell = row.cells[column], words = flat(cell);
      const figure = words.match(/-?\d[\d,]*(?:\.\d+)?/);
      return { empty: cell.classList.contains("none"), words, figure: figure ? Number(figure[0].replace(/,/g, "")) : NaN };
    };
    const compare = (one, other) => {
      if (!order) return one.dataset.place - other.dataset.place;
      const a = value(one), b = value(other), sign = order === "up" ? 1 : -1;
      if (a.empty !== b.empty) return a.empty ? 1 : -1;
      if (!Number.isNaN(a.figure) && !Number.isNaN(b.figure)) return sign * (a.figure - b.figure);
      return sign * a.words.localeCompare(b.words);
    };
    body.append(...rows.sort(compare));
  }

  // A row or a column more, in the same table: its name is typed at the table, and the server adds it.
  let wanted = "";

  function add(button, kind) {
    const tools = button.closest(".table-tools"), form = document.createElement("form"), box = document.createElement("input");
    tools.querySelector("form")?.remove();
    form.className = "small-form";
    box.placeholder = say(kind === "paper" ? "answer.which-paper" : "answer.which-aspect");
    box.setAttribute("aria-label", box.placeholder);
    box.maxLength = 500;
    const send = document.createElement("button");
    send.className = "text-button strong";
    send.textContent = say("answer.add");
    form.append(box, send);
    if (kind === "paper") {
      const names = document.createElement("datalist");
      names.id = "papers-to-add";
      for (const title of document.querySelectorAll("#paper-rows .open-paper")) names.append(new Option(title.textContent.split(":")[0], title.textContent));
      box.setAttribute("list", names.id);
      form.append(names);
    }
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      form.remove();
      button.focus();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!box.value.trim()) return;
      wanted = `${kind}:${box.value}`;
      leaveFull();
      form.remove();
      byId("grow").click();
    });
    tools.append(form);
    box.focus();
  }

  // -- asking again --------------------------------------------------------------------------------------------
  function questionOf(answer) {
    const before = Array.from(document.querySelectorAll("#chat p.question"))
      .filter((one) => one.compareDocumentPosition(answer) & Node.DOCUMENT_POSITION_FOLLOWING);
    return before.length ? before[before.length - 1].innerText.trim() : "";
  }

  function ask(question) {
    window.talk.fill(question);
    requestAnimationFrame(() => document.querySelector("#question .submit-button")?.click());
  }

  document.addEventListener("click", (event) => {
    const phrase = event.target.closest && event.target.closest("#chat .compared .phrase:has(.cut)");
    if (phrase && String(getSelection()) === "") phrase.classList.toggle("whole"); // words that are selected stay as they are
    const button = event.target.closest && event.target.closest("#chat button, #next-questions button");
    if (event.isTrusted) document.querySelectorAll("#chat .export-menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
    if (!button) return;
    if (button.matches(".copy-answer")) copyAnswer(button);
    else if (button.matches(".copy-table")) copyTable(button);
    else if (button.matches(".fill-screen")) fill(button);
    else if (button.matches(".sort-column")) sort(button);
    else if (button.matches(".add-paper")) add(button, "paper");
    else if (button.matches(".add-aspect")) add(button, "aspect");
    else if (button.matches(".regenerate")) ask(questionOf(button));
    else if (button.matches(".alternative")) ask(button.value);
    else if (button.matches(".next-question")) ask(button.textContent.trim());
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (leaveFull()) { event.stopPropagation(); event.preventDefault(); }
  }, true);

  // -- what one may ask next: below the newest answer, when it is whole --------------------------------------------
  const offered = new Map(); // the answer's name -> questions
  let newest = "";

  function drawNext() {
    const place = byId("next-questions"), answers = document.querySelectorAll("#chat .answer"), last = answers[answers.length - 1];
    if (!place) return;
    const mark = last && !last.matches(".coming, .failed") ? last.querySelector(".take-away .keep-note") : null;
    const name = mark ? mark.value.split("/")[1] : "";
    if (name && name !== newest && !offered.has(name)) askNext(name);
    newest = name;
    const questions = offered.get(name) || [], shown = questions.join("\n");
    if (place.dataset.shown === shown) return;
    place.dataset.shown = shown;
    // They take room from the answer. Who has its end in view keeps it, but for what the pointer or the keyboard rests on;
    // no more moves than what they would cover.
    const pane = document.querySelector("#chat .panel-wrap"), end = last && last.querySelector(".footer");
    const below = () => end.getBoundingClientRect().bottom - pane.getBoundingClientRect().bottom;
    const busy = document.querySelector("#chat button:hover, #chat :focus-visible");
    if (pane && end && !busy && below() <= 0) requestAnimationFrame(() => { if (below() > 0) pane.scrollTop += below() + 6; });
    place.hidden = !questions.length;
    place.replaceChildren(...questions.map((question) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "next-question";
      button.textContent = question;
      return button;
    }));
  }

  async function askNext(name) {
    offered.set(name, []);
    if (offered.size > 200) offered.delete(offered.keys().next().value);
    try {
      const said = await fetch(`${window.reader.base}next/${name}`);
      if (said.ok) offered.set(name, (await said.json()).questions);
    } catch { offered.delete(name); }
    drawNext();
  }

  // -- where more stands than is seen: the edge of a comparison and of a long question fades ---------------------------
  const EDGED = "#chat .compared, #chat p.question", watched = new WeakSet();

  function showEdges(one) {
    one.classList.toggle("more-right", one.scrollLeft + one.clientWidth < one.scrollWidth - 4);
    one.classList.toggle("more-below", one.scrollTop + one.clientHeight < one.scrollHeight - 4);
  }

  const sizes = new ResizeObserver((changed) => changed.forEach(({ target }) => showEdges(target.closest(EDGED) || target)));

  function watchEdges() {
    for (const one of document.querySelectorAll(EDGED)) for (const part of [one, one.querySelector("table")]) {
      if (!part || watched.has(part)) continue;
      watched.add(part);
      sizes.observe(part);
    }
  }
  document.addEventListener("scroll", (event) => { if (event.target.matches && event.target.matches(EDGED)) showEdges(event.target); }, { capture: true, passive: true });

  // -- the steps of an answer that is coming stay open though it is drawn anew ---------------------------------------
  let opened = 0; // how many answers there were when those of the last were opened

  document.addEventListener("click", (event) => {
    const steps = event.target.closest && event.target.closest("#chat .steps summary")?.parentElement;
    const answers = document.querySelectorAll("#chat .answer");
    if (steps && answers[answers.length - 1].contains(steps)) opened = steps.open ? 0 : answers.length;
  });

  function keepOpen() {
    const answers = document.querySelectorAll("#chat .answer"), steps = opened && opened === answers.length ? answers[opened - 1].querySelector(".steps") : null;
    if (steps && !steps.open) steps.open = true;
  }

  let due = false;
  new MutationObserver(() => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => { due = false; drawNext(); watchEdges(); keepOpen(); });
  }).observe(document.documentElement, { childList: true, subtree: true });

  window.answers = { copy, ask, wanted: () => wanted };
})();
