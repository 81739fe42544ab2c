"""Fits the weights of rag_app/sufficiency.py and prints what they achieve.

Questions with an answer: QASPER (within the paper), SQuAD 2.0, ARAGOG (over the PDFs). Without: SQuAD's impossible,
QASA's unanswerable ones asked of the PDFs, ARAGOG's asked of the PDFs that do not hold the answer, near misses
(ARAGOG's and SQuAD's questions with one name put in place of another), quantities that a paper does not even name.

Which figures to believe: the development questions do not enter the fit, but the signs were designed while looking at
them, and they choose the threshold. So their figures are optimistic. "left out" is the honest estimate: each set judged
by weights and a threshold that come from the other public sets only.

    python -m benchmarks.calibrate_refusal FOLDER      # FOLDER keeps the corpora and their indexes for the next run
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from benchmarks.common import PAPERS, SHARED, questions
from rag_app import index
from rag_app.answering import find, quoting_reader
from rag_app.assistant import Assistant
from rag_app.claims import names
from rag_app.quoting import QuotingReader
from rag_app.retrieval import Retriever, Scope
from rag_app.settings import load_settings
from rag_app.sufficiency import WEIGHTS
from rag_app.word_index import terms

DATASETS = SHARED / "datasets"
FALSE_REFUSALS = 0.08  # of the development questions: the threshold's aim, below the 10 % that are allowed
SAMPLE = 200  # questions of each SQuAD kind
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


Signs = list[tuple[dict[str, float], bool]]


@dataclass(frozen=True)
class Asking:
    """One question of one set."""

    text: str
    answerable: bool
    papers: tuple[str, ...] = ()  # asked of these only


def main(folder: Path) -> dict[str, Any]:
    """Ask all sets, fit, choose the threshold, report."""
    sets = {**_from_squad(folder), **_from_qasper(folder), **_from_papers(folder)}
    development = sets.pop("development")
    weights, bias = _fit(sets)
    chance = _chances(development, weights, bias)
    answerable = np.array([label for _, label in development])
    threshold = float(np.quantile(chance[answerable], FALSE_REFUSALS))
    (folder / "signs.json").write_text(json.dumps({**sets, "development": development}), encoding="utf-8")
    return {
        "WEIGHTS": weights,
        "BIAS": bias,
        "THRESHOLD": round(threshold, 3),
        "area under the curve, development": round(float(roc_auc_score(answerable, chance)), 3),
        "curve, development: falsely refused -> refused": {
            f"{share:.2f}": round(float((chance[~answerable] < np.quantile(chance[answerable], share)).mean()), 3)
            for share in (0.02, 0.05, 0.08, 0.10, 0.15, 0.20, 0.30)
        },
        "refused at the threshold, sets of the fit": {
            name: round(float((_chances(asked, weights, bias) < threshold).mean()), 3) for name, asked in sets.items()
        },
        "refused, left out": {name: _left_out(name, sets) for name in sets},
    }


def _left_out(name: str, sets: Mapping[str, Signs]) -> float:
    """The share of one set that weights and threshold of the other sets refuse."""
    others = {other: asked for other, asked in sets.items() if other != name}
    weights, bias = _fit(others)
    known = [sign for asked in others.values() for sign in asked if sign[1]]
    threshold = float(np.quantile(_chances(known, weights, bias), FALSE_REFUSALS))
    return round(float((_chances(sets[name], weights, bias) < threshold).mean()), 3)


def _chances(asked: Signs, weights: Mapping[str, float], bias: float) -> np.ndarray:
    scores = np.array([bias + sum(weights[name] * found[name] for name in weights) for found, _ in asked])
    return 1 / (1 + np.exp(-scores))


def _fit(sets: Mapping[str, Signs]) -> tuple[dict[str, float], float]:
    """Weights and bias. Each set counts as much as any other, and both answers as much as each other."""
    rows = [(found, label, 1 / len(asked)) for asked in sets.values() for found, label in asked]
    signs = np.array([[found[name] for name in WEIGHTS] for found, _, _ in rows])
    labels = np.array([label for _, label, _ in rows])
    share = np.array([part for _, _, part in rows])
    for label in (True, False):
        share[labels == label] /= share[labels == label].sum()
    model = LogisticRegression(C=0.3, max_iter=2000).fit(signs, labels, sample_weight=share * len(rows) / 2)
    return dict(zip(WEIGHTS, np.round(model.coef_[0], 2).tolist(), strict=True)), round(float(model.intercept_[0]), 2)


def _ask_all(assistant: Assistant, asked: Iterable[Asking]) -> Signs:
    result: Signs = []
    generation = index.open_current(assistant.settings.index_folder)
    try:
        retriever = Retriever(generation, assistant.embedder.embed_question)
        for asking in asked:
            found = find(retriever, asking.text, Scope(asking.papers), QuotingReader.budget)
            _, _, signs = quoting_reader(found, assistant.embedder).weigh(asking.text, found.evidence)
            if signs:
                result.append((signs, asking.answerable))
    finally:
        generation.close()
    return result


def _library(corpus: Path, index: Path) -> Assistant:
    assistant = Assistant(load_settings(corpus=corpus, index=index, llm="none"))
    if assistant.is_stale():
        assistant.build()
    return assistant


def _write(folder: Path, papers: Iterable[tuple[str, str, list[str]]]) -> None:
    """One Markdown file per paper: title, then its paragraphs; short ones without a stop are headings."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, title, paragraphs in papers:
        lines = [re.sub(r"\s+", " ", paragraph).strip() for paragraph in paragraphs]
        body = [f"## {line}" if len(line) < 60 and not line.endswith(".") else line for line in lines if line]
        (folder / f"{name}.md").write_text("\n\n".join([f"# {title}", *body]), encoding="utf-8")


