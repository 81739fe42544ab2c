"""How fast the page is for one reader, in a real Chromium: first paint, first text, citation to mark, scrolling, bytes.

    python -m benchmarks.page_speed PAPERS INDEX [LONG]

PAPERS is a folder of papers and INDEX its index (up to date); neither is changed. LONG: the paper that is scrolled,
else the one with the most pages. Answers are the papers' own sentences. Prints the medians as JSON, in milliseconds.
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
QUESTION = "How long did pre-training the largest LLaMA model take, and on how many GPUs?"
# Milliseconds from Enter to the first text of the answer, and to all of it.
_ASKED = """() => new Promise((done) => { const began = performance.now(), seen = {};
  const count = document.querySelectorAll('#chat .answer').length;
  const look = () => { const all = document.querySelectorAll('#chat .answer'), last = all[all.length - 1];
    if (all.length > count) { const now = performance.now() - began;
      seen.shown ??= now;
      if (last.textContent.trim()) seen.text ??= now;
      if (!last.matches('.coming')) return done({ ...seen, whole: now }); }
    requestAnimationFrame(look); };
  look(); })"""
_CITED = """(at) => new Promise((done) => { const button = document.querySelectorAll('#chat button.cite')[at];
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
      return done({ frames: times.length / 2, gap95: gaps[Math.floor(gaps.length * .95)] }); }
    pane.scrollTop = end * share; requestAnimationFrame(step); };
  requestAnimationFrame(step); })"""
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1"


def measure(page: Any, url: str, long: str) -> dict[str, float]:
    """All measures on one tab that has loaded nothing yet; `long`: how the title of the scrolled paper begins."""
    found: dict[str, list[float]] = {}

    def note(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    sizes: list[float] = []
    network = page.context.new_cdp_session(page)
    network.on("Network.loadingFinished", lambda loaded: sizes.append(loaded["encodedDataLength"]))
    network.send("Network.enable")
    page.goto(url)
    page.wait_for_selector("#paper-rows li", state="attached")
    page.wait_for_timeout(2000)
    note("first load, kB", sum(sizes) / 1000)
    network.detach()
    for _ in range(TIMES):
        page.reload()
        page.wait_for_selector("#paper-rows li", state="attached")
        note("first paint, warm", page.evaluate(_PAINTED))
    for _ in range(TIMES):
        page.fill("#question textarea", QUESTION)
        asked = page.evaluate_handle(f"(() => ({{ wait: ({_ASKED})() }}))()")
        page.press("#question textarea", "Enter")
        times = asked.evaluate("(held) => held.wait")
        note("Enter to first text", times["text"])
        note("Enter to the whole answer", times["whole"])
    for turn in range(TIMES + 1):
        page.wait_for_timeout(300)
        time = page.evaluate(_CITED, turn % 2)
        note("citation to mark, warm" if turn > 1 else "citation to mark, first", time)
    name = page.get_attribute(f".open-paper[title*={json.dumps(long)}]", "value")
    page.evaluate("(name) => window.papers.open(`paper/${name}/1`)", name)
    page.wait_for_selector("#reading-pages .sheet.drawn")
    page.wait_for_timeout(1500)
    for _ in range(TIMES):
        frames = page.evaluate(_SCROLLED)
        note("frames a second, scrolling", frames["frames"])
        note("gap between frames, p95", frames["gap95"])
    return {name: round(statistics.median(values), 1) for name, values in found.items()}


def main(papers: Path, index: Path, long: str = "") -> None:
    """Serve a copy of the library, measure and print."""
    with tempfile.TemporaryDirectory() as home, sync_playwright() as library:
        shutil.copytree(index, Path(home) / "index")
        settings = load_settings(corpus=papers, index=Path(home) / "index", port=0, llm="none")
        assistant = Assistant(settings)
        served = serve(assistant, settings, block=False)
        assistant.ask(QUESTION)  # what the first question opens
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
