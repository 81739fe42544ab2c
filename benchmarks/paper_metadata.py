"""What is read of the papers themselves, title, authors and year, against what their first pages print.

python -m benchmarks.paper_metadata [FOLDER]     default: ../shared/papers; names every paper that differs
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from rag_app.papers.read import read_paper
from rag_app.records import Reading

GOLD = Path(__file__).with_name("paper_metadata.jsonl")
PAPERS = Path(__file__).resolve().parents[2] / "shared" / "papers"


@dataclass(frozen=True)
class MetadataScore:
    """How many of `papers` have the right title, the whole list of authors in order, and the right year."""

    papers: int
    titles: int
    authors: int
    years: int
    wrong: tuple[str, ...]


def fold_name(text: str) -> str:
    """Letters and digits alone, without accents and case: printings differ in capitals, hyphens and blanks."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return re.sub(r"[\W_]", "", "".join(letter for letter in plain if not unicodedata.combining(letter)))


def score_metadata(folder: Path, gold: Path = GOLD) -> MetadataScore:
    """Read every paper of the gold file that lies in `folder`, and compare."""
    counts = {"title": 0, "authors": 0, "year": 0}
    wrong: list[str] = []
    papers = 0
    for line in gold.read_text("utf-8").splitlines():
        wanted = json.loads(line)
        path = folder / wanted["file"]
        if not path.is_file():
            continue
        papers += 1
        for field, right, said in _compare(read_paper(path, "pdf"), wanted):
            counts[field] += right
            if not right:
                wrong.append(f"{path.name}: {field}: {said}")
    return MetadataScore(papers, counts["title"], counts["authors"], counts["year"], tuple(wrong))


def _compare(reading: Reading, wanted: dict[str, object]) -> list[tuple[str, bool, str]]:
    authors = [str(name) for name in wanted["authors"]]  # type: ignore[attr-defined]
    return [
        ("title", fold_name(reading.title) == fold_name(str(wanted["title"])), reading.title),
        (
            "authors",
            [fold_name(name) for name in reading.authors] == [fold_name(name) for name in authors],
            f"{list(reading.authors)} for {authors}",
        ),
        ("year", reading.year == wanted["year"], f"{reading.year} for {wanted['year']}"),
    ]


def main(arguments: list[str]) -> int:
    score = score_metadata(Path(arguments[0]) if arguments else PAPERS)
    for line in score.wrong:
        print(line)
    print(f"{score.papers} papers: titles {score.titles}, author lists {score.authors}, years {score.years}")
    return 0 if score.papers else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
