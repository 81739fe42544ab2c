"""The screen itself, and the one door of gradio: what stands where, and which press calls what.

It holds no logic that the command line lacks: it asks the Assistant and shows what comes back.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from importlib import resources
from typing import TYPE_CHECKING, Any

# The library reads these when it is imported: nothing about this machine or its user is ever reported to anyone.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import gradio as gr
from fastapi import FastAPI

from rag_app.errors import QuestionError, RagError
from rag_app.history import History
from rag_app.records import Answer, Event
from rag_app.retrieval import Scope
from rag_app.ui_conversation import Conversation, Messages, Sessions
from rag_app.ui_history import Talks
from rag_app.ui_library import BuildJob, example_questions, rows_html, status_html
from rag_app.ui_markdown import MATH_DELIMITERS
from rag_app.ui_pages import Shelf, reading_routes
from rag_app.ui_reader import Note
from rag_app.ui_render import VERBATIM_READERS, answer_html, progress_html
from rag_app.ui_stream import snapshots

if TYPE_CHECKING:
    from rag_app.assistant import Assistant

TITLE = "Ask the papers"
LONGEST_TYPED = 8_000  # characters; the assistant has its own limit, this one keeps a slip of the paste small
ANSWERS_AT_ONCE = 24  # of the 40 threads; the rest stays free for what must never wait: Stop, pages, progress
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}  # of every handler
TICK = 1.5  # seconds between two looks at the build


Begin = Callable[[threading.Event], Iterator[Event]]


class Screen:
    """The handlers behind the page. Every one of them is private to the page."""

    def __init__(self, assistant: Assistant, shelf: Shelf, job: BuildJob, reader: Note, history: History) -> None:
        self.assistant = assistant
        self.shelf = shelf
        self.job = job
        self.reader = reader
        self.sessions = Sessions()
        self.talks = Talks(history, shelf.name_place, shelf.name_answer)

    # -- conversation -------------------------------------------------------------------------------------------

    def ask(self, question: str, ticked: str, request: gr.Request) -> Iterator[tuple[Any, Any, Any]]:
        """Answer as the words come. Yields the conversation, the state of the question box, and the kept ones."""
        conversation = self.sessions.of(request.session_hash)
        if not question.strip():
            yield gr.skip(), gr.skip(), gr.skip()
            return
        if conversation.stop is not None:
            gr.Info("Still answering. Press Stop first, or wait.")
            yield gr.skip(), gr.skip(), gr.skip()
            return
        history = conversation.history()

        def begin(event: threading.Event) -> Iterator[Event]:
            return self.assistant.stream(question, papers=self._ticked(ticked), history=history, stop=event)

        yield from self._told(conversation, question, question, begin)

    def _told(
        self, conversation: Conversation, question: str, said: str, begin: Begin
    ) -> Iterator[tuple[Any, Any, Any]]:
        """One turn: `said` is shown as the user's, `begin` answers. Yields as `ask` does."""
        stop = conversation.stop = threading.Event()
        turn = self.talks.begin(conversation, said, progress_html("", "looking"))
        conversation.compared = None
        try:
            yield conversation.messages(), gr.Textbox(value="", submit_btn=False, stop_btn="Stop"), gr.skip()
            for html, answer in self._answer(question, begin, stop):
                turn.answer = html
                if answer is not None:
                    conversation.compared = answer if answer.table is not None else None
                    self.talks.keep(turn, answer)
                yield conversation.messages(), gr.skip(), gr.skip()
            yield gr.skip(), gr.Textbox(submit_btn="Ask", stop_btn=False), self.talks.rows(conversation)
        finally:
            stop.set()
            conversation.stop = None

    def _answer(self, question: str, begin: Begin, stop: threading.Event) -> Iterator[tuple[str, Answer | None]]:
        """What is shown meanwhile, and at last the answer."""
        verbatim = self.reader.name in VERBATIM_READERS

        def told(event: threading.Event) -> Iterator[Event]:
            try:
                yield from begin(event)
            except QuestionError as error:
                yield Answer("", question, "error", str(error), "")

        for snapshot in snapshots(question, told, stop):
            yield progress_html(snapshot.text, snapshot.doing, verbatim), snapshot.answer

    def plan(self, request: gr.Request) -> tuple[Any, Any, Any]:
        """The fields in which the plan of the last comparison can be corrected; hidden after any other answer."""
        answer = self.sessions.of(request.session_hash).compared
        if answer is None or answer.plan is None:
            return gr.Row(visible=False), gr.skip(), gr.skip()
        return gr.Row(visible=True), ", ".join(answer.plan.names), "; ".join(answer.plan.aspects)

    def correct(self, papers: str, aspects: str, request: gr.Request) -> Iterator[tuple[Any, Any, Any]]:
        """Compare again, with the papers and aspects as the user has corrected them. Yields as `ask` does."""
        conversation = self.sessions.of(request.session_hash)
        answer = conversation.compared
        if answer is None or answer.plan is None or conversation.stop is not None:
            yield gr.skip(), gr.skip(), gr.skip()
            return
        known = dict(zip(answer.plan.names, answer.plan.papers, strict=True))
        question = answer.question

        def begin(event: threading.Event) -> Iterator[Event]:
            meant = ", ".join(known.get(name.strip(), name) for name in papers.split(","))
            scope = Scope(tuple(self.assistant.papers_meant(meant)))
            return self.assistant.comparing(question, scope=scope, aspects=aspects, stop=event)

        yield from self._told(conversation, question, f"{question}\nPapers: {papers}\nAspects: {aspects}", begin)

    def _ticked(self, names: str) -> list[str]:
        try:
            return [self.shelf.paper(str(name)) for name in json.loads(names or "[]")]
        except (KeyError, TypeError, ValueError) as error:
            remedy = "Reload the page and tick them again."
            raise QuestionError(f"The ticked papers are not known any more. {remedy}") from error

    def ask_example(self, ticked: str, event: gr.SelectData, request: gr.Request) -> Iterator[tuple[Any, Any, Any]]:
        """An example question was pressed."""
        yield from self.ask(str(event.value["text"]), ticked, request)

    def wish(self, wish: str, request: gr.Request) -> tuple[Messages, str]:
        """Something was pressed in the list of conversations or under an answer."""
        conversation = self.sessions.of(request.session_hash)
        shown = conversation.id
        self.talks.do(wish, conversation)
        if conversation.id != shown:
            self.stop(request)  # what is still coming belongs to the conversation that was left
        return conversation.messages(), self.talks.rows(conversation)

    def clear(self, request: gr.Request) -> tuple[Messages, str]:
        """Begin a new conversation; an answer that is coming is ended."""
        self.stop(request)
        conversation = self.sessions.of(request.session_hash)
        conversation.id, conversation.turns = "", []
        return [], self.talks.rows(conversation)

    def stop(self, request: gr.Request) -> None:
        """Stop the answer that is coming; what came stays."""
        running = self.sessions.of(request.session_hash).stop
        if running is not None:
            running.set()

    def leave(self, request: gr.Request) -> None:
        """The tab was closed."""
        self.sessions.drop(request.session_hash)

    # -- library ------------------------------------------------------------------------------------------------

    def look(self, request: gr.Request) -> tuple[Any, Any, Any]:
        """The list of papers if it changed, what can be searched, and who reads."""
        conversation = self.sessions.of(request.session_hash)
        try:
            rows = self.assistant.papers()
            status = status_html(self.assistant.status(), self.job, len(rows))
        except RagError as error:
            return gr.skip(), answer_html(Answer("", "", "error", str(error), ""), self.shelf.name_place), gr.skip()
        listed = rows_html(rows, self.shelf.name_paper)
        changed, conversation.seen = listed != conversation.seen, listed
        return (listed if changed else gr.skip()), status, self.reader.html()

    def open(self, kept: str, request: gr.Request) -> tuple[Any, Any, Any, Any, Any]:
        """A tab was opened, or loaded again: then `kept` is the conversation that it was in."""
        conversation = self.sessions.of(request.session_hash)
        conversation.seen = ""
        self.talks.open(conversation, kept)
        try:
            questions = example_questions(self.assistant.papers())
        except RagError:
            questions = []  # look() shows what is wrong
        examples: Any = [{"text": question} for question in questions] or None
        messages: Any = conversation.messages()
        chat = gr.Chatbot(value=messages, examples=examples)
        return (*self.look(request), chat, self.talks.rows(conversation))

    def rebuild(self, request: gr.Request) -> tuple[Any, Any, Any]:
        """Bring the index up to date, in the background."""
        if not self.job.start():
            gr.Info("A build is already running.")
        return self.look(request)


