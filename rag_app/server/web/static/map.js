// The map of the library: papers as points, near each other where their texts are near in meaning; and the pages of each
// that answers quoted. Drawn here, from what the server says; all text is put in as text.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 1000, HEIGHT = 740, EDGE = 46, SIZE = 9;
  let dialog = null, points = [], opener = null;

  function make(name, parts = {}, ...inside) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(parts)) if (key in made) made[key] = value; else made.setAttribute(key, value);
    made.append(...inside);
    return made;
  }

  function drawn(name, parts, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(parts)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return made;
  }

  // Groups differ in shape as well as in colour.
  const shapes = [
    "M-1 0A1 1 0 1 0 1 0A1 1 0 1 0 -1 0Z", "M-.9 -.9H.9V.9H-.9Z", "M0 -1.15L1.1 .85H-1.1Z", "M0 -1.2L1.2 0L0 1.2L-1.2 0Z",
    "M0 1.15L1.1 -.85H-1.1Z", "M-.4 -1.1H.4V-.4H1.1V.4H.4V1.1H-.4V.4H-1.1V-.4H-.4Z", "M-1.2 -.5H1.2V.5H-1.2Z",
  ];
  const place = (point) => [
    EDGE + (point.x + 1) / 2 * (WIDTH - 2 * EDGE), EDGE + (1 - point.y) / 2 * (HEIGHT - 2 * EDGE),
  ];
  const short = (point) => point.name || (point.title.length > 26 ? point.title.slice(0, 24).trim() + "…" : point.title);

  const timesQuoted = (times) => times ? say("map.times", { n: times }) : say("map.not-quoted");

  function mark(number, x, y, size) {
    const kind = Math.min(number, shapes.length - 1);
    return drawn("path", { d: shapes[kind], class: `group-${kind}`, transform: `translate(${x} ${y}) scale(${size})` });
  }

  function build() {
    dialog = make("dialog", { id: "map", "aria-labelledby": "map-title" });
    dialog.append(
      make("header", { className: "pane-head" },
        make("h2", { id: "map-title", textContent: say("map.title") }),
        make("button", { type: "button", className: "icon close-map", title: say("map.close"), "aria-label": say("map.close"), textContent: "✕" })),
      make("p", { className: "about", textContent: say("map.about") }),
      make("div", { className: "map-room" },
        make("div", { className: "map-drawing" }), make("div", { className: "map-side" })));
    dialog.addEventListener("close", () => { if (opener && opener.isConnected) opener.focus(); });
    dialog.addEventListener("click", pressed);
    dialog.addEventListener("keydown", moved);
    (document.querySelector(".gradio-container") || document.body).append(dialog);
  }

  function draw(said) {
    const picture = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": say("map.count", { n: said.points.length }) });
    points = said.points.map((point) => ({ ...point, at: place(point) })).sort((one, other) => one.at[0] - other.at[0]);
    const taken = points.map(({ at: [x, y], pages }) => {
      const around = pages.length ? SIZE + 8 : SIZE; // with its ring
      return [x - around, y - around, x + around, y + around];
    });
    points.forEach((point, number) => {
      const [x, y] = point.at, group = said.groups.indexOf(point.group);
      const quoted = point.pages.reduce((sum, [, times]) => sum + times, 0);
      const one = drawn("g", {
        class: "point", tabindex: number ? "-1" : "0", role: "button", "data-number": number,
        "aria-label": `${say("map.point", { title: point.title, group: point.group })}; ${timesQuoted(quoted)}`,
      });
      one.append(drawn("title", {}, point.title));
      if (quoted) one.append(drawn("circle", { cx: x, cy: y, r: SIZE + 4 + Math.min(8, Math.sqrt(quoted)), class: "quoted" }));
      one.append(mark(group, x, y, SIZE));
      label(one, short(point), x, y, quoted ? SIZE + 8 : SIZE, taken);
      picture.append(one);
    });
    fit(picture, taken);
    dialog.querySelector(".map-drawing").replaceChildren(picture);
    side(said);
  }

  // What is drawn fills the picture: on a phone an empty edge would push the papers out of sight.
  function fit(picture, taken) {
    if (!taken.length) return;
    const side = (place, choose) => choose(...taken.map((box) => box[place]));
    const left = side(0, Math.min) - EDGE / 4, top = side(1, Math.min) - EDGE / 4;
    picture.setAttribute("viewBox", `${left} ${top} ${side(2, Math.max) + EDGE / 4 - left} ${side(3, Math.max) + EDGE / 4 - top}`);
  }

  // A name stands right or left of its point, above or below it; where there is no room it is left to the list.
  function label(one, text, x, y, around, taken) {
    const width = text.length * 7.8, height = 15;
    for (const [left, top, anchor] of [
      [x + around + 5, y - 8, "start"], [x - around - 5 - width, y - 8, "end"],
      [x - width / 2, y - around - 18, "middle"], [x - width / 2, y + around + 3, "middle"],
    ]) {
      const box = [left, top, left + width, top + height];
      const free = !taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1]);
      if (!free || box[0] < 0 || box[2] > WIDTH) continue;
      taken.push(box);
      const at = anchor === "start" ? box[0] : anchor === "end" ? box[2] : x;
      one.append(drawn("text", { x: at, y: top + 12, "text-anchor": anchor }, text));
      return;
    }
  }

  function side(said) {
    const legend = make("ul", { className: "legend", "aria-label": say("map.groups") }, ...said.groups.map((group, number) => {
      const sign = drawn("svg", { viewBox: "-1.4 -1.4 2.8 2.8", "aria-hidden": "true" });
      sign.append(mark(number, 0, 0, 1));
      return make("li", {}, sign, `${group} (${said.points.filter((point) => point.group === group).length})`);
    }));
    const ring = drawn("svg", { viewBox: "-1.4 -1.4 2.8 2.8", "aria-hidden": "true" });
    ring.append(drawn("circle", { r: 1.1, class: "ring" }));
    legend.append(make("li", {}, ring, say("map.quoted")));
    const used = said.points.filter((point) => point.pages.length);
    const rows = used.map((point) => make("li", {},
      make("button", { type: "button", className: "map-paper", value: point.paper, textContent: point.title }),
      make("span", { className: "map-pages" }, ...point.pages.map(([page, times]) => make("button", {
        type: "button", className: "map-page", value: `${point.paper}/${page}`, textContent: `${say("map.page", { page })}${times > 1 ? ` ×${times}` : ""}`,
        title: timesQuoted(times),
      })))));
    dialog.querySelector(".map-side").replaceChildren(
      legend, make("h3", { textContent: say("map.pages") }),
      used.length ? make("ul", { className: "used" }, ...rows) : make("p", { className: "about", textContent: say("map.none") }));
  }

  function show(path) {
    opener = null; // the reading pane is where it goes on
    dialog.close();
    window.papers.open(path);
  }

  function pressed(event) {
    const point = event.target.closest("g.point"), button = event.target.closest("button");
    if (event.target === dialog || (button && button.matches(".close-map"))) dialog.close();
    else if (point) show(`paper/${points[point.dataset.number].paper}/1`);
    else if (button && button.matches(".map-paper")) show(`paper/${button.value}/1`);
    else if (button && button.matches(".map-page")) show(`paper/${button.value}`);
  }

  // Arrow keys: the nearest point in that direction.
  function moved(event) {
    const now = event.target.closest && event.target.closest("g.point");
    if (!now) return;
    const [x, y] = points[now.dataset.number].at;
    const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); return pressed(event); }
    if (!way) return;
    event.preventDefault();
    let best = -1, least = Infinity;
    points.forEach((point, number) => {
      const [dx, dy] = [point.at[0] - x, point.at[1] - y], along = dx * way[0] + dy * way[1];
      const cost = along + 2 * Math.abs(dx * way[1] + dy * way[0]);
      if (along > 0 && cost < least) { least = cost; best = number; }
    });
    const next = dialog.querySelector(`g.point[data-number="${best}"]`);
    if (!next) return;
    now.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  }

  async function open(button) {
    if (!dialog) build();
    opener = button;
    const room = dialog.querySelector(".map-drawing");
    room.replaceChildren(make("p", { className: "about", textContent: say("map.placing") }));
    dialog.showModal();
    try {
      const response = await fetch(window.papers.reading + "map");
      const said = await response.json();
      if (said.problem) room.replaceChildren(make("p", { className: "about", textContent: said.problem })); else draw(said);
    } catch {
      room.replaceChildren(make("p", { className: "about", textContent: say("map.not-reached") }));
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest && event.target.closest("button.open-map");
    if (button) open(button);
  });
})();
