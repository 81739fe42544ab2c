"""Papers that are described and not named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from rag_app.assistant import Assistant
from rag_app.index.generations import open_current
from rag_app.retrieval.comparison import recognise_comparison
from rag_app.retrieval.hybrid import EVERYTHING, Retriever
from tests.support.doubles import WordEmbedder, settings_for

PAPERS = {
    "nap.md": (
        "# A Short Afternoon Nap and the Memory of Words\n\n## Methods\n\nWe let 96 adults nap: sleeping after lunch "
        "with a pillow. Sleeping after lunch with a pillow is common.\n"
    ),
    "bus.md": "# Cheaper Bus Fares and Visits to the Market\n\n## Methods\n\nFares fell in 2012.\n",
    "owl.md": "# OwlNet: Hearing Mice in the Dark\n\n## Methods\n\nOwlNet hears. OwlNet listens.\n",
    "vole.md": "# Gentle Vole Counting\n\n## Methods\n\nGVC walked 40 meadows. GVC counts voles in fields.\n",
    "gvc.md": "# GVC: Guide to Vole Counting in Meadows\n\n## Methods\n\nGVC lists 12 burrows.\n",
}


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    yield from retrieve_over(tmp_path_factory.mktemp("described"), PAPERS)


def retrieve_over(folder: Path, papers: Mapping[str, str]) -> Iterator[Retriever]:
    (folder / "corpus").mkdir()
    for name, text in papers.items():
        (folder / "corpus" / name).write_text(text, encoding="utf-8")
    made = Assistant(settings_for(folder), embedder=WordEmbedder())
    made.build()
    generation = open_current(made.settings.index_folder)
    yield Retriever(generation, None)
    generation.close()


@pytest.mark.parametrize(
    ("question", "papers"),
    [
        ("what were the sample sizes of the nap study and the bus fares paper", ("nap.md", "bus.md")),
        ("how do owlnet and the afternoon nap paper differ?", ("owl.md", "nap.md")),
        ("Compare the paper on bus fares with nap.md: methods", ("bus.md", "nap.md")),
        ("What did another paper find?", ()),
        ("naps versus bus fares: how many people", ("nap.md", "bus.md")),
        ("sample sizes in the nap and bus fares papers", ("nap.md", "bus.md")),
        ("what did the paper on cheaper bus fares recommend for markets", ("bus.md",)),
        ("is hearing or sleeping better in the dark", ()),
        ("visits to the bus vs the market", ()),
        ("how do OwlNet and the nap study differ in bus fares, hearing mice and people", ("owl.md", "nap.md")),
        ("sleeping after lunch with a pillow vs OwlNet", ("nap.md", "owl.md")),  # what the text calls it
        ("OwlNet vs hearing", ("owl.md",)),  # its own hearing, no other paper
        ("OwlNet & bus fares: how many", ("owl.md", "bus.md")),
        ("OwlNet's mice against bus fares", ("owl.md", "bus.md")),
        ("both vole counting methods: which animals", ("gvc.md", "vole.md")),
        ("two papers called GVC, what is each about", ("gvc.md", "vole.md")),
        ("GVC (fields) vs GVC (burrows): methods", ("vole.md", "gvc.md")),
        ("how many burrows does GVC list", ("gvc.md",)),
        ("how many fields does GVC walk", ("vole.md",)),
        ("do fares help according to bus fares paper's author and nap paper", ("bus.md", "nap.md")),
        ("what does the OwlNet paper hear", ("owl.md",)),
    ],
)
def test_descriptions_name_papers(retriever: Retriever, question: str, papers: tuple[str, ...]) -> None:
    assert retriever.plan(question).named == papers


@pytest.mark.parametrize(
    ("question", "papers"),
    [
        ("adults in OwlNet and gentle vole counting", ("owl.md", "vole.md")),  # the beginning of a title
        ("which meadows does gentle vole counting need and which mice does OwlNet hear", ("vole.md", "owl.md")),
        ("number of animals: OwlNet Gentle-Vole-Counting", ("owl.md", "vole.md")),
        ("OwlNet (Smith) and cheaper bus fares", ("owl.md", "bus.md")),
        ("does OwlNet hear a short song", ()),  # the first words of a title, and most passages with them are others'
    ],
)
def test_the_beginning_of_a_title_names_a_paper_beside_another(
    retriever: Retriever, question: str, papers: tuple[str, ...]
) -> None:
    assert set(retriever.plan(question).papers) == set(papers)


def test_a_paper_that_is_not_here_is_told_with_the_nearest(retriever: Retriever) -> None:
    plan = retriever.plan("what does the volcano survey say about ash")
    assert plan.named == ()
    assert [(one.text, one.papers, len(one.near)) for one in plan.described] == [("the volcano survey", (), 1)]


def test_a_row_has_the_papers_short_name_where_the_question_only_describes_it(retriever: Retriever) -> None:
    question = "how many people: hearing mice in the dark vs the nap study"
    found = recognise_comparison(question, retriever.plan(question), retriever.generation.by_paper, EVERYTHING)
    assert found is not None
    assert found.names == ("OwlNet", "the nap study")


def test_a_paper_is_described_by_what_it_speaks_of_throughout(tmp_path: Path) -> None:
    """And not by a word of its abstract: no paper here is the paper on knitting."""
    sections = [
        f"## {number} Looms\n\nLoom {number} has {number} masts and a hammock for sailors." for number in range(1, 21)
    ]
    loom = "# Weaving at Sea\n\n## Abstract\n\nCrafts such as knitting profit.\n\n" + "\n\n".join(sections)
    ready = next(retrieve_over(tmp_path, {**PAPERS, "loom.md": loom}))
    absent, meant = (ready.plan(f"how many people has the paper on {topic}") for topic in ("knitting", "hammocks"))
    assert meant.named == ("loom.md",)
    assert absent.named == ()
    assert [(one.text, one.papers, one.near) for one in absent.described] == [
        ("the paper on knitting", (), ("loom.md",))
    ]


def test_a_part_of_a_description_that_means_no_paper_means_none(tmp_path: Path) -> None:
    survey = "# Bridges of Wood and Stone: A Survey\n\n## Methods\n\nWe list 40 bridges.\n"
    ready = next(retrieve_over(tmp_path, {**PAPERS, "bridges.md": survey}))
    plan = ready.plan("the volcano survey vs OwlNet: which ash?")
    assert plan.named == ("owl.md",)
    assert [one.papers for one in plan.described] == [()]
