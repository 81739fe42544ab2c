"""A follow-up question ("and on HotpotQA?", "how large is it?") -> a question that stands alone. Pure.

What it leaves out (ellipsis.py) is taken from the questions and answers before it. A question that stands alone is left
as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag_app.ellipsis import (
    BARE,
    PREPOSITION,
    Library,
    continues,
    depends,
    ellipsis,
    known_names,
    reference,
    without_end,
    without_lead,
)
from rag_app.name_kinds import Name
from rag_app.records import Answer

TURNS_READ = 6  # back: what was said longer ago is seldom meant
_JOINS = re.compile(r"(?:['’]s)?\s*(?:,|,?\s*\b(?:and|or|vs\.?|versus)\b|&)\s*", re.IGNORECASE)
_ORDINALS = "first second third fourth fifth sixth"
_PLACES = {word: place for place, word in enumerate(_ORDINALS.split())} | {"former": 0, "latter": 1, "other": 1}


@dataclass(frozen=True)
class _Before:
    """One earlier question, standing alone, and the papers that its answer showed."""

    question: str
    names: list[Name]
    papers: tuple[str, ...]  # named in the question
    shown: tuple[str, ...]  # of the answer: rows of its table, else papers by citation
    numbered: dict[int, str]  # citation -> paper


def stand_alone(question: str, history: Sequence[Answer], library: Library) -> str:
    """The question with what it leaves out; empty when it stands alone or nothing before says what it means.

    `history` are the answers to the questions before it, oldest first.
    """
    words = without_end(question)
    turns = [_before(answer, library) for answer in history[-TURNS_READ:] if answer.status != "error"]
    if not turns or not depends(question, library):
        return ""
    resolved = _resolved(words, turns, library)
    rest = ellipsis(resolved if resolved else words, library)
    if rest is not None:
        found = _completed(rest, turns, library)
    elif resolved:
        found = without_lead(resolved)
    elif continues(words, library):
        focus = _focus(turns, library)
        found = f"{without_lead(words)} in {' and '.join(focus)}" if focus else ""
    else:
        found = ""
    return f"{found[0].upper()}{found[1:]}?" if found and found != words else ""


def _before(answer: Answer, library: Library) -> _Before:
    question = without_end(answer.asked or answer.question)
    names, papers = known_names(question, library)
    numbered = {citation.number: citation.paper for citation in (answer.citations or answer.nearest)}
    rows = [row.paper for row in answer.table.rows] if answer.table else []
    shown = tuple(dict.fromkeys(rows or numbered.values()))
    if answer.citations and not set(papers) & set(shown):  # "a RAG scorer" is not about the paper that coined RAG
        papers = ()
    return _Before(question, names, papers, shown, numbered)


def _resolved(words: str, turns: Sequence[_Before], library: Library) -> str:
    """The words with every reference in them replaced by a name; empty where there is none or none is known."""
    found = ""
    for _ in range(3):
        match = reference(words, library)
        if match is None:
            return found
        name = _meant(match, turns, library)
        start, end = match.span("word")
        if not name:
            return found
        words = found = f"{words[:start]}{name}{words[end:]}"
    return found


def _meant(match: re.Match[str], turns: Sequence[_Before], library: Library) -> str:
    groups = match.groupdict()
    if groups.get("ordinal"):
        return _at_place(match["ordinal"].casefold(), turns, library)
    number = groups.get("number") or groups.get("mark")
    if number:
        paper = turns[-1].numbered.get(int(number))
        return library.name(paper) if paper else ""
    word = match["word"].casefold()
    many = word in ("they", "their", "them", "those", "these") or "two" in word or "both" in word
    focus = _focus(turns, library)
    if not focus:
        return ""
    name = _listed(focus) if many else focus[0]
    if word in ("they", "their") and len(focus) == 1:
        name = f"the authors of {name}" if word == "they" else name
    return f"{name}{'’' if name.endswith('s') else '’s'}" if word in ("its", "their") else name


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _at_place(ordinal: str, turns: Sequence[_Before], library: Library) -> str:
    """The paper at that place of the last question, or of the rows or citations of its answer."""
    last = turns[-1]
    papers = last.papers if len(last.papers) > 1 else last.shown
    if ordinal == "other" and len(papers) != 2:
        return ""
    place = len(papers) - 1 if ordinal == "last" else _PLACES[ordinal]
    return library.name(papers[place]) if 0 <= place < len(papers) else ""


def _focus(turns: Sequence[_Before], library: Library) -> list[str]:
    """What was talked about last: the papers that a question named, else what it was about, else the paper cited."""
    for turn in reversed(turns):
        if turn.papers:
            return list(dict.fromkeys(name.text for name in turn.names if name.kind == "paper"))
        if re.match(r"(?:what|who) (?:is|are|was|were) ", turn.question, re.IGNORECASE) and turn.names:
            return [turn.names[0].text]
        if turn.shown:
            return [library.name(turn.shown[0])]
    return []


def _completed(rest: str, turns: Sequence[_Before], library: Library) -> str:
    """The question before with the new term in place of the one of the same kind."""
    last = turns[-1]
    if BARE.fullmatch(rest):
        return f"{rest}: {last.question}"
    led = PREPOSITION.match(rest)
    term = rest[led.end() :] if led else rest
    names, _ = known_names(term, library)
    whole = [name for name in names if len(name.text) * 2 >= len(term)] or [n for n in names if n.kind == "number"]
    if not whole and library.is_title(term):
        whole = [Name(term, 0, len(term), "paper")]
    if not whole:
        return _plain(rest, term, led, turns, library)
    kind = whole[0].kind
    if kind == "paper" and len(whole) == 1 and whole[0].text in {name.text for name in last.names}:
        return _only(whole[0].text, last)
    old = _same_kind(last, kind, led[1].casefold() if led else "", whole[0].text)
    if not old:
        return _appended(last.question, f"{led[1] if led else 'for'} {term}")
    start, end = old[0].start, old[-1].end
    if kind in ("metric", "number"):
        term = whole[0].text  # without "the"
    if kind == "paper" and len(old) > 1 and led is None:  # a comparison takes in one more paper
        return f"{last.question[:end]} and {term}{last.question[end:]}"
    return f"{last.question[:start]}{term}{last.question[end:]}"


def _only(name: str, turn: _Before) -> str:
    """The question of several papers, asked of one of them."""
    old = _same_kind(turn, "paper", "", name)
    return f"{turn.question[: old[0].start]}{name}{turn.question[old[-1].end :]}"


def _same_kind(turn: _Before, kind: str, preposition: str, term: str) -> list[Name]:
    """Names of the question before, side by side, that the new one takes the place of."""
    kinds = {"dataset": ("dataset",), "other": ("other", "dataset"), "number": ("number",)}.get(kind, (kind,))
    alike = [name for name in turn.names if name.kind in kinds]
    if kind == "number":
        shape = re.sub(r"\d+", "0", term.casefold())
        return [name for name in alike if re.sub(r"\d+", "0", name.text.casefold()) == shape][-1:]
    if preposition:
        joined = re.compile(rf"\b{preposition}\s+(?:the\s+|both\s+)?$", re.IGNORECASE)
        after = [name for name in turn.names if joined.search(turn.question[: name.start])]
        alike = [name for name in after if name in alike] or alike or [name for name in after if name.kind != "paper"]
    if not alike:
        return []
    first = alike[0] if kind == "paper" else alike[-1]
    group = [first]
    for name in turn.names:
        between = turn.question[group[-1].end : name.start]
        if name.start > group[-1].start and name.kind == first.kind and _JOINS.fullmatch(between):
            group.append(name)
    for name in reversed(turn.names):
        between = turn.question[name.end : group[0].start]
        if name.start < group[0].start and name.kind == first.kind and _JOINS.fullmatch(between):
            group.insert(0, name)
    return group


def _plain(rest: str, term: str, led: re.Match[str] | None, turns: Sequence[_Before], library: Library) -> str:
    """A term that is no name: another thing asked about the same paper, or a further condition."""
    focus = _focus(turns, library)
    if led and led[1].casefold() not in ("of", "by"):
        return _appended(turns[-1].question, rest)
    if re.match(r"(?:how|which|what|whose)\b", rest, re.IGNORECASE):
        return f"{rest} in {_listed(focus)}" if focus else ""
    thing = re.sub(r"^(?:the|its|their)\s+", "", term)
    return f"what is the {thing} of {_listed(focus)}" if focus else ""


def _appended(question: str, condition: str) -> str:
    return f"{question} {condition}"
