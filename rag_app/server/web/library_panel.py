"""The rows of papers, the state of the library, and what can be asked of it."""

from __future__ import annotations

import html
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from rag_app.index.build_report import FAILED_STATES
from rag_app.papers.pdf import ocr
from rag_app.server.i18n import translate, translate_core
from rag_app.server.web.markdown import escape_html
from rag_app.text.terms import content_words

if TYPE_CHECKING:
    from rag_app.index.build_report import BuildProgress
    from rag_app.records import Answer, PaperRow, Status
from rag_app.server.build_job import BuildJob, duration_words

MOST_TOPICS = 5
SHORT_NAME = 24  # characters: a title's beginning before its colon that is no longer is what people call the paper
READABLE = ("full text", "digest only")
_STATES = {"digest only": "library.digest-only", "no text": "library.no-text", "unreadable": "library.unreadable"}
_STAGES = {
    "reading": "build.reading",
    "splitting": "build.splitting",
    "embedding": "build.embedding",
    "writing": "build.writing",
}


def status_html(status: Status, job: BuildJob, rows: Sequence[PaperRow]) -> str:
    """What can be searched now, and how far a build is. `rows` are the papers in the folder."""
    known = len(rows)
    words, hint = searchable_words(status, job.running, rows)
    kind = "building" if job.running else "failed" if job.failed else "partly" if status.papers < known else "whole"
    title = f' title="{escape_html(hint)}"' if hint else ""
    parts = [f'<p class="searchable {kind}"{title}>{escape_html(words)}</p>']
    progress = job.progress
    if job.running:
        value = f' value="{progress.done}" max="{progress.total}"' if progress and progress.total else ""
        words = escape_html(progress_words(progress)) if progress else translate("build.looking")
        left = (
            f" · {translate('build.left', time=duration_words(progress.eta))}" if progress and progress.eta >= 0 else ""
        )
        label = translate("build.progress")
        parts.append(f'<progress aria-label="{label}"{value}></progress><p class="building">{words}{left}</p>')
    elif job.outcome:
        kind = "outcome failed" if job.failed else "outcome"
        parts.append(f'<p class="{kind}">{escape_html(translate_core(str(job.outcome)))}</p>')
    return "".join(parts)


def progress_words(progress: BuildProgress) -> str:
    """Where a build is: "Reading 12 of 47 · 2004.04906v3.pdf"."""
    stage = translate(_STAGES[progress.stage]) if progress.stage in _STAGES else progress.stage.capitalize()
    count = translate("build.count", stage=stage, done=progress.done, total=progress.total) if progress.total else stage
    return f"{count} · {translate_core(progress.message)}" if progress.message else count


def searchable_words(status: Status, building: bool, rows: Sequence[PaperRow]) -> tuple[str, str]:
    """What a question would be answered from at this moment: in a few words, and how; or what helps."""
    known = len(rows)
    if not known:
        return translate("library.empty"), ""
    if not status.by_words and building:
        return translate("library.wait"), ""
    if not status.by_words and all(row.state in FAILED_STATES for row in rows):
        scans = sum(row.state == "no text" and row.paper.casefold().endswith(".pdf") for row in rows)
        if scans and not ocr.is_installed():
            key = "library.all-scans" if scans == known else "library.some-scans"
            return translate(key, papers=known, scans=scans, command=ocr.INSTALL), ""
        return translate("library.none-readable", papers=known), ""
    if not status.by_words:
        return translate("library.press-rebuild"), ""
    counts = {"papers": status.papers, "known": known, "passages": status.by_words}
    short = translate("library.some-searchable" if status.papers < known else "library.searchable", **counts)
    by_meaning = status.by_meaning >= status.by_words
    return short, translate("library.by-meaning" if by_meaning else "library.by-words", **counts)


def paper_list_html(rows: Sequence[PaperRow], name: Callable[[str], str]) -> str:
    """The list of papers: tick to limit questions to them, press the title to read."""
    if not rows:
        return f'<p class="empty">{translate("library.none")}</p>'
    topics = json.dumps([f"{topic} ({count})" for topic, count in common_topics(rows)])
    topic_of = _topics_by_title(rows)
    listed = "".join(_row(row, name(row.paper), topic_of.get(row.paper, "")) for row in _sort_rows(rows))
    return f'<ul class="papers" data-topics="{html.escape(topics, quote=True)}">{listed}</ul>'


