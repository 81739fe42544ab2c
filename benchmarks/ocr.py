"""How well pages are read that are pictures: papers printed to pictures, read by OCR, against the papers' own text.

python -m benchmarks.ocr FILE... [--pages 2]        needs the extra `ocr`

Per file: the share of the paper's words that were found, of neighbouring words in the paper's order, of the words that
OCR shares with the paper whose box's middle lies within that word's box in the paper, how far (in points) 95 % of the
sides of these boxes are from those of the paper at most, seconds a page, memory.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pypdfium2

from rag_app.papers.read import read_paper
from rag_app.records import Page

SCALE = 150 / 72  # pixels per point: a scan of 150 dpi


def write_scan(paper: Path, pages: int, scan: Path) -> None:
    """The first `pages` pages of a paper as pictures in a PDF of the same size."""
    document = pypdfium2.PdfDocument(paper)
    pictures = [
        document[number].render(scale=SCALE).to_pil().convert("L") for number in range(min(pages, len(document)))
    ]
    pictures[0].save(scan, save_all=True, append_images=pictures[1:], resolution=72 * SCALE)


def share_found(wanted: Counter[object], there: Counter[object]) -> float:
    """Which share of `wanted` is there, from 0 to 1."""
    return (wanted & there).total() / max(1, wanted.total())


def compare_places(paper: Sequence[Page], scan: Sequence[Page]) -> tuple[float, float]:
    """The share of the scan's words whose middle lies in a box of the same word in the paper; words of both only.

    And how far, in points, 95 % of the left and right sides of these are from that box's at most.
    """
    good = count = 0
    off: list[float] = []
    for one, two in zip(paper, scan, strict=False):
        assert one.words is not None and two.words is not None
        places: dict[str, list[list[float]]] = {}
        for start, end, box in zip(one.words.starts, one.words.ends, one.words.boxes.tolist(), strict=True):
            places.setdefault(one.text[start:end], []).append(box)
        for start, end, (x0, y0, x1, y1) in zip(
            two.words.starts, two.words.ends, two.words.boxes.tolist(), strict=True
        ):
            boxes = places.get(two.text[start:end], [])
            x, y = (x0 + x1) / 2, (y0 + y1) / 2
            count += bool(boxes)
            under = [box for box in boxes if box[0] <= x <= box[2] and box[1] <= y <= box[3]]
            good += bool(under)
            off += [max(abs(x0 - under[0][0]), abs(x1 - under[0][2]))] if under else []
    return good / max(1, count), float(np.percentile(off, 95)) if off else 0.0


def main() -> None:
    """Print a row for each file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--pages", type=int, default=2)
    arguments = parser.parse_args()
    print(f"{'file':<24} words  order  boxes  off   s/page  CPU s/page  MB")
    for paper in arguments.files:
        with tempfile.TemporaryDirectory() as folder:
            scan = Path(folder) / paper.name
            write_scan(paper, arguments.pages, scan)
            began, processor = time.perf_counter(), time.process_time()
            read = read_paper(scan, "pdf").pages
            seconds, processor = time.perf_counter() - began, time.process_time() - processor
        own = read_paper(paper, "pdf").pages[: len(read)]
        before, after = ([word for page in pages for word in page.text.split()] for pages in (own, read))
        words = share_found(Counter(before), Counter(after))
        order = share_found(Counter(pairwise(before)), Counter(pairwise(after)))
        placed, off = compare_places(own, read)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(
            f"{paper.name:<24} {words:.3f}  {order:.3f}  {placed:.3f}  {off:4.1f}  {seconds / len(read):6.1f}  "
            f"{processor / len(read):10.1f}  {memory}",
            flush=True,
        )


if __name__ == "__main__":
    main()
