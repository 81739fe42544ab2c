"""The kept conversations on the page: the list of them, what stands around each answer, and what is done to them.

A kept conversation is exported by one press: a ZIP with all its answers in every format.
"""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from rag_app.errors import HistoryFault, RagError
from rag_app.outputs.feedback import Verdict
from rag_app.outputs.history import History, SavedConversation, SavedTurn, new_conversation
from rag_app.outputs.markdown import export_file_name
from rag_app.outputs.save import MEDIA_TYPE, SUFFIX, SourceLookup, collect_export, make_bundle
from rag_app.records import Answer, Citation
from rag_app.server.conversations import Conversation, Turn
from rag_app.server.i18n import translate
from rag_app.server.runs import AnswerRuns
from rag_app.server.web.markdown import escape_html
from rag_app.server.web.reading_panel import PREFIX
from rag_app.server.web.render import answer_html, question_html

LONGEST_REASON = 1_000  # characters

NamePlace = Callable[[Citation], str]
NameAnswer = Callable[[Answer], str]


class ConversationPanel:
    """The conversations of the page, kept by a History; the page goes on without it when it cannot be used."""

    def __init__(
        self, history: History, name: NamePlace, name_answer: NameAnswer | None = None, runs: AnswerRuns | None = None
    ) -> None:
        self.runs = runs or AnswerRuns()
        self._history = history
        self._name = name
        self._name_answer = name_answer

    def begin(self, conversation: Conversation, question: str, answer: str) -> Turn:
        """A new turn at the end of the conversation, which gets an id with its first."""
        conversation.id = conversation.id or new_conversation()
        turn = Turn(editable_question_html(question), answer, conversation=conversation.id, said=question)
        conversation.turns.append(turn)
        return turn

    def keep(self, turn: Turn, answer: Answer) -> None:
        """The turn is complete: show it whole, and write it down."""
        turn.record = answer
        try:
            turn.saved = self._history.save_turn(turn.conversation, answer, turn.began)
        except HistoryFault:
            turn.saved = 0  # rows_html says what is wrong
        turn.question = editable_question_html(turn.said, turn.saved)
        turn.answer = self._html(answer, turn.saved)

    def keep_again(self, turn: Turn, answer: Answer) -> None:
        """The turn's table has grown: show it, and write it down in place of the one before."""
        turn.record = answer
        verdict: Verdict | None = None
        reason = ""
        try:
            if turn.saved:
                self._history.replace_answer(turn.saved, answer)
                saved = next(one for one in self._history.load(turn.conversation) if one.id == turn.saved)
                verdict, reason = saved.verdict, saved.reason
        except (HistoryFault, KeyError, StopIteration):  # rows_html says what is wrong; a deleted one is not kept
            turn.saved = 0
        turn.answer = self._html(answer, turn.saved, verdict, reason)

    def open(self, conversation: Conversation, id: str) -> None:
        """Show a kept conversation in place of this one, with the answer that is being made in it.

        An empty one where it is not there any more.
        """
        run = self.runs.of(id)  # before the kept ones are read: it may end, and be one of them, at any moment
        try:
            turns = self._history.load(id) if id else []
        except (KeyError, HistoryFault):
            turns = []
        if not turns and run is None:
            return self.new(conversation)
        conversation.id = id
        conversation.turns = [self._turn(id, saved) for saved in turns]
        if run is not None and run.turn.saved not in {saved.id for saved in turns}:
            conversation.turns.append(run.turn)

    def new(self, conversation: Conversation) -> None:
        """Begin a new conversation. It has its id from the start, so that a reload finds its first answer."""
        conversation.id, conversation.turns, conversation.watcher = new_conversation(), [], None

    def branch(self, conversation: Conversation, turn: int) -> None:
        """Go on in a new conversation, which holds what was said before that turn; the old one stays as it is.

        Where the turn is not there any more, nothing happens.
        """
        try:
            made = self._history.branch(conversation.id, turn)
        except (KeyError, HistoryFault):
            return
        before = [one.saved for one in conversation.turns].index(turn) if turn else 0
        self.open(conversation, made if before else "")

    def _turn(self, id: str, saved: SavedTurn) -> Turn:
        around = self._html(saved.answer, saved.id, saved.verdict, saved.reason)
        asked = saved.answer.question
        return Turn(editable_question_html(asked, saved.id), around, saved.answer, id, saved.id, asked)

    def _html(self, answer: Answer, turn: int, verdict: Verdict | None = None, reason: str = "") -> str:
        thumbs = thumbs_html(turn, verdict, reason) if turn and answer.status != "error" else ""
        return understood_html(answer) + answer_html(answer, self._name, self._name_answer, thumbs, regenerate=True)

    def rows(self, conversation: Conversation) -> str:
        """The list of conversations as HTML, limited to what is sought."""
        try:
            saved = self._history.search(conversation.sought)
            coming = {run.conversation: run for run in self.runs.all()}
            known = {one.id for one in saved}
            begun = [
                SavedConversation(run.conversation, run.question, run.turn.began, run.turn.began, 0)
                for run in coming.values()
                if run.conversation not in known and not conversation.sought
            ]
            again = [replace(one, updated=coming[one.id].turn.began) if one.id in coming else one for one in saved]
            # By the last question: an answer that ends moves nothing, or a press would meet another row than was meant.
            listed = sorted([*begun, *again], key=lambda one: one.updated, reverse=True)
            return conversation_list_html(listed, conversation.id, time.time(), coming, conversation.sought)
        except HistoryFault as error:
            return f'<p class="problem">{escape_html(str(error))}</p>'

    def handle_action(self, action: str, conversation: Conversation) -> None:
        """What was pressed in the page: {"do", "id", "text", …}. What cannot be done is left undone."""
        try:
            value: dict[str, Any] = json.loads(action)
            name, id, text = str(value["do"]), str(value.get("id", "")), str(value.get("text", ""))
            if name == "open":
                self.open(conversation, id)
            elif name == "new":
                self.new(conversation)
            elif name == "seek":
                conversation.sought = text
            elif name == "rename":
                self._history.rename(id, text)
            elif name == "folder":
                self._history.put_into_folder(id, text)
            elif name == "delete":
                self.runs.forget(id)
                self._history.delete(id)
                if conversation.id == id:
                    self.new(conversation)
            elif name == "rate":
                self._rate(conversation, int(id), "up" if value["verdict"] == "up" else "down", text[:LONGEST_REASON])
        except (HistoryFault, KeyError, RecursionError, TypeError, ValueError):
            return

    def _rate(self, conversation: Conversation, turn: int, verdict: Verdict, reason: str) -> None:
        for known in conversation.turns:
            if known.saved == turn and known.record is not None:
                self._history.rate(turn, verdict, reason)
                known.answer = self._html(known.record, turn, verdict, reason)


