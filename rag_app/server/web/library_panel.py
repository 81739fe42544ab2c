"""The rows of papers, the state of the library, and what can be asked of it."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rag_app.server.i18n import core_words, say
from rag_app.server.web.markdown import shown

if TYPE_CHECKING:
    from rag_app.index.build_report import BuildProgress
    from rag_app.records import PaperRow, Status
from rag_app.server.build_job import BuildJob, duration

SHORT_NAME = 24  # characters: a title's beginning before its colon that is no longer is what people call the paper
READABLE = ("full text", "digest only")
_STATES = {"digest only": "library.digest-only", "no text": "library.no-text", "unreadable": "library.unreadable"}
_STAGES = {
    "reading": "build.reading",
    "splitting": "build.splitting",
    "embedding": "build.embedding",
    "writing": "build.writing",
}


def status_html(status: Status, job: BuildJob, known: int) -> str:
    """What can be searched now, and how far a build is. `known` is the number of papers in the folder."""
    parts = [f'<p class="searchable">{shown(searchable(status, job.running, known))}</p>']
    progress = job.progress
    if job.running:
        value = f' value="{progress.done}" max="{progress.total}"' if progress and progress.total else ""
        words = shown(progress_words(progress)) if progress else say("build.looking")
        left = f" · {say('build.left', time=duration(progress.eta))}" if progress and progress.eta >= 0 else ""
        label = say("build.progress")
        parts.append(f'<progress aria-label="{label}"{value}></progress><p class="building">{words}{left}</p>')
    elif job.outcome:
        kind = "outcome failed" if job.failed else "outcome"
        parts.append(f'<p class="{kind}">{shown(core_words(str(job.outcome)))}</p>')
    return "".join(parts)


def progress_words(progress: BuildProgress) -> str:
    """Where a build is: "Reading 12 of 47 · 2004.04906v3.pdf"."""
    stage = say(_STAGES[progress.stage]) if progress.stage in _STAGES else progress.stage.capitalize()
    count = say("build.count", stage=stage, done=progress.done, total=progress.total) if progress.total else stage
    return f"{count} · {core_words(progress.message)}" if progress.message else count


def searchable(status: Status, building: bool, known: int) -> str:
    """One sentence: what a question would be answered from at this moment."""
    if not known:
        return say("library.empty")
    if not status.by_words:
        return say("library.wait") if building else say("library.press-rebuild")
    counts = {"papers": status.papers, "known": known, "passages": status.by_words}
    if status.papers < known:
        whole = status.by_meaning >= status.by_words
        return say("library.some-by-meaning", **counts) if whole else say("library.some-by-words", **counts)
    return say("library.by-meaning" if status.by_meaning >= status.by_words else "library.by-words", **counts)


def rows_html(rows: Sequence[PaperRow], name: Callable[[str], str]) -> str:
    """The list of papers: tick to limit questions to them, press the title to read."""
    if not rows:
        return f'<p class="empty">{say("library.none")}</p>'
    return '<ul class="papers">' + "".join(_row(row, name(row.paper)) for row in _sorted(rows)) + "</ul>"


def _sorted(rows: Sequence[PaperRow]) -> list[PaperRow]:
    return sorted(rows, key=lambda row: (row.state in ("unreadable", "no text"), row.title.casefold()))


def _row(row: PaperRow, name: str) -> str:
    title = row.title or row.paper
    facts = [str(row.year) if row.year else "", say("library.pages", pages=row.pages) if row.pages else "", row.topic]
    words = " · ".join(shown(fact) for fact in facts if fact)
    state = f'<span class="state {_slug(row.state)}">{say(_STATES[row.state])}</span>' if row.state in _STATES else ""
    problem = f'<span class="problem">{shown(core_words(row.problem))}</span>' if row.problem else ""
    for place in row.hidden:
        problem += f'<span class="problem hidden-text">{shown(say("library.hidden", place=place))}</span>'
    search = html.escape(f"{title} {row.paper} {row.year} {row.topic}".casefold(), quote=True)
    label = html.escape(say("library.only-this", title=title), quote=True)
    hint = say("library.read-this")
    opens = f'<button type="button" class="open-paper" value="{name}" title="{hint}">{shown(title)}</button>'
    if not row.pages:
        opens = f'<span class="title">{shown(title)}</span>'
    return (
        f'<li data-search="{search}"><input type="checkbox" value="{name}" aria-label="{label}">'
        f'<div>{opens}<span class="facts">{words}{state}</span>{problem}</div>{_remove_button(name, title)}</li>'
    )


def _remove_button(name: str, title: str) -> str:
    label = html.escape(say("library.remove-this", title=title), quote=True)
    said = f'aria-label="{label}" title="{say("library.remove")}"'
    return f'<button type="button" class="icon remove-paper" value="{name}" {said}>✕</button>'


def _slug(state: str) -> str:
    return state.replace(" ", "-")


def short_name(title: str) -> str:
    """What people call the paper: "LongRAG" of "LongRAG: Enhancing ..."; empty where the title does not tell."""
    head, colon, _ = title.partition(":")
    fits = 2 <= len(head.strip()) <= SHORT_NAME and len(head.split()) <= 3
    return head.strip() if colon and fits else ""


def example_questions(rows: Sequence[PaperRow], alike: Sequence[str] = ()) -> list[str]:
    """A fact, a comparison and something that is not in them, from papers that are really in.

    `alike`: names of two papers that are worth comparing, where that is known.
    """
    there = [row for row in rows if row.state in READABLE and row.title]
    named = [row for row in there if short_name(row.title)]
    names = (
        list(alike) or [short_name(row.title) for row in _alike(named)] or [f"“{row.title[:80]}”" for row in there[:2]]
    )
    if not names:
        return []
    questions = [say("question.datasets", name=names[0])]
    if len(names) > 1:
        questions.append(say("question.differ", one=names[0], other=names[1]))
    return [*questions, say("question.coffee", name=names[-1])]


def _alike(rows: Sequence[PaperRow]) -> list[PaperRow]:
    """Two papers worth comparing: of one topic where that is known, preferring full text."""
    best = sorted(rows, key=lambda row: row.state != "full text")
    for first in best:
        same = [row for row in best if row.topic and row.topic == first.topic and row is not first]
        if same:
            return [first, same[0]]
    return best[:2]
