"""From a thumb on the page to a report: conversation -> questions with known answers -> `eval --from-feedback`."""

import json
import os
from dataclasses import replace

import pytest

from rag_app.assistant import Assistant
from rag_app.cli.main import main
from rag_app.evaluation.questions import read_questions
from rag_app.outputs import feedback
from rag_app.outputs.history import History
from rag_app.outputs.history_file import history_file
from rag_app.records import Answer, AnswerPlan, Cell, Citation, Row, Table
from rag_app.server.conversations import Conversation
from rag_app.server.web.history_panel import ConversationPanel
from rag_app.settings import load_settings

pytestmark = pytest.mark.slow

OTTER = "Sea otters used stones as anvils in 21 percent of the dives that were filmed in Monterey Bay."
PAPERS = {
    "Zebra.md": "# Zebra Stripes Deter Flies\n\n## Results\n\nStriped coats received 0.75 fewer landings of flies.\n",
    "Otter.md": f"# Sea Otters And Tools\n\n## Results\n\n{OTTER}\n",
}
GOOD, BAD = (
    "In what share of dives did sea otters use stones as anvils?",
    "How many landings of flies did coats receive?",
)


def cited(quote, paper="a.pdf", number=1, verified=True):
    return Citation(number, paper, paper, 3, "3", "", quote, verified)


@pytest.mark.parametrize(
    ("quote", "said", "telling"),
    [
        ("It has 220 million parameters and 12 layers.", "220 million [1]", ["220 million"]),  # the number it says
        ("It has 220 million parameters.", "It is large [1]", ["220 million"]),  # none said: shown by its quote only
        ("It is trained on HotpotQA by hand.", "They used HotpotQA [1]", ["HotpotQA"]),  # no number: the name
        ("A careful choice of negatives matters.", "negatives matter [1]", ["negatives"]),  # neither: its longest words
        ("It is so.", "so [1]", ["It is so."]),
    ],
)
def test_what_tells_a_fact(quote, said, telling):
    answer = Answer("", "How?", "answered", said, "quoting", (cited(quote),))
    (fact,) = feedback.as_question("x", answer, "up", "")["facts"]
    assert fact == {"paper": "a.pdf", "page": 3, "quote": quote, "must_contain": telling}


def test_the_kind_is_told_by_the_answer_and_only_verified_quotes_are_facts():
    both = (cited("A has 3 layers."), cited("B has 5 layers.", "b.pdf", 2), cited("Made up 9.", "c.pdf", 3, False))
    answer = Answer("", "Which?", "answered", "3 [1] 5 [2] 9 [3]", "m", both)
    table = Table(("layers",), (Row("a.pdf", "A", (Cell("3", (1,)),)), Row("b.pdf", "B", (Cell("5", (2,)),))))
    kinds = [
        feedback.as_question("x", asked, "up", "")["kind"]
        for asked in (
            answer,
            replace(answer, table=table),
            replace(answer, plan=AnswerPlan("chain", (), (), (), 2)),
            replace(answer, citations=both[:1]),
        )
    ]
    assert kinds == ["clustering", "comparison", "chain", "spotlight"]
    assert feedback.as_question("x", answer, "up", "")["papers"] == ["a.pdf", "b.pdf"]
    unproved = feedback.as_question("x", replace(answer, citations=both[2:]), "up", "")
    assert not feedback.is_usable(unproved)
    assert feedback.is_usable(feedback.as_question("x", replace(answer, citations=both[2:]), "down", ""))


@pytest.fixture
def library(tmp_path, put_models, monkeypatch, capsys):
    """A small library that the settings name, as an assistant."""
    (tmp_path / "corpus").mkdir()
    for name, text in PAPERS.items():
        (tmp_path / "corpus" / name).write_text(text, encoding="utf-8")
    monkeypatch.setenv("RAG_CORPUS", str(tmp_path / "corpus"))
    monkeypatch.setenv("RAG_INDEX", str(put_models(tmp_path) / "index"))
    monkeypatch.setenv("RAG_LLM", "none")
    assert main(["build"]) == 0
    capsys.readouterr()
    return Assistant(load_settings())


