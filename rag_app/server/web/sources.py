"""The cited places of an answer as HTML: one row per paper, which opens into its quotes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rag_app.citations.table_cells import describe_cells
from rag_app.papers.talks import find_second
from rag_app.records import Citation
from rag_app.server.i18n import translate
from rag_app.server.web.markdown import escape_html

NamePlace = Callable[[Citation], str]
_ICONS = {True: "✓", False: "!"}
SHORT_TITLE = 70  # characters


@dataclass(frozen=True)
class CitedPlace:
    """A place as it is shown: one citation, or several rows of one table under one mark."""

    citation: Citation
    label: str  # "3", or "3–7"
    count: int = 1  # of citations


def cite_html(place: CitedPlace, name: NamePlace) -> str:
    """The mark in the text: a button that opens the place and tells its quote."""
    citation = place.citation
    kind = "cite" if citation.verified else "cite unverified"
    doubt = "" if citation.verified else translate("answer.not-found-hint") + " "
    hint = f"{doubt}“{citation.quote}” — {citation.title}, {place_words(citation)}"
    hint += "".join(f"\n{reference.mark}: {reference.entry[:160]}" for reference in citation.references)
    button = f'<button type="button" class="{kind}" value="{name(citation)}" title="{escape_html(hint)}">'
    return f"{button}{place.label}</button>"


def sources_html(places: Sequence[CitedPlace], name: NamePlace, said: str = "") -> str:
    """A row for each cited paper, in the order of first use, below a line that says how many quotes were found."""
    if not places:
        return ""
    papers: dict[str, list[CitedPlace]] = {}
    for place in places:
        papers.setdefault(place.citation.paper, []).append(place)
    rows = "".join(_paper_row(cited, name, said) for cited in papers.values())
    return f'<div class="sources"><p class="sources-head">{_verified_words(places)}</p><ol>{rows}</ol></div>'


def _verified_words(places: Sequence[CitedPlace]) -> str:
    found = sum(place.count for place in places if place.citation.verified)
    count = sum(place.count for place in places)
    heading = f"<b>{translate('answer.sources')}</b>"
    if found == count:
        return f'{heading} <span class="badge verified">✓ {translate("answer.all-found", n=count)}</span>'
    words = translate("answer.some-found", n=count - found, all=count)
    return f'{heading} <span class="badge unverified">! {words}</span>'


def _paper_row(places: Sequence[CitedPlace], name: NamePlace, said: str) -> str:
    citation = places[0].citation
    pages = sorted({place.citation.page for place in places})
    where = translate("answer.pages", pages=", ".join(map(str, pages)))
    missing = sum(place.count for place in places if not place.citation.verified)
    badge = f'<span class="badge unverified">! {translate("answer.missing-here", n=missing)}</span>' if missing else ""
    digest = f'<span class="digest">{translate("answer.our-note")}</span>' if citation.digest else ""
    title = (
        f'<span class="title" title="{escape_html(citation.title)}">{escape_html(short_title(citation.title))}</span>'
    )
    rows = "".join(citation_html(place.citation, name, said, place.label) for place in places)
    return (
        f'<li class="source"><details><summary>{title} <span class="pages">{where}</span> {badge}{digest}</summary>'
        f'<ol class="citations">{rows}</ol></details></li>'
    )


def short_title(title: str) -> str:
    """The title, cut at a word where it is long."""
    if len(title) <= SHORT_TITLE:
        return title
    return title[:SHORT_TITLE].rsplit(" ", 1)[0] + " …"


def citation_html(citation: Citation, name: NamePlace, said: str = "", label: str = "") -> str:
    """One quote: number, words, where they stand, and whether that was checked.

    A quote that the answer itself has `said` in full is not shown again; of a table, each of its rows.
    """
    kind = "verified" if citation.verified else "unverified"
    repeated = " repeated" if all(line in said for line in citation.quote.split("\n")) else ""
    where = escape_html(place_words(citation))
    return (
        f'<li class="{kind}"><button type="button" class="place" value="{name(citation)}" '
        f'title="{escape_html(translate("answer.open-place", where=place_words(citation)))}">'
        f'<span class="number">{label or citation.number}</span>'
        f'<span class="quote{repeated}">{escape_html(citation.quote)}</span>'
        f"{_row_html(citation)}"
        f'<span class="where"><span class="title">{escape_html(citation.title)} · </span>{where}</span>'
        f"{badge_html(citation)}</button></li>"
    )


def _row_html(citation: Citation) -> str:
    row = describe_cells(citation)
    return f'<span class="table-row">{escape_html(row)}</span>' if row else ""


def badge_html(citation: Citation) -> str:
    """Verified or not, and why, to be told apart at a glance and without colours."""
    if citation.verified:
        badge, why = "verified", translate("answer.was-found")
        words = translate("answer.in-digest") if citation.digest else translate("answer.on-page")
    else:
        badge, why = "unverified", translate("answer.was-not-found")
        words = translate("answer.not-in-digest") if citation.digest else translate("answer.not-on-page")
    digest = f', <span class="digest">{translate("answer.our-note")}</span>' if citation.digest else ""
    signs = ""
    if citation.doubtful_signs:
        signs = (
            f' <span class="badge unverified" title="{translate("answer.why-doubtful")}">'
            f"! {translate('answer.doubtful-signs')}</span>"
        )
    if citation.read_by_ocr:
        signs += (
            f' <span class="badge unverified" title="{translate("answer.why-ocr")}">'
            f"! {translate('answer.read-by-ocr')}</span>"
        )
    return f'<span class="badge {badge}" title="{why}">{_ICONS[citation.verified]} {words}{digest}</span>{signs}'


def place_words(citation: Citation) -> str:
    """Page, printed label where it differs, and section: page 3 (printed 1245) · 4.2 Results. Of a talk: 12:34."""
    if find_second(citation.paper, citation.label) is not None:
        return citation.label
    page = translate("answer.page", page=str(citation.page)).replace(" ", "\u00a0")
    if citation.label and citation.label != str(citation.page):
        page += " " + translate("answer.printed", label=citation.label).replace(" ", "\u00a0")
    return " · ".join(part for part in (page, citation.section) if part)
