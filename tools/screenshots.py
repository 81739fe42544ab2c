"""Takes pictures of the page in each of its states, light, dark, on a phone and in Chinese.

    python tools/screenshots.py PAPERS INDEX OUT [light] [dark] [phone] [chinese]

PAPERS is a folder of papers and INDEX its index; both are copied, and nothing in them changes. Needs playwright and
Chromium, as the tests do. Answers are the papers' own sentences: no model is asked.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from rag_app.assistant import Assistant
from rag_app.server.app import serve
from rag_app.settings import load_settings

PATIENCE = 180_000  # milliseconds
COLOURS = 128  # of a picture: small enough for a page that shows it, and the marks keep their colour
FACT = "How long did pre-training the largest LLaMA model take, and on how many GPUs?"
TABLE = "How do LLaMA and Megatron-LM differ in optimizer, activation function and hardware?"
ABSENT = "What do these papers say about the price of coffee?"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True, "is_mobile": True},
    "chinese": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light", "locale": "zh-CN"},
}


class Camera:
    """One tab, and where its pictures go."""

    def __init__(self, tab: Any, folder: Path, look: str) -> None:
        self.tab = tab
        self.folder = folder
        self.look = look
        self.narrow = look == "phone"

    def take(self, name: str) -> None:
        """Write OUT/LOOK-NAME.png."""
        self.tab.mouse.move(3, 3)
        self.tab.wait_for_timeout(700)
        path = self.folder / f"{self.look}-{name}.png"
        self.tab.screenshot(path=path)
        Image.open(path).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
        print(f"{path} {path.stat().st_size // 1000} kB", flush=True)

    def ask(self, question: str) -> None:
        """Ask in a new conversation, and wait for the whole answer."""
        self.tab.evaluate("document.querySelector('.new-conversation').click()")
        self.tab.wait_for_function("!document.querySelector('#chat .answer')")
        self.tab.fill("#question textarea", question)
        self.tab.press("#question textarea", "Enter")
        self.tab.wait_for_selector("#chat .answer:not(.coming)")

    def cite(self) -> None:
        """Open the first citation."""
        self.tab.evaluate("document.querySelector('#chat button.cite').click()")
        self.tab.wait_for_selector("#reading-pages .mark.chosen")
        self.tab.wait_for_selector("#reading-pages .sheet.drawn")

    def close_panes(self) -> None:
        self.tab.keyboard.press("Escape")

    def library(self) -> None:
        """On a phone the list of papers is a sheet."""
        if self.narrow:
            self.tab.click(".open-library")


def tour(camera: Camera, paper: Path) -> None:
    """Every state of the page, one after another."""
    tab = camera.tab
    tab.wait_for_selector("#chat .example")
    camera.take("first")
    camera.ask(FACT)
    if camera.narrow:
        camera.take("answer")
    camera.cite()
    camera.take("reading")
    camera.close_panes()
    camera.ask(TABLE)
    camera.cite()
    if camera.narrow:
        camera.close_panes()
    camera.take("comparison")
    camera.close_panes()
    camera.ask(ABSENT)
    camera.take("refusal")
    tab.click(".open-map")
    tab.wait_for_selector("#map g.point")
    camera.take("map")
    tab.click(".close-map")
    camera.library()
    camera.take("history")
    tab.click(".open-settings")
    tab.wait_for_selector("#settings .reader-card")
    camera.take("settings")
    tab.click(".close-settings")
    if tab.evaluate("document.getElementById('adding').hidden"):
        tab.click(".open-adding")
    tab.fill("#arxiv-ids", "2406.15319, 2005.11401")
    tab.set_input_files("#file-choice", str(paper))
    tab.wait_for_selector("#arrivals .arrival:not(.uploading)")
    camera.take("growing")


def main(papers: Path, index: Path, out: Path, looks: list[str]) -> None:
    """Serve a copy of the library and take every picture."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, sync_playwright() as library:
        shutil.copytree(papers, Path(home) / "papers")
        shutil.copytree(index, Path(home) / "index")
        settings = load_settings(corpus=Path(home) / "papers", index=Path(home) / "index", port=0, llm="none")
        page = serve(Assistant(settings), settings, block=False)
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = library.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--headless=new"])
        source = min(papers.glob("*.pdf"), key=lambda path: path.stat().st_size)
        try:
            for look in looks:
                paper = Path(home) / f"new-{look}.pdf"  # other bytes make another paper
                paper.write_bytes(source.read_bytes() + f"\n% {look}\n".encode())
                context = browser.new_context(**LOOKS[look])
                tab = context.new_page()
                tab.set_default_timeout(PATIENCE)
                tab.goto(page.url)
                tour(Camera(tab, out, look), paper)
                context.close()
        finally:
            browser.close()
            page.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:] or list(LOOKS))