def editable_question_html(question: str, turn: int = 0) -> str:
    """What the user typed, with a button to change it and ask again. `turn`: under which it is kept, if it is."""
    return f'<div class="asked-question">{question_html(question)}{_edit(turn)}</div>'


def understood_html(answer: Answer) -> str:
    """How a follow-up was understood, and a button to change that; empty for a question that stands alone."""
    if not answer.asked:
        return ""
    asked = f'<span class="question-text">{escape_html(answer.asked)}</span>'
    return f'<div class="understood">{translate("question.understood")} {asked}{_edit()}</div>'


def _edit(turn: int = 0) -> str:
    hint, value = translate("question.edit-hint"), f' value="{turn}"' if turn else ""
    kind = 'type="button" class="edit-question text-button"'
    return f'<button {kind}{value} title="{hint}">{translate("question.edit")}</button>'


def thumbs_html(turn: int, verdict: Verdict | None = None, reason: str = "") -> str:
    """Thumbs up and down for a kept turn, and what was said about it."""
    buttons = "".join(
        f'<button type="button" class="thumb {name}{" chosen" if verdict == name else ""}" value="{turn}:{name}" '
        f'title="{words}"><span class="unseen">{sign}</span></button>'
        for name, sign, words in (
            ("up", translate("answer.up"), translate("answer.good")),
            ("down", translate("answer.down"), translate("answer.bad")),
        )
    )  # the browser's sanitizer drops aria attributes: talk.js puts them in
    said = f'<span class="said">{escape_html(reason)}</span>' if reason else ""
    return f'<span class="thumbs">{buttons}{said}</span>'


