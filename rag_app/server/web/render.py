"""An Answer -> HTML for the conversation. Pure; all untrusted text is escaped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rag_app.outputs.markdown import FORMS, available_formats
from rag_app.records import BETWEEN, Answer, AnswerPlan, Cell, Citation, Table
from rag_app.server.i18n import translate, translate_core
from rag_app.server.web.markdown import escape_html, markdown_html, plain_html

NamePlace = Callable[[Citation], str]
NameAnswer = Callable[[Answer], str]
VERBATIM_READERS = ("quoting",)  # their text is the papers' own: nothing in it is Markdown

VERDICT = "Not in these papers"  # how the core begins what it says then
_CONFIDENCE = {"high": "answer.high", "medium": "answer.medium", "low": "answer.low"}
_ICONS = {True: "✓", False: "!"}


def question_html(question: str) -> str:
    """What the user asked, as typed."""
    return f'<p class="question">{escape_html(question)}</p>'.replace("\n", "<br>")


def progress_html(text: str, doing: str, verbatim: bool = False) -> str:
    """An answer that is still coming: what came so far, and in words what happens now."""
    write = plain_html if verbatim else markdown_html
    came = f'<div class="answer-text">{write(text, _waiting_mark, range(1, 1000))}</div>' if text.strip() else ""
    return f'<div class="answer coming">{came}<p class="doing">{escape_html(translate_core(doing))}</p></div>'


def answer_html(answer: Answer, name: NamePlace, name_answer: NameAnswer | None = None) -> str:
    """The finished answer: text with clickable numbers, what is doubtful, its citations, and what was looked at.

    With `name_answer` it has an export menu.
    """
    if answer.status == "error":
        verdict, words = translate("answer.failed"), escape_html(translate_core(answer.answer))
        return f'<div class="answer failed"><p class="verdict">{verdict}</p><p>{words}</p></div>'
    if answer.status == "not_in_papers":
        return _not_in_papers(answer, name, name_answer)
    parts = [
        _plan(answer.plan),
        _steps(answer, name),
        f'<div class="answer-text">{_text(answer, name)}</div>',
        _doubts(answer),
        _notes(answer),
    ]
    if answer.citations:
        rows = "".join(citation_html(citation, name, answer.answer) for citation in answer.citations)
        parts.append(f'<ol class="citations">{rows}</ol>')
    parts.append(footer_html(answer, _export_menu(answer, name_answer)))
    return f'<div class="answer">{"".join(parts)}</div>'


def citation_html(citation: Citation, name: NamePlace, said: str = "") -> str:
    """One row of the list under an answer: number, quote, where it stands, whether that was checked.

    A quote that the answer itself has `said` in full is shortened to a line; the whole is above it and on the page.
    """
    kind = "verified" if citation.verified else "unverified"
    repeated = " repeated" if citation.quote in said else ""
    where = escape_html(place_words(citation))
    return (
        f'<li class="{kind}"><button type="button" class="place" value="{name(citation)}" '
        f'title="{escape_html(translate("answer.open-place", where=place_words(citation)))}">'
        f'<span class="number">{citation.number}</span>'
        f'<span class="quote{repeated}">{escape_html(citation.quote)}</span>'
        f'<span class="where"><span class="title">{escape_html(citation.title)}</span> · {where}</span>'
        f"{badge_html(citation)}</button></li>"
    )


def badge_html(citation: Citation) -> str:
    """Verified or not, and why, to be told apart at a glance and without colours."""
    if citation.verified:
        badge, why = "verified", translate("answer.was-found")
        words = translate("answer.in-digest") if citation.digest else translate("answer.on-page")
    else:
        badge, why = "unverified", translate("answer.was-not-found")
        words = translate("answer.not-in-digest") if citation.digest else translate("answer.not-on-page")
    digest = f', <span class="digest">{translate("answer.our-note")}</span>' if citation.digest else ""
    return f'<span class="badge {badge}" title="{why}">{_ICONS[citation.verified]} {words}{digest}</span>'


def place_words(citation: Citation) -> str:
    """Page, printed label where it differs, and section: page 3 (printed 1245) · 4.2 Results."""
    page = translate("answer.page", page=str(citation.page)).replace(" ", "\u00a0")
    if citation.label and citation.label != str(citation.page):
        page += " " + translate("answer.printed", label=citation.label).replace(" ", "\u00a0")
    return " · ".join(part for part in (page, citation.section) if part)


def footer_html(answer: Answer, menu: str = "") -> str:
    """What was looked at, by whom, and how long it took; at its end what can be done with the answer."""
    searched = answer.searched
    parts = []
    if searched.papers or searched.unreadable:
        unreadable = len(searched.unreadable)
        counts = {"papers": searched.papers, "read": searched.read, "quoted": searched.quoted, "unreadable": unreadable}
        names = escape_html(translate("answer.unreadable", papers=", ".join(searched.unreadable)))
        hint = f' title="{names}"' if searched.unreadable else ""
        parts.append(f"<span{hint}>{translate('answer.searched', **counts)}</span>")
    if answer.reader:
        parts.append(f"<span>{escape_html(reader_words(answer.reader))}</span>")
    if answer.confidence:
        words = translate(_CONFIDENCE[answer.confidence])
        parts.append(
            f'<span class="confidence {answer.confidence}" title="{translate("answer.confidence")}">{words}</span>'
        )
    if "total" in answer.milliseconds:
        parts.append(
            f"<span>{translate('page.seconds', seconds=format(answer.milliseconds['total'] / 1000, '.1f'))}</span>"
        )
    if answer.tokens:
        parts.append(f"<span>{translate('answer.tokens', tokens=answer.tokens)}</span>")
    hint, words = translate("answer.copy-hint"), translate("answer.copy")
    copy = f'<button type="button" class="copy-answer" title="{hint}">{words}</button>'
    return f'<div class="footer">{" ".join(parts)}<span class="take-away">{menu}{copy}</span></div>'


def _export_menu(answer: Answer, name_answer: NameAnswer | None) -> str:
    suffixes = available_formats(answer) if name_answer is not None else []
    if name_answer is None or not suffixes:
        return ""
    name = name_answer(answer)
    buttons = "".join(
        f'<button type="button" class="export" value="{name}/{suffix}">{_format_name(suffix)}</button>'
        for suffix in suffixes
    )
    summary = f'<summary title="{translate("answer.save-as-hint")}">{translate("answer.save-as")}</summary>'
    return f'<details class="export-menu">{summary}<div>{buttons}</div></details>'


def _format_name(suffix: str) -> str:
    """A form's name: a name of its own, but for our evidence."""
    return translate("answer.evidence-file") if suffix == "json" else FORMS[suffix].name


