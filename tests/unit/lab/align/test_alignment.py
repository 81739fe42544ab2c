"""Training on judged passages: what is read, what is held out, what is learned, and what is kept."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from rag_app.assistant import Assistant
from rag_app.cli.main import main
from rag_app.errors import ModelError, QuestionError
from rag_app.index.generations import current_name, open_current
from rag_app.lab.align.alignment import AlignmentExperiment, mine_negatives
from rag_app.lab.align.judged_index import evidence_passages, judge_by_facts
from rag_app.lab.align.judged_questions import JudgedQuestion, all_texts, read_judged_questions, split_train_test
from rag_app.lab.align.ranking_measures import ndcg, paired_gain, recall
from rag_app.lab.align.training import TrainingOptions
from rag_app.models.embedder import open_embedder
from rag_app.models.reranker import open_reranker
from rag_app.models.torch_models import TorchEmbedder
from rag_app.models.weights import find_model
from rag_app.settings import Settings, load_settings
from tests.support.small_embedder import save_small_model

pytestmark = pytest.mark.slow

COLOURS = ("red", "green", "blue", "black", "white", "brown", "grey", "pink", "gold", "silver", "orange", "purple")


def quiet(what: str, done: int, of: int) -> None:
    """Nobody looks at the progress."""


def lines(path: Path, *values: object) -> Path:
    path.write_text("\n".join(json.dumps(value) for value in values), encoding="utf-8")
    return path


def no_index(question: str, facts: object) -> JudgedQuestion | None:
    raise AssertionError("no line names facts")


def judged(count: int) -> list[JudgedQuestion]:
    """Questions about so many papers, each answered by one text that shares its colour."""
    return [
        JudgedQuestion(
            f"Which animal is {COLOURS[n]}?", (f"The fox number {n} is {COLOURS[n]}.",), papers=(f"paper {n}",)
        )
        for n in range(count)
    ]


def test_a_file_of_judgements_is_read(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "a.jsonl",
        {"question": "Why?", "positives": ["because", " because "], "negatives": ["no", "because"], "paper": "p1"},
        {"question": "How?", "positives": "so"},
        {"question": "Never?", "positives": [], "negatives": ["no"]},
    )
    assert read_judged_questions(file, no_index) == [
        JudgedQuestion("Why?", ("because",), ("no",), ("p1",)),
        JudgedQuestion("How?", ("so",), (), ("so",)),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "a.jsonl, line 2: not JSON"),
        ('{"positives": ["x"]}', 'line 2: no "question"'),
        ('{"question": "Why?", "positives": [1]}', 'line 2: "positives"'),
        ('{"question": "Why?", "facts": [{"paper": "a.pdf", "page": "3"}]}', 'line 2: "facts"'),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"question": "a", "positives": ["b"]}\n' + line, encoding="utf-8")
    with pytest.raises(QuestionError, match=said):
        read_judged_questions(tmp_path / "a.jsonl", no_index)


def test_a_file_without_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="no question with a passage"):
        read_judged_questions(lines(tmp_path / "a.jsonl", {"question": "Why?", "positives": []}), no_index)
    with pytest.raises(QuestionError, match=r"missing\.jsonl: cannot be read"):
        read_judged_questions(tmp_path / "missing.jsonl", no_index)


def test_no_paper_is_on_both_sides() -> None:
    both = JudgedQuestion(
        "Which are red and green?", ("x",), papers=("paper 0", "paper 1", "paper 2", "paper 3", "paper 4")
    )
    split = split_train_test([*judged(8), both], share=0.5)
    learned = {paper for one in split.learned for paper in one.papers}
    held = {paper for one in split.held for paper in one.papers}
    assert learned
    assert held
    assert not learned & held
    assert len(split.learned) + len(split.held) + split.left_out == 9
    assert split_train_test([*judged(8), both], share=0.5) == split
    assert any(split_train_test(judged(8), seed=seed).held != split_train_test(judged(8)).held for seed in (1, 2, 3))


def test_one_paper_cannot_be_parted() -> None:
    with pytest.raises(QuestionError, match="cannot be split by paper"):
        split_train_test([JudgedQuestion("a", ("b",), papers=("p",)), JudgedQuestion("c", ("d",), papers=("p",))])


def test_measures_of_a_ranking() -> None:
    assert recall([4, 1, 2], {1, 9}, 2) == 0.5
    assert ndcg([1, 9, 2], {1, 9}) == 1.0
    assert ndcg([2, 1], {1}) == pytest.approx(1 / np.log2(3))
    assert ndcg([2, 3], {1}) == 0.0
    sure, unsure = paired_gain([0.0] * 40, [0.5, 0.6] * 20), paired_gain([0.0] * 40, [0.5, -0.5] * 20)
    assert sure.is_certain
    assert sure.low < sure.mean == pytest.approx(0.55)
    assert not unsure.is_certain


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_model(tmp_path_factory.mktemp("small"), prompts={"query": "ask: ", "document": "text: "})


def test_negatives_are_the_judged_ones_then_near_ones_of_other_questions(small: Path) -> None:
    known = JudgedQuestion("Which animal is red?", ("A red fox.",), ("No fox.",), ("p",))
    others = judged(6)
    examples = mine_negatives([known, *others], TorchEmbedder(find_model(str(small))))
    assert [example.question for example in examples] == [one.question for one in [known, *others]]
    assert examples[0].negatives[0] == "No fox."
    for example, one in zip(examples, [known, *others], strict=True):
        assert set(example.negatives) <= set(all_texts([known, *others]))
        assert not set(example.negatives) & set(one.positives)


@pytest.mark.parametrize("keep", [False, True])
def test_an_embedder_learns_what_is_judged_and_a_build_with_it_is_a_new_generation(
    small: Path, tmp_path: Path, keep: bool
) -> None:
    split = split_train_test(judged(12), share=0.3)
    steps: list[tuple[str, int, int]] = []
    training = TrainingOptions(steps=3, batch=4, embedder_rate=1e-3)
    trial = AlignmentExperiment(split, training, lambda *at: steps.append(at))
    outcome = trial.fine_tune_embedder(str(small), tmp_path / "fitted", keep)
    assert steps == [("embedder", 1, 3), ("embedder", 2, 3), ("embedder", 3, 3)]
    assert (outcome.folder is None) is not (keep or outcome.has_helped)
    assert sorted(path.name for path in tmp_path.iterdir()) == (["fitted"] if outcome.folder else [])
    if outcome.folder is None:
        return
    model = find_model(str(outcome.folder))
    assert (model.question_prompt, model.passage_prompt) == ("ask: ", "text: ")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "a.md").write_text("# Foxes\n\nThe fox is red. It runs fast and eats berries.\n", encoding="utf-8")
    names = []
    for embedder in (small, outcome.folder):
        settings = Settings(corpus=corpus, index=tmp_path / "index", embedder=str(embedder), workers=1, llm="none")
        assistant = Assistant(settings)
        assert assistant.is_stale()
        assistant.build()
        assert assistant.embedder.identity == find_model(str(embedder)).identity()
        assert assistant.search("Which animal is red?")[0].by_meaning
        names.append(current_name(tmp_path / "index"))
    assert names[0] != names[1]


def test_what_is_learned_fits_the_judgements_better(small: Path, tmp_path: Path) -> None:
    split = split_train_test(judged(12), share=0.3)
    trial = AlignmentExperiment(split, TrainingOptions(epochs=4, batch=4, embedder_rate=5e-3), quiet)
    outcome = trial.fine_tune_embedder(str(small), tmp_path / "fitted", keep=True)
    assert outcome.folder

    def nearness(folder: Path) -> float:
        embedder = open_embedder(Settings(embedder=str(folder), embedder_backend="torch"), tmp_path)
        return float(
            np.mean(
                [embedder.embed_question(o.question) @ embedder.embed_passages(o.positives)[0] for o in split.learned]
            )
        )

    assert nearness(outcome.folder) > nearness(small)


def test_a_reranker_begins_from_an_embedder(small: Path, tmp_path: Path) -> None:
    trial = AlignmentExperiment(split_train_test(judged(12), share=0.3), TrainingOptions(steps=2, batch=4), quiet)
    outcome = trial.fine_tune_reranker("", str(small), tmp_path / "second", keep=True)
    assert outcome.folder == tmp_path / "second"
    reranker = open_reranker(Settings(reranker=str(outcome.folder)))
    assert reranker is not None
    assert len(reranker.score("Which animal is red?", ["A red fox.", "A blue whale."])) == 2


def test_nothing_is_overwritten(small: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(ModelError, match="already exists"):
        AlignmentExperiment(split_train_test(judged(8)), TrainingOptions(steps=1), quiet).fine_tune_embedder(
            str(small), tmp_path / "mine"
        )


@pytest.fixture
def foxes(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of six papers, and a file of questions whose answers are known by page and quote."""
    (tmp_path / "corpus").mkdir()
    values: list[object] = []
    for colour in COLOURS[:6]:
        text = f"The fox of this valley is {colour}, and it sleeps by day."
        (tmp_path / "corpus" / f"{colour}.md").write_text(f"# A {colour} fox\n\n{text}\n", encoding="utf-8")
        fact = {"paper": f"{colour}.md", "page": 1, "quote": f"is {colour}, and it sleeps"}
        values.append({"id": colour, "question": f"Which animal is {colour}?", "facts": [fact]})
    settings = {
        "CORPUS": str(tmp_path / "corpus"),
        "INDEX": str(tmp_path / "index"),
        "EMBEDDER": str(small),
        "EMBEDDER_BACKEND": "torch",
        "LLM": "none",
        "WORKERS": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"RAG_{name}", value)
    nothing: dict[str, object] = {"question": "What is nowhere?", "facts": []}
    elsewhere = {"question": "What else?", "facts": [{"paper": "absent.pdf", "page": 1, "quote": "x"}]}
    return lines(tmp_path / "questions.jsonl", *values, nothing, elsewhere)


