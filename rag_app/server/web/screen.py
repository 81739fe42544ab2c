"""The page in gradio: its components, and which event calls which handler.

Gradio is made to keep only what each tab shows now. All logic is in Assistant; this module shows what it returns.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, get_type_hints

import gradio as gr
from fastapi import FastAPI

from rag_app.errors import RagError
from rag_app.outputs.history import History
from rag_app.outputs.notebook import Notebook
from rag_app.records import Answer
from rag_app.server.build_job import BuildJob
from rag_app.server.conversations import SESSIONS_KEPT, Conversation
from rag_app.server.i18n import translate
from rag_app.server.web.event_check import EventCheck, EventForm
from rag_app.server.web.history_panel import ConversationPanel
from rag_app.server.web.language import in_language
from rag_app.server.web.library_panel import example_questions, paper_list_html, status_html
from rag_app.server.web.map_panel import find_alike_papers, map_routes
from rag_app.server.web.markdown import MATH_DELIMITERS
from rag_app.server.web.news import news_routes
from rag_app.server.web.page_files import page_file_routes, static_text
from rag_app.server.web.panels.details import details_routes
from rag_app.server.web.panels.notes import notes_routes
from rag_app.server.web.panels.quotes import quote_routes
from rag_app.server.web.panels.summary import summary_routes
from rag_app.server.web.reading_panel import OpaqueIds, reading_routes
from rag_app.server.web.render import answer_html
from rag_app.server.web.routes import LibraryRoutes
from rag_app.server.web.settings_panel import ReaderNoteLike
from rag_app.server.web.tried_questions import TriedQuestions, next_question_routes
from rag_app.server.web.turns import ScreenUpdate, TurnHandler
from rag_app.server.web.viewer import viewer_routes

if TYPE_CHECKING:
    from rag_app.assistant import Assistant


class BoundedBlocks(gr.Blocks):
    """A page of which a tab's state does not grow with every press.

    When a handler changes how a part looks (or says to skip it), Gradio makes the part anew for the tab, under a new
    number. The next value is then kept under that number for as long as the page runs, with all that the part holds:
    about 150 kB for each question. With the number of the old one it takes its place.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.state_session_capacity = SESSIONS_KEPT  # 0.2 MB each; Gradio would keep 10,000

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """What a handler gave, as the browser gets it."""
        shown = await super().postprocess_data(block_fn, predictions, state)
        if state is not None:
            keep_numbers(block_fn.outputs, state)
        return shown

    def forget_session(self, session: str | None) -> None:
        """The tab was closed. Gradio ends only what has a time to live, and keeps the rest."""
        self.state_holder.session_data.pop(str(session), None)
        self.state_holder.time_last_used.pop(str(session), None)


def keep_numbers(parts: Sequence[Any], state: Any) -> None:
    """Parts that were made anew in a tab's state get the numbers of those whose places they took."""
    for part in parts:
        if part._id in state:
            state[part._id]._id = part._id


# The library reads these when it is imported: nothing about this machine or its user is ever reported to anyone.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# Nor does anybody look at its statistics of the last 10,000 presses, which it works out anew at each press.
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)

LONGEST_TYPED = 8_000  # characters; the assistant has its own limit, this one keeps a slip of the paste small
ANSWERS_AT_ONCE = 24  # of the 40 threads; the rest stays free for what must never wait: Stop, pages, progress
# Of every handler. Gradio's own signs of progress are hidden and redraw the page at every frame all the same, so there
# are none: the page says in words what is happening.
PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "show_progress_on": []}
# Else what is pressed while the same button's last press has not come to its end would be dropped without a word.
PRESSED: dict[str, Any] = PRIVATE | {"trigger_mode": "multiple"}
ANSWERING = PRESSED | {"concurrency_limit": ANSWERS_AT_ONCE, "concurrency_id": "answers"}
AT_ONCE = PRESSED | {"queue": False}
LOOKING = PRIVATE | {"queue": False, "trigger_mode": "once"}  # one look at the library at a time
KEPT = "(window.talk ? window.talk.kept() : '')"  # in the browser: the conversation that the tab shows


Update = tuple[Any, Any, Any]
"""The conversation, the question box, and the list of conversations."""


