"""`eval`: scores the answers to questions whose answers are known, and compares them with an accepted report.

The questions come from a file, or from the thumbs on the page.
"""

from __future__ import annotations

import json
import os
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from rag_app.assistant import Assistant
from rag_app.cli.session import ready_assistant
from rag_app.errors import QuestionError, SettingsError
from rag_app.evaluation.judge import check_judge, judge_answers, read_pairs
from rag_app.evaluation.questions import KINDS, GoldQuestion, read_questions
from rag_app.evaluation.report import (
    SCORES,
    MetricChange,
    compare_reports,
    find_faults,
    read_accepted_report,
    summarise_answers,
)
from rag_app.evaluation.report_html import render_report
from rag_app.evaluation.scoring import RawText, ScoredAnswer, score_answer
from rag_app.files import PRIVATE
from rag_app.models.llm.client import OpenAIModel, open_language_model
from rag_app.outputs.feedback import is_usable, keep_latest
from rag_app.outputs.history import History
from rag_app.outputs.history_file import all_history_files
from rag_app.outputs.terminal import ProgressLine, pluralise, print_json, print_note, sanitise_text
from rag_app.papers.pdf.file import raw_text
from rag_app.records import Json
from rag_app.settings import Settings, load_settings


@contextmanager
def feedback_file(index_folder: Path, keep: str | None = None) -> Iterator[Path]:
    """The rated questions about this index, a JSON line each: in the file `keep`, or in one that is gone afterwards.

    Raises QuestionError where nothing was rated or the file cannot be written, HistoryFault for damaged conversations.
    """
    rated = rated_questions(index_folder)
    asked = [question for question in rated if is_usable(question)]
    ups = sum(question["verdict"] == "up" for question in asked)
    left = len(rated) - len(asked)
    if not asked:
        why = " Of the answers with a thumb up none has a verified quote." if left else ""
        raise QuestionError(
            f"No answer about these papers was rated yet.{why} Rate some with the thumbs below an answer on the page."
        )
    print_note(
        f"{pluralise(ups, 'thumb')} up with known facts, {len(asked) - ups} down"
        + (_left_out_note(left) if left else "")
    )
    text = "".join(json.dumps(question, ensure_ascii=False) + "\n" for question in asked)
    if keep:
        _write(Path(keep), text, "--keep")
        yield Path(keep)
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "feedback.jsonl"
        file.write_text(text, encoding="utf-8")
        yield file


def rated_questions(index_folder: Path) -> list[Json]:
    """What every user rated, the latest thumb for a question counts; ids say whose where users log in."""
    found: list[Json] = []
    for user, file in all_history_files(index_folder).items():
        for question in keep_latest(History(file).feedback_questions()):
            found.append({**question, "id": f"{user}-{question['id']}" if user else question["id"]})
    return found


def _left_out_note(left: int) -> str:
    return f"; {pluralise(left, 'thumb')} up left out, whose answer has no verified quote"


RETRIEVED = 100  # passages that are asked for: enough for ten distinct pages
VERDICT_TOKENS = 32  # that a judge may write


def run_eval(options: Namespace) -> int:
    """Measure and print. Returns 1 when the report is not acceptable beside --baseline."""
    if options.check_judge:
        return _check_judge(options)
    questions = _questions(options)
    accepted = read_accepted_report(Path(options.baseline)) if options.baseline else None
    assistant = ready_assistant()
    outcomes = list(_show_progress(measure(assistant, questions), len(questions)))
    report = summarise_answers(outcomes)
    if options.judge:
        judged = [outcome for outcome in outcomes if outcome.question.has_gold]
        report["judge"] = judge_answers(_judge(assistant.settings), judged)
    changed = compare_reports(report, accepted) if accepted else []
    wrong = find_faults(report, changed) if accepted else []
    if options.html:
        _write(Path(options.html), render_report(report, changed, wrong), "--html")
    if options.json:
        print_json({**report, "faults": wrong} if accepted else report)
    else:
        print(sanitise_text(report_text(report, changed, wrong)))
    return int(bool(wrong))


def _questions(options: Namespace) -> list[GoldQuestion]:
    kinds = _kinds(options.kinds)
    if options.from_feedback == bool(options.file):
        raise QuestionError(
            "Give one source of questions: rag-app eval FILE.jsonl, eval --from-feedback, or eval --check-judge FOLDER"
        )
    if options.keep and not options.from_feedback:
        raise QuestionError("--keep writes the questions made from thumbs: use it with --from-feedback.")
    if options.file:
        return read_questions(Path(options.file), kinds, options.limit)
    with feedback_file(load_settings().index_folder, options.keep) as file:
        return read_questions(file, kinds, options.limit)


