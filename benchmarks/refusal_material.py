"""Questions with and without an answer, made of public sets: what benchmarks/calibrate_refusal.py fits and judges by.

With an answer: SQuAD 2.0, QASPER (within the paper; of the full set other papers), ARAGOG (over the PDFs). Without:
SQuAD's impossible, QASPER's and QASA's unanswerable ones, ARAGOG's asked of papers that do not hold the answer, near
misses (questions with one name put in place of another), quantities that a paper does not even name.

Every question knows its group: the paper or article that it was written about. Groups are what is held out.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common import PAPERS, SHARED, questions
from rag_app.assistant import Assistant
from rag_app.index import generations, manifest
from rag_app.index.bm25 import extract_terms
from rag_app.settings import load_settings
from rag_app.text.terms import find_names

DATASETS = SHARED / "datasets"
SAMPLE = 60  # questions of each kind of a large set
QASPER_FULL = "QASPER full"
_NAMES = (
    "HotpotQA TriviaQA WebQuestions PopQA StrategyQA FEVER QNLI CodeNet ImageNet WikiText-103 CommonsenseQA "
    "ASQA ELI5 BEIR SVAMP A100 PaLM GPT-4 Codex MiniLM Flan-T5 BLOOM DeBERTa-v3 PubHealth CoLA MNLI WMT14 XSum "
    "SAMSum WikiSQL TruthfulQA RealToxicityPrompts BIG-bench LAMA SWAG MultiRC ReCoRD"
)
NAMES = _NAMES.split()
QUANTITIES = (
    "engineers worked on {}", "volunteers took part in the user study of {}", "lines of code does {} consist of",
    "months did the development of {} take", "customers use {} in production", "patents cover {}",
    "reviewers examined {}", "universities took part in {}", "workshops were held about {}", "servers host {}",
)  # fmt: skip


@dataclass(frozen=True)
class Asking:
    """One question of one set."""

    text: str
    answerable: bool
    group: str  # what it was written about
    papers: tuple[str, ...] = ()  # asked of these only
    gold: tuple[str, ...] = ()  # words of the text, any of which answer it; empty where nobody marked them


Sets = dict[str, list[Asking]]


def libraries(folder: Path) -> Iterator[tuple[Assistant, Sets]]:
    """Each library with the sets that are asked of it. What is written and built stays in the folder."""
    yield _papers(folder)
    yield _qasper_full(folder)
    yield _qasper(folder)
    yield _squad(folder)


def build_library(corpus: Path, index: Path) -> Assistant:
    """The library of a folder of texts, built where it is not yet."""
    assistant = Assistant(load_settings(corpus=corpus, index=index, llm="none"))
    if assistant.is_stale():
        assistant.build()
    return assistant


def _write(folder: Path, papers: Iterable[tuple[str, str, list[str]]]) -> None:
    """One Markdown file per paper: title, then its paragraphs; short ones without a stop are headings."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True)
    for name, title, paragraphs in papers:
        lines = [re.sub(r"\s+", " ", paragraph).strip() for paragraph in paragraphs]
        body = [f"## {line}" if len(line) < 60 and not line.endswith(".") else line for line in lines if line]
        (folder / f"{name}.md").write_text("\n\n".join([f"# {title}", *body]), encoding="utf-8")


def _swapped(asked: Iterable[Asking], pool: Sequence[str], chance: random.Random) -> Iterator[Asking]:
    """Questions with one of their names exchanged: the right paper, but not what it says."""
    for asking in asked:
        inside = find_names(asking.text)
        if inside:
            old, new = chance.choice(inside), chance.choice(pool)
            if old != new:
                yield Asking(asking.text.replace(old, new), False, asking.group, asking.papers)


def _squad_articles() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        (DATASETS / "squad" / "dev-v2.0.rebuilt.json").read_text(encoding="utf-8")
    )["data"]
    return found


def squad_library(folder: Path) -> Assistant:
    """SQuAD's articles as Markdown files, built."""
    articles = _squad_articles()
    _write(
        folder / "squad",
        ((a["title"], a["title"].replace("_", " "), [p["context"] for p in a["paragraphs"]]) for a in articles),
    )
    return build_library(folder / "squad", folder / "squad-index")


def _squad(folder: Path) -> tuple[Assistant, Sets]:
    data = _squad_articles()
    asked = [
        Asking(q["question"], not q["is_impossible"], a["title"], gold=tuple(g["text"] for g in q["answers"]))
        for a in data
        for p in a["paragraphs"]
        for q in p["qas"]
    ]
    chance = random.Random(1)
    chance.shuffle(asked)
    good = [a for a in asked if a.answerable][:SAMPLE]
    bad = [a for a in asked if not a.answerable][:SAMPLE]
    pool = [name for a in good for name in find_names(a.text)]
    sets = {"SQuAD": good, "SQuAD impossible": bad, "SQuAD, names swapped": list(_swapped(good, pool, chance))}
    return squad_library(folder), sets