class Screen:
    """The handlers behind the page. Every one of them is private to the page."""

    def __init__(
        self, assistant: Assistant, ids: OpaqueIds, job: BuildJob, reader: ReaderNoteLike, history: History
    ) -> None:
        self.assistant = assistant
        self.ids = ids
        self.job = job
        self.reader = reader
        self.tried = TriedQuestions(assistant)
        self.asking = TurnHandler(assistant, ids, reader, ConversationPanel(history, ids.name_place, ids.name_answer))

    # -- conversation -------------------------------------------------------------------------------------------

    def ask(self, question: str, ticked: str, kept: str, request: gr.Request) -> Iterator[Update]:
        """Answer as the words come.

        `kept`: the conversation that the tab shows; a slash and a number after it: instead of that turn (talk.js).
        """
        kept, _, turn = kept.partition("/")
        conversation = self.asking.conversation(request.session_hash, kept)
        instead_of = int(turn) if turn.isascii() and turn.isdigit() else 0
        yield from _updates(self.asking.ask(conversation, question, ticked, instead_of), request)

    def ask_example(self, ticked: str, kept: str, event: gr.SelectData, request: gr.Request) -> Iterator[Update]:
        """An example question was pressed."""
        yield from self.ask(str(event.value["text"]), ticked, kept, request)

    def resume(self, kept: str, request: gr.Request) -> Iterator[Update]:
        """The tab has opened a conversation: show the answer that is being made in it."""
        yield from _updates(self.asking.resume(self.asking.conversation(request.session_hash, kept)), request)

    def plan(self, request: gr.Request) -> tuple[Any, Any, Any]:
        """The fields in which the plan of the last comparison can be corrected; hidden after any other answer."""
        answer = self._conversation(request).last_comparison
        if answer is None or answer.plan is None:
            return gr.update(visible=False), gr.skip(), gr.skip()
        return gr.update(visible=True), ", ".join(answer.plan.names), "; ".join(answer.plan.aspects)

    def correct(self, papers: str, aspects: str, request: gr.Request) -> Iterator[Update]:
        """Compare again, with the papers and aspects as the user has corrected them."""
        yield from _updates(self.asking.correct(self._conversation(request), papers, aspects), request)

    def grow(self, wanted: str, kept: str, request: gr.Request) -> Iterator[Update]:
        """Add a paper or an aspect to the last comparison. `wanted`: "paper" or "aspect", a colon, and its name."""
        kind, _, text = wanted[:LONGEST_TYPED].partition(":")
        yield from _updates(self.asking.grow(self.asking.conversation(request.session_hash, kept), kind, text), request)

    def handle_action(self, action: str, request: gr.Request) -> tuple[Any, Any]:
        """Something was pressed in the list of conversations or under an answer."""
        messages, _, rows = _update(self.asking.handle_action(self._conversation(request), action))
        return messages, rows

    def stop(self, kept: str, request: gr.Request) -> None:
        """Stop the answer that is coming; what came stays."""
        self.asking.stop(self.asking.conversation(request.session_hash, kept))

    def leave(self, request: gr.Request) -> None:
        """The tab was closed, or its connection was lost; an answer that is coming goes on."""
        self.asking.sessions.drop(request.session_hash)

    def _conversation(self, request: gr.Request) -> Conversation:
        return self.asking.sessions.of(request.session_hash)

    # -- library ------------------------------------------------------------------------------------------------

    def tick(self, kept: str, request: gr.Request) -> tuple[Any, Any, Any, Any, Any]:
        """As `refresh_library`; also the conversations if they changed, and a sign if there are other examples."""
        conversation = self.asking.conversation(request.session_hash, kept)
        rows = self.asking.changed_rows(conversation)
        looked = self.refresh_library(request)
        # The two papers most alike are known when a build has ended.
        seen = f"{self.job.running}{self.tried.changes}{conversation.seen}"
        old = seen == conversation.seen_examples or conversation.watcher is not None
        if not old:
            conversation.seen_examples = seen
        return *looked, gr.skip() if rows is None else rows, gr.skip() if old else str(time.time())

    def examples(self) -> Any:
        """Other examples. Not of `tick`: it takes Gradio 10 ms to say even that a conversation stays as it is."""
        return gr.update(examples=self._examples())

    def _examples(self) -> Any:
        try:
            rows = self.assistant.papers()
        except RagError:
            return []  # refresh_library() shows what is wrong
        library = tuple((row.paper, row.title, row.state) for row in rows), self.assistant.status().by_meaning
        questions = self.tried.questions(library, lambda: example_questions(rows, find_alike_papers(self.assistant)))
        return [{"text": question} for question in questions]  # none is not None, which would leave the old ones

    def refresh_library(self, request: gr.Request) -> tuple[Any, Any, Any]:
        """The list of papers if it changed, what can be searched, and who reads."""
        conversation = self._conversation(request)
        try:
            rows = self.assistant.papers()
            status = status_html(self.assistant.status(), self.job, rows)
        except RagError as error:
            return gr.skip(), answer_html(Answer("", "", "error", str(error), ""), self.ids.name_place), gr.skip()
        listed = paper_list_html(rows, self.ids.name_paper)
        changed, conversation.seen = listed != conversation.seen, listed
        return (listed if changed else gr.skip()), status, self.reader.html()

    def open(self, kept: str, request: gr.Request) -> tuple[Any, Any, Any, Any, Any]:
        """A tab was opened, or loaded again: then `kept` is the conversation that it was in."""
        conversation = self._conversation(request)
        conversation.seen, panel = "", self.asking.panel
        panel.open(conversation, kept)
        messages: Any = conversation.messages()
        tried = self.tried.changes  # before they are looked at: what is tried meanwhile is news
        chat = gr.update(value=messages, examples=self._examples())
        looked = self.refresh_library(request)
        conversation.seen_examples = f"{self.job.running}{tried}{conversation.seen}"
        return (*looked, chat, panel.rows(conversation))

    def rebuild(self, request: gr.Request) -> tuple[Any, Any, Any]:
        """Bring the index up to date, in the background."""
        if not self.job.start():
            gr.Info(translate("build.running"), title=translate("page.notice"))
        return self.refresh_library(request)


