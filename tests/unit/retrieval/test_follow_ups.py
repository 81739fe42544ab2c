"""Follow-ups are completed from what was said; a question that stands alone is never touched."""

import threading

import pytest

from rag_app.assistant import Assistant
from rag_app.errors import ModelUnreachable
from rag_app.index.paper_names import find_mentions
from rag_app.outputs.json import answer_json
from rag_app.records import Answer, Cell, Citation, Progress, Row, Table
from rag_app.retrieval.follow_ups import is_dependent, resolve_follow_up
from rag_app.retrieval.question_names import find_question_names, is_used_as_dataset
from rag_app.retrieval.understanding import rewrite_question
from tests.support.doubles import WordEmbedder, settings_for, write_paper
from tests.support.provider import Provider, Reply

NAMES = {"alpha": ("a.pdf",), "betanet": ("b.pdf",), "gammarag": ("g.pdf",)}
CALLED = {"a.pdf": "Alpha", "b.pdf": "BetaNet", "g.pdf": "GammaRAG"}


class Library:
    """Three papers and two data sets."""

    def find_mentions(self, question):
        return find_mentions(question, NAMES)

    def name(self, paper):
        return CALLED[paper]

    def is_dataset(self, name):
        return name in ("CarQA", "ShipQA", "SQuAD 1.1", "SQuAD 2.0")

    def is_title(self, words):
        return words == "chain of ships"


LIBRARY = Library()


def said(question, papers=(), table=None, status="answered"):
    cited = tuple(Citation(number, paper, "", 1, "1", "", "", True) for number, paper in enumerate(papers, start=1))
    return Answer("", question, status, "", "quoting", cited, table=table)


def after(question, before, papers=(), **more):
    return resolve_follow_up(question, [said(before, papers, **more)], LIBRARY)


BOTH = ("a.pdf", "b.pdf")


@pytest.mark.parametrize(
    ("before", "papers", "question", "whole"),
    [
        ("How accurate is Alpha on CarQA?", (), "and on ShipQA?", "How accurate is Alpha on ShipQA?"),
        ("How accurate is Alpha on CarQA?", (), "what about BetaNet?", "How accurate is BetaNet on CarQA?"),
        ("How accurate is Alpha on CarQA?", (), "What about ShipQA?", "How accurate is Alpha on ShipQA?"),
        ("Which recall has Alpha on CarQA?", (), "and the precision?", "Which precision has Alpha on CarQA?"),
        ("What top-20 recall has Alpha?", (), "and top-100?", "What top-100 recall has Alpha?"),
        ("How does Alpha train?", (), "how large is it?", "How large is Alpha?"),
        ("How does Alpha train?", (), "What is its batch size?", "What is Alpha’s batch size?"),
        ("How does Alpha train?", (), "Which data do they use?", "Which data do the authors of Alpha use?"),
        ("How does Alpha train?", (), "and the batch size?", "What is the batch size of Alpha?"),
        ("How does Alpha train?", (), "And how large is the index?", "How large is the index in Alpha?"),
        ("How does Alpha train?", (), "without negatives?", "How does Alpha train without negatives?"),
        ("How does Alpha train?", (), "what about chain of ships", "How does chain of ships train?"),
        ("How do Alpha and BetaNet differ?", BOTH, "What does the second one cost?", "What does BetaNet cost?"),
        ("How do Alpha and BetaNet differ?", BOTH, "Is the former open?", "Is Alpha open?"),
        ("How do Alpha and BetaNet differ?", BOTH, "and GammaRAG?", "How do Alpha and BetaNet and GammaRAG differ?"),
        ("How do Alpha and BetaNet differ?", BOTH, "How do they scale?", "How do Alpha and BetaNet scale?"),
        ("Which papers rerank?", ("g.pdf", "b.pdf"), "What does the second paper say?", "What does BetaNet say?"),
        ("Which papers rerank?", ("g.pdf", "b.pdf"), "What does [1] use?", "What does GammaRAG use?"),
        ("Who reranks?", ("g.pdf",), "What are the limits of that paper?", "What are the limits of GammaRAG?"),
        ("How does Alpha train?", (), "Why?", "Why: How does Alpha train?"),
    ],
)  # fmt: skip
def test_what_is_left_out_is_taken_from_before(before, papers, question, whole):
    assert after(question, before, papers) == whole


@pytest.mark.parametrize(
    "question",
    [
        "How large is BetaNet?",
        "Which weight was used when scores are mixed, and how was it chosen?",
        "HyDE builds on another paper. How many passages does that paper index?",
        "What judges passages in Alpha, how big is that judge, and where does its training data come from?",
        "Which of these papers report recall?",
        "Which was the first paper to use dense retrieval?",
        "What is the first token of a segment?",
        "How long did it take to train the largest model?",
        "Is it likely that retrieval helps?",
        "dense retrieval hard negatives",
        "What does BetaNet do about it?",
        "In the human study, how did evaluators judge factuality?",
        "and what does BetaNet use?",
    ],
)
def test_a_question_that_stands_alone_is_not_touched(question):
    assert after(question, "How does Alpha train on CarQA?", ("a.pdf",)) == ""


def test_rows_of_a_table_are_counted_first():
    rows = tuple(Row(paper, CALLED[paper], (Cell("x"),)) for paper in ("g.pdf", "a.pdf"))
    table = Table(("s",), rows)
    assert after("how large is the second one?", "Compare them", BOTH, table=table) == "How large is Alpha?"


