"""Export formats of answers: Markdown with footnotes, BibTeX, CSV, LaTeX, evidence as JSON. Pure.

A form takes the answers of a conversation (one is a conversation too) and what is known of the papers they cite.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from rag_app.citations.marks import QUOTING
from rag_app.citations.table_cells import describe_cells
from rag_app.errors import ExportError
from rag_app.outputs.bibtex import to_bibtex
from rag_app.outputs.doubts import group_doubts
from rag_app.outputs.evidence_file import evidence_value
from rag_app.outputs.model_prose import make_inert
from rag_app.outputs.places import name_place, recording_link
from rag_app.outputs.quoted_tables import QuotedRow, QuotedTable, arrange_rows, find_rows
from rag_app.outputs.tables import as_csv, as_latex
from rag_app.records import Answer, Citation, Source, Table

_MARK = re.compile(r"\[(\d+)\]")
_LABEL = re.compile(r"\*\*([^*\n]+)\*\*:?")
# Everything that means something to Markdown, to its tables, footnotes and mathematics, or to pandoc's citations.
_MEANING = re.compile(
    r"[\\`*_{}\[\]<>|~$^&@#]|:(?=//)|(?<=www)\.|(?<=script):|(?:(?<=data)|(?<=file)|(?<=blob)):", re.IGNORECASE
)
_LINE_START = re.compile(r"(?P<mark>[-+=]|\d{1,9}(?=[.)]))")


@dataclass(frozen=True)
class ExportContent:
    """What the formats need: answers, the papers they cite, and which program exports them when."""

    answers: Sequence[Answer]
    sources: Mapping[str, Source]  # by paper
    program: str  # "rag-app 0.1.0"
    moment: str  # UTC, ISO 8601


@dataclass(frozen=True)
class ExportFormat:
    """An export format. `make` raises ExportError if the answers hold nothing of this kind; `fits` says so before."""

    name: str
    media_type: str
    make: Callable[[ExportContent], str]
    fits: Callable[[Answer], bool] = lambda answer: True


def export_markdown(exported: ExportContent) -> str:
    """Question, answer and what is doubtful of each; every mark is a footnote with paper, page, section and quote."""
    several = len(exported.answers) > 1
    blocks: list[str] = []
    notes: list[str] = []
    for number, answer in enumerate(exported.answers, start=1):
        prefix = f"{number}-" if several else ""
        blocks += _answer_blocks(answer, prefix, exported.sources)
        notes += [f"[^{prefix}{one.number}]: {_source(one, exported.sources)}" for one in answer.citations]
    blocks.append(f"*{escape_markdown(exported.program)}, {escape_markdown(exported.moment)}.*")
    return "\n\n".join(blocks + notes) + "\n"


def export_bibliography(exported: ExportContent) -> str:
    """BibTeX of the cited papers, in the order in which they are cited."""
    cited = dict.fromkeys(citation.paper for answer in exported.answers for citation in answer.citations)
    if not cited:
        raise ExportError("The answer cites no paper, so there is no BibTeX to write.")
    return to_bibtex([exported.sources.get(paper) or Source(paper, _title(exported, paper)) for paper in cited])


def export_comparison(exported: ExportContent) -> str:
    """The comparison tables as CSV, a blank line between two."""
    tables = [as_csv(answer) for answer in exported.answers if answer.table is not None]
    if not tables:
        raise ExportError("The answer is not a comparison table, so there is no CSV to write. Use .md or .json.")
    return "\n".join(tables)


def export_latex(exported: ExportContent) -> str:
    """The comparison tables for a LaTeX document, a blank line between two."""
    tables = [as_latex(answer) for answer in exported.answers if answer.table is not None]
    if not tables:
        raise ExportError("The answer is no comparison table, so there is no LaTeX to write. Take .md or .json.")
    return "\n".join(tables)


def export_evidence(exported: ExportContent) -> str:
    """All that `verify` needs to check every quote again."""
    value = evidence_value(exported.answers, exported.sources, exported.program, exported.moment)
    return json.dumps(value, ensure_ascii=False, indent=1) + "\n"


def _cites(answer: Answer) -> bool:
    return bool(answer.citations)


def _has_table(answer: Answer) -> bool:
    return answer.table is not None


FORMS: dict[str, ExportFormat] = {
    "md": ExportFormat("Markdown", "text/markdown; charset=utf-8", export_markdown),
    "bib": ExportFormat("BibTeX", "application/x-bibtex; charset=utf-8", export_bibliography, _cites),
    "csv": ExportFormat("CSV", "text/csv; charset=utf-8", export_comparison, _has_table),
    "tex": ExportFormat("LaTeX", "application/x-tex; charset=utf-8", export_latex, _has_table),
    "json": ExportFormat("Evidence (JSON)", "application/json", export_evidence),
}
"""By the suffix of the file. A further format is one more entry."""


def available_formats(answer: Answer) -> list[str]:
    """The suffixes of the formats in which this answer can be exported."""
    return [suffix for suffix, form in FORMS.items() if answer.status != "error" and form.fits(answer)]


def export_file_name(question: str, kind: str = "answer") -> str:
    """A file's name that every system takes: its kind, and the question's ASCII letters and digits with hyphens."""
    words = re.findall(r"[a-z0-9]+", question.casefold())
    name = ""
    for word in words:
        if len(name) + len(word) > 60:
            break
        name = f"{name}-{word}" if name else word
    return f"{kind}-{name}" if name else kind


# -- Markdown ---------------------------------------------------------------------------------------------------


def escape_markdown(text: str) -> str:
    """Text on one line that Markdown shows as it is: no emphasis, link, footnote, tag, list or formula in it."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    # Two backslashes begin a formula in some kinds of Markdown, so one is never written before another sign.
    line = _MEANING.sub(lambda match: "&#92;" if match[0] == "\\" else f"\\{match[0]}", line)
    start = _LINE_START.match(line)
    if start is None:
        return line
    rest = line[start.end() :]
    return f"{start[0]}\\{rest}" if start[0].isdigit() else f"\\{line}"


