"""Evaluation sets as libraries: a passage is said to hold just the units and spans that it holds."""

from __future__ import annotations

from pathlib import Path

from benchmarks.library_sets import Asked, LibrarySet, is_heading
from benchmarks.set_index import SetIndex
from rag_app.index.build import build
from rag_app.index.generations import open_current
from rag_app.settings import Settings
from tests.support.doubles import WordEmbedder

TEXT = "Otters in Rivers\n\nThe otter eats  at dawn. It sleeps\nat noon.\n\nThe heron waits in the reeds."


def opened(one: LibrarySet, folder: Path) -> SetIndex:
    settings = Settings(corpus=one.write(folder / "corpus"), index=folder / "index", llm="none")
    build(settings, WordEmbedder())
    return SetIndex(one, open_current(settings.index_folder), WordEmbedder())  # type: ignore[arg-type]


def test_a_span_is_found_by_its_place_though_white_space_changes(tmp_path: Path) -> None:
    start = TEXT.index("It sleeps")
    asked = Asked("1", "When does it sleep?", ("covid-00.txt#0",), "covid-00.txt")
    spans = {"covid-00.txt": (f"{start}:{start + len('It sleeps at noon.')}",)}
    index = opened(LibrarySet("covid_qa", {"covid-00.txt": TEXT}, (asked,), spans), tmp_path)
    held = [index.generation.passages([int(row)])[0].text for row in index.gold(asked)]
    assert held and all("It sleeps at noon." in text for text in held)
    visible = len("".join(TEXT[:start].split()))
    assert index.holds(asked, "covid-00.txt", visible, visible + 15)
    assert not index.holds(asked, "covid-00.txt", visible + 1, visible + 40)
    index.close()


def test_a_passage_leads_to_the_paragraphs_that_it_holds(tmp_path: Path) -> None:
    paragraphs = ("Food", "The otter eats at dawn.", "Rest", "The heron waits in the reeds all day long.")
    text = "# Rivers\n\n## Food\n\nThe otter eats at dawn.\n\n## Rest\n\nThe heron waits in the reeds all day long.\n"
    asked = Asked("1", "Where does the heron wait?", ("one.md#3",), "one.md")
    index = opened(LibrarySet("qasper_mini", {"one.md": text}, (asked,), {"one.md": paragraphs}), tmp_path)
    by_text = {index.generation.passages([row])[0].text: index.units_of(row) for row in range(index.size)}
    assert by_text["The otter eats at dawn."] == ["one.md#1"]
    assert by_text["The heron waits in the reeds all day long."] == ["one.md#3"]
    assert index.ours(asked.text, "", 5)[0] == index.ours(asked.text, "one.md", 5)[0]
    index.close()


def test_headings_are_told_from_short_sentences() -> None:
    assert is_heading("Related Work") and is_heading("3 Data and Tasks")
    assert not is_heading("We thank them.") and not is_heading("[leftmargin=4mm]") and not is_heading("See BIBREF3")