def test_nothing_is_made_up():
    assert resolve_follow_up("how large is it?", [], LIBRARY) == ""
    assert after("How large is the fourth one?", "How do Alpha and BetaNet differ?", BOTH) == ""
    assert after("how large is it?", "Does it work?", status="error") == ""
    assert after("What does [9] say?", "Who reranks?", ("g.pdf",)) == ""


def test_a_follow_up_of_a_follow_up_goes_on_from_what_was_understood():
    first = said("How accurate is Alpha on CarQA?")
    second = Answer("", "and BetaNet?", "answered", "", "quoting", asked="How accurate is BetaNet on CarQA?")
    assert resolve_follow_up("and on ShipQA?", [first, second], LIBRARY) == "How accurate is BetaNet on ShipQA?"


def test_a_data_set_is_known_by_how_it_is_used():
    texts = ["We test on TriviaQA and the NQ dev set.", "Alpha wins."]
    texts += ["Results on NQ (Kwiatkowski, 2019) and TriviaQA."]
    assert is_used_as_dataset("NQ", texts) and is_used_as_dataset("TriviaQA", texts)
    assert not is_used_as_dataset("Alpha", texts) and not is_used_as_dataset("Absent", texts)


def test_names_are_found_with_their_kinds():
    question = "What top-20 recall does Alpha reach on TREC DL19?"
    found = find_question_names(question, LIBRARY.find_mentions(question))
    assert [(name.text, name.kind) for name in found] == [
        ("top-20", "number"), ("recall", "metric"), ("Alpha", "paper"), ("TREC DL19", "other"),
    ]  # fmt: skip


# -- with a model -------------------------------------------------------------------------------------------------


class Writer:
    def __init__(self, reply):
        self.reply, self.asked = reply, []

    def ask_briefly(self, system, user, stop):
        self.asked.append((system, user))
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


def with_model(reply, question="and on ShipQA?", before="How accurate is Alpha on CarQA?"):
    writer = Writer(reply)
    return rewrite_question(question, [said(before, ("a.pdf",))], LIBRARY, writer, threading.Event()), writer


def test_the_model_is_taken_at_its_word():
    found, writer = with_model("How accurate is Alpha\n on ShipQA?")
    assert found == "How accurate is Alpha on ShipQA?"
    system, user = writer.asked[0]
    assert "never instructions" in system and "CarQA" in user and "and on ShipQA?" in user


@pytest.mark.parametrize(
    "reply", ["", "word " * 200, "How accurate is Alpha on BoatQA?", "I cannot say.", ModelUnreachable("gone")]
)
def test_and_not_when_it_says_nothing_too_much_or_loses_a_name(reply):
    assert with_model(reply)[0] == "How accurate is Alpha on ShipQA?"


def test_the_model_is_not_asked_about_a_question_that_stands_alone():
    found, writer = with_model("Something else?", question="How large is BetaNet?")
    assert found == "" and writer.asked == []


# -- in the assistant ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def assistant(tmp_path_factory):
    folder = tmp_path_factory.mktemp("talk")
    write_paper(folder / "corpus", "otter.md", "otter", secret="The OtterNet model has 12 layers.")
    write_paper(folder / "corpus", "heron.md", "heron", secret="The HeronNet model has 24 layers.")
    assistant = Assistant(settings_for(folder), embedder=WordEmbedder())
    assistant.build()
    return assistant


def test_the_assistant_says_what_it_understood_and_keeps_what_was_typed(assistant):
    first = assistant.ask("How many layers does OtterNet have?")
    events = list(assistant.stream("and HeronNet?", history=[first]))
    assert Progress("planning", "understood as: How many layers does HeronNet have?") in events
    answer = events[-1]
    assert answer.question == "and HeronNet?" and answer.asked == "How many layers does HeronNet have?"
    assert any("24 layers" in citation.quote for citation in answer.citations + answer.nearest)
    assert answer_json(answer)["asked"] == answer.asked and first.asked == ""


def test_without_history_nothing_is_understood_differently(assistant):
    assert assistant.ask("and HeronNet?").asked == ""


def test_depends_needs_no_history():
    assert is_dependent("how large is it?", LIBRARY) and not is_dependent("How large is Alpha?", LIBRARY)


def test_a_real_model_server_is_asked_first_for_the_question_and_then_for_the_answer(assistant):
    first = assistant.ask("How many layers does OtterNet have?")
    replies = (
        Reply(pieces=("<think>hm</think>How many layers ", "does HeronNet have?")),
        Reply(pieces=("It has 24 [1].",)),
    )
    with Provider(*replies) as provider:
        given = {"llm": "auto", "llm_base_url": provider.url, "llm_model": "test-3b"}
        with_model = Assistant(assistant.settings.model_copy(update=given), embedder=WordEmbedder())
        answer = with_model.ask("and HeronNet?", history=[first])
    rewriting, answering = ("\n".join(m["content"] for m in request.body["messages"]) for request in provider.requests)
    assert "Last question: and HeronNet?" in rewriting and "OtterNet" in rewriting
    assert "Question: How many layers does HeronNet have?" in answering
    assert answer.asked == "How many layers does HeronNet have?" and answer.question == "and HeronNet?"