def _updates(steps: Iterator[ScreenUpdate], request: gr.Request) -> Iterator[Update]:
    """What an answer in the making changes on the screen, in the language of the tab."""
    assert request.request is not None
    yield from in_language(request.request.scope["language"], map(_update, steps))


def _update(shown: ScreenUpdate) -> Update:
    if shown.notice:
        gr.Info(shown.notice, title=translate("page.notice"))
    box: dict[str, Any] = {"value": ""} if shown.asked else {}
    if shown.answering is not None:
        stop, ask = translate("page.stop"), translate("page.ask")
        box |= {"submit_btn": False, "stop_btn": stop} if shown.answering else {"submit_btn": ask, "stop_btn": False}
    return (
        gr.skip() if shown.messages is None else shown.messages,
        gr.update(**box) if box else gr.skip(),
        gr.skip() if shown.rows is None else shown.rows,
    )


def mount_screen(
    app: FastAPI,
    assistant: Assistant,
    job: BuildJob,
    reader: ReaderNoteLike,
    history: History,
    root_path: str,
    make_library_routes: LibraryRoutes,
) -> None:
    """Put the page and the routes of its reading pane into `app`."""
    ids = OpaqueIds(assistant)
    screen = Screen(assistant, ids, job, reader, history)
    app.include_router(map_routes(assistant, ids, history))
    app.include_router(viewer_routes(assistant, ids))
    app.include_router(summary_routes(assistant, ids, reader))
    app.include_router(reading_routes(ids))
    app.include_router(page_file_routes())
    app.include_router(next_question_routes(screen.tried, ids))
    app.include_router(notes_routes(Notebook(history.kept), ids))
    app.include_router(quote_routes(assistant))
    app.include_router(details_routes(assistant, ids, lambda: job.start(after_this_one=True)))
    app.include_router(make_library_routes(ids))
    app.include_router(news_routes(assistant, job, screen.asking.panel.runs, reader, lambda: screen.tried.changes))
    page = _layout(screen)
    app.add_middleware(EventCheck, forms=_event_forms(page))
    gr.mount_gradio_app(
        app,
        page,
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
    )


def _event_forms(page: gr.Blocks) -> dict[int, EventForm]:
    """What the page's scripts send with each event, by its number."""
    return {
        number: EventForm(len(event.inputs), gr.SelectData in get_type_hints(event.fn).values())
        for number, event in page.fns.items()
    }


def _theme() -> gr.themes.Base:
    # Fonts of the system: the default ones would be loaded from another host.
    return gr.themes.Base(
        primary_hue=gr.themes.colors.indigo,
        neutral_hue=gr.themes.colors.slate,
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )


def _layout(screen: Screen) -> Any:
    with BoundedBlocks(title="[[page.title]]", analytics_enabled=False, fill_height=True, fill_width=True) as page:
        ticked = gr.Textbox(visible=False)
        said = gr.Textbox(visible=False)
        with gr.Row(elem_id="panes"):
            with gr.Column(elem_id="library"):
                _own_html(static_text("library.html"))
                rows = _own_html(elem_id="paper-rows")
                _own_html(static_text("notes.html"), elem_id="notes")
                with gr.Column(elem_id="history"):
                    _own_html(static_text("history.html"))
                    kept = _own_html(elem_id="history-rows")
                    action = gr.Button("action", elem_id="action")
                    resume = gr.Button("resume", elem_id="resume")
                    grow = gr.Button("grow", elem_id="grow")
                with gr.Column(elem_id="build"):
                    status = _own_html(elem_id="build-status")
                    with gr.Row(elem_id="build-buttons"):
                        rebuild = gr.Button("[[build.rebuild]]", size="sm", elem_id="rebuild")
                        _own_html(static_text("building.html"))
                    reader = _own_html(elem_id="reader-note")
            with gr.Column(elem_id="conversation"):
                _own_html(static_text("bar.html"))
                chat = _chat()
                plan = _plan_fields()
                _own_html(static_text("scope.html"))
                box = _question_box()
                _own_html(static_text("question.html"))
                _own_html(static_text("note.html"))
            with gr.Column(elem_id="reading"):
                _own_html(static_text("reading.html"))
        _wire(screen, page, ticked, said, rows, status, rebuild, reader, chat, box, kept, plan)
        _wire_conversations(screen, page, said, (action, resume, grow), chat, box, kept, plan, [rows, status, reader])
    page.queue(default_concurrency_limit=ANSWERS_AT_ONCE, api_open=False, status_update_rate="auto")
    return page