def reader_words(reader: str) -> str:
    """The reader's name as a user understands it."""
    return translate("answer.quoting") if reader in VERBATIM_READERS else translate("answer.reader", name=reader)


def _text(answer: Answer, name: NamePlace) -> str:
    by_number = {citation.number: citation for citation in answer.citations}

    def cite(number: int) -> str:
        return _cite(by_number[number], name)

    if answer.table is not None:
        # The first block of the text is the same table as Markdown.
        rest = "\n\n".join(map(translate_core, answer.answer.partition("\n\n")[2].split("\n\n")))
        return _table(answer.table, cite) + plain_html(rest, cite, by_number, answer.unsupported, _partly(answer))
    write = plain_html if answer.reader in VERBATIM_READERS else markdown_html
    return write(answer.answer, cite, by_number, answer.unsupported, _partly(answer))


def _cite(citation: Citation, name: NamePlace) -> str:
    kind = "cite" if citation.verified else "cite unverified"
    doubt = "" if citation.verified else translate("answer.not-found-hint") + " "
    hint = f"{doubt}“{citation.quote}” — {citation.title}, {place_words(citation)}"
    hint += "".join(f"\n{reference.mark}: {reference.entry[:160]}" for reference in citation.references)
    button = f'<button type="button" class="{kind}" value="{name(citation)}" title="{escape_html(hint)}">'
    return f"{button}{citation.number}</button>"


