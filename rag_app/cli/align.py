"""`align`: trains the embedder, and a cross-encoder, on the user's own judged questions."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rag_app.cli.session import ready_assistant
from rag_app.index import generations
from rag_app.lab.align.alignment import AlignmentExperiment, RankingScores, TrainingResult, check_free
from rag_app.lab.align.judged_index import judge_by_facts
from rag_app.lab.align.judged_questions import JudgedQuestion, TrainTestSplit, read_judged_questions, split_train_test
from rag_app.lab.align.training import TrainingOptions, check_installed
from rag_app.outputs.terminal import ProgressLine, pluralise, print_json, print_note
from rag_app.settings import load_settings

_FEW = 50  # held-out questions, under which a gain of some points cannot be told from chance


def run(options: Namespace) -> int:
    """Train, measure on held-out papers, keep what helped. Returns 1 when nothing was kept."""
    check_installed()  # before an index is built for nothing
    settings = load_settings()
    places = {"embedder": Path(options.out).expanduser()}
    if options.reranker:
        places["reranker"] = Path(options.reranker).expanduser()
    for place in places.values():
        check_free(place)
    split = split_train_test(_read_training_file(Path(options.file)), seed=options.seed)
    if len(split.held) < _FEW:
        print_note(f"only {pluralise(len(split.held), 'question')} held out: small gains cannot be told from chance")
    progress = ProgressLine()
    training = TrainingOptions(epochs=options.epochs, steps=options.steps, seed=options.seed)
    trial = AlignmentExperiment(
        split, training, lambda what, done, of: progress.show(f"{what}: step {done}/{of}", what)
    )
    outcomes: dict[str, TrainingResult] = {}
    try:
        outcomes["embedder"] = trial.fine_tune_embedder(settings.embedder, places["embedder"], options.keep)
        if "reranker" in places:
            name = str(outcomes["embedder"].folder or settings.embedder)
            outcomes["reranker"] = trial.fine_tune_reranker(settings.reranker, name, places["reranker"], options.keep)
    finally:
        progress.close()
    if options.json:
        print_json(_json(split, outcomes))
    else:
        print("\n".join(_report_lines(split, outcomes)))
    return int(not any(outcome.folder for outcome in outcomes.values()))


def _read_training_file(file: Path) -> list[JudgedQuestion]:
    """The file's questions. The papers' index is opened, and built where there is none, only if a line names facts."""
    opened: list[Any] = []

    def of_facts(question: str, facts: Sequence[dict[str, Any]]) -> JudgedQuestion | None:
        if not opened:
            assistant = ready_assistant()
            opened.extend((assistant, generations.open_current(assistant.settings.index_folder)))
        assistant, generation = opened
        return judge_by_facts(question, facts, generation, lambda text, top: assistant.search(text, top=top))

    try:
        return read_judged_questions(file, of_facts)
    finally:
        if opened:
            opened[1].close()


def _report_lines(split: TrainTestSplit, outcomes: dict[str, TrainingResult]) -> list[str]:
    papers = len({paper for one in split.held for paper in one.papers})
    lines = [
        f"learned from {pluralise(len(split.learned), 'question')}, measured on {len(split.held)} about "
        f"{pluralise(papers, 'other paper')}" + (f"; {split.left_out} about both left out" if split.left_out else "")
    ]
    for what, outcome in outcomes.items():
        lines.append(f"\n{what:24}{'recall@10':>12}{'nDCG@10':>12}")
        rows = [
            ("by meaning, before", outcome.alone_before),
            ("by meaning, after", outcome.alone_after),
            ("as search ranks, before", outcome.before),
            ("as search ranks, after", outcome.after),
        ]
        lines += [
            f"{name:24}{row.recall:12.3f}{row.ndcg:12.3f}" for name, row in rows if isinstance(row, RankingScores)
        ]
        lines.append(_verdict(what, outcome))
    return lines


def _verdict(what: str, outcome: TrainingResult) -> str:
    gain = outcome.gain
    measured = f"nDCG@10 {gain.mean:+.3f} (95 % of resamples {gain.low:+.3f} to {gain.high:+.3f})"
    said = f"It helped: {measured}." if outcome.has_helped else f"It did not help beyond chance: {measured}."
    if outcome.folder is None:
        return f"{said} Nothing was kept; --keep would keep it."
    then = "; then: python -m rag_app build" if what == "embedder" else ""
    return f"{said} Use it with RAG_{what.upper()}={outcome.folder}{then}"


def _json(split: TrainTestSplit, outcomes: dict[str, TrainingResult]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "learned": len(split.learned),
        "held_out": len(split.held),
        "left_out": split.left_out,
    }
    for what, outcome in outcomes.items():
        values = {name: value for name, value in asdict(outcome).items() if value is not None}
        found[what] = {**values, "helped": outcome.has_helped, "folder": str(outcome.folder or "")}
    return found