def test_questions_with_facts_become_judged_passages_of_the_index(foxes: Path) -> None:
    assistant = Assistant(load_settings())
    assistant.build()
    generation = open_current(assistant.settings.index_folder)
    judged = read_judged_questions(
        foxes,
        lambda question, facts: judge_by_facts(
            question, facts, generation, lambda q, top: assistant.search(q, top=top)
        ),
    )
    assert [one.papers for one in judged] == [(f"{colour}.md",) for colour in COLOURS[:6]]
    for one, colour in zip(judged, COLOURS, strict=False):
        assert len(one.positives) == 1
        assert f"A {colour} fox" in one.positives[0]  # the title, as the index holds it
        assert f"is {colour}, and" in one.positives[0]
        assert one.negatives
        assert all(f"is {colour}," not in text for text in one.negatives)
    assert evidence_passages(generation, "red.md", 1, "words that are not there") == []
    generation.close()


def test_align_keeps_nothing_that_did_not_help(foxes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = foxes.parent / "fitted"
    assert main(["align", str(foxes), "--out", str(out), "--steps", "1"]) == 1
    printed = capsys.readouterr()
    assert "learned from 4 questions, measured on 2 about 2 other papers" in printed.out
    assert "did not help beyond chance" in printed.out
    assert "Nothing was kept" in printed.out
    assert "only 2 questions held out" in printed.err
    assert not out.exists()


def test_align_writes_models_that_the_settings_accept(
    foxes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, second = foxes.parent / "fitted", foxes.parent / "second"
    typed = ["align", str(foxes), "--out", str(out), "--reranker", str(second), "--keep", "--steps", "1", "--json"]
    assert main(typed) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["learned"], told["held_out"], told["left_out"]) == (4, 2, 0)
    assert told["embedder"]["folder"] == str(out)
    assert told["reranker"]["folder"] == str(second)
    for value in (told["embedder"]["before"], told["embedder"]["alone_after"], told["reranker"]["after"]):
        assert 0 <= value["recall"] <= 1
        assert 0 <= value["ndcg"] <= 1
    monkeypatch.setenv("RAG_EMBEDDER", str(out))
    monkeypatch.setenv("RAG_RERANKER", str(second))
    assistant = Assistant(load_settings())
    assistant.build()
    assert len(assistant.search("Which animal is red?")) == 6
    assert main(["align", str(foxes), "--out", str(out)]) == 1
    assert "already exists" in capsys.readouterr().err


def test_without_the_trainer_the_remedy_is_told(
    foxes: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert main(["align", str(foxes), "--out", str(foxes.parent / "fitted")]) == 1
    assert 'pip install "rag-app[align]"' in capsys.readouterr().err
