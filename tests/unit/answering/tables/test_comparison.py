"""Comparisons: what a question sets side by side, and a table whose every cell stands on a page of its own paper."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.answering.quoting.ranking import Unit
from rag_app.answering.quoting.reader import QuotingReader, remove_marks
from rag_app.answering.tables.comparison import (
    LONGEST_CELL,
    NEAREST,
    NOTHING_FOUND,
    CellRanker,
    RankedUnits,
    Tabulation,
    choose_cell_units,
    clip_text,
    escape_cell,
    table_to_markdown,
)
from rag_app.assistant import Assistant
from rag_app.index.paper_names import find_mentions
from rag_app.outputs.json import answer_json
from rag_app.records import BETWEEN, Answer, Cell, Evidence, Page, Progress, Row, Table
from rag_app.retrieval.aspects import MOST_ASPECTS, Aspect, extract_aspects, parse_aspects
from rag_app.retrieval.comparison import Comparison
from rag_app.retrieval.facets import facets_of
from rag_app.retrieval.question_terms import QuestionTerms, extract_question_terms
from rag_app.server.web.answer_tables import comparison_html
from rag_app.server.web.render import answer_html
from rag_app.text.terms import content_words
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.two_papers import HERON, OTTER, check

NAMES = {"otternet": ("otter.md",), "heronrank": ("heron.md",), "lynxreader": ("lynx.md",), "rag": ("rag.md",)}


def labels(question: str) -> list[str]:
    return [
        aspect.label for aspect in extract_aspects(question, [(m.start, m.end) for m in find_mentions(question, NAMES)])
    ]


@pytest.mark.parametrize(
    ("question", "columns"),
    [
        ("Compare OtterNet and HeronRank: batch size, rate and corpus.", ["batch size", "rate", "corpus"]),
        ("How do OtterNet and HeronRank differ in masking rate and vocabulary?", ["masking rate", "vocabulary"]),
        ("What did OtterNet change relative to HeronRank in optimizer?", ["optimizer"]),
        (
            "Compare OtterNet and HeronRank: how many layers each has, and where positives and negatives come from.",
            ["layers", "positives and negatives"],
        ),
        (
            "Compare OtterNet and HeronRank: where the text comes from and the batch size, what the fins are of.",
            ["text", "batch size", "fins"],
        ),
        (
            "For OtterNet and HeronRank, how many fish each uses and its vocabulary, how it is trained and evaluated?",
            ["fish", "vocabulary", "trained and evaluated"],
        ),
        ("What are the loss and the optimizer of OtterNet and HeronRank?", ["loss", "optimizer"]),
        (
            "Compare OtterNet and HeronRank: what judges fish and the frogs, how fish are fed and the frogs are kept.",
            ["judges fish and frogs", "fish"],
        ),
        ("How does OtterNet's encoder differ from HeronRank's?", ["encoder"]),
        ("OtterNet and HeronRank both swim. Compare the fins.", ["fins"]),
        (
            "Compare how much was eaten, by whom, and which animal won: OtterNet or HeronRank?",
            ["eaten", "animal won"],
        ),
        ("What is the difference between OtterNet and HeronRank?", ["main idea", "data", "main result"]),
        ("Compare OtterNet with HeronRank.", ["main idea", "data", "main result"]),
        ("is OtterNet better than HeronRank", ["main idea", "data", "main result"]),
        ("whats the batch size of OtterNet compared with that of HeronRank", ["batch size"]),
        ("number of fish: OtterNet vs HeronRank in the river", ["number of fish"]),
        ("fins (OtterNet) versus wings (HeronRank): when do they moult?", ["moult"]),
        ("how many tons of fish did OtterNet eat compared to HeronRank", ["tons of fish"]),
        ("why did people build a deeper nest: OtterNet and HeronRank", ["deeper nest"]),
        ("size of OtterNet, HeronRank and the LynxReader set", ["size"]),
        ("what do the OtterNet authors and HeronRank say about cold rivers", ["cold rivers"]),
        ("does OtterNet or HeronRank wait longer", ["wait longer"]),
    ],
)
def test_the_columns_are_what_is_asked_for(question: str, columns: list[str]) -> None:
    assert labels(question) == columns


def test_a_name_within_a_longer_one_is_one_name() -> None:
    question = "Do OtterNet benchmark and HeronRank use sticks?"
    (aspect,) = extract_aspects(question, [(3, 21), (3, 11), (26, 35)])
    assert aspect.asked == "Do they use sticks?"


def test_an_aspect_that_points_back_is_searched_with_what_it_points_to() -> None:
    question = "OtterNet and HeronRank advise where to build nests. Compare that advice."
    (aspect,) = extract_aspects(question, [(m.start, m.end) for m in find_mentions(question, NAMES)])
    assert aspect.label == "that advice"
    assert "nests" in aspect.search


@given(st.text(max_size=200))
def test_any_question_has_some_columns_and_not_too_many(question: str) -> None:
    assert 1 <= len(extract_aspects(question, [])) <= MOST_ASPECTS


def test_typed_aspects() -> None:
    assert [aspect.label for aspect in parse_aspects(" batch size ;; number of layers; batch size")] == [
        "batch size",
        "number of layers",
    ]
    assert parse_aspects(" ; ") == ()


# -- cells ----------------------------------------------------------------------------------------------------------


@given(st.lists(st.text(alphabet="abcdef1.", min_size=1, max_size=12), min_size=1, max_size=120))
def test_a_clipped_cell_is_verbatim_runs_of_words(words: list[str]) -> None:
    text = " ".join(words)
    asked = QuestionTerms("abc?", {"abc": 1.0}, (), frozenset({"description"}))
    shown = clip_text(text, asked, 120)
    head, cut, kept = shown.removeprefix("… ").removesuffix(" …").rpartition(" … ")
    assert len(head + cut + kept) <= 120
    assert f" {kept} " in f" {text} ", "no word is cut"
    assert not cut or f"{text} ".startswith(f"{head} ")


def test_a_clipped_cell_says_whose_value_it_holds() -> None:
    text = f"In OtterNet the heads of all rivers, {'which we list below, ' * 9}are read at a temperature of 0.7."
    asked = QuestionTerms("what temperature?", {"temperature": 1.0}, (), frozenset({"number"}))
    shown = clip_text(text, asked)
    assert shown.startswith("In OtterNet the heads of all rivers, … ") and shown.endswith("at a temperature of 0.7.")


def test_the_clipped_part_holds_what_is_asked() -> None:
    text = " ".join(["filler"] * 60 + ["temperature", "0.7"] + ["filler"] * 60)
    asked = QuestionTerms("what temperature?", {"temperature": 1.0}, (), frozenset({"number"}))
    assert "temperature 0.7" in clip_text(text, asked)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("For training the corpus we use is the BooksCorpus (800M words) (Zhu et al., 2015) and text.", "800M words"),
        ("We use 800M words of text, and then the corpus was read by many people over a very long time.", "800M words"),
        ("For training the corpus is that of old books, which were read and counted by two people.", "by two people."),
    ],
)
def test_what_is_new_is_not_cut_away(text: str, told: str) -> None:
    asked = QuestionTerms("Which corpus?", {"missing": 1.0}, (), frozenset())
    assert told in clip_text(text, asked, 60)


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_cell_stays_in_its_cell(first: str, second: str) -> None:
    table = Table(("a", "b"), (Row("p.md", "P", (Cell(first, (1,)), Cell(second))),))
    lines = table_to_markdown(table).split("\n")
    assert len(lines) == 3
    assert len(set(map(columns, lines))) == 1


def columns(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line))


def test_a_papers_own_brackets_are_no_marks() -> None:
    assert remove_marks("as in [12, 13] and [a]") == "as in ［12, 13］ and [a]"
    assert escape_cell("a | b\nc") == r"a \| b c"


# -- whole answers --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    folder = tmp_path_factory.mktemp("compared")
    corpus: Path = folder / "corpus"
    corpus.mkdir()
    (corpus / "otter.md").write_text(OTTER, encoding="utf-8")
    (corpus / "heron.md").write_text(HERON, encoding="utf-8")
    ready = Assistant(settings_for(folder), embedder=WordEmbedder(), reader=QuotingReader())
    ready.build()
    yield ready


def test_a_comparison_is_answered_by_a_table(assistant: Assistant) -> None:
    answer = assistant.ask("Compare OtterNet and HeronRank: the batch size of the training.", id="7")
    table = check(answer, assistant)
    assert table.aspects == ("batch size",)
    assert [(row.paper, row.name) for row in table.rows] == [("otter.md", "OtterNet"), ("heron.md", "HeronRank")]
    assert "512 fish" in table.rows[0].cells[0].text
    assert "64 frogs" in table.rows[1].cells[0].text
    assert answer.answer.startswith("|  | batch size |\n| --- | --- |\n| OtterNet | ")
    assert answer.id == "7"
    assert answer.reader == "quoting"
    assert answer.searched.quoted == 2
    assert answer_json(answer)["table"]["rows"][1]["cells"][0]["citations"]


@pytest.mark.parametrize(
    ("question", "column", "otter", "heron"),
    [
        ("batch size of OtterNet vs the food of HeronRank", "batch size / food", "512 fish", "frogs"),
        (
            "what was OtterNet evaluated in and what does HeronRank prefer",
            "evaluated / prefer",
            "rivers of Scotland",
            "prefers frogs",
        ),
        ("what batch size does OtterNet have and what does HeronRank have", "batch size", "512 fish", "64 frogs"),
    ],
)
def test_each_paper_is_asked_what_is_asked_of_it(
    assistant: Assistant, question: str, column: str, otter: str, heron: str
) -> None:
    table = check(assistant.ask(question), assistant)
    assert table.aspects == (column,)
    cells = {row.paper: row.cells[0].text for row in table.rows}
    assert otter in cells["otter.md"]
    assert heron in cells["heron.md"]


def test_columns_that_are_asked_for_outright_are_asked_of_all(assistant: Assistant) -> None:
    answer = assistant.compare("batch size of OtterNet vs the food of HeronRank", aspects="habitat")
    assert answer.table is not None
    assert answer.table.aspects == ("habitat",)


def test_each_cell_is_shown_when_it_is_found_and_stays_as_it_is(assistant: Assistant) -> None:
    *events, answer = assistant.stream("Compare OtterNet and HeronRank in batch size, corpus and optimizer.")
    assert isinstance(answer, Answer) and answer.table is not None
    whole = [cell for row in answer.table.rows for cell in row.cells]
    tables = [event.table for event in events if isinstance(event, Progress) and event.table is not None]
    assert len(tables) == len(whole) > 2
    for count, table in enumerate(tables, start=1):
        cells = [cell for row in table.rows for cell in row.cells]
        assert cells[:count] == whole[:count]
        assert {cell.state for cell in cells[count:]} <= {"searching"}


def test_where_nothing_is_found_the_paper_is_not_said_to_be_silent(assistant: Assistant) -> None:
    answer = assistant.compare("Compare OtterNet and HeronRank", aspects="batch size; zygomorphic quaternions")
    table = check(answer, assistant)
    assert [[cell.text == NOTHING_FOUND for cell in row.cells] for row in table.rows] == [[False, True], [False, True]]


def test_the_nearest_passage_stands_where_nothing_is_found_and_is_folded() -> None:
    text = "HeronRank prefers frogs of the shallow water."
    piece = Evidence(1, "heron.md", "HeronRank", 1, "1", "Food", 0, len(text), text)
    unit = Unit(piece, 0, len(text), features={"own": 0.1, "near": 0.0, "meaning": 0.1}, score=0.3)
    asked = extract_question_terms("What is the optimizer for frogs?", content_words, None, [piece])
    aspect = Aspect("optimizer", asked.text, "optimizer")
    cells = Tabulation(
        Comparison("", ("heron.md",), ("HeronRank",), (aspect,)), lambda paper, number: Page(1, "1", 0.0, 0.0, text, ())
    )
    *_, table = cells.fill({}, lambda aspect, evidence: RankedUnits(asked, [unit]))
    (cell,) = table.rows[0].cells
    assert (cell.text, cell.state, cell.citations) == (f"{NEAREST}{text}", "nothing found", (1,))
    html = comparison_html(table, lambda number: f"<i>{number}</i>")
    assert f'<summary>nearest passage</summary><span class="phrase">{text}</span> <i>1</i></details>' in html
    unrelated = replace(unit, features={"own": 0.0, "near": 0.0, "meaning": 0.1})
    cells = Tabulation(Comparison("", ("heron.md",), ("HeronRank",), (aspect,)), lambda paper, number: None)
    *_, table = cells.fill({}, lambda aspect, evidence: RankedUnits(asked, [unrelated]))
    assert table.rows[0].cells == (Cell(NOTHING_FOUND, (), "nothing found"),)


def test_a_sentence_of_usual_length_begins_its_cell_whole(assistant: Assistant, tmp_path: Path) -> None:
    told = (
        "For the pre-training of the wide rivers that run through Scotland in winter, we let all of the swimmers that "
        "were at hand on that day take the very same batch size of 2048 fish."
    )
    assert 160 < len(told) <= LONGEST_CELL
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "heron.md").write_text(HERON, encoding="utf-8")
    (tmp_path / "corpus" / "newt.md").write_text(f"# NewtNet: Small Swimmers\n\n## 1 Training\n\n{told}\n")
    other = Assistant(settings_for(tmp_path), embedder=WordEmbedder(), reader=QuotingReader())
    other.build()
    table = check(other.ask("Compare NewtNet and HeronRank: the batch size."), other)
    assert table.rows[0].cells[0].text.split(BETWEEN)[0] == told


@pytest.mark.parametrize(
    ("question", "columns", "absent"),
    [
        ("Compare OtterNet, EelNet and HeronRank in batch size", ("batch size",), ("EelNet",)),
        ("OtterNet vs EelNet vs HeronRank: batch size", ("batch size",), ("EelNet",)),
        ("What batch size do OtterNet, HeronRank and EelNet use?", ("batch size",), ("EelNet",)),
        ("What batch sizes do OtterNet, HeronRank and EelNet test?", None, ("EelNet",)),
        ("Compare OtterNet and HeronRank: batch size, GPUs", ("batch size", "GPUs"), ()),
        ("On FishQA, OtterNet and HeronRank: batch size", ("batch size",), ()),
        ("OtterNet and HeronRank, FishQA and RiverQA scores", None, ()),
    ],
)
def test_a_listed_name_of_no_paper_is_said_and_is_no_column(
    assistant: Assistant, question: str, columns: tuple[str, ...] | None, absent: tuple[str, ...]
) -> None:
    answer = assistant.ask(question)
    assert answer.table is not None and {row.paper for row in answer.table.rows} == {"otter.md", "heron.md"}
    if columns is not None:
        assert answer.table.aspects == columns
    said = " ".join(note for note in answer.notes if "No paper of this library is called" in note)
    assert [name for name in ("EelNet", "FishQA", "RiverQA", "GPUs") if f"“{name}”" in said] == list(absent)


@pytest.mark.parametrize(
    ("question", "table"),
    [
        ("OtterNet vs EelNet: batch size", True),
        ("What batch size do OtterNet and EelNet use?", True),
        ("Compare the batch size of OtterNet and the volcano survey", True),
        ("OtterNet vs Scotland: batch size", False),  # its own paper speaks of it
        ("Where was OtterNet evaluated?", False),
    ],
)
def test_of_two_sides_the_one_that_is_here_has_a_row_and_the_other_is_said(
    assistant: Assistant, question: str, table: bool
) -> None:
    answer = assistant.ask(question)
    rows = [row.paper for row in answer.table.rows] if answer.table is not None else []
    assert rows == (["otter.md"] if table else [])
    assert table == any("library" in note and ("EelNet" in note or "volcano" in note) for note in answer.notes)


def test_what_has_no_room_in_the_table_is_named(assistant: Assistant) -> None:
    six = "batch size, optimizer, training data, learning rate, metrics and limitations"
    answer = assistant.ask(f"Compare OtterNet and HeronRank by {six}")
    assert answer.table is not None and len(answer.table.aspects) == MOST_ASPECTS
    assert [note for note in answer.notes if "left out" in note and note.endswith("“limitations”.")]
    answer = assistant.ask("Compare OtterNet and HeronRank by batch size and optimizer")
    assert not [note for note in answer.notes if "left out" in note]


def test_a_table_of_nothing_says_so_in_each_cell(assistant: Assistant) -> None:
    answer = assistant.compare("OtterNet or HeronRank", aspects="zygomorphic quaternions")
    assert answer.status == "answered"
    assert answer.table is not None
    assert {cell.state for row in answer.table.rows for cell in row.cells} == {"nothing found"}
    assert not answer.citations
    assert answer.confidence == "low"
    assert any("Nothing was found" in note for note in answer.notes)


def test_rows_are_the_papers_that_are_given(assistant: Assistant) -> None:
    table = check(assistant.compare("batch size of the training", papers=("heron.md",)), assistant)
    assert [row.paper for row in table.rows] == ["heron.md"]
    assert table.rows[0].name == "HeronRank"


def test_these_papers_are_those_that_are_ticked(assistant: Assistant) -> None:
    answer = assistant.ask("How do these papers differ in batch size of the training?", papers=("heron.md", "otter.md"))
    assert [row.paper for row in check(answer, assistant).rows] == ["heron.md", "otter.md"]


def test_a_comparison_of_nothing_is_an_error(assistant: Assistant) -> None:
    answer = assistant.compare("batch size")
    assert answer.status == "error"
    assert "--papers" in answer.answer


def test_more_columns_than_fit_are_refused(assistant: Assistant) -> None:
    answer = assistant.compare("training", papers=("heron.md",), aspects=";".join(f"part {n}" for n in range(500)))
    assert (answer.status, answer.table) == ("error", None)
    assert "500 aspects are too many" in answer.answer and "at most 12" in answer.answer


def test_a_question_about_one_paper_stays_a_plain_answer(assistant: Assistant) -> None:
    assert assistant.ask("What is the batch size of OtterNet?").table is None


def test_stopping_leaves_what_there_is(assistant: Assistant) -> None:
    stop = threading.Event()
    stop.set()
    events = list(assistant.stream("Compare OtterNet and HeronRank: the batch size of the training.", stop=stop))
    assert any(isinstance(event, Progress) for event in events)
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.notes
    assert answer.table is not None
    assert {cell.state for row in answer.table.rows for cell in row.cells} == {"stopped"}


def test_the_page_shows_a_table_with_numbers_to_press(assistant: Assistant) -> None:
    answer = assistant.compare("Compare HeronRank and OtterNet", aspects="prefers frogs and newts; batch size <u>")
    check(answer, assistant)
    html = answer_html(answer, lambda citation: f"place-{citation.number}")
    assert html.count("<table>") == 1
    assert '<th scope="row">HeronRank</th>' in html
    assert "frogs | and newts [3] of" in html
    assert 'value="place-1"' in html
    assert "<u>" not in html
    assert "| ---" not in html


def test_a_cell_does_not_begin_with_empty_praise() -> None:
    def unit(text: str, score: float) -> Unit:
        piece = Evidence(1, "otter.md", "Otter", 1, "1", "Method", 0, len(text), text)
        features = {"own": 1.0, "near": 0.0, "meaning": 0.0}
        return Unit(piece, 0, len(text), terms=frozenset(text.split()), features=features, score=score)

    praise, fact = unit("OtterNet is highly effective.", 1.0), unit("OtterNet is trained on 512 fish.", 0.95)
    asked = extract_question_terms("training", content_words, None, [praise.evidence])
    assert choose_cell_units(RankedUnits(asked, [praise, fact]), []) == ([fact, praise], [])
    assert choose_cell_units(RankedUnits(asked, [praise]), []) == ([praise], []), "better than nothing"


def test_the_papers_own_row_is_shown_of_the_table_that_is_asked_for() -> None:
    text = (
        "Table 1: Speed in rivers.\nModel | Swims | Dives\nOtterNet | 41.5 | 70.2\nOtterNet's rival | 50.0 | 60.0\n\n"
        "Table 2: Accuracy on FishQA.\nModel | Small | Large\nHeron | 12.5 | 33.1\nOtterNet | 66.1 | 81.0\n\n"
        "Accuracy on FishQA is hard to reach."
    )
    piece = Evidence(1, "otter.md", "Otter", 1, "1", "Results", 0, len(text), text)
    page = Page(1, "1", 0.0, 0.0, text, ())
    called = {"otter.md": ["otternet"]}
    rank = CellRanker(
        "FishQA accuracy of OtterNet?", content_words, None, None, lambda paper, number: page, called=called
    )
    first = rank(Aspect("accuracy", "What is the FishQA accuracy?", "accuracy"), [piece]).units[0]
    assert first.text.startswith("OtterNet")
    assert "66.1" in first.text


def test_a_row_that_is_called_as_what_is_asked_for_comes_first() -> None:
    text = (
        "Table 1: Settings.\nSetting | Small | Large\nFin inner size | 4096 | 3072\nFin size | 1024 | 768\n\n"
        "We keep the fin size of all our otters the same in every river, as the size of a fin matters."
    )
    piece = Evidence(1, "otter.md", "Otter", 1, "1", "Training", 0, len(text), text)
    page = Page(1, "1", 0.0, 0.0, text, ())
    rank = CellRanker("fin size of OtterNet?", content_words, None, None, lambda paper, number: page)
    first = rank(Aspect("fin size", "What is the fin size?", "fin size"), [piece]).units[0]
    assert first.text.startswith("Fin size")


def test_hardware_is_reported_also_where_nobody_calls_it_so() -> None:
    asked = extract_question_terms("What is the hardware?", content_words, None, [])
    piece = Evidence(
        1, "otter.md", "OtterNet", 1, "1", "", 0, 60, "We trained on 8 V100 GPUs. We trained on all of our rivers."
    )
    gpus, rivers = Unit(piece, 0, 26), Unit(piece, 27, 60)
    for unit in (gpus, rivers):
        unit.features = {"own": 0.0, "near": 0.0, "meaning": 0.2}
        unit.score = 1.0
    assert choose_cell_units(RankedUnits(asked, [gpus], facets_of("hardware")), []) == ([gpus], [])
    assert choose_cell_units(RankedUnits(asked, [rivers], facets_of("hardware")), []) == ([], [])
