"""Wires all parts together and alone knows their order: build, search, ask."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import islice
from pathlib import Path

from rag_app.answering.context import AnswerContext, RetrievedEvidence, papers_in
from rag_app.answering.model.lead import answer_by_model, compare_by_model, keep_steps
from rag_app.answering.model.reader import ModelReader, Reader
from rag_app.answering.model.task import ModelTask
from rag_app.answering.precedence import Precedence
from rag_app.answering.quoting.reader import QuotingReader
from rag_app.answering.routes import answer_question, needs_search
from rag_app.answering.steps import clean_question, elapsed_milliseconds, find_evidence
from rag_app.answering.suggestions import candidate_questions
from rag_app.answering.tables.comparison import CellMemory
from rag_app.answering.whole_papers import PromptEstimate, collect_pages, estimate_prompt
from rag_app.citations.references import describe_sources, resolve_references
from rag_app.errors import IndexFault, IndexMissing, ModelError, RagError
from rag_app.index.build import build
from rag_app.index.build_report import BuildProgress, BuildReport
from rag_app.index.generations import Generation, SharedIndex, open_current
from rag_app.index.inventory import explain_file_changes, list_files, reading_key, refuse_other_folder
from rag_app.index.manifest import IndexedPaper, Manifest
from rag_app.index.served_copy import copy_generation
from rag_app.models.embedder import Embedder, open_embedder
from rag_app.models.llm.client import open_language_model
from rag_app.models.reranker import Reranker, open_reranker
from rag_app.models.vector_cache import SentenceVectors
from rag_app.papers.corpus import list_papers
from rag_app.papers.details import PaperDetails, read_details, save_details
from rag_app.papers.read import READING_VERSION
from rag_app.papers.talks import find_recording, is_talk
from rag_app.papers.zotero import sync_zotero
from rag_app.records import Answer, Event, Hit, LibraryMap, Page, PaperRow, Progress, Source, Status
from rag_app.retrieval.comparison import resolve_papers
from rag_app.retrieval.hybrid import Retriever, Scope
from rag_app.retrieval.question import analyse, stands_alone
from rag_app.retrieval.understanding import UnderstoodQuestion, papers_languages, understand_question
from rag_app.settings import Settings, load_settings
from rag_app.text.language import ENGLISH, language_of


@dataclass(frozen=True)
class _Request:
    """One question with all that belongs to it."""

    typed: str
    id: str
    scope: Scope
    stop: threading.Event
    aspects: str | None = None  # answer by a table with these columns, whatever it asks
    history: Sequence[Answer] = ()
    quoting: bool = False  # without a model, also where one is set
    whole: bool = False  # papers go to the model whole, where they fit


class Assistant:
    """Answers questions from one folder of papers. Thread-safe.

    The parts are opened when first needed. `embedder` and `reader` replace the ones that the settings name.
    """

    def __init__(self, settings: Settings, *, embedder: Embedder | None = None, reader: Reader | None = None) -> None:
        self.settings = settings
        self._embedder = embedder
        self._reader = reader
        self._index = SharedIndex(
            settings.index_folder, lambda manifest: refuse_other_folder(manifest, self.settings.corpus)
        )
        self._retriever: Retriever | None = None
        self._reranker: Reranker | None = None
        self._lock = threading.Lock()
        self._embedder_lock = threading.Lock()
        self._reader_lock = threading.Lock()
        self._builds = 0  # running now
        self._cells = CellMemory()
        self.precedence = Precedence()
        self._sentences = SentenceVectors(lambda: self.embedder)

    # -- parts --------------------------------------------------------------------------------------------------

    @property
    def embedder(self) -> Embedder:
        with self._embedder_lock:
            if self._embedder is None:
                self._embedder = open_embedder(self.settings, *self.settings.model_folders)
            return self._embedder

    @property
    def reader(self) -> Reader:
        """The language model that the settings name, else the quoting reader."""
        with self._reader_lock:
            if self._reader is None:
                self._reader = _open_reader(self.settings)
            return self._reader

    def use_reader(self, settings: Settings) -> Reader:
        """Have new questions answered by the reader that `settings` name. Raises SettingsError and ModelError."""
        reader = _open_reader(settings)
        with self._reader_lock:  # an answer that is coming keeps the reader that it began with
            self.settings, self._reader = settings, reader
        return reader

    def _retriever_of(self, generation: Generation) -> Retriever:
        retriever = self._retriever
        if retriever is None or retriever.generation is not generation:
            # Another embedder's vectors mean nothing to this one, also where their size is the same.
            same = generation.manifest.has_meaning and generation.manifest.embedder == self.embedder.identity
            one, several = (self.embedder.embed_question, self.embedder.embed_questions) if same else (None, None)
            retriever = Retriever(generation, one, self._open_reranker(), several)
            self._retriever = retriever
        return retriever

    def _open_reranker(self) -> Reranker | None:
        with self._embedder_lock:
            if self._reranker is None:
                self._reranker = open_reranker(self.settings)
            return self._reranker

    def _is_of_other_embedder(self, manifest: Manifest) -> bool:
        """Whether the vectors are not of the embedder that is in use, or that the settings name while none is."""
        if self._embedder is not None:
            return manifest.embedder != self._embedder.identity
        return manifest.embedder.partition("@")[0] != Path(self.settings.embedder).name

    # -- the library --------------------------------------------------------------------------------------------

    def build(
        self,
        *,
        fresh: bool = False,
        on_progress: Callable[[BuildProgress], None] = lambda progress: None,
        stop: threading.Event | None = None,
    ) -> BuildReport:
        """Bring the index up to date with the folder. See build.build for what it raises."""
        with self._lock:
            self._builds += 1
        try:
            problems = sync_zotero(self.settings.corpus)
            report = build(self.settings, self.embedder, fresh=fresh, on_progress=on_progress, stop=stop)
            problems += self._copy_to_chroma_server()
            return replace(report, problems=problems + report.problems) if problems else report
        finally:
            with self._lock:
                self._builds -= 1

    def _copy_to_chroma_server(self) -> tuple[str, ...]:
        """Give the server of RAG_CHROMA_URL what the index has. Returns what went wrong: the index itself is whole."""
        if not self.settings.chroma_url:
            return ()
        try:
            with self._index.use_current() as generation:
                copy_generation(generation, self.settings.chroma_url, self.settings.corpus.expanduser().resolve().name)
        except RagError as error:
            return (str(error),)
        return ()

    def is_stale(self) -> bool:
        """Whether a build would change anything: another folder, reading or embedder, no index or a damaged one.

        Looks at names, sizes and times only.
        """
        try:
            # From the disk, where a build notes new times of files that are otherwise unchanged.
            manifest = open_current(self.settings.index_folder).manifest
        except IndexFault:
            return True
        if manifest.reading != READING_VERSION or self._is_of_other_embedder(manifest):
            return True
        reading = reading_key(self.settings.hidden_text == "keep")
        if not all(entry.part.endswith(f"-{reading}") for entry in manifest.papers):
            return True
        known = {(entry.paper, entry.size, entry.modified) for entry in manifest.papers} | set(manifest.doubles)
        return known != list_files(self.settings.corpus)

    def papers(self) -> list[PaperRow]:
        """Every paper of the index, readable or not. Before the first build: the folder's papers, not yet read.

        What the user corrected is in them at once, before a build has taken it up.
        """
        details = read_details(self.settings.corpus)
        try:
            with self._index.use_current() as generation:
                names = [field.name for field in fields(PaperRow) if field.name != "tags"]  # an entry has them
                rows = [PaperRow(**{name: getattr(e, name) for name in names}) for e in generation.manifest.papers]
                return [_correct_row(row, details.get(row.paper)) for row in rows]
        except IndexMissing:
            return [
                PaperRow(p.paper, p.title or p.paper, 0, 0, "not read yet", "", p.year, p.topic)
                for p in list_papers(self.settings.corpus).papers
            ]

    def details(self, paper: str) -> PaperDetails:
        """What the user said of a paper. Raises CorpusError."""
        return read_details(self.settings.corpus).get(paper, PaperDetails())

    def describe(self, paper: str, details: PaperDetails) -> None:
        """Keep what the user says of a paper; the next build takes it up. Raises KeyError, CorpusError."""
        self.path(paper)
        save_details(self.settings.corpus, paper, details)

    def status(self) -> Status:
        """What is searchable at this moment."""
        reader = self._reader.name if self._reader else ""
        try:
            with self._index.use_current() as generation:
                manifest = generation.manifest
        except IndexMissing:
            return Status(0, 0, 0, self._builds > 0, reader)
        meaning = 0 if self._is_of_other_embedder(manifest) else manifest.passages
        papers = sum(1 for entry in manifest.papers if entry.passages)
        return Status(papers, manifest.passages, meaning, self._builds > 0, reader)

    def map(self) -> LibraryMap:
        """The papers as points by meaning; without points before they are embedded. Raises IndexMissing."""
        with self._index.use_current() as generation:
            return generation.map

    def page(self, paper: str, number: int) -> Page:
        """One page. Raises KeyError when there is no such paper or page."""
        with ExitStack() as stack:
            return self._index.run_on_current(lambda generation: generation.page(paper, number), stack)[1]

    def path(self, paper: str) -> Path:
        """The paper's file. Raises KeyError when the library does not have it."""
        for known in list_papers(self.settings.corpus).papers:
            if known.paper == paper:
                return known.path
        raise KeyError(paper)

    def file_problem(self, paper: str) -> str:
        """Why the paper's file is not the one that was read, and the remedy; empty where it is.

        Raises KeyError when the index does not have the paper.
        """
        with self._index.use_current() as generation:
            entry, built = generation.by_paper[paper], generation.manifest.created
        return " ".join(explain_file_changes([entry], built, self.settings.corpus))

    def sources(self, papers: Iterable[str]) -> dict[str, Source]:
        """What an export tells of these papers, of those that the index has."""
        with ExitStack() as stack:
            found = self._index.run_on_current(lambda generation: describe_sources(generation, papers), stack)[1]
        return {paper: self._with_recording(source) if is_talk(paper) else source for paper, source in found.items()}

    def _with_recording(self, source: Source) -> Source:
        """A talk with the recording that lies beside its transcript now."""
        try:
            recording = find_recording(self.path(source.paper))
        except KeyError:  # removed since the build
            return source
        below = recording.relative_to(self.settings.corpus.expanduser().resolve()) if recording else None
        return replace(source, recording=below.as_posix()) if below else source

    # -- questions ----------------------------------------------------------------------------------------------

    def search(
        self,
        question: str,
        *,
        top: int = 10,
        papers: Sequence[str] = (),
        years: tuple[int, int] | None = None,
        section: str = "",
    ) -> list[Hit]:
        """The best passages for the question, best first. Raises QuestionError, IndexMissing."""
        question = clean_question(question)
        scope = Scope(tuple(papers), years, section)
        with ExitStack() as stack:
            words = self._understand_question(question, (), QuotingReader(), threading.Event(), stack).search
            return self._index.run_on_current(
                lambda found: self._retriever_of(found).find_passages(words, top, scope), stack
            )[1]

    def title(self, paper: str) -> str:
        """The paper's title. Raises KeyError when the index does not have it."""
        with self._index.use_current() as generation:
            return generation.by_paper[paper].title

    def ask(
        self,
        question: str,
        *,
        id: str = "",
        papers: Sequence[str] = (),
        years: tuple[int, int] | None = None,
        section: str = "",
        history: Sequence[Answer] = (),
        whole_papers: bool | None = None,
    ) -> Answer:
        """Answer one question. What goes wrong comes back as an Answer with status "error".

        `history` are the answers before it, oldest first: what a follow-up leaves out is taken from them.
        """
        *_, answer = self.stream(
            question, id=id, papers=papers, years=years, section=section, history=history, whole_papers=whole_papers
        )
        assert isinstance(answer, Answer)
        return answer

    def suggest_questions(self, most: int = 3, tried: int = 12, candidates: Iterable[str] | None = None) -> list[str]:
        """Questions about this library, at most `most`, each tried on the index: it is answered with quotes.

        `candidates`: these and no others, best first; at most `tried` are looked at. No model is asked, and questions
        that somebody asks meanwhile go first. Raises IndexMissing.
        """
        with self._index.use_current() as generation:
            entries = generation.manifest.papers
        found: list[str] = []
        for question in islice(candidate_questions(entries) if candidates is None else candidates, tried):
            if len(found) == most:
                break
            answer: Event | None = None
            self.precedence.let_questions_pass()
            for event in self._stream_safely(_Request(question, "", Scope(), threading.Event(), quoting=True)):
                self.precedence.let_questions_pass()
                answer = event
            if isinstance(answer, Answer) and answer.status == "answered" and answer.citations:
                found.append(question)
        return found

    def compare(
        self,
        question: str,
        *,
        id: str = "",
        papers: Sequence[str] = (),
        aspects: str = "",
        years: tuple[int, int] | None = None,
        section: str = "",
    ) -> Answer:
        """A table of papers and aspects, without a model, also when the evidence for it is thin.

        `papers` are its rows, else those that the question names; `aspects` have semicolons between, else as the
        question says. What goes wrong comes back as an Answer with status "error".
        """
        scope = Scope(tuple(papers), years, section)
        *_, answer = self.stream_comparison(question, id=id, scope=scope, aspects=aspects)
        assert isinstance(answer, Answer)
        return answer

    def stream_comparison(
        self, question: str, *, id: str = "", scope: Scope, aspects: str = "", stop: threading.Event | None = None
    ) -> Iterator[Event]:
        """As `compare`, as it comes into being. A column or row that was asked for before costs nothing again."""
        with self.precedence.question():
            yield from self._stream_safely(_Request(question, id, scope, stop or threading.Event(), aspects))

    def resolve_papers(self, text: str) -> list[str]:
        """The papers that a list with commas between means. Raises QuestionError for one that is not there."""
        with self._index.use_current() as generation:
            return resolve_papers(text, self._retriever_of(generation))

    def stream(
        self,
        question: str,
        *,
        id: str = "",
        papers: Sequence[str] = (),
        years: tuple[int, int] | None = None,
        section: str = "",
        history: Sequence[Answer] = (),
        whole_papers: bool | None = None,
        stop: threading.Event | None = None,
    ) -> Iterator[Event]:
        """Answer one question as it comes into being: Progress and Piece, then one Answer. `history`: see ask.

        `whole_papers`: the papers go to the model in whole where they fit its window; None: as the settings say.
        Setting `stop` or closing the generator ends the reading and closes the connection to the provider.
        """
        whole = self.settings.whole_papers if whole_papers is None else whole_papers
        scope = Scope(tuple(papers), years, section)
        with self.precedence.question():
            yield from self._stream_safely(
                _Request(question, id, scope, stop or threading.Event(), None, history, whole=whole)
            )

    def estimate_whole_papers(
        self, question: str, *, papers: Sequence[str] = (), years: tuple[int, int] | None = None
    ) -> PromptEstimate | None:
        """What asking it of whole papers would send and cost, without sending it; None without a language model."""
        reader = self.reader
        if not isinstance(reader, ModelReader):
            return None
        with ExitStack() as stack:
            pages = self._index.run_on_current(
                lambda found: collect_pages(found, Scope(tuple(papers), years, "")), stack
            )[1]
        return estimate_prompt(clean_question(question), pages, reader, self.settings)

    def _stream_safely(self, request: _Request) -> Iterator[Event]:
        """What happens, then the answer, or the error as one."""
        began = time.perf_counter()
        try:
            yield from self._stream(replace(request, typed=clean_question(request.typed)))
        except RagError as error:
            spent = {"retrieve": 0.0, "read": 0.0, "total": elapsed_milliseconds(began, time.perf_counter())}
            yield Answer(request.id, request.typed, "error", str(error), "", milliseconds=spent)

    def _stream(self, request: _Request) -> Iterator[Event]:
        began = time.perf_counter()
        if not request.quoting and isinstance(self.reader, ModelReader) and self.reader.leads:
            yield from self._stream_led(request, self.reader)
            return
        reader = QuotingReader() if request.quoting or request.aspects is not None else self.reader
        with ExitStack() as stack:
            told = self._understand_question(request.typed, request.history, reader, request.stop, stack)
            if told.asked:
                yield Progress("planning", f"understood as: {told.asked}")
            if told.note:
                yield Progress("planning", f"searching for: {told.search}")
            searched = len(self._papers_in(request.scope))
            yield Progress("searching", f"searching {searched} paper{'' if searched == 1 else 's'}")
            _, context = self._index.run_on_current(
                lambda generation: self._prepare(request, told, reader, generation), stack
            )
            retrieved = time.perf_counter()
            answer = yield from answer_question(context)
            ended = time.perf_counter()
            yield replace(
                resolve_references(answer, context.generation),
                id=request.id,
                question=request.typed,
                asked=told.asked,
                notes=answer.notes + ((told.note,) if told.note else ()) + self._notes(context.generation, answer),
                milliseconds={
                    "retrieve": elapsed_milliseconds(began, retrieved),
                    "read": elapsed_milliseconds(retrieved, ended),
                    "total": elapsed_milliseconds(began, ended),
                },
            )

    def _stream_led(self, request: _Request, reader: ModelReader) -> Iterator[Event]:
        """The question by a model that leads: it plans, reads and answers, and is checked."""
        began = time.perf_counter()
        with ExitStack() as stack:
            generation = self._index.run_on_current(lambda found: found, stack)[1]
            entries = papers_in(generation, request.scope)
            language = language_of(request.typed)
            task = ModelTask(
                question=request.typed,
                model=reader.chat_model,
                generation=generation,
                retriever=self._retriever_of(generation),
                scope=request.scope,
                page_of=cache(generation.page),
                entries=entries,
                settings=self.settings,
                stop=request.stop,
                history=request.history,
                middle=reader.is_middle,
                searchable=language in (ENGLISH, *papers_languages(self._retriever_of(generation))),
                whole=request.whole,
            )
            try:
                if request.aspects is not None:
                    answer = yield from keep_steps(compare_by_model(task, request.aspects))
                else:
                    answer = yield from keep_steps(answer_by_model(task))
            except ModelError as error:
                if not task.spending.calls:
                    raise  # it never answered: what is wrong with it is the answer
                yield from self._stream_quotes(request, task, error)
                return
            ended = time.perf_counter()
            total = elapsed_milliseconds(began, ended)
            asked = round(task.spending.seconds * 1000, 1)
            yield replace(
                resolve_references(answer, generation),
                id=request.id,
                question=request.typed,
                notes=answer.notes + self._notes(generation, answer),
                milliseconds={"retrieve": round(max(0.0, total - asked), 1), "read": asked, "total": total},
            )

    def _stream_quotes(self, request: _Request, task: ModelTask, error: ModelError) -> Iterator[Event]:
        """Quotes in place of what a model that failed on the way would have written: of the papers that it chose."""
        yield Progress("reading", f"{task.model.name} failed: quoting the papers")
        papers = tuple(task.book.papers) or tuple(entry.paper for entry in task.chosen)
        scope = replace(request.scope, papers=papers) if papers else request.scope
        for event in self._stream(replace(request, quoting=True, scope=scope)):
            if isinstance(event, Answer):
                note = f"{task.model.name} failed before it had answered, so the papers are quoted. {error}"
                kept = dict.fromkeys([*event.notes, *task.notes, note])
                event = replace(event, notes=tuple(kept), tokens=task.spending.tokens, spent=task.describe_spending())
            yield event

    def _prepare(
        self, request: _Request, told: UnderstoodQuestion, reader: Reader, generation: Generation
    ) -> AnswerContext:
        """The question analysed, once, and searched for unless a route answers it without; on one generation."""
        retriever = self._retriever_of(generation)
        question = analyse(request.typed, told, retriever, request.scope, request.aspects)
        if not isinstance(reader, QuotingReader | ModelReader):
            question = replace(question, comparison=None)  # a reader of the user's own reads every question itself

        def search() -> RetrievedEvidence:
            found = find_evidence(retriever, question, reader.budget)
            # A model reads the question in its own language.
            return found if isinstance(reader, QuotingReader) else replace(found, question=question.whole)

        context = AnswerContext(
            question,
            retriever,
            reader,
            self.settings,
            self._sentences,
            request.stop,
            search,
            self._cells,
            request.whole,
        )
        if needs_search(context):
            _ = context.evidence  # here, where it is done again on a newer index when this one was removed meanwhile
        return context

    def _understand_question(
        self, question: str, history: Sequence[Answer], reader: Reader, stop: threading.Event, stack: ExitStack
    ) -> UnderstoodQuestion:
        """What a question means, in words: they hold for any generation of the index."""
        if stands_alone(question, history):
            return UnderstoodQuestion("", question)
        writer = reader if isinstance(reader, ModelReader) else None
        return self._index.run_on_current(
            lambda found: understand_question(question, history, self._retriever_of(found), writer, stop), stack
        )[1]

    def _papers_in(self, scope: Scope) -> list[IndexedPaper]:
        with self._index.use_current() as generation:
            return papers_in(generation, scope)

    def _notes(self, generation: Generation, answer: Answer) -> tuple[str, ...]:
        """What one should know of the index, and of the cited files as they are now."""
        manifest = generation.manifest
        cited = [generation.by_paper[paper] for paper in dict.fromkeys(one.paper for one in answer.citations)]
        return explain_file_changes(cited, manifest.created, self.settings.corpus) + self._index_notes(manifest)

    def _index_notes(self, manifest: Manifest) -> tuple[str, ...]:
        if not manifest.has_meaning:
            return ("Searched by words only: search by meaning works once the build has finished.",)
        if self._is_of_other_embedder(manifest):
            return (
                f"Searched by words only: the index was built with the embedder {manifest.embedder}, the settings name "
                f"{self.settings.embedder}. Run: python -m rag_app build",
            )
        return ()


def _correct_row(row: PaperRow, details: PaperDetails | None) -> PaperRow:
    if details is None:
        return row
    told = {name: value for name in ("title", "year", "topic") if (value := getattr(details, name))}
    return replace(row, **told, tags=details.tags)


def _open_reader(settings: Settings) -> Reader:
    model = open_language_model(settings)
    return ModelReader(model, settings) if model else QuotingReader()


def open_library(folder: str | Path | None = None, **settings: object) -> Assistant:
    """Open a folder of papers for asking; the index is built first where it is missing or stale.

    `settings` are fields of Settings, for instance llm="ollama". Raises SettingsError, CorpusError, IndexBusy.
    """
    if folder is not None:
        settings["corpus"] = Path(folder)
    assistant = Assistant(load_settings(**settings))
    if assistant.is_stale():
        assistant.build()
    return assistant