def qasper_library(folder: Path) -> Assistant:
    """The papers of `qasper_mini` as Markdown files, built."""
    papers = lines(DATASETS / "qasper_mini" / "papers.jsonl")
    _write(folder / "qasper", ((p["paper_id"], p.get("arxiv_or_title", ""), p["paragraphs"]) for p in papers))
    return build_library(folder / "qasper", folder / "qasper-index")


def _qasper(folder: Path) -> tuple[Assistant, Sets]:
    asked = [
        Asking(
            q["question"],
            not q["unanswerable"],
            q["paper_id"],
            (f"{q['paper_id']}.md",),
            (*q["extractive_spans"], *q["highlighted"]),
        )
        for q in lines(DATASETS / "qasper_mini" / "questions.jsonl")
        if q["unanswerable"] or q["evidence_idx"]
    ]
    chance = random.Random(3)
    chance.shuffle(asked)
    good = [a for a in asked if a.answerable]
    pool = [name for a in good for name in find_names(a.text)]
    sets = {
        "QASPER": good[:SAMPLE],
        "QASPER unanswerable": [a for a in asked if not a.answerable],
        "QASPER, names swapped": list(_swapped(good, pool, chance))[:SAMPLE],
    }
    return qasper_library(folder), sets


def _qasper_full(folder: Path) -> tuple[Assistant, Sets]:
    """The papers of QASPER's validation part of which all annotators say that a question has no answer there."""
    asked = lines(DATASETS / "qasper_full" / "qasper_questions.jsonl.gz")
    unanswered = {q["question_id"] for q in asked if all(one["unanswerable"] for one in q["answers"])}
    answered = {q["question_id"] for q in asked if not any(one["unanswerable"] for one in q["answers"])}
    kept = {q["paper_id"] for q in asked if q["split"] == "validation" and q["question_id"] in unanswered}
    corpus = folder / "qasper-full"
    if not corpus.is_dir():
        corpus.mkdir(parents=True)
        for paper in lines(DATASETS / "qasper_full" / "qasper_papers.jsonl.gz"):
            if paper["paper_id"] in kept:
                (corpus / f"{paper['paper_id']}.md").write_text(paper["text"], encoding="utf-8")
    random.Random(8).shuffle(asked)

    def select(ids: set[str], answerable: bool) -> list[Asking]:
        own = [q for q in asked if q["paper_id"] in kept and q["question_id"] in ids]
        return [Asking(q["question"], answerable, q["paper_id"], (f"{q['paper_id']}.md",)) for q in own[:SAMPLE]]

    sets = {QASPER_FULL: select(answered, True), f"{QASPER_FULL} unanswerable": select(unanswered, False)}
    return build_library(corpus, folder / "qasper-full-index"), sets


def _papers(folder: Path) -> tuple[Assistant, Sets]:
    aragog = json.loads((DATASETS / "aragog" / "benchmark.json").read_text(encoding="utf-8"))["questions"]
    table = (DATASETS / "aragog" / "pdf_map.tsv").read_text(encoding="utf-8").splitlines()
    gold = {line.split("\t")[1].strip().rsplit("/", 1)[-1] for line in table if "\t" in line}
    others = tuple(sorted(path.name for path in PAPERS.glob("*.pdf") if path.name not in gold))
    qasa = json.loads((DATASETS / "qasa" / "testset_unanswerable_244_v1.1.json").read_text(encoding="utf-8"))
    unanswerable = [Asking(entry["question"], False, entry["paper_id"]) for entry in qasa.values()]
    good = [Asking(text, True, text) for text in aragog]
    assistant = build_library(PAPERS, folder / "papers-index")
    return assistant, {
        "ARAGOG": good,
        "ARAGOG, names swapped": list(_swapped(good, NAMES, random.Random(5)))[:SAMPLE],
        "ARAGOG of other papers": [Asking(text, False, text, others) for text in aragog][-SAMPLE:],
        "quantity not given": random.Random(7).sample(list(_quantities(assistant)), SAMPLE),
        "QASA unanswerable": random.Random(6).sample(unanswerable, SAMPLE),
        "development": [Asking(q["question"], q["kind"] != "unanswerable", q["id"]) for q in questions()],
    }


def _quantities(assistant: Assistant) -> Iterator[Asking]:
    """Quantities of which a paper has not even the words."""
    generation = generations.open_current(assistant.settings.index_folder)
    try:
        for place, entry in enumerate(generation.manifest.papers):
            for quantity in (QUANTITIES[place % 10], QUANTITIES[(place + 3) % 10]) if entry.short_names else ():
                text = quantity.format(entry.short_names[0])
                if any(_absent(generation, entry, term) for term in extract_terms(quantity.split(" {}")[0])):
                    yield Asking(f"How many {text}?", False, entry.paper)
    finally:
        generation.close()


def _absent(generation: generations.Generation, entry: manifest.IndexedPaper, term: str) -> bool:
    rows = generation.words.rows_with(term)
    return not ((entry.rows.start <= rows) & (rows < entry.rows.stop)).any()


def lines(path: Path) -> list[dict[str, Any]]:
    """The values of a JSON lines file, which may be gzipped."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]