def _table(table: Table, cite: Callable[[int], str]) -> str:
    """A comparison. It scrolls sideways within the answer, also by the keyboard."""
    head = "".join(f'<th scope="col">{escape_html(translate_core(aspect))}</th>' for aspect in table.aspects)
    rows = []
    for row in table.rows:
        cells = "".join(
            f"<td>{_statements(cell, cite)}</td>"
            if cell.citations
            else f'<td class="none">{escape_html(translate_core(cell.text))}</td>'
            for cell in row.cells
        )
        rows.append(f'<tr><th scope="row">{escape_html(row.name)}</th>{cells}</tr>')
    return (
        f'<div class="table compared" tabindex="0" role="region" aria-label="{translate("answer.comparison")}"><table>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _statements(cell: Cell, cite: Callable[[int], str]) -> str:
    """Each statement of a cell on lines of its own with its mark, where each has one; else the whole and all marks."""
    texts = cell.text.split(BETWEEN)
    if len(texts) != len(cell.citations):
        return f"{escape_html(cell.text)} {''.join(map(cite, cell.citations))}"
    return "".join(
        f"<p>{escape_html(text)} {cite(number)}</p>" for text, number in zip(texts, cell.citations, strict=True)
    )


def _plan(plan: AnswerPlan | None) -> str:
    """How the question was understood; the fields below the conversation, opened by its button, correct it."""
    if plan is None:
        return ""
    aspects, names, papers = "; ".join(map(translate_core, plan.aspects)), ", ".join(plan.names), plan.searched
    if plan.kind == "survey":
        words = translate("answer.surveyed", papers=papers, aspects=aspects)
    elif plan.kind == "chain":
        words = translate("answer.followed", names=" → ".join(plan.names))
    elif plan.kind == "disagreement":
        words = translate("answer.opposed", papers=papers, aspects=aspects)
    else:
        change = f'title="{translate("answer.change-hint")}">{translate("answer.change")}</button>'
        words = escape_html(translate("answer.compared", names=names, aspects=aspects))
        return f'<p class="note plan">{words} <button type="button" class="change-plan text-button" {change}</p>'
    return f'<p class="note plan">{escape_html(words)}</p>'


def _steps(answer: Answer, name: NamePlace) -> str:
    """From paper to paper: each step with the words that it rests on."""
    by_number = {citation.number: citation for citation in answer.citations}
    rows = []
    for step in answer.steps:
        marks = "".join(_cite(by_number[number], name) for number in step.citations if number in by_number)
        rows.append(f"<li>{escape_html(step.question)} → <strong>{escape_html(step.found)}</strong> {marks}</li>")
    return f'<ol class="steps" aria-label="{translate("answer.steps")}">{"".join(rows)}</ol>' if rows else ""


def _waiting_mark(number: int) -> str:
    return f'<span class="cite waiting">{number}</span>'


def _doubts(answer: Answer) -> str:
    if not answer.unsupported:
        return ""
    missing = {verdict.sentence: verdict.missing for verdict in answer.verdicts}
    rows = ""
    for sentence in answer.unsupported:
        words = escape_html(translate("answer.missing", words=", ".join(missing.get(sentence, ()))))
        lacks = f" <em>{words}</em>" if missing.get(sentence) else ""
        kind = translate("answer.partly") + " " if sentence in _partly(answer) else ""
        rows += f"<li>{kind}{escape_html(sentence)}{lacks}</li>"
    return (
        f'<details class="doubts"><summary>{translate("answer.unsupported", n=len(answer.unsupported))}</summary>'
        f"<p>{translate('answer.unsupported-why')}</p><ul>{rows}</ul></details>"
    )


def _partly(answer: Answer) -> set[str]:
    return {verdict.sentence for verdict in answer.verdicts if verdict.support == "partly"}


def _notes(answer: Answer) -> str:
    return "".join(f'<p class="note">{escape_html(translate_core(note))}</p>' for note in answer.notes)


def _not_in_papers(answer: Answer, name: NamePlace, name_answer: NameAnswer | None) -> str:
    parts = [f'<p class="verdict">{translate("answer.not-in-papers")}</p>']
    said = answer.answer.strip()
    if said.casefold().startswith(VERDICT.casefold()):
        said = said[len(VERDICT) :].lstrip(" .:;,—-")
    if said:
        rest = replace(answer, answer=translate_core(said[0].upper() + said[1:]))
        parts.append(f'<div class="answer-text">{_text(rest, name)}</div>')
    parts.append(_plan(answer.plan) + _notes(answer))
    if answer.nearest:
        rows = "".join(citation_html(citation, name) for citation in answer.nearest)
        parts.append(f'<p class="nearest">{translate("answer.nearest")}</p>')
        parts.append(f'<ol class="citations">{rows}</ol>')
    parts.append(footer_html(answer, _export_menu(answer, name_answer)))
    return f'<div class="answer absent">{"".join(parts)}</div>'
