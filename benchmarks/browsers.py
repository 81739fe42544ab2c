"""Claim: eight people at once. Real browsers ask, read and open citations of a real page; nobody waits for another.

Chromium contexts press what a person presses; all times are wall clock as seen in the browser, in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import PAPERS, ROOT, paper_index, questions
from benchmarks.report import Measured, Section, Target, plain

BROWSERS = 8
SECONDS = 120.0
PATIENCE = 200.0  # seconds for one step; more is an error
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
STEPS = ("shown", "first text", "answer", "waited", "citation to mark", "page up")

# To look at every frame would draw every frame: eight browsers would be busy with being watched. Changes are looked at.
_WATCH = """(look) => { const watch = new MutationObserver(look);
  watch.observe(document.body, { childList: true, subtree: true, attributeFilter: ['class', 'src'] });
  const every = setInterval(look, 50);
  return () => { watch.disconnect(); clearInterval(every); }; }"""
# Milliseconds since Enter at which the turn was shown, had its first text, and was complete; and its own seconds.
_TURN = """(turns) => new Promise((done) => {
  const began = performance.now(), seen = {};
  const look = () => {
    const asked = document.querySelectorAll('#chat p.question'), answers = document.querySelectorAll('#chat .answer');
    const now = performance.now() - began;
    if (asked.length > turns && answers.length > turns) {
      const answer = answers[answers.length - 1], coming = answer.classList.contains('coming');
      seen.shown ??= now;
      if (answer.textContent.trim() && (!coming || answer.querySelector('.answer-text'))) seen.text ??= now;
      if (!coming) {
        end();
        const own = (answer.innerText.match(/([\\d.]+) s\\b/) || [])[1];
        done({ ...seen, answer: now, own: own ? own * 1000 : null, failed: answer.classList.contains('failed'),
               question: asked[asked.length - 1].innerText });
      }
    }
  };
  const end = (WATCH)(look);
  look();
})""".replace("WATCH", _WATCH)
# Milliseconds from the press until the page's picture is there with its marks.
_MARKED = """(number) => new Promise((done) => {
  const began = performance.now();
  document.querySelectorAll('#chat .message-wrap > :last-child button.cite')[number].click();
  const look = () => {
    const open = document.querySelector('#chat button.cite.now-open');
    const marked = open && document.querySelector('#reading-pages .sheet.drawn .mark.chosen');
    if (!marked && performance.now() - began < 20000) return;
    end();
    done(marked ? performance.now() - began : null);
  };
  const end = (WATCH)(look);
  look();
})""".replace("WATCH", _WATCH)


@dataclass
class Seen:
    """What all browsers saw: milliseconds by step, and what went wrong."""

    times: dict[str, list[float]] = field(default_factory=lambda: {step: [] for step in STEPS})
    errors: list[str] = field(default_factory=list)
    paint: float = 0.0  # first contentful paint of the first browser, alone

    def report(self) -> dict[str, Any]:
        """p50 and p95 by step, how many questions were asked, and the errors."""
        found: dict[str, Any] = {
            "asked": len(self.times["answer"]),
            "errors": len(self.errors),
            "what": self.errors[:5],
        }
        found["first paint"] = round(self.paint)
        for step, times in self.times.items():
            if times:
                p50, p95 = np.percentile(times, [50, 95])
                found[step] = {"p50": round(float(p50)), "p95": round(float(p95)), "times": len(times)}
        return found


async def _person(page: Any, number: int, asked: Sequence[str], until: float, patience: float, seen: Seen) -> None:
    """Ask, read, open two citations, and again, twice at least and until the time is over."""
    turn = 0
    while turn < 2 or time.monotonic() < until:
        # Where the box is ready, also after an answer that failed: what is pressed before is not asked.
        await page.wait_for_function("document.querySelector('#question button')?.innerText.trim() === 'Ask'")
        question = asked[(number * 7 + turn) % len(asked)]
        turns = await page.locator("#chat .answer").count()
        await page.fill("#question textarea", question)
        await page.press("#question textarea", "Enter")
        told = await asyncio.wait_for(page.evaluate(_TURN, turns), patience)
        turn += 1
        if told["failed"] or told["question"].split() != question.split():
            seen.errors.append(f"asked {question!r}, got {told}")
            continue
        seen.times["shown"].append(told["shown"])
        seen.times["first text"].append(told["text"])
        seen.times["answer"].append(told["answer"])
        if told["own"] is not None:
            seen.times["waited"].append(max(0.0, told["answer"] - told["own"]))
        marks = page.locator("#chat .message-wrap > :last-child button.cite:not(.unverified)")
        for mark in range(min(2, await marks.count())):
            took = await page.evaluate(_MARKED, mark)
            if took is None:
                seen.errors.append(f"{question!r}: citation {mark + 1} was not marked")
            else:
                seen.times["citation to mark"].append(took)
        if turn % 5 == 0:  # a conversation of five questions
            await page.locator("button.new-conversation").first.click()
            await page.wait_for_selector("#chat .answer", state="detached")


async def _open(browser: Any, url: str, patience: float, seen: Seen) -> Any:
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(patience * 1000)
    page = await context.new_page()
    page.on("pageerror", lambda error: seen.errors.append(f"script: {error}"))
    page.on("console", lambda said: seen.errors.append(f"console: {said.text}") if said.type == "error" else None)
    began = time.perf_counter()
    await page.goto(url)
    await page.wait_for_selector("#chat .example")
    seen.times["page up"].append((time.perf_counter() - began) * 1000)
    return page


async def _crowd(url: str, chromium: str, asked: Sequence[str], browsers: int, seconds: float, patience: float) -> Seen:
    from playwright.async_api import Error, async_playwright  # noqa: PLC0415  # of the extra [test]

    seen = Seen()
    async with async_playwright() as library:
        browser = await library.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        pages = [await _open(browser, url, patience, seen)]
        seen.paint = await pages[0].evaluate(
            "performance.getEntriesByName('first-contentful-paint')[0]?.startTime || 0"
        )
        pages += [await _open(browser, url, patience, seen) for _ in range(browsers - 1)]
        until = time.monotonic() + seconds
        people = [_person(page, number, asked, until, patience, seen) for number, page in enumerate(pages)]
        for ended in await asyncio.gather(*people, return_exceptions=True):
            if isinstance(ended, Error | TimeoutError):
                seen.errors.append(f"{type(ended).__name__}: {str(ended)[:200]}")
            elif isinstance(ended, BaseException):
                raise ended
        await browser.close()
    return seen


def crowd(
    url: str, chromium: str, asked: Sequence[str], browsers: int, seconds: float, patience: float = PATIENCE
) -> dict[str, Any]:
    """So many browsers use the page for so long. What they saw, as `Seen.report` gives it."""
    return asyncio.run(_crowd(url, chromium, asked, browsers, seconds, patience)).report()


def _chromium() -> str:
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome"):
        if found := shutil.which(name):
            return found
    raise RuntimeError("needs Chromium (Debian: apt-get install chromium)")


def main(browsers: int = BROWSERS, seconds: float = SECONDS) -> dict[str, Any]:
    """The page of the 47 papers, with the quoting reader, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"  # a copy: what is asked here belongs into nobody's conversations
        shutil.copytree(paper_index(), index)
        if (models := paper_index().parent / "models").is_dir():  # the converted embedder: no part of what is claimed
            shutil.copytree(models, Path(folder) / "models")
        settings = {"RAG_CORPUS": str(PAPERS), "RAG_INDEX": str(index), "RAG_LLM": "none", "RAG_PORT": str(port)}
        server = subprocess.Popen(
            [sys.executable, "app.py", "--no-browser", "--no-token"],
            env={**os.environ, **settings},
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url)
            asked = [one["question"] for one in questions()]
            return {"browsers": browsers, "seconds": seconds, **crowd(url, _chromium(), asked, browsers, seconds)}
        finally:
            server.terminate()
            server.wait()


def _wait_for(url: str) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{url}/", timeout=5) as page:
                page.read()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def targets(measured: Measured) -> list[Target]:
    """No error, the page's first paint, and from a press on a citation to its mark."""
    shared = "the browsers run on the same cores as the page"
    marked = measured.get("citation to mark", {}).get("p95")
    return [
        Target("eight browsers for two minutes: errors", 0, measured["errors"], at_most=True),
        Target("first paint of the page, ms", 2000, measured["first paint"], at_most=True),
        Target("eight browsers: citation to mark, p95 ms", 500, marked, at_most=True, why=shared),
    ]


SECTIONS = (Section("browsers", "Eight browsers at once", main, plain, targets=targets),)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    print(
        json.dumps(
            main(int(arguments[0]) if arguments else BROWSERS, float(arguments[1]) if len(arguments) > 1 else SECONDS),
            indent=1,
        )
    )
