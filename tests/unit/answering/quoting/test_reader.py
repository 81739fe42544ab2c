"""The quoting reader: only words of the evidence, marks that name it, and a plain no when nothing answers."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.answering.quoting.answerability import USUAL_FOCUS, WEIGHTS, estimate_answer_chance, measure_signs
from rag_app.answering.quoting.one_paper import Subject
from rag_app.answering.quoting.ranking import Unit, is_row, rank_units, units_of
from rag_app.answering.quoting.reader import NOT_IN_PAPERS, STOPPED, QuotingReader, compose_answer, select_quotes
from rag_app.index.paper_names import contains_name
from rag_app.records import Block, Draft, Evidence, Page
from rag_app.retrieval.question_terms import extract_question_terms
from rag_app.text.terms import content_words
from tests.support.doubles import WordEmbedder

LYNX = (
    "The Lynx retriever encodes each question with a small network. "
    "We train the Lynx retriever with a batch size of 128 questions for 40 epochs. "
    "Training was done as in earlier work [12]. "
    "Other systems are described below."
)
TABLE = (
    "Table 2: Accuracy of retrievers on the Meadow questions.\n"
    "Model Top-5 Top-20\nBM25 41.0 59.1\nLynx 66.3 79.4\nFerret 60.2 70.8"
)
FERRET = "The Ferret retriever needs no training. Its index holds 21 million passages of the Meadow corpus."


def _evidence(number: int, text: str, paper: str = "lynx.pdf", page: int = 1, title: str = "Lynx") -> Evidence:
    return Evidence(number, paper, title, page, str(page), "3 Experiments", 0, len(text), text)


EVIDENCE = [_evidence(1, LYNX), _evidence(2, TABLE, page=2), _evidence(3, FERRET, "ferret.pdf", title="Ferret")]


class Shelf:
    """A library of three passages."""

    size = 3

    def frequency(self, term: str) -> int:
        return sum(term in content_words(piece.text) for piece in EVIDENCE)

    def count_together(self, paper: str, terms: Sequence[str]) -> int:
        words = [content_words(piece.text) for piece in EVIDENCE if piece.paper == paper]
        return sum(all(term in held for term in terms) for held in words)


def reader(**parts: object) -> QuotingReader:
    names = {"lynx.pdf": ("Lynx",), "ferret.pdf": ("Ferret",)}
    parts = {"library": Shelf(), "meaning": WordEmbedder(), "names_of": lambda paper: names.get(paper, ()), **parts}
    return QuotingReader(**parts)  # type: ignore[arg-type]


def answer(question: str, evidence: Sequence[Evidence] = EVIDENCE, **parts: object) -> tuple[str, Draft]:
    pieces: list[str] = []
    reading = reader(**parts).read(question, evidence, threading.Event())
    while True:
        try:
            pieces.append(next(reading))
        except StopIteration as end:
            return "".join(pieces), end.value


def test_the_best_sentence_comes_verbatim_with_its_mark() -> None:
    text, draft = answer("What batch size is the Lynx retriever trained with?")
    assert "We train the Lynx retriever with a batch size of 128 questions for 40 epochs. [1]" in text
    assert draft == Draft(text)


def test_a_table_row_comes_with_caption_and_head() -> None:
    text, _ = answer("What top-20 accuracy does Lynx reach on the Meadow questions?")
    lines = text.split("\n")
    row = lines.index("Lynx 66.3 79.4 [2]")
    assert "Table 2: Accuracy of retrievers on the Meadow questions. [2]" in lines[:row]  # a paper's words: marked too
    assert "Model Top-5 Top-20 [2]" in lines[:row]


@pytest.mark.parametrize(
    "question",
    [
        "How many dollars did the zebra pipeline cost in production?",
        "What accuracy does ZebraNet reach on HotpotQA?",
        "What top-20 accuracy does Lynx reach on HotpotQA?",
        "How many kangaroos live in Australia?",
    ],
)
def test_what_the_evidence_does_not_hold_is_refused(question: str) -> None:
    text, draft = answer(question)
    assert draft.refused and draft.text == text == NOT_IN_PAPERS


def test_a_respect_that_a_paper_answers_in_other_words_is_not_lacking() -> None:
    class Speaks(Shelf):
        def count_together(self, paper: str, terms: Sequence[str]) -> int:
            return sum(term in content_words("Lynx was trained on an NVIDIA GPU") for term in terms) // len(terms)

    def chance(asked: str) -> float:
        subject = Subject("lynx.pdf", asked, overview=False)
        page_of = {1: Page(1, "1", 0, 0, LYNX), 2: Page(2, "2", 0, 0, TABLE)}
        parts = {"subject": subject, "library": Speaks(), "page_of": lambda paper, number: page_of[number]}
        return reader(**parts).chance(f"{asked} Lynx", EVIDENCE[:2])

    assert chance("hardware of") > chance("kangaroos of") * 1.2


def test_what_comes_nearest_is_a_sentence_that_would_have_been_quoted() -> None:
    near = reader().find_nearest("What top-20 accuracy do questions with a batch size of 128 reach?", EVIDENCE)
    assert [unit.row for unit in near] == [False, False]
    assert near[0].text.startswith("We train the Lynx retriever with a batch size of 128")


def test_without_evidence_there_is_no_answer() -> None:
    text, draft = answer("What is Lynx?", [])
    assert draft.refused and text == NOT_IN_PAPERS


def test_it_works_without_any_part() -> None:
    reading = QuotingReader().read("How many passages does the Ferret index hold?", EVIDENCE, threading.Event())
    assert any("21 million passages" in piece for piece in reading)


def test_every_paper_that_the_question_names_is_quoted() -> None:
    text, _ = answer("How do the Lynx retriever and the Ferret retriever differ in training?")
    marks = set(re.findall(r"\[(\d)\]", text))
    assert "3" in marks and marks & {"1", "2"}
    assert text.count("Lynx:") == text.count("Ferret:") == 1


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("lynx batch size", True),
        ("smallest rank that still works", True),
        ("how large is the index?", True),
        ("what is a batch size", True),
        ("why does the index size matter", False),
        ("limitations of Lynx", False),
    ],
)
def test_a_number_is_asked_for_also_without_a_question_word(question: str, number: bool) -> None:
    assert ("number" in extract_question_terms(question, content_words, None, ()).kinds) is number


def test_each_paper_is_led_by_what_it_is_called() -> None:
    text, _ = answer("How do the Lynx retriever and the Ferret retriever differ in training?", called=str.upper)
    assert text.count("LYNX.PDF: ") == text.count("FERRET.PDF: ") == 1


def test_a_prompt_of_an_appendix_does_not_lead() -> None:
    prompt = "You are a Lynx retriever and you are trained with a batch size of 12 questions."
    text, _ = answer("What batch size is the Lynx retriever trained with?", [_evidence(4, prompt, page=9), *EVIDENCE])
    assert text.startswith("We train the Lynx retriever with a batch size of 128")


def test_a_caption_is_said_once_for_rows_under_two_lines_of_heads() -> None:
    text = "Table 1: Both.\nModel Dev Test\nFerret 1.5 2.5\nEM F1 EM F1\nLynx 66.3 79.4"
    rows = [Unit(_evidence(1, text), 30, 44, row=True, frame=((0, 14), (15, 29)))]
    rows.append(Unit(_evidence(1, text), 57, len(text), row=True, frame=((0, 14), (45, 56))))
    assert "".join(compose_answer(rows)) == "\n".join(f"{line} [1]" for line in text.split("\n"))


@pytest.mark.parametrize(
    ("words", "sentence", "asks_table", "begins"),
    [
        (0.75, "Lynx reaches 79.4.", False, "Lynx reaches"),
        (0.5, "Lynx reaches 79.4.", False, "Lynx reaches"),
        (0.25, "Lynx reaches 79.4.", False, "Table 1"),  # the table says more of what is asked
        (0.75, "Lynx reaches this:", False, "Table 1"),
        (0.75, "Lynx reaches 79.4.", True, "Table 1"),
    ],
)
def test_a_caption_leads_where_no_sentence_says_as_much(
    words: float, sentence: str, asks_table: bool, begins: str
) -> None:
    row = Unit(_evidence(1, "Table 1: Both.\nLynx 66.3 79.4"), 15, 29, row=True, frame=((0, 14),))
    row.features = {"own": 0.25, "near": 0.25}
    other = Unit(_evidence(2, sentence, page=3), 0, len(sentence))
    other.features = {"near": words}
    assert "".join(compose_answer([row, other], asks_table=asks_table)).startswith(begins)


def test_a_lone_word_above_a_table_is_not_quoted() -> None:
    text = "Method\nBM25 41.0 59.1\nLynx 66.3 79.4"
    unit = Unit(_evidence(1, text), 22, len(text), row=True, frame=((0, 6),))
    assert "".join(compose_answer([unit])) == "Lynx 66.3 79.4 [1]"
    unit = Unit(_evidence(1, text), 22, len(text), row=True, frame=((7, 21),))
    assert "".join(compose_answer([unit])).startswith("BM25 41.0 59.1 [1]\nLynx")


def test_the_only_paper_that_is_named_speaks_first() -> None:
    """Others that have more to say about it follow."""
    asked = extract_question_terms("What batch size does Lynx use for training?", content_words, Shelf(), EVIDENCE)
    sentence = " We fine-tune Lynx with a batch size of {} questions for training in the {} domain."
    others = "".join(sentence.format(number, name) for number, name in ((16, "legal"), (32, "medical"), (48, "news")))
    evidence = [_evidence(1, others, "otter.pdf", title="Otter"), _evidence(2, LYNX)]
    ranked = rank_units(asked, evidence, content_words, None)
    assert ranked[0].evidence.paper == "otter.pdf"
    plain, named = select_quotes(asked, ranked), select_quotes(asked, ranked, ["lynx.pdf"])
    assert plain[0].evidence.paper == "otter.pdf"
    assert "batch size of 128" in named[0].text and {unit.text for unit in plain} <= {unit.text for unit in named}


def test_a_paper_s_own_reference_is_never_taken_for_a_mark() -> None:
    text, _ = answer("How was training done in earlier work?")
    assert "Training was done as in earlier work ［12］. [1]" in text


def test_stopping_ends_the_answer_and_says_so() -> None:
    stop = threading.Event()
    reading = reader().read("How do the Lynx retriever and the Ferret retriever differ in training?", EVIDENCE, stop)
    first = next(reading)
    stop.set()
    with pytest.raises(StopIteration) as end:
        next(reading)
    assert end.value.value == Draft(first, problem=STOPPED)


SENTENCES = st.lists(
    st.sampled_from(
        [
            *LYNX.split(". "),
            *FERRET.split(". "),
            "Accuracy is 79.4 [3, 4]",
            "Lynx 66.3 79.4",
            "Model Top-5 Top-20",
            "x",
            "§ 4",
        ]
    ),
    min_size=1,
    max_size=8,
)
QUESTIONS = st.sampled_from(
    [
        "What batch size is the Lynx retriever trained with?",
        "Which papers train a retriever?",
        "How do Lynx and Ferret differ?",
        "What accuracy does Lynx reach?",
        "?",
    ]
)


@settings(deadline=None)
@given(st.lists(SENTENCES, min_size=1, max_size=4), QUESTIONS)
def test_it_never_invents(texts: list[list[str]], question: str) -> None:
    evidence = [
        _evidence(
            number,
            ". ".join(text).replace(". Lynx 66", ".\nLynx 66"),
            f"{number % 2}.pdf",
            number,
            f"Title {number % 2}",
        )
        for number, text in enumerate(texts, start=1)
    ]
    text, draft = answer(question, evidence)
    if draft.refused:
        assert text == NOT_IN_PAPERS
        return
    held = {piece.number: piece.text for piece in evidence}
    for line in filter(None, text.split("\n")):
        mark = re.search(r" \[(\d+)\]$", line)
        plain = re.sub(r"［(.*?)］", r"[\1]", line[: mark.start()] if mark else line)
        if mark:
            said = plain.removeprefix("Title 0: ").removeprefix("Title 1: ")  # what its paper is called
            assert said in held[int(mark.group(1))]
        else:  # a caption, or a table's head
            assert any(plain in whole for whole in held.values())


def test_the_same_sentence_is_not_said_twice() -> None:
    twice = [_evidence(1, LYNX), _evidence(2, LYNX, page=5)]
    text, _ = answer("What batch size is the Lynx retriever trained with?", twice)
    assert text.count("batch size of 128") == 1


def unit_of(piece: Evidence, line: str, score: float, *, row: bool = False) -> Unit:
    start = piece.text.index(line)
    frame = ((0, piece.text.index("\n")),) if row else ()
    return Unit(piece, start, start + len(line), row=row, frame=frame, score=score)


def test_rows_come_from_the_best_unit_s_paper_only_and_are_worth_reading() -> None:
    own, other = EVIDENCE[1], _evidence(4, TABLE, "otter.pdf", 7, "Otter")
    ranked = [
        unit_of(own, "Lynx 66.3 79.4", 10.0, row=True),
        unit_of(other, "BM25 41.0 59.1", 9.9, row=True),
        unit_of(own, "Ferret 60.2 70.8", 6.0, row=True),
        unit_of(own, "BM25 41.0 59.1", 1.0, row=True),
    ]
    asked = extract_question_terms("What accuracy does the Lynx retriever reach?", content_words, None, EVIDENCE)
    assert [(u.evidence.paper, u.text) for u in select_quotes(asked, ranked)] == [
        ("lynx.pdf", "Lynx 66.3 79.4"),
        ("lynx.pdf", "Ferret 60.2 70.8"),
    ]
    sentence = unit_of(_evidence(5, FERRET, "ferret.pdf"), FERRET, 9.0)
    assert len(select_quotes(asked, [ranked[0], sentence])) == 2, "a sentence of another paper tells what it speaks of"


# -- units ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line", ["Lynx 66.3 79.4", "Gold 127 ✓ 55.8 73.0 83.1", "512 97.59 97.41", "Real-time 434 (42) 0 (0)"]
)
def test_rows(line: str) -> None:
    assert is_row(line)


@pytest.mark.parametrize(
    "line", ["We train for 40 epochs with 128 questions each.", "Model Top-5 Top-20", "", "see - -"]
)
def test_lines_that_are_no_rows(line: str) -> None:
    assert not is_row(line)


def test_the_page_says_what_is_a_heading() -> None:
    text = "4 Results of all\nLynx is the best of all retrievers."
    page = Page(1, "1", 600, 800, text, (Block(0, 17, "heading"), Block(17, len(text), "body")))
    assert [unit.text for unit in units_of(_evidence(1, text), page)] == ["Lynx is the best of all retrievers."]


def test_the_question_s_spelling_is_the_library_s() -> None:
    text = "We quantize the weights to four bits. Nothing else is said here."
    evidence = [_evidence(1, text)]

    class One(Shelf):
        def frequency(self, term: str) -> int:
            return int(term in content_words(text))

    asked = extract_question_terms("How are the weights quantised?", content_words, One(), evidence)
    assert set(asked.weights) <= {"quantiz", "weight"}
    ranked = rank_units(asked, evidence, content_words, None)
    assert ranked[0].text.startswith("We quantize")


def test_a_reason_for_something_else_is_no_answer_to_why() -> None:
    text = (
        "Stray noise makes lynxes listen in forests of the north. "
        "The forest is closed in winter in order to improve the roads, which were built because of timber."
    )
    evidence = [_evidence(1, text)]
    asked = extract_question_terms("Why does stray noise help lynxes in the forest?", content_words, None, evidence)
    reasons = {unit.text[:11]: unit.features["reason"] for unit in rank_units(asked, evidence, content_words, None)}
    assert reasons["The forest "] == 0
    telling = [_evidence(1, "Stray noise helps lynxes because they listen.")]
    assert rank_units(asked, telling, content_words, None)[0].features["reason"] == 1


def test_what_composes_is_what_was_chosen() -> None:
    asked = extract_question_terms("What accuracy does Lynx reach?", content_words, None, EVIDENCE)
    chosen = select_quotes(asked, rank_units(asked, EVIDENCE, content_words, None))
    text = "".join(compose_answer(chosen))
    assert all(f"{unit.text} [{unit.evidence.number}]".replace("[12]", "［12］") in text for unit in chosen)


# -- refusal ----------------------------------------------------------------------------------------------------------


def test_signs_are_those_that_are_weighed() -> None:
    asked = extract_question_terms("What accuracy does Lynx reach?", content_words, Shelf(), EVIDENCE)
    ranked = rank_units(asked, EVIDENCE, content_words, WordEmbedder())
    found = measure_signs(asked, ranked, EVIDENCE, content_words, Shelf(), lambda paper: ())
    assert set(found) == set(WEIGHTS)
    assert all(0 <= value <= 1.001 for value in found.values())
    assert 0 < estimate_answer_chance(found) < 1
    assert estimate_answer_chance({}) == 0


@pytest.mark.parametrize(
    ("question", "sign", "value"),
    [
        ("What accuracy does ZebraNet reach?", "missing_name", 1),
        ("What accuracy does Lynx reach on the Meadow questions?", "missing_name", 0),
        ("What accuracy does Lynx reach with Ferret?", "subject_missing_name", 0),
        ("What accuracy does Ferret reach with BM25?", "subject_missing_name", 1),
        ("How many kangaroos does Lynx hold?", "measured", 0),
        ("How many passages does Ferret hold?", "measured", 1),
    ],
)
def test_signs(question: str, sign: str, value: float) -> None:
    names = {"lynx.pdf": ("Lynx",), "ferret.pdf": ("Ferret",)}
    asked = extract_question_terms(question, content_words, Shelf(), EVIDENCE)
    ranked = rank_units(asked, EVIDENCE, content_words, WordEmbedder())
    assert measure_signs(asked, ranked, EVIDENCE, content_words, Shelf(), lambda paper: names[paper])[sign] == value


@pytest.mark.parametrize(
    ("question", "name", "named"),
    [
        ("What does Self-RAG do?", "Self RAG", True),
        ("How large is LoRA's rank?", "LORA", True),
        ("What are the results?", "ARE", False),
        ("Does ColBERTv2 beat it?", "ColBERT", False),
        ("anything", " ", False),
    ],
)
def test_names_of_papers_in_questions(question: str, name: str, named: bool) -> None:
    assert contains_name(question, name) is named


def test_what_is_found_a_little_in_many_papers_is_less_likely_an_answer() -> None:
    question = "What batch size is used for training?"
    many = [_evidence(number, LYNX, f"{number}.pdf", title=f"Paper {number}") for number in range(1, 5)]
    one = [_evidence(number, LYNX, page=number) for number in range(1, 5)]
    spread, held = reader().weigh_evidence(question, many)[2], reader().weigh_evidence(question, one)[2]
    assert (spread["focus"], held["focus"]) == (0.25, 1.0)
    assert estimate_answer_chance({**held, "focus": spread["focus"]}) < estimate_answer_chance(held)


def test_focus_tells_nothing_in_one_paper_or_when_several_are_asked_for() -> None:
    one = [_evidence(number, LYNX, page=number) for number in range(1, 5)]
    assert reader(one_paper=True).weigh_evidence("What batch size is used?", one)[2]["focus"] == USUAL_FOCUS
    assert reader().weigh_evidence("Which papers use a batch size of 128?", one)[2]["focus"] == USUAL_FOCUS


def test_a_paper_that_never_uses_a_name_of_the_question_comes_last() -> None:
    evidence = [
        _evidence(1, "The search has a limitation: it is slow.", "ferret.pdf", title="Ferret"),
        _evidence(2, "Its limitation is a slow search.", "stoat.pdf", title="Digging"),
        _evidence(3, "We call it Stoat, after the animal that digs.", "stoat.pdf", page=2, title="Digging"),
    ]
    text, _ = answer("What limitation does the Stoat search have?", evidence, library=None, names_of=lambda paper: ())
    assert text.startswith("Digging:")
    assert "[2]" in text


def test_marks_name_the_evidence_that_is_read_and_not_what_the_chance_is_judged_by() -> None:
    text, _ = answer("What batch size is the Lynx retriever trained with?", wide=[EVIDENCE[2], *EVIDENCE[:2]])
    assert "128 questions for 40 epochs. [1]" in text
    other = [_evidence(7, LYNX, "copy.pdf"), *EVIDENCE[1:]]
    text, _ = answer("What batch size is the Lynx retriever trained with?", wide=other)
    assert "[7]" not in text