def _from_squad(folder: Path) -> dict[str, Signs]:
    data = json.loads((DATASETS / "squad" / "dev-v2.0.rebuilt.json").read_text(encoding="utf-8"))["data"]
    _write(
        folder / "squad",
        ((a["title"], a["title"].replace("_", " "), [p["context"] for p in a["paragraphs"]]) for a in data),
    )
    asked = [Asking(q["question"], not q["is_impossible"]) for a in data for p in a["paragraphs"] for q in p["qas"]]
    chance = random.Random(1)
    chance.shuffle(asked)
    good = [a for a in asked if a.answerable][:SAMPLE]
    bad = [a for a in asked if not a.answerable][:SAMPLE]
    pool = [name for a in good for name in names(a.text)]
    swapped = list(_swapped(good, pool, chance))
    assistant = _library(folder / "squad", folder / "squad-index")
    return {
        "SQuAD": _ask_all(assistant, good),
        "SQuAD impossible": _ask_all(assistant, bad),
        "SQuAD, names swapped": _ask_all(assistant, swapped),
    }


def _swapped(asked: Iterable[Asking], pool: Sequence[str], chance: random.Random) -> Iterator[Asking]:
    """Questions with one of their names exchanged: the right paper, but not what it says."""
    for asking in asked:
        inside = names(asking.text)
        if inside:
            old, new = chance.choice(inside), chance.choice(pool)
            if old != new:
                yield Asking(asking.text.replace(old, new), False, asking.papers)


def _from_qasper(folder: Path) -> dict[str, Signs]:
    papers = _lines(DATASETS / "qasper_mini" / "papers.jsonl")
    _write(folder / "qasper", ((p["paper_id"], p.get("arxiv_or_title", ""), p["paragraphs"]) for p in papers))
    asked = [
        Asking(q["question"], not q["unanswerable"], (f"{q['paper_id']}.md",))
        for q in _lines(DATASETS / "qasper_mini" / "questions.jsonl")
        if q["unanswerable"] or q["evidence_idx"]
    ]
    assistant = _library(folder / "qasper", folder / "qasper-index")
    return {
        "QASPER": _ask_all(assistant, [a for a in asked if a.answerable]),
        "QASPER unanswerable": _ask_all(assistant, [a for a in asked if not a.answerable]),
    }


def _from_papers(folder: Path) -> dict[str, Signs]:
    aragog = json.loads((DATASETS / "aragog" / "benchmark.json").read_text(encoding="utf-8"))["questions"]
    table = (DATASETS / "aragog" / "pdf_map.tsv").read_text(encoding="utf-8").splitlines()
    gold = {line.split("\t")[1].strip().rsplit("/", 1)[-1] for line in table if "\t" in line}
    others = tuple(sorted(path.name for path in PAPERS.glob("*.pdf") if path.name not in gold))
    qasa = json.loads((DATASETS / "qasa" / "testset_unanswerable_244_v1.1.json").read_text(encoding="utf-8"))
    good = [Asking(text, True) for text in aragog]
    assistant = _library(PAPERS, folder / "papers-index")
    ask: Callable[[Iterable[Asking]], Signs] = lambda asked: _ask_all(assistant, asked)  # noqa: E731  # a short name
    return {
        "ARAGOG": ask(good),
        "ARAGOG, names swapped": ask(_swapped(good, NAMES, random.Random(5))),
        "ARAGOG of other papers": ask(Asking(text, False, others) for text in aragog),
        "quantity not given": ask(_quantities(assistant)),
        "QASA unanswerable": ask(Asking(entry["question"], False) for entry in qasa.values()),
        "development": ask(Asking(q["question"], q["kind"] != "unanswerable") for q in questions()),
    }


def _quantities(assistant: Assistant) -> Iterator[Asking]:
    """Quantities of which a paper has not even the words."""
    generation = index.open_current(assistant.settings.index_folder)
    try:
        for place, entry in enumerate(generation.manifest.papers):
            for quantity in (QUANTITIES[place % 10], QUANTITIES[(place + 3) % 10]) if entry.short_names else ():
                text = quantity.format(entry.short_names[0])
                if any(_absent(generation, entry, term) for term in terms(quantity.split(" {}")[0])):
                    yield Asking(f"How many {text}?", False)
    finally:
        generation.close()


def _absent(generation: index.Generation, entry: index.Entry, term: str) -> bool:
    rows = generation.words.rows_with(term)
    return not ((entry.rows.start <= rows) & (rows < entry.rows.stop)).any()


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1])), indent=1))