def _sort_rows(rows: Sequence[PaperRow]) -> list[PaperRow]:
    return sorted(rows, key=lambda row: (row.state in ("unreadable", "no text"), row.title.casefold()))


def _row(row: PaperRow, name: str, topic: str) -> str:
    """A paper of the list. `topic`: what its title makes it, where it was given none."""
    title = row.title or row.paper
    facts = [
        str(row.year) if row.year else "",
        translate("library.pages", pages=row.pages) if row.pages else "",
        row.topic,
    ]
    words = " · ".join(escape_html(fact) for fact in facts if fact)
    state = _state_html(row)
    tags = " ".join(f'<span class="tag">{escape_html(tag)}</span>' for tag in row.tags)
    search = html.escape(f"{title} {row.paper} {row.year} {row.topic} {' '.join(row.tags)}".casefold(), quote=True)
    label = html.escape(translate("library.only-this", title=title), quote=True)
    whole = f'title="{html.escape(title, quote=True)}"'
    opens = f'<button type="button" class="open-paper" value="{name}" {whole}>{escape_html(title)}</button>'
    if not row.pages:
        opens = f'<span class="title" {whole}>{escape_html(title)}</span>'
    return (
        f'<li data-search="{search}" data-title="{html.escape(title.casefold(), quote=True)}" data-year="{row.year}" '
        f'data-topic="{html.escape(row.topic or topic, quote=True)}" data-state="{_slug(row.state)}" '
        f'data-pages="{row.pages}" '
        f'data-added="{row.modified // 10**6}" data-tags="{html.escape(json.dumps(row.tags), quote=True)}">'
        f'<input type="checkbox" value="{name}" aria-label="{label}">'
        f'<div>{opens}<span class="facts">{words}{tags}{state}</span></div>'
        f"{_about_button(name, title)}{_remove_button(name, title)}</li>"
    )


def _state_html(row: PaperRow) -> str:
    """A badge for what is wrong with a paper; it opens into the words."""
    problems = [translate_core(row.problem)] if row.problem else []
    problems += [translate_core(warning) for warning in row.warnings]
    problems += [translate("library.hidden", place=place) for place in row.hidden]
    badge = translate(_STATES.get(row.state) or ("library.look" if row.hidden else "library.note"))
    if not problems:
        return f'<span class="state {_slug(row.state)}">{badge}</span>' if row.state in _STATES else ""
    words = "".join(f'<span class="problem">{escape_html(problem)}</span>' for problem in problems)
    return f'<details class="state {_slug(row.state)}"><summary>{badge}</summary>{words}</details>'


def _about_button(name: str, title: str) -> str:
    label = html.escape(translate("library.about-this", title=title), quote=True)
    said = f'aria-label="{label}" title="{translate("library.about")}"'
    return f'<button type="button" class="icon about-paper" value="{name}" {said}>i</button>'


def _remove_button(name: str, title: str) -> str:
    label = html.escape(translate("library.remove-this", title=title), quote=True)
    said = f'aria-label="{label}" title="{translate("library.remove")}"'
    return f'<button type="button" class="icon remove-paper" value="{name}" {said}>✕</button>'


def _slug(state: str) -> str:
    return state.replace(" ", "-")


def short_title(title: str) -> str:
    """What people call the paper: "LongRAG" of "LongRAG: Enhancing ..."; empty where the title does not tell."""
    head, colon, _ = title.partition(":")
    fits = 2 <= len(head.strip()) <= SHORT_NAME and len(head.split()) <= 3
    return head.strip() if colon and fits else ""


def common_topics(rows: Sequence[PaperRow]) -> list[tuple[str, int]]:
    """What the library is about, the commonest first, with the number of papers: at most `MOST_TOPICS`.

    The topics that the papers were given; where they have none, the phrases of two or three words that most of their
    titles share.
    """
    given = Counter(row.topic for row in rows if row.topic)
    if given:
        return given.most_common(MOST_TOPICS)
    found = [(phrase, count) for phrase, count, _ in _shared_phrases(rows)]
    return sorted(found, key=lambda topic: -topic[1])


def _topics_by_title(rows: Sequence[PaperRow]) -> dict[str, str]:
    """Paper -> the commonest topic that its title speaks of; empty where the papers were given topics."""
    if any(row.topic for row in rows):
        return {}
    found: dict[str, str] = {}
    for phrase, _, papers in sorted(_shared_phrases(rows), key=lambda topic: -topic[1]):
        for paper in papers:
            found.setdefault(paper, phrase)
    return found


