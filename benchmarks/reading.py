"""How well any folder of PDFs is read, against two other readers of the same files; the outliers by name.

python -m benchmarks.reading FOLDER [--most 100]

Per file: the share of pdftotext's words that our text holds, how many pairs of neighbouring words stand in its order,
the share of words whose box lies on their characters as pdfium places them (on some pages of each file), title,
references, seconds, memory.
pdftotext is the one of Poppler; without it the first two columns are empty.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import math
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium

from rag_app.papers.read import read_paper
from rag_app.records import Page, Reading

FEW_WORDS, FEW_PAIRS, FEW_BOXES, SLOW = 0.95, 0.80, 0.997, 0.5  # below or above: an outlier; SLOW: seconds a page
PAGES, MORE, FINE = 8, 2, 100  # pages a file whose boxes are compared, letters of neighbours in a box, parts of a point


@dataclass(frozen=True)
class FileScore:
    """One file, read. Shares are from 0 to 1; None where there was nothing to compare with."""

    name: str
    state: str
    pages: int
    words: float | None
    order: float | None
    boxes: float | None
    title: str
    references: int
    seconds: float

    @property
    def faults(self) -> tuple[str, ...]:
        """What is out of the ordinary, in words."""
        told = [
            (self.state not in ("full text", "no text"), self.state),
            (self.words is not None and self.words < FEW_WORDS, f"words {self.words}"),
            (self.order is not None and self.order < FEW_PAIRS, f"order {self.order}"),
            (self.boxes is not None and self.boxes < FEW_BOXES, f"boxes {self.boxes}"),
            (self.state == "full text" and not self.references, "no references"),
            (self.pages > 0 and self.seconds > SLOW * self.pages, f"{self.seconds:.1f} s"),
        ]
        return tuple(words for wrong, words in told if wrong)


def score_file(path: Path) -> FileScore:
    """Read one PDF and compare."""
    began = time.perf_counter()
    reading = read_paper(path, "pdf")
    seconds = time.perf_counter() - began
    ours = words_of_text(" ".join(page.text for page in reading.pages))
    theirs = words_of_text(_poppler(path))
    return FileScore(
        path.name,
        reading.state,
        len(reading.pages),
        _share(Counter(theirs), Counter(ours)),
        _share(Counter(pairwise(theirs)), Counter(pairwise(ours))),
        measure_boxes(path, reading) if reading.pages else None,
        reading.title,
        len(reading.bibliography),
        round(seconds, 2),
    )


def words_of_text(text: str) -> list[str]:
    """Words of letters in lower case, hyphens at line ends joined: what two readers of a page can agree on."""
    text = re.sub(r"[-\u00ad\ufffe\u2010]\s*\n\s*", "", unicodedata.normalize("NFKC", text))
    return re.findall(r"[^\W\d_]{2,}", text.casefold())


def _share(wanted: Counter[object], held: Counter[object]) -> float | None:
    total = sum(wanted.values())
    return round(sum((wanted & held).values()) / total, 4) if total else None


def _poppler(path: Path) -> str:
    if shutil.which("pdftotext") is None:
        return ""
    done = subprocess.run(["pdftotext", str(path), "-"], capture_output=True, check=False, timeout=300)
    return done.stdout.decode("utf-8", "replace")


def measure_boxes(path: Path, reading: Reading) -> float | None:
    """The share of words whose box holds their letters as pdfium places them, and at most two more at its sides.

    At most PAGES pages of a file are looked at, evenly spread; a page without characters (a picture) is not.
    """
    right = total = 0
    with contextlib.closing(pypdfium2.PdfDocument(path)) as document:
        for page in reading.pages[:: math.ceil(len(reading.pages) / PAGES) or 1]:
            for word, found in _words_in_boxes(document, page):
                total += 1
                right += word in found and len(found) <= len(word) + MORE
    return round(right / total, 4) if total else None


def _words_in_boxes(document: pypdfium2.PdfDocument, page: Page) -> Iterator[tuple[str, str]]:
    """The letters of each word of two or more, and those that pdfium has in its box."""
    with contextlib.closing(document[page.number - 1]) as drawn, contextlib.closing(drawn.get_textpage()) as characters:
        if page.words is None or page.ocr or not characters.count_chars():
            return
        size = round(page.width * FINE), round(page.height * FINE)
        x, y = ctypes.c_double(), ctypes.c_double()
        for start, end, box in zip(page.words.starts, page.words.ends, page.words.boxes.tolist(), strict=True):
            word = _letters(page.text[start:end])
            if len(word) < 2:
                continue
            corners = []
            for across, down in (box[:2], box[2:]):
                pdfium.FPDF_DeviceToPage(drawn.raw, 0, 0, *size, 0, round(across * FINE), round(down * FINE), x, y)
                corners.append((x.value, y.value))
            (left, right), (bottom, top) = (sorted(pair) for pair in zip(*corners, strict=True))
            yield word, _letters(characters.get_text_bounded(left, bottom, right, top))


def _letters(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKC", text).casefold() if sign.isalpha())


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="How well a folder of PDFs is read.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most", type=int, default=0, help="so many files at most; 0: all")
    options = parser.parse_args(arguments)
    paths = sorted(options.folder.rglob("*.pdf"))[: options.most or None]
    scores = [score_file(path) for path in paths]
    for score in scores:
        if score.faults:
            print(f"{score.name}: {', '.join(score.faults)}")
    for field in ("words", "order", "boxes", "seconds"):
        values = [value for score in scores if (value := getattr(score, field)) is not None]
        if values:
            print(f"{field}: mean {statistics.mean(values):.4f}, least {min(values):.4f}, most {max(values):.4f}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    with_faults = sum(bool(score.faults) for score in scores)
    print(f"{len(scores)} files, {with_faults} with something out of the ordinary, {memory} MB of memory")
    return 0 if scores else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