def mount_screen(
    app: FastAPI, assistant: Assistant, job: BuildJob, reader: Note, history: History, root_path: str
) -> None:
    """Put the page and the routes of its reading pane into `app`."""
    shelf = Shelf(assistant)
    app.include_router(reading_routes(shelf))
    screen = Screen(assistant, shelf, job, reader, history)
    gr.mount_gradio_app(
        app,
        _layout(screen),
        path="/",
        root_path=root_path or None,
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        show_error=True,
        max_file_size="1mb",
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=_theme(),
        head=f"<style>{static_text('page.css')}</style>"
        f"<script>{static_text('page.js')}</script><script>{static_text('talk.js')}</script>",
    )


def static_text(name: str) -> str:
    """One of our own files for the browser."""
    return (resources.files("rag_app") / "static" / name).read_text(encoding="utf-8")


def _theme() -> gr.themes.Base:
    # Fonts of the system: the default ones would be loaded from another host.
    return gr.themes.Base(
        primary_hue=gr.themes.colors.indigo,
        neutral_hue=gr.themes.colors.slate,
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )


def _layout(screen: Screen) -> Any:
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_height=True, fill_width=True) as page:
        ticked = gr.Textbox(visible=False)
        said = gr.Textbox(visible=False)
        with gr.Row(elem_id="panes"):
            with gr.Column(elem_id="library"):
                _own(static_text("library.html"))
                rows = _own(elem_id="paper-rows")
                with gr.Column(elem_id="history"):
                    _own(static_text("history.html"))
                    kept = _own(elem_id="history-rows")
                    wish = gr.Button("wish", elem_id="wish")
                with gr.Column(elem_id="build"):
                    status = _own(elem_id="build-status")
                    rebuild = gr.Button("Rebuild", size="sm", elem_id="rebuild")
                    reader = _own(elem_id="reader-note")
            with gr.Column(elem_id="conversation"):
                _own(static_text("bar.html"))
                chat = _chat()
                plan = _plan_fields()
                _own('<p id="scope-note" role="status"></p>')
                box = _question_box()
            with gr.Column(elem_id="reading"):
                _own(static_text("reading.html"))
        _wire(screen, page, ticked, rows, status, rebuild, reader, chat, box, kept, plan)
        _wire_talks(screen, page, said, wish, chat, kept, [rows, status, reader])
    page.queue(default_concurrency_limit=ANSWERS_AT_ONCE, api_open=False, status_update_rate="auto")
    return page


