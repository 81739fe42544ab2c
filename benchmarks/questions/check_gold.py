"""Check the question files: python -m benchmarks.questions.check_gold [FILE PAPERS ...]

Every quote stands on its page, every short string in the quote or on the page, every paper is there, no id and no
question is used twice. Without arguments all six files are checked; the papers of other fields are made for it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pypdfium2

from benchmarks.questions.other_fields import make_papers

HERE = Path(__file__).resolve().parent
PAPERS = Path(os.environ.get("BENCHMARK_MATERIAL", HERE.parents[2] / "shared")) / "papers"
LEAST = {"spotlight": 1, "comparison": 2, "clustering": 2, "chain": 2, "library": 0, "small_talk": 0, "unanswerable": 0}
BARE = {"library", "small_talk", "unanswerable"}  # kinds that may have no fact
# what PDFium writes for a hyphen at a line's end, and a hyphen before a line's end: left out, as all hyphens are
HYPHENS = re.compile("[\ufffe\ufffb\u00ad\u0002\u2010\u2011-]")


def folded(text: str) -> str:
    """The text without white space, hyphens, case, and forms of quotation marks."""
    text = unicodedata.normalize("NFKC", text).translate({0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'})
    return re.sub(r"\s+", "", HYPHENS.sub("", text)).casefold()


@cache
def pages(paper: Path) -> list[str]:
    """The folded text of each page."""
    with pypdfium2.PdfDocument(paper) as pdf:
        return [folded(page.get_textpage().get_text_range()) for page in pdf]


def problems(asked: dict[str, Any], papers: Path) -> list[str]:
    """What is wrong with one question."""
    kind, facts, named = asked["kind"], asked["facts"], asked["papers"]
    found = []
    if kind not in LEAST:
        return [f"unknown kind {kind}"]
    if len(named) < LEAST[kind] or (kind == "spotlight" and len(named) != 1):
        found.append(f"{len(named)} papers")
    if not facts and kind not in BARE:
        found.append("no facts")
    if facts and {fact["paper"] for fact in facts} != set(named):
        found.append("the facts' papers are not the question's")
    if both := set(asked.get("mentions", ())) & set(named):
        found.append(f"only mentions it, and is gold: {both}")
    if lacking := [paper for paper in (*named, *asked.get("mentions", ())) if not (papers / paper).is_file()]:
        return [*found, f"no such paper: {lacking}"]
    for fact in facts:
        texts = pages(papers / fact["paper"])
        on_page = texts[fact["page"] - 1] if 1 <= fact["page"] <= len(texts) else ""
        if folded(fact["quote"]) not in on_page:
            found.append(f"not on page {fact['page']} of {fact['paper']}: {fact['quote']}")
        if not fact["must_contain"]:
            found.append("a fact without a short string")
        found += [f"not on its page: {text}" for text in fact["must_contain"] if folded(text) not in on_page]
    return found


def check(files: list[tuple[Path, Path]]) -> int:
    """Print what is wrong with the files and their counts; returns the number of problems."""
    wrong, ids, texts = 0, Counter[str](), Counter[str]()
    for file, papers in files:
        kinds = Counter[str]()
        for line in file.read_text(encoding="utf-8").splitlines():
            asked = json.loads(line)
            kinds[asked["kind"]] += 1
            ids[asked["id"]] += 1
            texts[folded(asked["question"])] += 1
            for problem in problems(asked, papers):
                wrong += 1
                print(f"{file.name} {asked['id']}: {problem}")
        print(f"{file.name}: {kinds.total()} questions, {dict(sorted(kinds.items()))}")
    for twice in [name for counted in (ids, texts) for name, times in counted.items() if times > 1]:
        wrong += 1
        print(f"used twice: {twice}")
    print(f"{wrong} problems")
    return wrong


def main(arguments: list[str]) -> int:
    """Check the files of the command line, or all."""
    if arguments:
        return check([(Path(a), Path(b)) for a, b in zip(arguments[::2], arguments[1::2], strict=True)])
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        make_papers.main(made)
        make_papers.main(made, make_papers.THIRD_TEXTS)
        shared = [(file, PAPERS) for file in sorted(HERE.glob("natural_*.jsonl"))]
        return check(shared + [(file, made) for file in sorted((HERE / "other_fields").glob("*.jsonl"))])


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
