"""Laws of searching: filters never leak, order is fixed, names are recognised, nothing fails on odd questions."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag_app.index import generations
from rag_app.index.build import build
from rag_app.index.generations import Generation
from rag_app.records import Hit
from rag_app.retrieval.hybrid import ASPECT_PAGE_WEIGHT, MEANING_WEIGHT, Retriever, Scope, _paper_scores
from rag_app.retrieval.plan import NameIndex, plan_search
from tests.support.doubles import ANIMALS, WordEmbedder, settings_for, write_corpus, write_paper

MANIFEST = """
[[paper]]
arxiv_id = "2401.00001"
title = "Otter Search: Finding Fish in Rivers"
short_names = ["OtterNet", "ON"]
year = 2024
month = 1
topic = "search"
authors = ["Ada Lovelace", "Alan Turing"]

[[paper]]
arxiv_id = "2005.00002"
title = "Heron Ranking by Patience"
short_names = ["HeronRank"]
year = 2020
month = 5
topic = "ranking"
authors = ["Grace Hopper"]

[[paper]]
arxiv_id = "2005.00003"
title = "Lynx Reading in the Dark"
short_names = ["LynxReader"]
year = 2020
month = 5
topic = "reading"
authors = ["Grace Hopper"]
"""
PAPERS = ("2401.00001.md", "2005.00002.md", "2005.00003.md", "badger.md", "falcon.md")


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generation]:
    folder = tmp_path_factory.mktemp("library")
    corpus = folder / "corpus"
    for name, topic in zip(PAPERS, ("otter", "heron", "lynx", "badger", "falcon"), strict=True):
        write_paper(corpus / "notes" if name[0] == "2" else corpus, name, topic, 4, f"Only the {topic} eats at dawn.")
    (corpus / "papers.toml").write_text(MANIFEST, encoding="utf-8")
    build(settings_for(folder), WordEmbedder())
    opened = generations.open_current(folder / "index")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def retriever(generation: Generation) -> Retriever:
    return Retriever(generation, WordEmbedder().embed_question)


@pytest.fixture(scope="module")
def by_words(generation: Generation) -> Retriever:
    """Searches as it does before the first embedding has finished."""
    return Retriever(generation, None)


def test_the_papers_are_those_of_the_manifest(generation: Generation) -> None:
    assert set(generation.by_paper) == set(PAPERS)
    assert {entry.state for entry in generation.manifest.papers} == {"digest only", "full text"}
    assert build_again_does_nothing(generation)


def build_again_does_nothing(generation: Generation) -> bool:
    return not build(settings_for(generation.folder.parent.parent.parent), WordEmbedder()).changed


WORDS = (
    *("which", "papers", "compare", "versus", "the", "of", "and", "otter", "heron", "lynx", "badger", "eats", "dawn"),
    *("trial", "7.3", "OtterNet", "HeronRank", "2020", "Hopper", "et", "al.", "(2020)", "?", ",", "数", "🦦", "'"),
    *('"', "AND", "OR", "*", "NEAR(", "[1]", "$in", "{}", "\x00"),
)
questions = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
scopes = st.builds(
    Scope,
    papers=st.lists(st.sampled_from([*PAPERS, "absent.md"]), max_size=3).map(tuple),
    years=st.none() | st.tuples(st.integers(2018, 2025), st.integers(2018, 2025)),
    section=st.sampled_from(["", "results", "DISCUSSION", "absent"]),
)


@given(questions, scopes, st.booleans())
@settings(max_examples=150, deadline=None)
def test_filters_never_leak_and_order_is_fixed(
    retriever: Retriever, by_words: Retriever, question: str, scope: Scope, meaning: bool
) -> None:
    searcher = retriever if meaning else by_words
    hits = searcher.find_passages(question, 12, scope)
    for hit in hits:
        entry = searcher.generation.by_paper[hit.passage.paper]
        assert not scope.papers or hit.passage.paper in scope.papers
        assert scope.years is None or scope.years[0] <= entry.year <= scope.years[1]
        assert scope.section.casefold() in hit.passage.section.casefold()
    assert len({hit.passage.id for hit in hits}) == len(hits) <= 12
    assert all(one.score >= two.score for one, two in pairwise(hits))
    assert searcher.find_passages(question, 12, scope) == hits
    assert [hit.passage for hit in searcher.find_passages(question, 5, scope)] == [hit.passage for hit in hits[:5]]


@given(st.text(max_size=80))
@settings(max_examples=80, deadline=None)
def test_no_question_makes_it_fail(retriever: Retriever, by_words: Retriever, question: str) -> None:
    for searcher in (retriever, by_words):
        for hit in searcher.find_passages(question, 3):
            page = searcher.generation.page(hit.passage.paper, hit.passage.page)
            assert page.text[hit.passage.start : hit.passage.end] == hit.passage.text


def test_a_filter_that_leaves_something_finds_it(retriever: Retriever, by_words: Retriever) -> None:
    for searcher in (retriever, by_words):
        for paper in PAPERS:
            hits = searcher.find_passages("Who eats at dawn?", 3, Scope(papers=(paper,)))
            assert hits and "eats at dawn" in hits[0].passage.text
        years = searcher.find_passages("Who eats at dawn?", 20, Scope(years=(2020, 2020)))
        assert {hit.passage.paper for hit in years} == {"2005.00002.md", "2005.00003.md"}
        sections = searcher.find_passages("Who eats at dawn?", 20, Scope(section="discussion"))
        assert len(sections) == 5


def test_the_right_passage_comes_first(retriever: Retriever, by_words: Retriever) -> None:
    for searcher in (retriever, by_words):
        for topic in ("otter", "heron", "lynx", "badger", "falcon"):
            best = searcher.find_passages(f"When does the {topic} eat at dawn?")[0].passage
            assert best.text == f"Only the {topic} eats at dawn."


@pytest.mark.parametrize(
    ("question", "paper"),
    [
        ("What does OtterNet report?", "2401.00001.md"),
        ("what does otternet's first trial report?", "2401.00001.md"),
        ("What is shown in Otter Search: Finding Fish in Rivers?", "2401.00001.md"),
        ("What is shown in Otter Search?", "2401.00001.md"),
        ("What is shown in heron ranking by patience?", "2005.00002.md"),
        ("What is shown in 2401.00001?", "2401.00001.md"),
        ("What is shown in arXiv:2401.00001?", "2401.00001.md"),
        ("What did Lovelace et al. (2024) show?", "2401.00001.md"),
        ("What did Lovelace et al., 2024 show?", "2401.00001.md"),
        ("What did Lovelace (2024) show?", "2401.00001.md"),
        ("What did Lovelace and colleagues 2024 show?", "2401.00001.md"),
        ("What does 2005.00002.md say?", "2005.00002.md"),
    ],
)
def test_papers_are_recognised_by_what_people_call_them(retriever: Retriever, question: str, paper: str) -> None:
    assert retriever.named_papers(question) == [paper]


@pytest.mark.parametrize(("name", "paper"), [("OtterNet", "2401.00001.md"), ("LynxReader", "2005.00003.md")])
def test_a_paper_that_is_named_is_favoured(retriever: Retriever, by_words: Retriever, name: str, paper: str) -> None:
    for searcher in (retriever, by_words):
        questions = (f"According to {said}, who eats at dawn?" for said in (name, "ZebraNet"))
        named, other = (searcher.find_passages(question, 20) for question in questions)
        assert place_of(paper, named) <= place_of(paper, other)
        if searcher is by_words:  # where the unknown name changes nothing else
            assert named[place_of(paper, named)].score > other[place_of(paper, other)].score


def place_of(paper: str, hits: list[Hit]) -> int:
    return [hit.passage.paper for hit in hits].index(paper)


def test_several_names_come_in_the_order_of_mention(retriever: Retriever) -> None:
    assert retriever.named_papers("Does HeronRank beat OtterNet?") == ["2005.00002.md", "2401.00001.md"]
    assert retriever.named_papers("Does OtterNet beat HeronRank?") == ["2401.00001.md", "2005.00002.md"]
    assert set(retriever.named_papers("What did Hopper et al. (2020) show?")) == {"2005.00002.md", "2005.00003.md"}


@pytest.mark.parametrize("question", ["What is on the table?", "How do otters sleep?", "Was it in 2024?", ""])
def test_no_paper_is_named_by_accident(retriever: Retriever, question: str) -> None:
    assert retriever.named_papers(question) == []


def test_a_comparison_reads_every_paper_that_it_names(retriever: Retriever, by_words: Retriever) -> None:
    for searcher in (retriever, by_words):
        hits = searcher.find_passages("How does OtterNet compare with HeronRank, and who eats at dawn?", 6)
        assert {hit.passage.paper for hit in hits[:2]} == {"2401.00001.md", "2005.00002.md"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("OtterNet and HeronRank were both measured on trials and points?", "comparison"),
        ("OtterNet HeronRank trials", "comparison"),
        ("What do OtterNet and HeronRank report of trials?", "comparison"),
        ("The trials of OtterNet reach more points on one machine than HeronRank ever did.", "single"),
    ],
)
def test_a_claim_that_names_two_papers_asks_for_no_comparison(retriever: Retriever, text: str, kind: str) -> None:
    assert retriever.plan(text).kind == kind


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Which loss do OtterNet and Teal use?", "comparison"),
        ("Which loss does OtterNet take over from Teal?", "single"),
    ],
)
def test_a_name_that_a_paper_only_coined_is_compared_where_it_stands_in_a_list(question: str, kind: str) -> None:
    names = NameIndex({"otternet": ("a.pdf",)}, {"otternet": ("a.pdf",), "teal": ("b.pdf",)})
    assert plan_search(question, names, ["a.pdf", "b.pdf"]).kind == kind


def test_a_word_that_only_begins_sentences_is_no_name(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    for topic in ("heron", "lynx"):
        write_paper(corpus, f"{topic}.md", topic, 2, f"Only the {topic} eats at dawn.")
    text = "\n\n".join(f"Besides, otter {n} uses Meadow, and Meadow is fine for otter {n}." for n in range(5))
    (corpus / "fur.md").write_text(f"# Fur\n\n{text}\n", encoding="utf-8")
    build(settings_for(tmp_path), WordEmbedder())
    opened = generations.open_current(tmp_path / "index")
    try:
        names = Retriever(opened, None)
        assert (names.spelling_of("meadow"), names.spelling_of("besides")) == ("Meadow", "")
    finally:
        opened.close()


def test_ranks_say_where_a_hit_stood_in_each_list(retriever: Retriever, by_words: Retriever) -> None:
    hits = retriever.find_passages("Who eats at dawn?", 8)
    assert {1} <= {hit.by_words for hit in hits} and {1} <= {hit.by_meaning for hit in hits}
    assert all(hit.by_meaning == 0 for hit in by_words.find_passages("Who eats at dawn?", 8))


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    build(settings_for(tmp_path), WordEmbedder())
    opened = generations.open_current(tmp_path / "index")
    for embed in (WordEmbedder().embed_question, None):
        assert Retriever(opened, embed).find_passages("anything") == []
        scope = Scope(papers=("a",), years=(1, 2), section="s")
        assert Retriever(opened, embed).find_passages("anything", 5, scope) == []
    opened.close()


def test_stop_words_only(retriever: Retriever, by_words: Retriever) -> None:
    assert by_words.find_passages("what is the of and") == []
    assert all(hit.by_words == 0 for hit in retriever.find_passages("what is the of and"))


def test_more_papers_than_one_filter_usually_has(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", 2)
    build(settings_for(tmp_path), WordEmbedder())
    opened = generations.open_current(tmp_path / "index")
    names = tuple(f"absent{number}.md" for number in range(3000))
    retriever = Retriever(opened, WordEmbedder().embed_question)
    assert retriever.find_passages("otter", 3, Scope(papers=(*names, "otter.md")))
    opened.close()


def test_threads_get_what_one_alone_gets(retriever: Retriever) -> None:
    asked = [f"How many points does the {animal} reach in trial {number}?" for number, animal in enumerate(ANIMALS)]
    alone = [retriever.find_passages(question) for question in asked]
    fresh = Retriever(Generation(*place(retriever.generation)), WordEmbedder().embed_question)
    found: dict[int, list[object]] = {}

    def search(number: int) -> None:
        found[number] = [fresh.find_passages(question) for question in asked]

    threads = [threading.Thread(target=search, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fresh.generation.close()
    assert all(found[number] == alone for number in range(8))


def place(generation: Generation) -> tuple[Path, str]:
    return generation.folder.parent.parent, generation.name


def test_hits_are_records(retriever: Retriever) -> None:
    hit = retriever.find_passages("otter")[0]
    assert dataclasses.is_dataclass(hit) and hit.passage.label == "1" and hit.passage.paper == "2401.00001.md"


@pytest.mark.parametrize(
    "question", ["How do OtterNet and HeronRank differ in trials and points?", "Who eats at dawn?"]
)
def test_a_paper_is_scored_as_if_all_were(retriever: Retriever, question: str) -> None:
    """One paper's scores come from its own postings alone; they equal those cut out of the whole library's."""
    generation, query = retriever.generation, retriever._query(question)
    words = generation.words.scores(query.terms, query.weights)
    pages = generation.page_words.scores(query.terms, query.weights)
    for entry in generation.manifest.papers:
        rows = np.arange(entry.first, entry.first + entry.passages)
        assert query.vector is not None
        expected = (1 - MEANING_WEIGHT) * scaled(words[rows])
        expected = expected + MEANING_WEIGHT * scaled(generation.vectors[rows] @ query.vector)
        expected = expected + ASPECT_PAGE_WEIGHT * scaled(pages[generation.page_of_row[rows]])
        assert np.allclose(retriever._score_within(query, entry, rows), expected, atol=1e-4)


def scaled(scores: np.ndarray) -> np.ndarray:
    return (scores - scores.min()) / (scores.max() - scores.min()) if np.ptp(scores) else np.zeros_like(scores)


@given(st.lists(st.tuples(st.integers(0, 6), st.floats(0, 1, width=32)), max_size=30))
@settings(deadline=None)
def test_a_paper_counts_by_its_three_best(pairs: list[tuple[int, float]]) -> None:
    owner, scores = np.array([paper for paper, _ in pairs], int), np.array([score for _, score in pairs], np.float32)
    expected = [sum(sorted((s for p, s in pairs if p == paper), reverse=True)[:3]) / 3 for paper in range(7)]
    assert np.allclose(_paper_scores(scores, owner, np.full(7, 3)), expected, atol=1e-6)


def test_a_question_is_embedded_once_and_its_aspects_together(generation: Generation) -> None:
    embedder = WordEmbedder()
    asked: list[tuple[str, ...]] = []

    def one(text: str) -> np.ndarray:
        asked.append((text,))
        return embedder.embed_question(text)

    def several(texts: Sequence[str]) -> np.ndarray:
        asked.append(tuple(texts))
        return embedder.embed_questions(texts)

    question = "How do OtterNet and HeronRank differ in trials and in points?"
    alone = Retriever(generation, one)
    together = Retriever(generation, one, None, several)
    expected = alone.find_passages(question)
    asked.clear()
    assert together.find_passages(question) == expected == together.find_passages(question)
    together.aspect_hits(PAPERS[:2], together.plan(question).aspects, question, 3)
    assert len(asked) == 1 and asked[0][0] == question and len(asked[0]) > 1


class LikesWord:
    """A reranker that likes texts with one word."""

    def __init__(self, word: str) -> None:
        self.word = word

    def score(self, question: str, texts: list[str]) -> list[float]:
        return [float(self.word in text) for text in texts]


def test_a_reranker_reorders_the_first_hits_and_loses_none(generation: Generation) -> None:
    question = "What eats at dawn?"
    embed = WordEmbedder().embed_question
    plain = Retriever(generation, embed).find_passages(question, 20)
    last = plain[-1].passage
    reranked = Retriever(generation, embed, LikesWord(last.text)).find_passages(question, 20)
    assert {hit.passage.id for hit in reranked} == {hit.passage.id for hit in plain}
    place = [hit.passage.id for hit in reranked].index(last.id)
    assert place < len(plain) - 1
    assert all(one.score >= two.score for one, two in pairwise(reranked))


def test_a_short_paper_is_not_scored_down_for_being_short() -> None:
    scores, owner = np.array([0.9, 0.6, 0.3, 0.6, 0.9]), np.array([0, 0, 0, 1, 2])
    # One of the last paper's five passages became a candidate; the second has only one.
    assert _paper_scores(scores, owner, np.array([3, 1, 5])) == pytest.approx([0.6, 0.6, 0.3])
