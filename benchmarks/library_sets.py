"""Public evaluation sets as libraries: their texts as Markdown or text files, their questions with the gold texts.

A set is written as files and built by rag_app like any folder of papers, so that nothing is special for a benchmark.
What a question is looking for is a unit: a whole abstract, a paragraph, or a stretch of a paper.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.common import SHARED

SETS = SHARED / "datasets"
_ARXIV = re.compile(r"\d{4}\.\d{4,5}")


@dataclass(frozen=True)
class Asked:
    """One question: the gold units' names (`paper` for an abstract, `paper#number` for a paragraph or a span)."""

    id: str
    text: str
    gold: tuple[str, ...]
    paper: str = ""  # the paper that it is about, where it is about one
    split: str = "test"


@dataclass(frozen=True)
class LibrarySet:
    """A set: file name -> content, the units of each file in order, and the questions.

    `units` maps a file to the texts that can be found in it; without an entry the file itself is the unit.
    """

    name: str
    files: Mapping[str, str]
    questions: tuple[Asked, ...]
    units: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Write the files; returns the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        return folder


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def scifact() -> LibrarySet:
    """SciFact in BEIR's form (Thakur et al., 2021): claims against 5,183 abstracts; splits train and test."""
    folder = SETS / "scifact"
    files = {f"{one['_id']}.md": f"# {one['title']}\n\n{one['text']}\n" for one in _lines(folder / "corpus.jsonl")}
    texts = {one["_id"]: one["text"] for one in _lines(folder / "queries.jsonl")}
    questions: list[Asked] = []
    for split in ("train", "test"):
        gold: dict[str, list[str]] = {}
        with (folder / "qrels" / f"{split}.tsv").open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines, delimiter="\t"):
                if int(row["score"]) > 0:
                    gold.setdefault(row["query-id"], []).append(f"{row['corpus-id']}.md")
        questions += [Asked(id, texts[id], tuple(papers), split=split) for id, papers in gold.items()]
    return LibrarySet("scifact", files, tuple(questions))


def qasper_mini() -> LibrarySet:
    """QASPER's questions with evidence (Dasigi et al., 2021): paragraphs of 33 papers among 79 others."""
    folder = SETS / "qasper_mini"
    papers = _lines(folder / "papers.jsonl") + _lines(folder / "distractor_papers_test80.jsonl")
    files = {f"{one['paper_id']}.md": _markdown(one) for one in papers}
    units = {f"{one['paper_id']}.md": tuple(one["paragraphs"]) for one in papers}
    questions = tuple(
        Asked(
            one["qid"],
            one["question"],
            tuple(f"{one['paper_id']}.md#{number}" for number in one["evidence_idx"]),
            f"{one['paper_id']}.md",
        )
        for one in _lines(folder / "questions.jsonl")
        if one["evidence_idx"]
    )
    return _without_doubles(LibrarySet("qasper_mini", files, questions, units))


def _without_doubles(one: LibrarySet) -> LibrarySet:
    """The set with each content once, as a library holds it; what names another copy names the first."""
    first: dict[str, str] = {}
    kept = {name: first.setdefault(text, name) for name, text in one.files.items()}
    questions = tuple(
        replace(asked, paper=kept[asked.paper], gold=tuple(_renamed(unit, kept) for unit in asked.gold))
        for asked in one.questions
    )
    names = dict.fromkeys(kept.values())
    return replace(
        one,
        files={name: one.files[name] for name in names},
        units={name: one.units[name] for name in names},
        questions=questions,
    )


def _renamed(unit: str, kept: Mapping[str, str]) -> str:
    paper, _, number = unit.partition("#")
    return f"{kept[paper]}#{number}"


def qasper_partial() -> LibrarySet:
    """The evidence paragraphs of 1,067 other QASPER papers, one file per paper: for choosing, never for reporting."""
    folder = SETS / "qasper_partial"
    of_paper: dict[str, list[str]] = {}
    place: dict[str, str] = {}
    for one in _lines(folder / "evidence_paragraphs.jsonl"):
        name = _file_name(one["paper"])
        paragraphs = of_paper.setdefault(name, [])
        place[one["_id"]] = f"{name}#{len(paragraphs)}"
        paragraphs.append(one["text"])
    files = {name: "\n\n".join(_one_line(text) for text in texts) + "\n" for name, texts in of_paper.items()}
    questions = tuple(
        Asked(
            one["qid"], one["question"], tuple(place[id] for id in one["evidence_ids"]), _file_name(one["paper"]), "dev"
        )
        for one in _lines(folder / "evidence_questions.jsonl")
        if one["split"] == "dev" and one["evidence_ids"]
    )
    units = {name: tuple(texts) for name, texts in of_paper.items()}
    return _without_doubles(LibrarySet("qasper_partial", files, questions, units))


def _file_name(title: str) -> str:
    """A paper of which only the title is known, as a file: a title may hold what no file name can."""
    return re.sub(r"[^\w .,-]+", "_", title)[:150] + ".md"


def covid_qa() -> LibrarySet:
    """COVID-QA (Möller et al., 2020): spans in 98 whole papers. Every second paper is `dev`, the others are `test`."""
    files: dict[str, str] = {}
    units: dict[str, tuple[str, ...]] = {}
    questions: list[Asked] = []
    value = json.loads((SETS / "covid_qa" / "covidqa_fixed_offsets.json").read_text(encoding="utf-8"))
    for number, one in enumerate(value["data"]):
        paragraph = one["paragraphs"][0]
        name = f"covid-{number:02d}.txt"
        files[name] = paragraph["context"]
        spans: list[str] = []
        for asked in paragraph["qas"]:
            for answer in asked["answers"][:1]:
                start = answer["answer_start"]
                # A span is told by its place: the same words may stand elsewhere in the paper.
                spans.append(f"{start}:{start + len(answer['text'])}")
                gold = (f"{name}#{len(spans) - 1}",)
                split = "dev" if number % 2 else "test"
                questions.append(Asked(str(asked["id"]), asked["question"], gold, name, split))
        units[name] = tuple(spans)
    return LibrarySet("covid_qa", files, tuple(questions), units)


SET_READERS = {"scifact": scifact, "qasper_mini": qasper_mini, "qasper_partial": qasper_partial, "covid_qa": covid_qa}


def _one_line(text: str) -> str:
    return " ".join(text.split())


def is_heading(paragraph: str) -> bool:
    """Whether a paragraph of QASPER is a heading: the set has lost its marks, a PDF or a Markdown file has them."""
    words = paragraph.split()
    return (
        0 < len(words) <= 9
        and paragraph[:1].isalnum()
        and paragraph[-1] not in ".:;,?!)]"
        and "BIBREF" not in paragraph
    )


def _markdown(paper: Mapping[str, Any]) -> str:
    title = paper.get("title") or paper.get("arxiv_or_title") or paper["paper_id"]
    lines: Iterable[str] = (
        f"## {_one_line(text)}" if is_heading(text) else _one_line(text) for text in paper["paragraphs"]
    )
    return "\n\n".join([f"# {title}", *lines]) + "\n"