def _answer_blocks(answer: Answer, prefix: str, sources: Mapping[str, Source]) -> list[str]:
    understood = [f"*Understood as: {escape_markdown(answer.asked)}*"] if answer.asked else []
    blocks = [f"# {escape_markdown(answer.question)}", *understood, _text(answer, prefix)]
    blocks += [f"> {escape_markdown(note)}" for note in answer.remarks]
    for head, sentences in group_doubts(answer):
        blocks.append("\n".join([f"**{head}:**", "", *(f"- {escape_markdown(one)}" for one in sentences)]))
    if answer.nearest:
        near = [f"- {_source(citation, sources)}" for citation in answer.nearest]
        blocks.append("\n".join(["**The nearest passages:**", "", *near]))
    return blocks


def _text(answer: Answer, prefix: str) -> str:
    known = {citation.number for citation in answer.citations}

    def footnote(number: int) -> str:
        return f"[^{prefix}{number}]"

    if answer.table is not None or answer.reader == QUOTING:
        return text_as_markdown(answer, footnote)
    # A model writes Markdown itself; marks become footnotes, and nothing in it becomes a tag or a command.
    plain = make_inert(answer.answer)
    return _MARK.sub(lambda mark: footnote(int(mark[1])) if int(mark[1]) in known else mark[0], plain)


def text_as_markdown(answer: Answer, mark: Callable[[int], str] = lambda number: f" [{number}]") -> str:
    """The answer's text without what stands around it; rows that are quoted from a table are a table, or lines.

    `mark` writes a citation's number. What a model wrote is Markdown already; what programs would run in it is text.
    """
    cited = {citation.number: citation for citation in answer.citations}
    if answer.table is not None:
        # The first block of the text is the same table.
        rest = _verbatim(answer.answer.partition("\n\n")[2], cited, mark)
        return "\n\n".join(part for part in (table_markdown(answer.table, mark), rest) if part)
    return _verbatim(answer.answer, cited, mark) if answer.reader == QUOTING else make_inert(answer.answer)


