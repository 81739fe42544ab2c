"""A comparison exported as CSV or LaTeX. Pure."""

from __future__ import annotations

import csv
import io
import re

from rag_app.records import Answer, Cell, Table

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    # After the end of a row LaTeX takes these for an argument of the line end, not for the next cell's text.
    **{letter: f"{{{letter}}}" for letter in "[]*"},
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}
# What makes a spreadsheet compute a cell, also in its wide form, behind blanks or a quotation mark, and behind a
# semicolon, where the spreadsheet of many countries begins a new cell.
_FORMULA = re.compile(r"((?:^|;)[\s\"']*)(?=[=+\-@＝＋－＠\t])")


def as_csv(answer: Answer) -> str:
    """The table with a line per paper: its file, its name, and its cells with the pages they are from."""
    table = _table(answer)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([escape_formula(field) for field in ("paper", "name", *table.aspects)])
    for row in table.rows:
        cells = [f"{cell.text}{_pages(cell, answer)}" for cell in row.cells]
        writer.writerow([escape_formula(field) for field in (row.paper, row.name, *cells)])
    return text.getvalue()


def as_latex(answer: Answer) -> str:
    """A tabular of the standard classes, for a text width; each cell names its pages."""
    table = _table(answer)
    columns = "l" + f"p{{{0.85 / max(1, len(table.aspects)):.2f}\\linewidth}}" * len(table.aspects)
    lines = [("", *table.aspects)]
    lines += [(row.name, *(f"{cell.text}{_pages(cell, answer)}" for cell in row.cells)) for row in table.rows]
    head, *body = (" & ".join(map(escape_latex, line)) + r" \\" for line in lines)
    begin, rule = rf"\begin{{tabular}}{{{columns}}}", r"\hline"
    return "\n".join([begin, rule, head, rule, *body, rule, r"\end{tabular}", ""])


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it is."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(printable.split()))


def escape_formula(field: str) -> str:
    """A field on one line that no spreadsheet takes for a formula: an apostrophe stands before what could begin one."""
    printable = "".join(letter if letter.isprintable() else " " for letter in field)
    return _FORMULA.sub(r"\1'", " ".join(printable.split()))


def _table(answer: Answer) -> Table:
    assert answer.table is not None
    return answer.table


def _pages(cell: Cell, answer: Answer) -> str:
    pages = sorted({c.page for c in answer.citations if c.number in cell.citations})
    return f" (p. {', '.join(map(str, pages))})" if pages else ""
