"""What a tab does and is shown: questions, corrected plans, Stop, and coming back to an answer in progress.

Independent of gradio: the screen gets a `ScreenUpdate`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from rag_app.errors import QuestionError
from rag_app.outputs.table_growth import with_columns, with_rows
from rag_app.records import Answer, Event
from rag_app.retrieval.hybrid import Scope
from rag_app.server.conversations import Conversation, Messages, Sessions
from rag_app.server.i18n import translate, translate_core
from rag_app.server.runs import AnswerRun, stream_snapshots
from rag_app.server.web.history_panel import ConversationPanel
from rag_app.server.web.reading_panel import OpaqueIds
from rag_app.server.web.render import VERBATIM_READERS, progress_html

if TYPE_CHECKING:
    from rag_app.assistant import Assistant


Begin = Callable[[threading.Event], Iterator[Event]]


class NamedReader(Protocol):
    """Who answers."""

    @property
    def name(self) -> str: ...


@dataclass(frozen=True)
class ScreenUpdate:
    """What changes on a tab's screen; None leaves a part as it is."""

    messages: Messages | None = None
    answering: bool | None = None  # the question box has Stop in place of Ask
    asked: bool = False  # what stands in the question box has been asked: it is emptied
    rows: str | None = None  # the list of conversations
    notice: str = ""