def conversation_list_html(
    saved: Sequence[SavedConversation], now: str, time_now: float, coming: Collection[str] = (), sought: str = ""
) -> str:
    """The list of conversations, those in folders below the others.

    `now` is the one that is open; in those that are `coming` an answer is being made. `sought`: what they were searched
    for, by which the page knows a list that was made before.
    """

    def rows_in(folder: str) -> str:
        return "".join(_row(one, one.id == now, time_now, one.id in coming) for one in saved if one.folder == folder)

    rows = rows_in("")
    for folder in sorted({one.folder for one in saved if one.folder}, key=str.casefold):
        name, count = escape_html(folder), sum(one.folder == folder for one in saved)
        head = f'<summary data-folder="{html.escape(folder, quote=True)}">{name} <span>{count}</span></summary>'
        rows += f'<li class="folder"><details open>{head}<ul>{rows_in(folder)}</ul></details></li>'
    empty = "" if rows else f'<li class="empty">{translate("history.none")}</li>'
    state = f'data-now="{html.escape(now, quote=True)}" data-sought="{html.escape(sought, quote=True)}"'
    return f'<ul class="conversations" {state}>{rows}{empty}</ul>'


def _row(saved: SavedConversation, is_open: bool, now: float, coming: bool) -> str:
    id, title = html.escape(saved.id, quote=True), escape_html(saved.title)
    asked = translate("history.questions", n=saved.turns)
    same_day = time.strftime("%x", time.localtime(saved.updated)) == time.strftime("%x", time.localtime(now))
    when = time.strftime("%H:%M" if same_day else "%Y-%m-%d", time.localtime(saved.updated))
    current = ' aria-current="true"' if is_open else ""
    facts = translate("history.answering") if coming else f"{asked} · {when}"
    folder = html.escape(saved.folder, quote=True)
    return (
        f'<li data-folder="{folder}"><button type="button" class="open-conversation" value="{id}"{current}>'
        f'<span class="title">{title}</span><span class="facts">{facts}</span></button>'
        f"{_icon('rename', translate('history.rename'), translate('history.rename-one', title=title), '✎', id)}"
        f"{_icon('folder', translate('history.folder'), translate('history.folder-one', title=title), '', id)}"
        f"{_icon('delete', translate('history.delete'), translate('history.delete-one', title=title), '✕', id)}</li>"
    )


def _icon(name: str, words: str, label: str, sign: str, id: str) -> str:
    return (
        f'<button type="button" class="icon {name}-conversation" value="{id}" title="{words}" '
        f'aria-label="{label}">{sign}</button>'
    )


def export_routes(library: SourceLookup, history: History) -> APIRouter:
    """The route of a whole conversation; `history` is the one of the user whose page this is."""
    routes = APIRouter(prefix=PREFIX, include_in_schema=False)

    @routes.get("/conversation/{id}")
    def conversation(id: str) -> Response:
        try:
            answers = [turn.answer for turn in history.load(id) if turn.answer.status != "error"]
            if not answers:
                return Response(status_code=204)
            name = export_file_name(answers[0].question, "conversation")
            content = make_bundle(collect_export(library, answers), name)
        except KeyError:  # nothing was answered in it yet
            return Response(status_code=204)
        except RagError as error:
            raise HTTPException(422, str(error)) from error
        headers = {"Content-Disposition": f'attachment; filename="{name}.{SUFFIX}"', "Cache-Control": "no-store"}
        return Response(content, media_type=MEDIA_TYPE, headers=headers)

    return routes
