"""How fast the page is for one reader, in a real Chromium: first paint, first text, citation to mark, scrolling, bytes.

    python -m benchmarks.page_speed PAPERS INDEX [LONG]

PAPERS is a folder of papers and INDEX its index; neither is changed, and an index that is not up to date is brought so
in a copy. LONG: the paper that is scrolled, else the one with the most pages. Answers are the papers' own sentences.
Prints medians as JSON, in milliseconds; for what is promised always, the slowest too.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from rag_app.assistant import Assistant
from rag_app.server.app import serve
from rag_app.settings import load_settings

PATIENCE = 120_000  # milliseconds
TIMES = 5
QUESTIONS = (  # no two of one kind: an answer must not come from what the last one left in memory
    "How long did pre-training the largest LLaMA model take, and on how many GPUs?",
    "How do LLaMA and Megatron-LM differ in optimizer, activation function and hardware?",
    "What do these papers say about the price of coffee?",
    "Which papers evaluate on Natural Questions?",
    "What is retrieval-augmented generation?",
    "Why does the self-attention of BERT look at both directions?",
)
IDLE = 15  # seconds in which nobody does anything
# Milliseconds from Enter to the first sign of the answer, to its first text, and to all of it.
_ASKED = """() => new Promise((done) => { const began = performance.now(), seen = {};
  const count = document.querySelectorAll('#chat .answer').length;
  const look = () => { const all = document.querySelectorAll('#chat .answer'), last = all[all.length - 1];
    if (all.length > count) { const now = performance.now() - began;
      seen.shown ??= now;
      const text = last.querySelector('.answer-text, .verdict');  // of a table, a cell that was found
      if (text && (!text.querySelector('.compared') || text.querySelector('.compared td:not(.none) .phrase')))
        seen.text ??= now;
      if (!last.matches('.coming')) return done({ ...seen, whole: now }); }
    requestAnimationFrame(look); };
  look(); })"""
_CITED = """(turn) => new Promise((done) => { const seen = new Map();
  for (const one of document.querySelectorAll('#chat button.cite')) seen.set(one.value, one);
  const buttons = [...seen.values()];
  if (buttons.length < 2) throw new Error('the answers have fewer than two citations: ask other questions');
  const button = buttons[turn % 2 ? buttons.length - 1 : 0];
  const began = performance.now(); button.click();
  const look = () => { const mark = document.querySelector('#reading-pages .sheet.drawn .mark.chosen');
    if (mark && window.reader.chosen() === button.value) return done(performance.now() - began);
    requestAnimationFrame(look); };
  requestAnimationFrame(look); })"""
# The frames of two seconds of scrolling over the whole paper.
_SCROLLED = """() => new Promise((done) => { const pane = document.getElementById('reading-scroll');
  const end = pane.scrollHeight - pane.clientHeight, began = performance.now(), times = [];
  const step = (now) => { times.push(now); const share = (performance.now() - began) / 2000;
    if (share >= 1) { const gaps = times.slice(1).map((time, at) => time - times[at]).sort((a, b) => a - b);
      return done({ frames: times.length / 2, gap95: gaps[Math.floor(gaps.length * .95)],
        longest: gaps[gaps.length - 1] }); }
    pane.scrollTop = end * share; requestAnimationFrame(step); };
  requestAnimationFrame(step); })"""
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1"


class Measures:
    """Values of each measure, as they come."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def note(self, name: str, value: float) -> None:
        self._values.setdefault(name, []).append(value)

    def summary(self) -> dict[str, float]:
        """The median of each, and beside it the slowest of those that are promised always."""
        found: dict[str, float] = {}
        for name, values in self._values.items():
            found[name] = round(statistics.median(values), 1)
            if name.startswith("Enter"):
                found[f"{name}, slowest"] = round(max(values), 1)
        return found