def _wire_conversations(
    screen: Screen,
    page: gr.Blocks,
    said: Any,
    buttons: tuple[Any, Any, Any],
    chat: Any,
    box: Any,
    kept: Any,
    plan: Any,
    library: list[Any],
) -> None:
    turn = [chat, box, kept]
    action, resume, grow = buttons
    wanted = gr.Textbox(visible=False)
    grown = f"() => [window.answers ? window.answers.wanted() : '', {KEPT}]"
    grow.click(screen.grow, [wanted, said], turn, js=grown, **ANSWERING).then(screen.plan, None, plan[:3], **AT_ONCE)
    acted = action.click(screen.handle_action, [said], [chat, kept], js="() => [window.talk.action()]", **AT_ONCE)
    opened = page.load(screen.open, [said], [*library, chat, kept], js=f"() => [{KEPT}]", **AT_ONCE)
    for shown in (acted.then, opened.then, resume.click):
        resumed = shown(screen.resume, [said], turn, js=f"() => [{KEPT}]", **ANSWERING)
        resumed.then(screen.plan, None, plan[:3], **AT_ONCE)


def _own_html(html: str = "", elem_id: str | None = None) -> gr.HTML:
    """HTML of our own making; what comes from papers was escaped where it was put in."""
    return gr.HTML(html, elem_id=elem_id, apply_default_css=False, js_on_load=None)


def _chat() -> gr.Chatbot:
    return gr.Chatbot(
        show_label=False,
        label="[[history.title]]",
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
        papers = gr.Textbox(label="[[question.plan-papers]]", lines=1, max_lines=1, max_length=2_000, scale=2)
        aspects = gr.Textbox(label="[[question.plan-aspects]]", lines=1, max_lines=1, max_length=2_000, scale=3)
        again = gr.Button("[[question.ask-again]]", size="sm", elem_id="ask-again", scale=0, min_width=90)
    return row, papers, aspects, again


def _question_box() -> gr.Textbox:
    return gr.Textbox(
        placeholder="[[page.placeholder]]",
        label="[[page.placeholder]]",
        show_label=False,
        container=False,
        lines=1,
        max_lines=8,
        max_length=LONGEST_TYPED,
        autofocus=True,
        submit_btn="[[page.ask]]",
        stop_btn=False,
        elem_id="question",
    )


def _wire(
    screen: Screen,
    page: BoundedBlocks,
    ticked: Any,
    said: Any,
    rows: Any,
    status: Any,
    rebuild: Any,
    reader: Any,
    chat: Any,
    box: Any,
    kept: Any,
    plan: tuple[Any, Any, Any, Any],
) -> None:
    library = [rows, status, reader]
    scope = f"window.papers ? window.papers.ticked() : '[]', {KEPT}"
    row, papers, aspects, again = plan
    shown = [row, papers, aspects]
    turn = [chat, box, kept]
    typed = f"(question) => [question, {scope} + (window.talk ? window.talk.branch() : '')]"
    asked = box.submit(screen.ask, [box, ticked, said], turn, js=typed, **ANSWERING)
    asked.then(screen.plan, None, shown, **AT_ONCE)
    # By the button, or by Enter in either field.
    for press in (again.click, papers.submit, aspects.submit):
        asked = press(screen.correct, [papers, aspects], turn, **ANSWERING)
        asked.then(screen.plan, None, shown, **AT_ONCE)
    example = chat.example_select(screen.ask_example, [ticked, said], turn, js=f"() => [{scope}]", **ANSWERING)
    example.then(screen.plan, None, shown, **AT_ONCE)
    box.stop(screen.stop, [said], None, js=f"() => [{KEPT}]", **AT_ONCE)
    rebuild.click(screen.rebuild, None, library, **LOOKING)
    exampled = gr.Textbox(visible=False)
    # The page's script presses it when the server has news: a timer would ask and redraw all day.
    news = gr.Button("news", elem_id="news")
    news.click(screen.tick, [said], [*library, kept, exampled], js=f"() => [{KEPT}]", **LOOKING)
    exampled.change(screen.examples, None, chat, **AT_ONCE)

    def on_leave(request: gr.Request) -> None:
        screen.leave(request)
        page.forget_session(request.session_hash)

    page.unload(on_leave)
