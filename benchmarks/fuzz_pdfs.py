"""Mutated PDFs, from a made paper and from the first pages of real ones; and how bytes are mutated."""

from __future__ import annotations

import random
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pypdf

from benchmarks.common import PAPERS
from benchmarks.tried import Tried
from rag_app.assistant import Assistant
from rag_app.index.build import build
from rag_app.index.generations import open_current
from tests.support.doubles import WordEmbedder, settings_for, write_corpus
from tests.support.pdfs import Table, make_paper

SEED = 11
UNREAD = "what is mutated is not valid itself"
_OBJECT = re.compile(rb"\d+ \d+ obj\b.*?endobj", re.DOTALL)


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The bytes with a few changes: flipped, cut, doubled, swapped, filled, or with a number blown up."""
    found = bytearray(content)
    for _ in range(chance.choice([1, 1, 1, 2, 3, 8])):
        if not found:
            break
        at, length = chance.randrange(len(found)), chance.choice([1, 2, 4, 16, 64, 500])
        kind = chance.randrange(7)
        if kind == 0:
            found[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del found[at : at + length]
        elif kind == 2:
            found[at:at] = found[at : at + length]
        elif kind == 3:
            other = chance.randrange(len(found))
            found[at : at + length], found[other : other + length] = (
                found[other : other + length],
                found[at : at + length],
            )
        elif kind == 4:
            found[at : at + length] = bytes([chance.randrange(256)]) * length
        elif kind == 5:
            found[at:at] = chance.choice(
                [b"99999999999", b"-1", b"\x00", b"<<", b"[[[[", b'"', b"R", b"endobj", b"\xff\xfe"]
            )
        elif chance.random() < 0.3:
            del found[at:]
    return bytes(found)


def swapped_objects(content: bytes, chance: random.Random) -> bytes:
    """A PDF's bytes with two of its objects in each other's place, under each other's numbers or under their own."""
    found = list(_OBJECT.finditer(content))
    if len(found) < 2:
        return mutated(content, chance)
    first, second = sorted(chance.sample(found, 2), key=lambda one: one.start())
    one, two = first[0], second[0]
    if chance.random() < 0.5:  # only what they hold: the numbers, and where they begin, stay
        (head_one, _, body_one), (head_two, _, body_two) = one.partition(b"obj"), two.partition(b"obj")
        one, two = head_two + b"obj" + body_one, head_one + b"obj" + body_two
    return b"".join(
        (content[: first.start()], two, content[first.end() : second.start()], one, content[second.end() :])
    )


def first_pages(folder: Path, papers: Path, most: int) -> list[bytes]:
    """The first pages of real papers, each a PDF of its own with the fonts and streams that it had."""
    found = []
    for path in sorted(papers.glob("*.pdf"))[:most]:
        writer = pypdf.PdfWriter()
        writer.add_page(pypdf.PdfReader(path).pages[0])
        writer.write(folder / "page.pdf")
        found.append((folder / "page.pdf").read_bytes())
    return found


def pdfs(cases: int, seed: int = SEED, real: int = 0) -> Tried:
    """Mutated PDFs, built as any folder is: each is read or listed with its problem, the good ones answer.

    Every fourth is the first page of one of so many `real` papers, where there are any.
    """
    chance, faults, unreadable, spoiled = random.Random(seed), list[str](), 0, 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        folder = Path(temporary)
        write_corpus(folder / "corpus", 2)
        made = _whole(folder / "corpus" / "whole.pdf")
        pages = first_pages(folder, PAPERS, real)
        for number, page in enumerate(pages):
            (folder / "corpus" / f"real{number}.pdf").write_bytes(page)
        if build(settings_for(folder), WordEmbedder()).failed_papers:
            faults.append(UNREAD)
        for start in range(0, cases, 100):
            names = [f"m{number}.pdf" for number in range(start, min(start + 100, cases))]
            for number, name in enumerate(names):
                content = chance.choice(pages) if pages and number % 4 == 3 else made
                spoiled += content is not made
                change = swapped_objects if chance.random() < 0.2 else mutated
                (folder / "corpus" / name).write_bytes(change(content, chance))
            found = _built(folder, names)
            unreadable, faults = unreadable + found[0], faults + found[1]
            print(f"{start + len(names)} of {cases} PDFs", file=sys.stderr, flush=True)
        build(settings_for(folder), WordEmbedder())
        if not Assistant(settings_for(folder), embedder=WordEmbedder()).search("otter trial series"):
            faults.append("the good papers do not answer any more")
    happened = f"{cases - unreadable} read as far as they go, {unreadable} listed with their problem; the others answer"
    what = "mutated PDFs (bits, cuts, swaps, numbers, objects)"
    what += f", {spoiled} of them first pages of {len(pages)} real papers" if pages else ""
    return Tried(what, cases, happened, tuple(faults))


def _whole(path: Path) -> bytes:
    """A made paper with two columns, a table and references."""
    table = Table([["system", "score"], ["ours", "41.5"]], "Table 1: Scores.")
    text = ["We describe it with care. " * 12, table, "The reader has 220 million parameters."]
    return make_paper(path, sections=[("1 Method", text)], columns=2, references=["A. B. 2020. C."]).read_bytes()


def _built(folder: Path, names: Sequence[str]) -> tuple[int, list[str]]:
    """Build with the mutants of these names and take them away: how many could not be read, and what was wrong."""
    report = build(settings_for(folder), WordEmbedder())
    faults = [
        f"{paper.paper}: {paper.problem!r}"
        for paper in report.failed_papers
        if not paper.problem or "Traceback" in paper.problem or "bug in the program" in paper.problem
    ]
    listed = {paper.paper for paper in report.papers}
    doubled = {name for name, *_ in open_current(folder / "index").manifest.doubles}
    faults += [f"{name} is not listed" for name in names if name not in listed | doubled]
    for name in names:
        (folder / "corpus" / name).unlink()
    return len(report.failed_papers), faults
