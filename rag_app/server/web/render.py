"""An Answer -> HTML for the conversation. Pure; all untrusted text is escaped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rag_app.answering.quoting.key_words import find_key_words
from rag_app.citations.marks import replace_marks
from rag_app.citations.support import find_doubts, find_worst_verdicts
from rag_app.outputs.markdown import FORMS, available_formats
from rag_app.outputs.quoted_tables import CITED_LINE, Line, find_rows
from rag_app.records import Alternative, Answer, AnswerPlan, ModelUse, Table, Verdict
from rag_app.server.i18n import translate, translate_core
from rag_app.server.web.answer_tables import (
    comparison_html,
    merge_rows,
    quoted_table_html,
    table_html,
)
from rag_app.server.web.markdown import escape_html, markdown_html, plain_html
from rag_app.server.web.sources import CitedPlace, NamePlace, citation_html, cite_html, sources_html

NameAnswer = Callable[[Answer], str]
VERBATIM_READERS = ("quoting",)  # their text is the papers' own: nothing in it is Markdown

VERDICT = "Not in these papers"  # how the core begins what it says then
_CONFIDENCE = {"high": "answer.high", "medium": "answer.medium", "low": "answer.low"}
_DOUBTS = (  # each with its head, its explanation and what it holds
    ("answer.contradicted", "answer.contradicted-why", ("contradicted",)),
    ("answer.unsupported", "answer.unsupported-why", ("not", "partly")),
    ("answer.unchecked", "answer.unchecked-why", ("unchecked",)),
)
_OF_TABLE = '<p class="of-table">'
LONGEST_NAME = 120  # characters of what a line calls its paper
LONGEST_LEAD = 320  # characters of a first paragraph that is set larger


def question_html(question: str) -> str:
    """What the user asked, as typed."""
    return f'<p class="question">{escape_html(question)}</p>'.replace("\n", "<br>")


def progress_html(
    text: str, doing: str, verbatim: bool = False, table: Table | None = None, steps: Sequence[str] = ()
) -> str:
    """An answer that is still coming: what came so far, the cells of a `table` too, and in words what happens now.

    The `steps` of a model's work are folded above it, where they stay when it is whole.
    """
    write = plain_html if verbatim else markdown_html
    came = table_html(table, _waiting_mark) if table is not None else ""
    came += write(text, _waiting_mark, range(1, 1000)) if text.strip() else ""
    came = f'<div class="answer-text">{came}</div>' if came else ""
    done = _fold_steps([escape_html(translate_core(step)) for step in steps])
    return f'<div class="answer coming">{done}{came}<p class="doing">{escape_html(translate_core(doing))}</p></div>'


def answer_html(
    answer: Answer, name: NamePlace, name_answer: NameAnswer | None = None, thumbs: str = "", regenerate: bool = False
) -> str:
    """The finished answer: text with clickable numbers, what is doubtful, its sources, and what was looked at.

    With `name_answer` it has an export menu. `thumbs`: HTML put beside the other buttons.
    """
    if answer.status == "error":
        verdict, words = translate("answer.failed"), escape_html(translate_core(answer.answer))
        again = f'<div class="footer">{_actions("", regenerate, thumbs, copies=False)}</div>' if regenerate else ""
        return f'<div class="answer failed"><p class="verdict">{verdict}</p><p>{words}</p>{again}</div>'
    menus = _export_menu(answer, name_answer) + _keep_menu(answer, name_answer)
    actions = _actions(menus, regenerate, thumbs)
    if answer.status == "not_in_papers":
        return _not_in_papers(answer, name, actions)
    text, places = _text(answer, name, name_answer(answer) if name_answer else "")
    parts = [
        _plan(answer.plan),
        _steps(answer, name),
        f'<div class="{_text_class(answer)}">{text}</div>',
        _warnings(answer),
        _alternatives(answer),
        sources_html(places, name, answer.answer),
        footer_html(answer, actions),
    ]
    return f'<div class="answer">{"".join(parts)}</div>'


def _text_class(answer: Answer) -> str:
    """The first paragraph is set larger where it is the answer in one line: short enough, and no item of a list."""
    first = answer.answer.strip().partition("\n")[0]
    is_sentence = not first.startswith(("#", "-", "*", "|", "1.")) and not first.endswith(":")
    is_list = answer.plan is not None and answer.plan.kind == "survey"
    leads = answer.table is None and is_sentence and not is_list and len(first) <= LONGEST_LEAD
    return "answer-text leads" if leads else "answer-text"


def footer_html(answer: Answer, actions: str = "") -> str:
    """What was looked at, by whom, and how long it took; at its end what can be done with the answer."""
    searched = answer.searched
    parts = []
    if searched.papers or searched.unreadable:
        unreadable = len(searched.unreadable)
        counts = {"papers": searched.papers, "read": searched.read, "quoted": searched.quoted, "unreadable": unreadable}
        names = escape_html(translate("answer.unreadable", papers=", ".join(searched.unreadable)))
        hint = f' title="{names}"' if searched.unreadable else ""
        words = translate("answer.searched-all" if not unreadable else "answer.searched", **counts)
        parts.append(f"<span{hint}>{words}</span>")
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
        hint = f' title="{escape_html(_spent_words(answer.spent))}"' if answer.spent is not None else ""
        parts.append(f"<span{hint}>{translate('answer.tokens', tokens=answer.tokens)}</span>")
    hint, words = translate("answer.copy-hint"), translate("answer.copy")
    return f'<div class="footer">{" ".join(parts)}{actions}</div>'


def _spent_words(spent: ModelUse) -> str:
    words = translate("answer.spent", n=spent.calls, model=spent.model, tokens=spent.tokens)
    words += translate("answer.spent-cached", tokens=spent.cached) if spent.cached else ""
    return words + (translate("answer.spent-check", tokens=spent.check) if spent.check else "")


def _actions(menu: str, regenerate: bool, thumbs: str, copies: bool = True) -> str:
    """What can be done with an answer, at its end."""
    copy, again = "", ""
    if copies:
        hint = translate("answer.copy-hint")
        copy = f'<button type="button" class="copy-answer" title="{hint}">{translate("answer.copy")}</button>'
    if regenerate:
        hint = translate("answer.again-hint")
        again = f'<button type="button" class="regenerate" title="{hint}">{translate("answer.again")}</button>'
    return f'<span class="take-away">{copy}{menu}{again}{thumbs}</span>'


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


def _keep_menu(answer: Answer, name_answer: NameAnswer | None) -> str:
    """A button that opens the list of notes: notes.js fills it."""
    if name_answer is None:
        return ""
    hint, words = translate("notes.keep-hint"), translate("notes.keep")
    return (
        f'<button type="button" class="keep-note" value="answer/{name_answer(answer)}" title="{hint}">{words}</button>'
    )


def _format_name(suffix: str) -> str:
    """A form's name: a name of its own, but for our evidence."""
    return translate("answer.evidence-file") if suffix == "json" else FORMS[suffix].name