def _verbatim(text: str, cited: Mapping[int, Citation], mark: Callable[[int], str]) -> str:
    """Paragraphs of the papers' own words; only our marks, rows of tables and a line that is **a label** count."""
    blocks: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        lines: list[str] = []
        for part in find_rows(paragraph, cited):
            table = arrange_rows(part) if not isinstance(part, str) else None
            if table is not None and table.width > 1:
                blocks += ["\\\n".join(lines), _quoted_table(table, mark)]
                lines = []
            else:
                texts = [part] if isinstance(part, str) else [f"{row} [{citation.number}]" for row, citation in part]
                lines += [_verbatim_line(line, cited, mark) for line in texts if line.strip()]
        blocks.append("\\\n".join(lines))
    return "\n\n".join(block for block in blocks if block)


def _quoted_table(table: QuotedTable, mark: Callable[[int], str]) -> str:
    """Rows of a paper's table as a table, each with its marks behind its last value."""
    rows = [_quoted_row(row, table.width, mark) for row in table.rows]
    if not table.rows[0].head:
        rows.insert(0, [""] * table.width)
    rows.insert(1, ["---"] * table.width)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _quoted_row(row: QuotedRow, width: int, mark: Callable[[int], str]) -> list[str]:
    cells = list(map(escape_markdown, row.cells))
    cells[-1] += "".join(mark(citation.number) for citation in row.citations)
    return cells + [""] * (width - len(cells))


def _verbatim_line(line: str, known: Container[int], mark: Callable[[int], str]) -> str:
    label = _LABEL.fullmatch(line.strip())
    if label:
        return f"**{escape_markdown(label[1])}**"
    whole, done = "", 0
    for found in _MARK.finditer(line):
        if int(found[1]) in known:
            words = escape_markdown(line[done : found.start()])
            whole = f"{whole} {words}".rstrip() + mark(int(found[1]))
            done = found.end()
    whole = f"{whole} {escape_markdown(line[done:])}".strip()
    return re.sub(r"(?<=\]) (?=[,;.:](?:\s|$))", "", whole)


def table_markdown(table: Table, mark: Callable[[int], str] = lambda number: f" [{number}]") -> str:
    """The comparison as a table; `mark` writes a citation's number."""
    rows = [["", *map(escape_markdown, table.aspects)], ["---"] * (1 + len(table.aspects))]
    for row in table.rows:
        cells = [escape_markdown(cell.text) + cell.write_marks(mark) for cell in row.cells]
        rows.append([escape_markdown(row.name), *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _source(citation: Citation, sources: Mapping[str, Source]) -> str:
    named = name_place(citation.paper, citation.page, citation.label)
    place = [citation.title, f"{citation.paper}, {named}", citation.section]
    kind = "" if citation.verified else " — **not found on that page**"
    kind += " — in our digest of the paper" if citation.digest else ""
    kind += " — signs uncertain: look at the page" if citation.doubtful_signs else ""
    kind += " — read by OCR: compare with the page" if citation.read_by_ocr else ""
    cites = "".join(
        f" — {escape_markdown(reference.mark)} is {escape_markdown(reference.entry)}"
        for reference in citation.references
    )
    where = escape_markdown(". ".join(part for part in place if part))
    row = describe_cells(citation)
    table = f" ({escape_markdown(row)})" if row else ""
    source = sources.get(citation.paper)
    recording = source.recording if source else ""
    heard = f" ([{named}]({recording_link(recording, citation.paper, citation.label)}))" if recording else ""
    return f"{where}{heard}: “{escape_markdown(citation.quote)}”{table}{kind}{cites}"


def _title(exported: ExportContent, paper: str) -> str:
    every = (citation for answer in exported.answers for citation in answer.citations)
    return next((citation.title for citation in every if citation.paper == paper), paper)