def _shared_phrases(rows: Sequence[PaperRow]) -> list[tuple[str, int, list[str]]]:
    """The phrases that most titles share, each with how many do, and which."""
    phrases: dict[str, Counter[str]] = {}  # by their roots, as they are written
    holding: dict[str, list[str]] = {}
    for row in rows:
        for key, phrase in _title_phrases(row.title).items():
            phrases.setdefault(key, Counter())[phrase] += 1
            holding.setdefault(key, []).append(row.paper)
    fewest = max(2, math.ceil(len(rows) / 20))
    shared = {key: written.total() for key, written in phrases.items() if written.total() >= fewest}
    chosen: list[str] = []
    for key in sorted(shared, key=lambda key: (-shared[key] * len(key.split()), key)):
        if len(chosen) < MOST_TOPICS and not any(set(key.split()) & set(other.split()) for other in chosen):
            chosen.append(key)
    return [(phrases[key].most_common(1)[0][0], shared[key], holding[key]) for key in chosen]


def _title_phrases(title: str) -> dict[str, str]:
    """Runs of two and three content words of a title: by their roots, in small letters."""
    found: dict[str, str] = {}
    for part in re.split(r"[:;,.?!()–—]", title.casefold()):
        run: list[tuple[str, str]] = []
        for word in [*re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", part), ""]:
            roots = content_words(word.replace("-", " "))
            if len(word) > 2 and roots:
                run.append((" ".join(roots), word))
                continue
            for size in (2, 3):
                for at in range(len(run) - size + 1):
                    words = run[at : at + size]
                    found[" ".join(one for one, _ in words)] = " ".join(one for _, one in words)
            run = []
    return found


def example_questions(rows: Sequence[PaperRow], alike: Sequence[str] = ()) -> list[list[str]]:
    """For a fact, a comparison and a survey: questions about papers that are really in.

    Of each kind several, best first. `alike`: names of two papers that are worth comparing, where that is known.
    """
    there = [row for row in rows if row.state in READABLE and row.title]
    named = [short_title(row.title) for row in there if short_title(row.title)]
    pair = list(alike) or [short_title(row.title) for row in _find_alike_papers(there) if short_title(row.title)]
    names = list(dict.fromkeys([*pair, *named])) or [f"“{row.title[:80]}”" for row in there[:2]]
    if not names:
        return []
    # Of several papers: what is compared is not asked about as well.
    facts = [translate("question.datasets", name=name) for name in names[2:] + names[:2]]
    others = [(names[0], name) for name in names[1:]] + list(pairwise(names[1:]))
    comparisons = [translate("question.differ", one=one, other=other) for one, other in others]
    return [facts, comparisons, [translate("question.mention", name=name) for name in names]]


def next_questions(
    answer: Answer, rows: Sequence[PaperRow], alike: Sequence[str] = (), called: Mapping[str, str] | None = None
) -> list[list[str]]:
    """What one may ask after an answer, about the papers that it cites: of each kind several, best first.

    `called`: what papers are called whose titles do not tell.
    """
    called = called or {}
    known = {row.paper: short_title(row.title) or called.get(row.paper, "") for row in rows if row.state in READABLE}
    cited = dict.fromkeys(citation.paper for citation in answer.citations or answer.nearest)
    names = [known[paper] for paper in cited if known.get(paper)]
    others = [name for name in (*names[1:], *alike) if name not in names[:1]]
    kinds = [
        [translate("question.limits", name=name) for name in names],
        [translate("question.differ", one=one, other=other) for one in names[:1] for other in others],
        [translate("question.datasets", name=name) for name in names],
        [translate("question.mention", name=name) for name in names],
    ]
    said = {answer.question.casefold(), answer.asked.casefold()}
    return [[question for question in kind if question.casefold() not in said] for kind in kinds]


def _find_alike_papers(rows: Sequence[PaperRow]) -> list[PaperRow]:
    """Two papers worth comparing: of one topic where that is known, preferring full text."""
    best = sorted(rows, key=lambda row: row.state != "full text")
    for first in best:
        same = [row for row in best if row.topic and row.topic == first.topic and row is not first]
        if same:
            return [first, same[0]]
    return best[:2]