def _wire_talks(
    screen: Screen, page: gr.Blocks, said: Any, wish: Any, chat: Any, kept: Any, library: list[Any]
) -> None:
    at_once = PRIVATE | {"queue": False}
    wish.click(screen.wish, [said], [chat, kept], js="() => [window.talk.wish()]", **at_once)
    where = "() => [window.talk ? window.talk.kept() : '']"
    page.load(screen.open, [said], [*library, chat, kept], js=where, **at_once)


def _own(html: str = "", elem_id: str | None = None) -> gr.HTML:
    """HTML of our own making; what comes from papers was escaped where it was put in."""
    return gr.HTML(html, elem_id=elem_id, apply_default_css=False, js_on_load=None)


def _chat() -> gr.Chatbot:
    return gr.Chatbot(
        show_label=False,
        container=False,
        height="100%",
        elem_id="chat",
        layout="panel",
        autoscroll=False,
        # The messages are HTML that ui_render made from escaped text; the browser's sanitizer goes over them as well.
        render_markdown=False,
        sanitize_html=True,
        allow_tags=False,
        latex_delimiters=[dict(pair) for pair in MATH_DELIMITERS],
        buttons=[],
        feedback_options=None,
        group_consecutive_messages=False,
        allow_file_downloads=False,
        placeholder=static_text("welcome.html"),
    )


def _plan_fields() -> tuple[Any, Any, Any, Any]:
    """Below a comparison: its papers and aspects as text, to be corrected and asked again."""
    with gr.Row(visible=False, elem_id="plan", equal_height=True) as row:
        papers = gr.Textbox(label="Papers (,)", lines=1, max_lines=1, max_length=2_000, scale=2)
        aspects = gr.Textbox(label="Aspects (;)", lines=1, max_lines=1, max_length=2_000, scale=3)
        again = gr.Button("Ask again", size="sm", elem_id="ask-again", scale=0, min_width=90)
    return row, papers, aspects, again


def _question_box() -> gr.Textbox:
    return gr.Textbox(
        placeholder="Ask about these papers",
        show_label=False,
        container=False,
        lines=1,
        max_lines=8,
        max_length=LONGEST_TYPED,
        autofocus=True,
        submit_btn="Ask",
        stop_btn=False,
        elem_id="question",
    )


def _wire(
    screen: Screen,
    page: gr.Blocks,
    ticked: Any,
    rows: Any,
    status: Any,
    rebuild: Any,
    reader: Any,
    chat: Any,
    box: Any,
    kept: Any,
    plan: tuple[Any, Any, Any, Any],
) -> None:
    answering = PRIVATE | {"concurrency_limit": ANSWERS_AT_ONCE, "concurrency_id": "answers"}
    at_once = PRIVATE | {"queue": False}
    library = [rows, status, reader]
    scope = "(question, ticked) => [question, window.papers ? window.papers.ticked() : '[]']"
    row, papers, aspects, again = plan
    shown = [row, papers, aspects]
    turn = [chat, box, kept]
    box.submit(screen.ask, [box, ticked], turn, js=scope, **answering).then(screen.plan, None, shown, **at_once)
    # By the button, or by Enter in either field.
    for press in (again.click, papers.submit, aspects.submit):
        asked = press(screen.correct, [papers, aspects], turn, **answering)
        asked.then(screen.plan, None, shown, **at_once)
    only_scope = "(ticked) => [window.papers ? window.papers.ticked() : '[]']"
    example = chat.example_select(screen.ask_example, [ticked], turn, js=only_scope, **answering)
    example.then(screen.plan, None, shown, **at_once)
    chat.clear(screen.clear, None, [chat, kept], **at_once)
    box.stop(screen.stop, None, None, **at_once)
    rebuild.click(screen.rebuild, None, library, **at_once)
    gr.Timer(TICK).tick(screen.look, None, library, **at_once)
    page.unload(screen.leave)
