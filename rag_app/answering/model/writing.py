"""Streams the answer that a model writes: its status line off, its marks checked and numbered, nothing else changed."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

from rag_app.answering.model.status import Status, may_begin, split_status
from rag_app.answering.model.task import ModelTask
from rag_app.citations.cited_text import CitedText
from rag_app.errors import ModelError, ModelInterrupted
from rag_app.models.llm.call import LOOPED, Reply, read_reply
from rag_app.models.llm.chat import Message, Tool
from rag_app.models.llm.output_filter import AnswerFilter
from rag_app.records import Citation, Event, Evidence, Piece, Progress

STOPPED = "Stopped before the answer was complete."


@dataclass(frozen=True)
class ModelText:
    """What a model wrote: the text as shown, what it cites, and how it ended."""

    text: str
    status: Status | None
    citations: tuple[Citation, ...] = ()
    backing: dict[int, list[Evidence]] | None = None
    reply: Reply = field(default_factory=lambda: Reply(""))
    problem: str = ""  # why it is incomplete


def write_answer(
    task: ModelTask,
    messages: Sequence[Message],
    tools: Sequence[Tool] = (),
    *,
    known: Sequence[Citation] = (),
    show: bool = True,
) -> Generator[Event, None, ModelText]:
    """Yields the answer's pieces as they come; returns it. With calls of tools in its reply, nothing was an answer.

    `known`: the text cites these by their numbers, and no evidence. Raises what the model raises before it
    writes, and ModelError where it writes nothing.
    """
    page = _Writing(task, known)
    pieces = read_reply(task.model, messages, task.stop, tools)
    reply, problem, begun = Reply(""), "", False
    try:
        while True:
            try:
                shown = page.follow(next(pieces))
            except StopIteration as end:
                reply = end.value
                break
            if shown and show:
                if not begun:
                    yield Progress("reading", "writing the answer")
                begun = True
                yield Piece(shown)
    except ModelInterrupted as error:
        if not page.raw.strip():
            raise
        problem = str(error)
        reply = Reply(page.raw, whole=False)
    finally:
        pieces.close()
    task.spending.add(reply)
    if reply.calls and tools:
        return ModelText("", None, reply=reply)
    shown = page.finish(reply.text)
    if shown and show:
        yield Piece(shown)
    refuses = page.status is not None and page.status.kind == "not in the papers"
    if not (page.text.strip() or refuses or task.stop.is_set()):
        raise ModelError(f"{task.model.name} wrote no answer. Ask again, or choose another model.")
    if not problem and not reply.whole:
        problem = STOPPED if task.stop.is_set() else _why_cut(task, reply)
    return ModelText(page.text.strip(), page.status, tuple(page.citations), page.backing, reply, problem)


def _why_cut(task: ModelTask, reply: Reply) -> str:
    if reply.looped:
        return LOOPED
    return f"The answer was cut off: it was longer than RAG_LLM_MAX_TOKENS ({task.settings.llm_max_tokens}) allows."


class _Writing:
    """The text on its way to the reader. The same text in any pieces gives the same characters."""

    def __init__(self, task: ModelTask, known: Sequence[Citation]) -> None:
        self._marks = _KnownMarks(known) if known else CitedText(task.book.pieces, task.page_of)
        self.raw = ""  # all that the model wrote, without thoughts
        self._taken = 0  # of the answer behind the status line
        self._begun = False
        self.status: Status | None = None
        self.text = ""

    @property
    def citations(self) -> Sequence[Citation]:
        return self._marks.citations

    @property
    def backing(self) -> dict[int, list[Evidence]]:
        return self._marks.backing

    def follow(self, raw: str, final: bool = False) -> str:
        """The next characters to show, of all that was written so far."""
        self.raw = raw
        body = raw
        if self.status is not None or not self._begun:
            status, body = split_status(raw, final=final)
            self.status = status or self.status
            if status is None and not final and (may_begin(raw) or "status" in raw[-20:].casefold()):
                return ""
            if status is None and not final and not self._begun:
                return ""  # a remark before a call of a tool: it is known for an answer at its end
            self._begun = True
        new, self._taken = body[self._taken :], max(self._taken, len(body))
        shown = self._marks.feed(new)
        self.text += shown
        return shown

    def finish(self, raw: str) -> str:
        """The last characters."""
        shown = self.follow(raw, final=True)
        rest = self._marks.finish()
        self.text += rest
        return shown + rest


class _KnownMarks:
    """Marks that name citations which are there already."""

    def __init__(self, known: Sequence[Citation]) -> None:
        self._filter = AnswerFilter([citation.number for citation in known])
        self.citations = list(known)
        self.backing: dict[int, list[Evidence]] = {}

    def feed(self, piece: str) -> str:
        return self._filter.feed(piece)

    def finish(self) -> str:
        return self._filter.finish()