def reader_words(reader: str) -> str:
    """The reader's name as a user understands it."""
    return translate("answer.quoting") if reader in VERBATIM_READERS else translate("answer.reader", name=reader)


def _text(answer: Answer, name: NamePlace, answer_name: str = "") -> tuple[str, list[CitedPlace]]:
    """The text as HTML, and the places that its marks open, in their order."""
    by_number = {citation.number: citation for citation in answer.citations}
    alone = {number: CitedPlace(citation, str(number)) for number, citation in by_number.items()}

    def cite(number: int) -> str:
        return cite_html(alone[number], name)

    if answer.table is not None:
        # The first block of the text is the same table as Markdown.
        rest = "\n\n".join(map(translate_core, answer.answer.partition("\n\n")[2].split("\n\n")))
        shown = plain_html(rest, cite, by_number, find_doubts(answer))
        return comparison_html(answer.table, cite, answer_name) + shown, list(alone.values())
    if answer.reader not in VERBATIM_READERS:
        shown = markdown_html(answer.answer, cite, by_number, find_doubts(answer))
        return shown, list(alone.values())
    return _quoted_text(answer, name, alone)


def _quoted_text(answer: Answer, name: NamePlace, alone: dict[int, CitedPlace]) -> tuple[str, list[CitedPlace]]:
    """Sentences of the papers; rows of one table stand in one block with one mark."""
    by_number = {number: place.citation for number, place in alone.items()}
    html, blocks, in_blocks = "", list[CitedPlace](), set[int]()
    key_words = _lead_words(answer)
    for paragraph in answer.answer.split("\n\n"):
        parts = _join_lines(find_rows(paragraph, by_number))
        for place, part in enumerate(parts):
            if isinstance(part, str):
                bold = () if html else key_words
                words = plain_html(part, lambda n: cite_html(alone[n], name), by_number, find_doubts(answer), bold)
                above_table = place + 1 < len(parts)  # its caption and heads: no answer by themselves
                html += words.replace("<p>", _OF_TABLE, 1) if above_table else words
                continue
            block = merge_rows(part, in_blocks)
            blocks.append(block)
            in_blocks |= {citation.number for _, citation in part}
            html += quoted_table_html(part, cite_html(block, name))
    html = _with_paper_names(html, answer)
    places = [place for number, place in alone.items() if number not in in_blocks] + blocks
    return html, sorted(places, key=lambda place: place.citation.number)


def _with_paper_names(html: str, answer: Answer) -> str:
    """What a line calls its paper is ours and no quote: it stands out, so that papers are found at a glance."""
    quotes = {citation.number: replace_marks(citation.quote) for citation in answer.citations}
    for line in filter(None, map(CITED_LINE.fullmatch, answer.answer.splitlines())):
        name, colon, words = line["text"].partition(": ")
        if colon and len(name) <= LONGEST_NAME and words.endswith(quotes.get(int(line["number"]), "\0")):
            begins = escape_html(f"{name}: ")
            for start in ("<p>", "<br>", _OF_TABLE):
                html = html.replace(f"{start}{begins}", f'{start}<strong class="of-paper">{begins.strip()}</strong> ')
    return html