class TurnHandler:
    """The conversations of all tabs."""

    def __init__(self, assistant: Assistant, ids: OpaqueIds, reader: NamedReader, panel: ConversationPanel) -> None:
        self.assistant = assistant
        self.ids = ids
        self.reader = reader
        self.panel = panel
        self.sessions = Sessions()

    def conversation(self, session: str | None, kept: str = "") -> Conversation:
        """The conversation of the tab; one that lost its connection goes on in the one that it shows, `kept`."""
        conversation = self.sessions.of(session)
        if not conversation.id:
            self.panel.open(conversation, kept)
        return conversation

    def ask(
        self, conversation: Conversation, question: str, ticked: str, instead_of: int = 0
    ) -> Iterator[ScreenUpdate]:
        """Answer as the words come, from the papers that are `ticked`: a JSON list of their names on the page.

        `instead_of` a turn that is kept under this number: in a new conversation, after what was said before it.
        """
        if not question.strip():
            yield ScreenUpdate()
            return
        if instead_of:
            self.panel.branch(conversation, instead_of)
        history = conversation.history()

        def begin(event: threading.Event) -> Iterator[Event]:
            return self.assistant.stream(question, papers=self._parse_ticked(ticked), history=history, stop=event)

        yield from self._run_turn(conversation, question, question, begin)

    def correct(self, conversation: Conversation, papers: str, aspects: str) -> Iterator[ScreenUpdate]:
        """Compare again, with the papers and aspects as the user has corrected them."""
        answer = conversation.last_comparison
        if answer is None or answer.plan is None:
            yield ScreenUpdate()
            return
        known = dict(zip(answer.plan.names, answer.plan.papers, strict=True))
        question = answer.question
        meant = translate("question.said-papers", papers=papers), translate("question.said-aspects", aspects=aspects)
        said = "\n".join((question, *meant))

        def begin(event: threading.Event) -> Iterator[Event]:
            meant = ", ".join(known.get(name.strip(), name) for name in papers.split(","))
            scope = Scope(tuple(self.assistant.resolve_papers(meant)))
            return self.assistant.stream_comparison(question, scope=scope, aspects=aspects, stop=event)

        yield from self._run_turn(conversation, question, said, begin)

    def grow(self, conversation: Conversation, kind: str, text: str) -> Iterator[ScreenUpdate]:
        """Add a paper, or an aspect, to the table of the last answer; the rest of it stays, and its turn."""
        answer = conversation.last_comparison
        if answer is None or not text.strip():
            yield ScreenUpdate()
            return
        if self.panel.runs.of(conversation.id) is not None:
            yield ScreenUpdate(notice=translate("question.busy"))
            return
        turn = conversation.turns[-1]
        before = turn.answer

        def pictures(stop: threading.Event) -> Iterator[tuple[str, Answer | None]]:
            add = self._add_paper if kind == "paper" else self._add_aspect
            for html, more in self._answer(answer.question, lambda event: add(answer, text, event), stop):
                if more is None:
                    yield before + html, None
                else:
                    yield before, self._grown(answer, more, kind, text)

        run = self.panel.runs.begin(turn, answer.question, pictures, self.panel.keep_again)
        yield ScreenUpdate(answering=True)
        yield from self._watch_run(conversation, run)

    def _add_paper(self, answer: Answer, text: str, stop: threading.Event) -> Iterator[Event]:
        """Rows for the papers that `text` names, on the table's aspects."""
        assert answer.table is not None
        scope = Scope(tuple(self.assistant.resolve_papers(text)))
        aspects = "; ".join(answer.table.aspects)
        return self.assistant.stream_comparison(answer.question, scope=scope, aspects=aspects, stop=stop)

    def _add_aspect(self, answer: Answer, text: str, stop: threading.Event) -> Iterator[Event]:
        """Columns for the aspects that `text` names, of the table's papers."""
        assert answer.table is not None
        scope = Scope(tuple(row.paper for row in answer.table.rows))
        return self.assistant.stream_comparison(answer.question, scope=scope, aspects=text, stop=stop)

    def _grown(self, answer: Answer, more: Answer, kind: str, text: str) -> Answer:
        """The answer with what was added; where that could not be had, as it was, with a note that says why."""
        try:
            if more.table is None:
                raise QuestionError(more.answer)
            return (with_rows if kind == "paper" else with_columns)(answer, more)
        except QuestionError as error:
            why = translate("answer.not-added", what=text.strip()[:80], why=translate_core(str(error)))
            return replace(answer, notes=(*answer.notes, why))

    def resume(self, conversation: Conversation) -> Iterator[ScreenUpdate]:
        """The tab has opened a conversation: show the answer that is being made in it."""
        run = self.panel.runs.of(conversation.id)
        if run is not None:
            yield from self._watch_run(conversation, run)
        else:
            yield ScreenUpdate(conversation.messages(), answering=False)

    def handle_action(self, conversation: Conversation, action: str) -> ScreenUpdate:
        """Something was pressed in the list of conversations or under an answer."""
        shown = conversation.id
        self.panel.handle_action(action, conversation)
        if conversation.id != shown:
            conversation.watcher = None  # what is still coming belongs to the conversation that was left
        return ScreenUpdate(conversation.messages(), rows=self.panel.rows(conversation))

    def stop(self, conversation: Conversation) -> None:
        """Stop the answer that is coming; what came stays."""
        self.panel.runs.stop(conversation.id)

    def changed_rows(self, conversation: Conversation) -> str | None:
        """The list of conversations when an answer was begun or ended since the tab last asked for it."""
        now = self.panel.runs.changes
        changed, conversation.seen_runs = conversation.seen_runs != now, now
        return self.panel.rows(conversation) if changed else None

    def _run_turn(self, conversation: Conversation, question: str, said: str, begin: Begin) -> Iterator[ScreenUpdate]:
        """One turn: `said` is shown as the user's, `begin` answers, whether or not anybody watches."""
        if self.panel.runs.of(conversation.id) is not None:
            yield ScreenUpdate(notice=translate("question.busy"))
            return
        turn = self.panel.begin(conversation, said, progress_html("", translate("question.planning")))
        run = self.panel.runs.begin(turn, said, lambda stop: self._answer(question, begin, stop), self.panel.keep)
        yield ScreenUpdate(asked=True, answering=True)
        yield from self._watch_run(conversation, run)

    def _watch_run(self, conversation: Conversation, run: AnswerRun) -> Iterator[ScreenUpdate]:
        """Show an answer as it comes, until it has ended, the tab leaves it, or another handler of the tab does so."""
        me = conversation.watcher = object()
        yield ScreenUpdate(conversation.messages(), answering=True, rows=self.panel.rows(conversation))
        for _ in run.watch(lambda: conversation.watcher is me):
            yield ScreenUpdate(conversation.messages())
        if conversation.watcher is me:
            conversation.watcher = None
            yield ScreenUpdate(conversation.messages(), answering=False, rows=self.panel.rows(conversation))

    def _answer(self, question: str, begin: Begin, stop: threading.Event) -> Iterator[tuple[str, Answer | None]]:
        """What is shown meanwhile, and at last the answer."""
        verbatim = self.reader.name in VERBATIM_READERS

        def run_guarded(event: threading.Event) -> Iterator[Event]:
            try:
                yield from begin(event)
            except QuestionError as error:
                yield Answer("", question, "error", str(error), "")

        for snapshot in stream_snapshots(question, run_guarded, stop):
            coming = progress_html(snapshot.text, snapshot.doing, verbatim, snapshot.table, snapshot.steps)
            yield coming, snapshot.answer

    def _parse_ticked(self, names: str) -> list[str]:
        try:
            return [self.ids.paper(str(name)) for name in json.loads(names or "[]")]
        except (KeyError, TypeError, ValueError) as error:
            raise QuestionError(translate("question.not-ticked")) from error