def rated(library, question, verdict, reason="", user=""):
    """Ask as the page does, and press a thumb. Returns the answer."""
    panel, talk = (
        ConversationPanel(History(history_file(library.settings.index_folder, user)), lambda _: "place"),
        Conversation(),
    )
    turn = panel.begin(talk, question, "")
    answer = library.ask(question)
    panel.keep(turn, answer)
    panel.handle_action(json.dumps({"do": "rate", "id": turn.saved, "verdict": verdict, "text": reason}), talk)
    assert f'class="thumb {verdict} chosen"' in turn.answer
    return answer


def test_a_conversation_with_thumbs_becomes_questions_and_a_report(library, tmp_path, capsys):
    rated(library, GOOD, "up", "right page")
    disliked = rated(library, BAD, "down", "not what I <b>asked</b>")
    keep, page = tmp_path / "rated.jsonl", tmp_path / "report.html"
    assert main(["eval", "--from-feedback", "--keep", str(keep), "--html", str(page), "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert "1 thumb up with known facts, 1 down" in err
    assert report["questions"] == 1 and report["kinds"]["spotlight"]["fact coverage"] == 1.0
    assert report["kinds"]["spotlight"]["recall@5"] == 1.0
    (again,) = report["disliked"]["each"]
    assert (again["reason"], again["same answer"], again["answer"]) == (
        "not what I <b>asked</b>", True, disliked.answer,
    )  # fmt: skip
    assert os.name != "posix" or {file.stat().st_mode & 0o777 for file in (keep, page)} == {0o600}
    shown = page.read_text(encoding="utf-8")
    assert "not what I &lt;b&gt;asked" in shown and "Asked again after a thumb down" in shown
    up, down = read_questions(keep)
    assert up.facts[0].paper == "Otter.md" and "21" in up.facts[0].must_contain[0] and up.reason == "right page"
    assert not down.has_gold and down.disliked == disliked.answer and down.facts == ()
    # The file that was kept is a question file like any other, also beside an accepted report.
    (tmp_path / "accepted.json").write_text(out, encoding="utf-8")
    assert main(["eval", str(keep), "--baseline", str(tmp_path / "accepted.json")]) == 0
    assert "asked again after a thumb down, not scored: 1, the same answer: 1" in capsys.readouterr().out


def test_a_worse_library_fails_the_questions_that_were_liked(library, tmp_path, capsys):
    rated(library, GOOD, "up")
    assert main(["eval", "--from-feedback", "--json"]) == 0
    (tmp_path / "accepted.json").write_text(capsys.readouterr().out, encoding="utf-8")
    (tmp_path / "corpus" / "Otter.md").write_text("# Sea Otters And Tools\n\nThey sleep on kelp.\n", encoding="utf-8")
    assert main(["build"]) == 0
    assert main(["eval", "--from-feedback", "--baseline", str(tmp_path / "accepted.json")]) == 1
    assert "worse than accepted" in capsys.readouterr().out


def test_every_users_thumbs_count_and_the_latest_of_each(library, capsys):
    rated(library, GOOD, "down", "hasty")
    rated(library, GOOD, "up", "after all")
    rated(library, GOOD, "down", "hers", user="ada")
    assert main(["eval", "--from-feedback", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [line["id"] for line in report["each"]] == ["feedback-00002"]
    assert [(line["id"], line["reason"]) for line in report["disliked"]["each"]] == [("ada-feedback-00001", "hers")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from-feedback"], "was rated yet"),
        (["--from-feedback", "some.jsonl"], "one source"),
        (["some.jsonl", "--keep", "x.jsonl"], "with --from-feedback"),
    ],
)
def test_what_is_wrong_is_said(library, arguments, said, capsys):
    assert main(["eval", *arguments]) == 1
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error


def test_a_question_with_a_thumb_down_has_no_facts(tmp_path):
    line = {"id": "a", "kind": "spotlight", "question": "Why?", "verdict": "down", "disliked": "So.", "note": "no"}
    (tmp_path / "q.jsonl").write_text(json.dumps(line), encoding="utf-8")
    (question,) = read_questions(tmp_path / "q.jsonl")
    assert (question.has_gold, question.disliked, question.reason) == (False, "So.", "no")