def _lead_words(answer: Answer) -> list[str]:
    """What is set in bold in the first line of an answer that quotes."""
    match = CITED_LINE.fullmatch(answer.answer.strip().partition("\n\n")[0])
    if match is None:
        return []
    cells = next((one.cells for one in answer.citations if one.number == int(match["number"])), ())
    return find_key_words(answer.asked or answer.question, match["text"], cells)


def _join_lines(parts: list[list[Line] | str]) -> list[list[Line] | str]:
    """Lines that stand alone, joined again to one paragraph."""
    joined: list[list[Line] | str] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += "\n" + part
        else:
            joined.append(part)
    return joined


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
    """From paper to paper: each step with the words that it rests on. Of a model: what it looked at."""
    by_number = {citation.number: citation for citation in answer.citations}
    rows = []
    for step in answer.steps:
        marks = "".join(
            cite_html(CitedPlace(by_number[number], str(number)), name)
            for number in step.citations
            if number in by_number
        )
        found = f" → <strong>{escape_html(step.found)}</strong> {marks}" if step.found else ""
        rows.append(f"{escape_html(translate_core(step.question))}{found}")
    return _fold_steps(rows)


def _fold_steps(rows: Sequence[str]) -> str:
    if not rows:
        return ""
    listed = "".join(f"<li>{row}</li>" for row in rows)
    return f'<details class="steps"><summary>{translate("answer.steps")}</summary><ol>{listed}</ol></details>'


def _waiting_mark(number: int) -> str:
    return f'<span class="cite waiting">{number}</span>'


def _doubts(answer: Answer) -> str:
    """What is contradicted, not supported or not checked, each kind under its own words."""
    doubts = find_doubts(answer)
    verdicts = find_worst_verdicts(answer.verdicts)
    shown = ""
    for head, why, kinds in _DOUBTS:
        rows = [_doubt_row(sentence, verdicts.get(sentence)) for sentence, kind in doubts.items() if kind in kinds]
        if rows:
            shown += (
                f'<details class="doubts"><summary>{translate(head, n=len(rows))}</summary>'
                f"<p>{translate(why)}</p><ul>{''.join(rows)}</ul></details>"
            )
    return shown


def _doubt_row(sentence: str, verdict: Verdict | None) -> str:
    """A doubtful sentence, what its words lack, and in a few words what the model that judged it says."""
    kind = translate("answer.partly") + " " if verdict is not None and verdict.support == "partly" else ""
    told = [translate("answer.missing", words=", ".join(verdict.missing))] if verdict and verdict.missing else []
    told += [translate("answer.judged", why=verdict.reason)] if verdict and verdict.reason else []
    return f"<li>{kind}{escape_html(sentence)}{''.join(f' <em>{escape_html(words)}</em>' for words in told)}</li>"


def _warnings(answer: Answer) -> str:
    """All that should make one careful, in one place."""
    notes = "".join(f'<p class="note">{escape_html(translate_core(note))}</p>' for note in answer.notes)
    return f'<div class="warnings">{notes}{_doubts(answer)}</div>' if notes or answer.unsupported else ""


def _alternatives(answer: Answer) -> str:
    """How the question may be meant otherwise: a button for each, which asks that."""
    buttons = "".join(
        f'<button type="button" class="alternative text-button" value="{escape_html(one.question)}" '
        f'title="{escape_html(one.question)}">{escape_html(_alternative_words(one))}</button>'
        for one in answer.alternatives
    )
    return f'<div class="alternatives">{buttons}</div>' if buttons else ""


def _alternative_words(alternative: Alternative) -> str:
    if alternative.kind == "spelling":
        return translate("answer.as-typed", words=alternative.instead)
    return translate("answer.ask-instead" if alternative.taken else "answer.nearest-paper", title=alternative.instead)


def _not_in_papers(answer: Answer, name: NamePlace, actions: str) -> str:
    parts = [f'<p class="verdict">{translate("answer.not-in-papers")}</p>']
    said = answer.answer.strip()
    if said.casefold().startswith(VERDICT.casefold()):
        said = said[len(VERDICT) :].lstrip(" .:;,—-")
    if said:
        rest = replace(answer, answer=translate_core(said[0].upper() + said[1:]))
        parts.append(f'<div class="answer-text">{_text(rest, name)[0]}</div>')
    parts.append(_plan(answer.plan) + _warnings(answer) + _alternatives(answer))
    if answer.nearest:
        rows = "".join(citation_html(citation, name) for citation in answer.nearest)
        parts.append(f'<p class="nearest">{translate("answer.nearest")}</p>')
        parts.append(f'<ol class="citations">{rows}</ol>')
    parts.append(footer_html(answer, actions))
    return f'<div class="answer absent">{"".join(parts)}</div>'
