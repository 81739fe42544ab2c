"""Text for the terminal, and progress lines while something takes long."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from rag_app.citations.table_cells import describe_cells
from rag_app.index.build_report import BuildProgress, BuildReport, PaperReport
from rag_app.outputs.doubts import group_doubts
from rag_app.outputs.places import name_place, recording_fragment
from rag_app.records import Answer, AnswerPlan, Citation, Hit, PaperRow, Reference, Table
from rag_app.text.escaping import escape_controls

WIDEST = 100  # characters: longer lines read badly
LONGEST_ENTRY = 240  # characters of a bibliography's entry
SPARSE = 10.0  # seconds between two lines of progress where a line cannot be rewritten


def print_json(value: Any) -> None:
    """One JSON value on one line, at once."""
    print(json.dumps(value, ensure_ascii=False), flush=True)


def print_note(message: str) -> None:
    """A sentence beside the output."""
    print(f"note: {message}", file=sys.stderr, flush=True)


def sanitise_text(text: str) -> str:
    """Without control and direction characters: text from papers must not command the terminal."""
    kept = (letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cf") for letter in text)
    return "".join(letter if keep else " " for letter, keep in zip(text, kept, strict=True))


def terminal_width() -> int:
    """Columns to fill."""
    return max(40, min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns - 1))


# -- answers ----------------------------------------------------------------------------------------------------


def answer_text(answer: Answer, *, body: bool = True) -> str:
    """The answer with its citations, ready to print; without its own words when they were printed as they came."""
    blocks = [plan_text(answer.plan)] if answer.plan is not None else []
    blocks += [_wrap_text(line, indent="") for line in steps_lines(answer)]
    if body and answer.table is not None:
        blocks.append(table_text(answer.table))
        # The first block of the text is the same table as Markdown.
        blocks += [_wrap_text(rest) for rest in answer.answer.partition("\n\n")[2:] if rest]
    elif body:
        blocks.append(_wrap_text(answer.answer))
    blocks += [_wrap_text(f"Note: {remark}") for remark in answer.remarks]
    blocks += [_citation(citation) for citation in answer.citations]
    for head, sentences in group_doubts(answer):
        blocks.append("\n".join([f"{head}:", *(_wrap_text(f"- {one}", indent="  ") for one in sentences)]))
    if answer.nearest:
        blocks.append("The nearest passages:")
        blocks += [_citation(citation) for citation in answer.nearest]
    blocks.append(_footer(answer))
    return "\n\n".join(blocks)


def plan_text(plan: AnswerPlan) -> str:
    """How a question was understood, in a line or two, and how to correct it."""
    aspects = "; ".join(plan.aspects)
    if plan.kind == "comparison":
        names = ", ".join(plan.names)
        return _wrap_text(f'Compared: {names} — on: {aspects}. To correct it: compare --papers A,B --aspects "X; Y"')
    if plan.kind == "chain":
        return _wrap_text(f"Followed: {' → '.join(plan.names)}")
    looked = f"Looked at {pluralise(plan.searched, 'paper')} for: {aspects}"
    return _wrap_text(f"{looked}, and for claims that contradict each other" if plan.kind == "disagreement" else looked)


def steps_lines(answer: Answer) -> list[str]:
    """The steps from paper to paper, a line each."""
    return [
        f"Step {number}. {step.question} → {step.found} {''.join(f'[{mark}]' for mark in step.citations[:1])}"
        for number, step in enumerate(answer.steps, start=1)
    ]


def table_text(table: Table) -> str:
    """A comparison for the terminal, too narrow for a table of quotes: each aspect, paper by paper."""
    longest = max((len(row.name) for row in table.rows), default=0)
    blocks = []
    for column, aspect in enumerate(table.aspects):
        lines = [_wrap_text(aspect)]
        for row in table.rows:
            cell = row.cells[column]
            said = cell.text + cell.write_marks(" [{}]".format)
            indent = " " * (longest + 4)
            lines.append(f"  {escape_controls(row.name):{longest}}  {_wrap_text(said, indent=indent).lstrip()}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def _citation(citation: Citation) -> str:
    fragment = recording_fragment(citation.paper, citation.label)
    place = f"{citation.paper}{fragment}, {name_place(citation.paper, citation.page, citation.label)}"
    kind = "verified" if citation.verified else "NOT FOUND on that page"
    if citation.digest:
        kind += ", in our digest of the paper"
    if citation.doubtful_signs:
        kind += "; signs uncertain: look at the page"
    if citation.read_by_ocr:
        kind += "; read by OCR: compare with the page"
    head = [
        _wrap_text(escape_controls(f"[{citation.number}] {citation.title}")),
        f"    {escape_controls(place)}  ({kind})",
    ]
    if citation.section:
        head.append(_wrap_text(escape_controls(citation.section), indent="    "))
    cites = [_wrap_text(escape_controls(_reference(reference)), indent="        ") for reference in citation.references]
    row = describe_cells(citation)
    table = [_wrap_text(escape_controls(row), indent="    ")] if row else []
    return "\n".join([*head, _wrap_text(f"“{' '.join(citation.quote.split())}”", indent="    "), *table, *cites])


def _reference(reference: Reference) -> str:
    """A work that the quote cites, and whether it can be asked too."""
    entry = reference.entry if len(reference.entry) <= LONGEST_ENTRY else f"{reference.entry[:LONGEST_ENTRY]}…"
    return f"{reference.mark}: {entry}" + (f"  (here: {reference.paper})" if reference.paper else "")


def _footer(answer: Answer) -> str:
    searched = answer.searched
    parts = [
        f"searched {pluralise(searched.papers, 'paper')}, read {searched.read}, quoted {searched.quoted}",
        f"reader: {answer.reader}" if answer.reader else "",
        f"confidence: {answer.confidence}" if answer.confidence else "",
        f"{answer.milliseconds.get('total', 0.0) / 1000:.1f} s",
    ]
    line = "; ".join(part for part in parts if part)
    if searched.unreadable:
        line += f"\nnot searched, since unreadable: {', '.join(map(escape_controls, searched.unreadable))}"
    return line


def hits_text(hits: Sequence[Hit], title: Callable[[str], str]) -> str:
    """Passages, best first."""
    if not hits:
        return "Nothing found."
    blocks = []
    for rank, hit in enumerate(hits, start=1):
        passage = hit.passage
        place = f"{passage.paper}, page {passage.page}" + (f", {passage.section}" if passage.section else "")
        below = "\n".join([escape_controls(f"{place}  (score {hit.score:.3f})"), passage.text])
        blocks.append(
            f"{_wrap_text(escape_controls(f'{rank:2}. {title(passage.paper)}'))}\n{_wrap_text(below, indent='    ')}"
        )
    return "\n\n".join(blocks)


def _wrap_text(text: str, indent: str = "") -> str:
    """Each line of the text wrapped by itself, so that lists stay lists."""
    lines: list[str] = []
    wrapper = textwrap.TextWrapper(
        terminal_width(),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in sanitise_text(text).splitlines():
        lines += wrapper.wrap(line) or [""]
    return "\n".join(lines)


def _wrap_remark(text: str) -> str:
    """One indented paragraph, whatever a handed-over index says in it."""
    return _wrap_text(escape_controls(text), indent="    ")


# -- papers -----------------------------------------------------------------------------------------------------


def papers_text(rows: Sequence[PaperRow]) -> str:
    """One line per paper, the problem of a bad one below it."""
    lines = []
    for row in rows:
        numbers = f"{row.pages:4} pages {row.passages:5} passages" if row.pages else f"{row.state:>25}"
        lines.append(escape_controls(f"{row.paper:24} {row.year or '':4} {numbers}  {row.title}"))
        if row.problem:
            lines.append(_wrap_remark(row.problem))
        lines += [_wrap_remark(f"warning: {warning}") for warning in row.warnings]
        lines += [_wrap_remark(f"hidden text, left out: {place}") for place in row.hidden]
    total = f"{pluralise(len(rows), 'paper')}, {pluralise(sum(row.passages for row in rows), 'passage')}"
    return "\n".join([*lines, total])


def paper_line(paper: PaperReport) -> str:
    """What a build did with one paper."""
    if paper.problem:
        return escape_controls(f"{paper.paper:24} {paper.state}: {paper.problem}")
    spent = "unchanged" if paper.reused else f"{paper.seconds:.2f} s"
    line = f"{paper.paper:24} {paper.pages:4} pages {paper.passages:5} passages {spent:>10}"
    remarks = [f"warning: {warning}" for warning in paper.warnings] + [f"hidden text: {one}" for one in paper.hidden]
    return "\n".join(map(escape_controls, [line, *(f"    {remark}" for remark in remarks)]))


def build_text(report: BuildReport) -> str:
    """What a build did: a line per paper, and the total."""
    shown: Iterable[PaperReport] = report.papers if report.changed else report.failed_papers
    lines = [paper_line(paper) for paper in shown]
    lines += [escape_controls(f"{paper}: removed") for paper in report.removed]
    lines += [escape_controls(problem) for problem in report.problems]
    pages = sum(paper.pages for paper in report.papers)
    total = (
        f"{pluralise(len(report.papers), 'paper')}, {pluralise(pages, 'page')}, {pluralise(report.passages, 'passage')}"
    )
    if report.changed:
        steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in report.seconds.items() if name != "total")
        steps = f" ({steps})" if steps else ""
        lines.append(f"{total} in {report.seconds.get('total', 0.0):.1f} s{steps}")
    else:
        lines.append(f"nothing changed: {total}, checked in {report.seconds.get('total', 0.0):.2f} s")
    if report.failed_papers:
        lines.append(f"failed: {', '.join(escape_controls(paper.paper) for paper in report.failed_papers)}")
    return "\n".join(lines)


def pluralise(number: int, noun: str) -> str:
    """'1 paper', '2 papers'."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# -- progress ---------------------------------------------------------------------------------------------------


