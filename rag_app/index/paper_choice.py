"""The papers that a user names, among those of the index: by file name, file name without suffix, or arXiv id. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from rag_app.errors import QuestionError
from rag_app.records import PaperRow


def choose_papers(given: Sequence[str], rows: Sequence[PaperRow], option: str = "papers") -> tuple[str, ...]:
    """The papers that `given` names, each one name or several with commas between.

    Raises QuestionError for one that is not there; `option` is where the user wrote it.
    """
    names: list[str] = []
    for part in _split_names(given, rows):
        found = name_papers(part, rows)
        if not found:
            raise QuestionError(_explain_unknown(part, rows, option))
        names += found
    return tuple(dict.fromkeys(names))


def explain_duplicates(given: Sequence[str], rows: Sequence[PaperRow]) -> list[str]:
    """A sentence for each name in `given` that is not the paper's own but that of another file of the same bytes."""
    named = {part: name_papers(part, rows) for part in _split_names(given, rows)}
    return [
        f"{part} is the same file as {paper}, by which it is quoted"
        for part, papers in named.items()
        for paper in papers
        if part.casefold() not in (paper.casefold(), _stem(paper), _stem(paper).rpartition("v")[0])
    ]


def _split_names(given: Sequence[str], rows: Sequence[PaperRow]) -> list[str]:
    """The single names. A file's name may hold a comma, so the whole is tried before its parts."""
    return [
        part
        for whole in given
        for part in ([whole] if name_papers(whole, rows) else [one.strip() for one in whole.split(",") if one.strip()])
    ]


def name_papers(given: str, rows: Sequence[PaperRow]) -> list[str]:
    """The papers of one name; an arXiv id without its version means every version."""
    wanted = given.casefold()
    exact = [
        row.paper for row in rows if any(wanted in (name.casefold(), _stem(name)) for name in (row.paper, *row.same))
    ]
    return exact or [row.paper for row in rows if _stem(row.paper).rpartition("v")[0] == wanted]


def _stem(paper: str) -> str:
    name = paper.casefold().rpartition("/")[2]
    return name.rpartition(".")[0] or name


def _explain_unknown(part: str, rows: Sequence[PaperRow], option: str) -> str:
    close = get_close_matches(part, [row.paper for row in rows], n=3, cutoff=0.5)
    hint = f"Do you mean {' or '.join(close)}?" if close else "See: python -m rag_app papers"
    return f"{option} {part}: no such paper in the index. {hint}"