def measure_load(page: Any, url: str, found: Measures) -> None:
    """How much the first load transfers, when a warm load paints, and when it shows the library."""
    sizes: list[float] = []
    network = page.context.new_cdp_session(page)
    network.on("Network.loadingFinished", lambda loaded: sizes.append(loaded["encodedDataLength"]))
    network.send("Network.enable")
    for name in ("first load, kB", "second load, kB"):
        sizes.clear()
        page.goto(url)
        page.wait_for_selector("#paper-rows li", state="attached")
        page.wait_for_timeout(2000)
        found.note(name, sum(sizes) / 1000)
    network.detach()
    for _ in range(TIMES):
        page.reload()
        page.wait_for_selector("#paper-rows li", state="attached")
        found.note("first paint, warm", page.evaluate(_PAINTED))
        found.note("library shown, warm", page.evaluate("() => performance.now()"))


def measure_idle(page: Any, found: Measures) -> None:
    """How many requests a page makes that is left alone; before it, the time in which somebody still seems to work."""
    page.wait_for_timeout(15_000)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.wait_for_timeout(IDLE * 1000)
    found.note(f"requests in {IDLE} idle seconds", len(requests))


def measure_answers(page: Any, found: Measures) -> None:
    """From Enter to the answer, and from a citation to its mark."""
    for question in QUESTIONS:
        page.fill("#question textarea", question)
        asked = page.evaluate_handle(f"(() => ({{ wait: ({_ASKED})() }}))()")
        page.press("#question textarea", "Enter")
        times = asked.evaluate("(held) => held.wait")
        found.note("Enter to first sign", times["shown"])
        found.note("Enter to first text", times["text"])
        found.note("Enter to the whole answer", times["whole"])
        page.wait_for_timeout(1000)  # what the page does after an answer is not part of the next one
    for turn in range(TIMES + 1):
        page.wait_for_timeout(300)
        time = page.evaluate(_CITED, turn)
        found.note("citation to mark, warm" if turn > 1 else "citation to mark, first", time)


def measure_scrolling(page: Any, long: str, found: Measures) -> None:
    """How even a whole paper scrolls. `long`: how its title begins."""
    name = page.get_attribute(f".open-paper[title*={json.dumps(long)}]", "value")
    page.evaluate("(name) => window.papers.open(`paper/${name}/1`)", name)
    page.wait_for_selector("#reading-pages .sheet.drawn")
    page.wait_for_timeout(1500)
    for _ in range(TIMES):
        frames = page.evaluate(_SCROLLED)
        found.note("frames a second, scrolling", frames["frames"])
        found.note("gap between frames, p95", frames["gap95"])
        found.note("longest gap between frames", frames["longest"])


def measure(page: Any, url: str, long: str) -> dict[str, float]:
    """All measures on one tab that has loaded nothing yet."""
    found, complaints, ended = Measures(), [], []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    # Loading a page again cuts off what the last one still had open: Gradio's endless heartbeat, and its first look.
    page.on("requestfailed", lambda request: ended.append(request.url))
    measure_load(page, url, found)
    cut, ended[:] = list(ended), []
    measure_answers(page, found)
    measure_scrolling(page, long, found)
    measure_idle(page, found)
    return {
        **found.summary(),
        "errors and warnings in the console": len(complaints),
        "requests cut off by loading again": len(cut),
        "aborted requests": len(ended),
    }


def main(papers: Path, index: Path, long: str = "") -> None:
    """Serve a copy of the library, measure and print."""
    with tempfile.TemporaryDirectory() as home, sync_playwright() as library:
        for folder in (index, index.parent / "models"):  # beside the index: the converted embedder, if there is one
            if folder.is_dir():
                shutil.copytree(folder, Path(home) / folder.name)
        settings = load_settings(corpus=papers, index=Path(home) / index.name, port=0, llm="none")
        assistant = Assistant(settings)
        if assistant.is_stale():
            assistant.build()
        assistant.ask(QUESTIONS[0])  # what the first question opens
        served = serve(assistant, settings, block=False)
        rows = sorted(assistant.papers(), key=lambda row: (row.paper != long, -row.pages))
        found = shutil.which("chromium-headless-shell") or shutil.which("chromium")
        browser = library.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(PATIENCE)
        try:
            value = measure(page, served.url, rows[0].title[:40])
        finally:
            browser.close()
            served.stop()
    print(json.dumps({"scrolled": rows[0].paper, "pages": rows[0].pages, **value}, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:4])
