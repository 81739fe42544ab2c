"""Takes pictures of the page: each state that a researcher meets, light, dark, in Chinese, on a phone, wide.

    python tools/screenshots.py PAPERS INDEX OUT [NAME ...]

PAPERS is a folder of papers and INDEX its index; both are copied, and nothing in them changes. Needs playwright and
Chromium, as the tests do. Answers are the papers' own sentences: no model is asked. NAME: only these pictures.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from rag_app.assistant import Assistant
from rag_app.server.app import serve
from rag_app.settings import load_settings

PATIENCE = 180_000  # milliseconds
COLOURS = 256  # of a picture: small enough for a page that shows it, and few but telling colours stay
FACT = "How long did pre-training the largest LLaMA model take, and on how many GPUs?"
TABLE = "Compare BERT, RoBERTa, LLaMA, Megatron-LM and ColBERTv2 in optimizer, training data, hardware and batch size."
CHINESE = "LLaMA 最大的模型预训练用了多长时间？用了多少 GPU？"
ABSENT = "What do these papers say about the price of coffee?"
DESKTOP: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"}


@dataclass
class Tab:
    """One browser tab, and what is done in it before a picture is taken."""

    page: Any

    def ask(self, question: str) -> None:
        """Ask, and wait for the whole answer."""
        self.page.fill("#question textarea", question)
        self.page.press("#question textarea", "Enter")
        self.page.wait_for_selector("#chat .answer:not(.coming)")

    def cite(self) -> None:
        """Open the first citation, and wait for its page."""
        self.page.locator("#chat button.cite").first.click()
        self.page.wait_for_selector("#reading-pages .sheet.drawn .mark.chosen")

    def welcome(self) -> None:
        self.page.wait_for_selector("#chat .example")

    def fact(self) -> None:
        self.ask(FACT)
        self.page.wait_for_selector("#next-questions button")

    def comparison(self) -> None:
        self.ask(TABLE)
        self.page.click("#chat .fill-screen")

    def coming(self) -> None:
        self.page.fill("#question textarea", TABLE)
        self.page.press("#question textarea", "Enter")
        self.page.wait_for_selector("#chat .answer")

    def refusal(self) -> None:
        self.ask(ABSENT)

    def reading(self) -> None:
        self.ask(FACT)
        self.cite()

    def chinese(self) -> None:
        self.ask(CHINESE)
        self.cite()

    def library(self) -> None:
        self.page.locator("#paper-rows input[type=checkbox]").nth(3).check()
        self.page.select_option("#paper-sort", "year")
        self.page.locator("#paper-rows li").nth(2).hover()
        self.page.locator("#paper-rows .about-paper").nth(2).click()
        self.page.wait_for_selector("dialog.paper-card .summary .cite")

    def map(self) -> None:
        self.ask(FACT)
        self.page.click(".open-map")
        self.page.wait_for_selector("#map g.point")

    def keep(self, button: str, note: int) -> None:
        """Keep something in the note of that place in the list: 0 is a new one."""
        self.page.locator(button).last.click()
        self.page.locator(".note-choice button").nth(note).click()
        self.page.wait_for_selector(".note-choice", state="detached")

    def note(self) -> None:
        self.ask(FACT)
        self.keep("#chat .take-away .keep-note", 0)
        self.page.evaluate("document.getElementById('tab-notes').click()")
        self.page.click("#note-rows .open-note")
        self.page.locator("#note-read .note-place").first.click()
        self.page.wait_for_selector("#reading-pages .sheet.drawn .mark.chosen")


@dataclass(frozen=True)
class Picture:
    """A state of the page, and the window in which it is shown."""

    steps: Callable[[Tab], None]
    window: dict[str, Any] = field(default_factory=dict)


PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
PICTURES = {
    "welcome": Picture(Tab.welcome),
    "fact": Picture(Tab.fact),
    "comparison": Picture(Tab.comparison),
    "coming": Picture(Tab.coming),
    "refusal": Picture(Tab.refusal),
    "reading": Picture(Tab.reading),
    "library": Picture(Tab.library),
    "note": Picture(Tab.note),
    "map": Picture(Tab.map, {"color_scheme": "dark"}),
    "dark": Picture(Tab.reading, {"color_scheme": "dark"}),
    "chinese": Picture(Tab.chinese, {"locale": "zh-CN"}),
    "phone": Picture(Tab.reading, PHONE | {"device_scale_factor": 2}),
    "wide": Picture(Tab.reading, {"viewport": {"width": 2560, "height": 1300}}),
}


def take(browser: Any, url: str, name: str, path: Path) -> None:
    """Write one picture to `path`."""
    picture = PICTURES[name]
    context = browser.new_context(**DESKTOP | picture.window)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(url)
    page.wait_for_selector("#paper-rows li", state="attached")
    picture.steps(Tab(page))
    page.mouse.move(3, 3)
    page.wait_for_timeout(700)  # pictures and fades
    page.screenshot(path=path)
    context.close()
    Image.open(path).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path} {path.stat().st_size // 1000} kB", flush=True)


def main(papers: Path, index: Path, out: Path, names: list[str]) -> None:
    """Serve a copy of the library and take every picture."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as library:
        shutil.copytree(papers, Path(home) / "papers")
        shutil.copytree(index, Path(home) / "index")
        models = index.parent / "models"
        if models.is_dir():  # the converted embedder: to make it anew takes seconds
            shutil.copytree(models, Path(home) / "models")
        settings = load_settings(corpus=Path(home) / "papers", index=Path(home) / "index", port=0, llm="none")
        page = serve(Assistant(settings), settings, block=False)
        chromium = next(
            (
                found
                for name in ("chromium-headless-shell", "chromium", "google-chrome")
                if (found := shutil.which(name))
            ),
            None,
        )
        browser = library.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            for name in names:
                take(browser, page.url, name, out / f"{name}.png")
        finally:
            browser.close()
            page.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:] or list(PICTURES))