class ProgressLine:
    """Progress on standard error: one line that is rewritten, or a line now and then where that cannot be done."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream or sys.stderr
        self._clock = clock
        self.rewrites = self._stream.isatty()  # whether a line can be shown and erased again
        self._last = -SPARSE
        self._stage = ""
        self._shown = 0

    def build(self, progress: BuildProgress) -> None:
        """Shows how far a build is."""
        line = f"{progress.stage} {progress.done}/{progress.total}" if progress.total > 1 else progress.stage
        if progress.eta >= 0 and progress.done < progress.total:
            line += f", {format_duration(progress.eta)} left"
        self.show(f"{line}  {progress.message}", progress.stage)

    def show(self, line: str, stage: str = "") -> None:
        """Shows a line: at once where it can be rewritten, else when the stage is new or some time has passed."""
        line = sanitise_text(line).replace("\n", " ")
        if self.rewrites:
            line = line[: terminal_width()]
            self._write(f"\r{line}{' ' * (self._shown - len(line))}")
            self._shown = len(line)
        elif stage != self._stage or self._clock() - self._last >= SPARSE:
            self._write(f"{line}\n")
            self._last = self._clock()
        self._stage = stage

    def close(self) -> None:
        """Clears the rewritten line."""
        if self.rewrites and self._shown:
            self._write(f"\r{' ' * self._shown}\r")
        self._shown = 0

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # nobody is looking any more; the work goes on
            self.rewrites, self._shown = False, 0


def format_duration(seconds: float) -> str:
    """'8 s', '3 min', '1 h 20 min'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