def measure(assistant: Assistant, questions: Iterable[GoldQuestion]) -> Iterator[ScoredAnswer]:
    """Ask each question and measure its answer, one after the other. Raises IndexMissing before the first build."""
    raw = raw_text_of(assistant)
    for question in questions:
        answer = assistant.ask(question.question, id=question.id)
        hits = assistant.search(question.question, top=RETRIEVED) if question.facts else []
        yield score_answer(question, answer, [(hit.passage.paper, hit.passage.page) for hit in hits], raw)


def raw_text_of(assistant: Assistant) -> RawText:
    """The pages' text straight from the files, read once each. A plain text file is one page."""

    @cache
    def raw(paper: str, number: int) -> str:
        try:
            path = assistant.path(paper)
        except KeyError:
            return ""
        if path.suffix.lower() == ".pdf":
            return raw_text(path, number)
        return path.read_text(encoding="utf-8", errors="replace") if number == 1 else ""

    return raw


def _kinds(given: str) -> list[str]:
    kinds = [kind.strip() for kind in given.split(",") if kind.strip()]
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise QuestionError(f"--kinds {', '.join(unknown)}: unknown; the kinds are {', '.join(KINDS)}.")
    return kinds


def _show_progress(outcomes: Iterator[ScoredAnswer], total: int) -> Iterator[ScoredAnswer]:
    progress = ProgressLine()
    try:
        for done, outcome in enumerate(outcomes, start=1):
            progress.show(f"asked {done}/{total}  {outcome.question.id}", "asking")
            yield outcome
    finally:
        progress.close()


def _write(path: Path, text: str, option: str) -> None:
    """Write to the file that `option` named. Where it is new, only its owner reads it: users said what it holds."""
    try:
        with open(path, "w", encoding="utf-8", opener=_open_private) as stream:
            stream.write(text)
    except OSError as error:
        why = f"{path}: cannot be written ({error.strerror})"
        raise QuestionError(f"{why}. Correct the path after {option}.") from error


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE)


# -- the judge ----------------------------------------------------------------------------------------------------


def _judge(settings: Settings) -> OpenAIModel:
    model = open_language_model(settings.model_copy(update={"llm_max_tokens": VERDICT_TOKENS}))
    if model is None:
        raise SettingsError("A judge needs a language model, and none is set. Set RAG_LLM, see docs/guide/models.md.")
    return model


def _check_judge(options: Namespace) -> int:
    pairs = read_pairs(Path(options.check_judge), options.limit)
    found = check_judge(_judge(load_settings()), pairs)
    if options.json:
        print_json(found)
    else:
        print(sanitise_text(_lines(found)))
    return 0


# -- for reading --------------------------------------------------------------------------------------------------


def report_text(report: Json, changed: Sequence[MetricChange] = (), wrong: Sequence[str] = ()) -> str:
    """The report for the terminal."""
    kinds: dict[str, Json] = {**report["kinds"], "all": {"questions": report["questions"], **report["all"]}}
    names = [name for name in ("questions", *SCORES) if any(name in row for row in kinds.values())]
    lines = [f"{'':20}" + "".join(f"{kind:>14}" for kind in kinds)]
    for name in names:
        lines.append(f"{name:20}" + "".join(f"{_figure(row.get(name)):>14}" for row in kinds.values()))
    lines.append("")
    for name in ("refusal", "quotes", "cells", "seconds", "tokens"):
        if report[name]:
            lines.append(f"{name}: {_lines(report[name], ', ')}")
    levels = [f"{level} {row['right']:.2f} of {row['answers']}" for level, row in report["confidence"].items()]
    lines += [f"right by confidence: {', '.join(levels)}"] if levels else []
    lines += [f"errors: {report['errors']}"] if report["errors"] else []
    lines += _disliked_lines(report["disliked"]) if "disliked" in report else []
    lines += ["", _lines({**report["judge"], "each": ""})] if "judge" in report else []
    if changed:
        lines += ["", "worse than accepted:" if wrong else f"no worse than accepted: {len(changed)} measures"]
        lines += [f"  {fault}" for fault in wrong]
    return "\n".join(lines)


def _disliked_lines(again: Json) -> list[str]:
    head = f"asked again after a thumb down, not scored: {again['questions']}, the same answer: {again['same answer']}"
    said = {True: "the same answer", False: "another answer"}
    return ["", head] + [
        f"  {line['id']}  {said[line['same answer']]}  {line['question']}"
        + (f" ({line['reason']})" if line["reason"] else "")
        for line in again["each"]
    ]


def _figure(value: object) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def _lines(values: Json, between: str = "\n") -> str:
    told: Callable[[object], str] = lambda value: "unknown" if value is None else str(value)  # noqa: E731  # a short name
    return between.join(f"{name}: {told(value)}" for name, value in values.items() if value != "")
