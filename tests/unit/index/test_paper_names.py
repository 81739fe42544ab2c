"""Names of papers: what a paper calls its own, and what merely looks so."""

from __future__ import annotations

from rag_app.index.paper_names import count_name_usage, find_mentions, name_papers
from rag_app.records import Block, Page, Reading


def reading(title: str, text: str, given: tuple[str, ...] = ()) -> Reading:
    page = Page(1, "1", 0.0, 0.0, text, (Block(0, len(text), "body", ""),))
    return Reading(title, (page,), "full text", abbreviations=given)


def coined(text: str, title: str = "On Rivers") -> tuple[str, ...]:
    return count_name_usage(reading(title, text)).coined


def test_a_name_used_often_and_never_cited_is_coined() -> None:
    assert coined("We feed OtterNet well. Then OtterNet swims. " * 8) == ("OtterNet",)


def test_a_word_in_capitals_is_no_name_where_the_text_also_writes_it_plainly() -> None:
    text = "The step SEARCH goes first. We search the river, and a search may fail. " * 8
    assert coined(text) == ()
    assert count_name_usage(reading("On Rivers", text, given=("SEARCH",))).given == ()
    assert coined(text.replace("search", "look")) == ("SEARCH",)


def test_what_the_title_spells_is_a_name_though_the_code_writes_it_small() -> None:
    text = "We call it DSP and import dsp, then dsp runs. " * 8
    assert coined(text) == ()
    assert coined(text, "Demonstrate, Search, Predict") == ("DSP",)


def test_a_part_of_a_longer_name_is_no_name() -> None:
    text = "It was trained on RX Heron data. We like RX Heron most. " * 8
    assert coined(text) == ()
    assert coined(text.replace("RX Heron", "RX-4")) == ("RX-4",)


def test_what_everybody_uses_is_nobodys_name() -> None:
    assert coined("The LLMs run on a GPU each. An LLM needs one GPU. " * 6) == ()


def test_an_acronym_that_many_use_more_than_the_paper_whose_title_spells_it_means_no_paper() -> None:
    seldom = reading("Large Otter Models", "Some LOM here. " * 6 + "river " * 3000)
    often = [reading(f"On Ponds {number}", "The LOM swims. " * 60) for number in range(7)]
    readings = [seldom, *often]
    titles, order = [one.title for one in readings], [f"20{number:02d}" for number in range(8)]
    names = [one.names for one in name_papers(titles, [count_name_usage(one) for one in readings], order)]
    assert "LOM" not in names[0]
    alone = name_papers(titles[:1], [count_name_usage(seldom)], order[:1])
    assert alone[0].names == ("LOM",)


def test_mentions_need_a_capital_or_several_words() -> None:
    names = {"otternet": ["one.md"], "heron": ["two.md"]}
    assert [mention.paper for mention in find_mentions("Does OtterNet eat more than a heron?", names)] == ["one.md"]
    assert [mention.paper for mention in find_mentions("OtterNet/HERON speed", names)] == ["one.md", "two.md"]


def test_dashes_of_any_kind_part_the_words_that_initials_are_made_of() -> None:
    text = "We present DSP. " + "DSP programs call DSP again. " * 8
    title = "Demonstrate–Search–Predict: Composing Models"
    found = name_papers(
        [title, "On Rivers"],
        [count_name_usage(reading(title, text)), count_name_usage(reading("On Rivers", "The river."))],
        ["1", "2"],
    )
    assert "DSP" in found[0].names


def test_a_name_that_first_comes_up_in_the_experiments_is_its_own_only_where_the_paper_says_so() -> None:
    front = Page(1, "1", 0.0, 0.0, "We study rivers.", (Block(0, 16, "body", ""),))
    tested = "We refer to these models collectively as LynxLM models. " + "In rivers the LynxLM swims on. " * 20
    pages = [
        Page(number, str(number), 0.0, 0.0, text, (Block(0, len(text), "body", ""),))
        for number, text in ((2, "More."), (3, tested))
    ]
    used = count_name_usage(Reading("On Rivers", (front, *pages), "full text", abbreviations=("LynxLM",)))
    assert (used.given, used.coined) == ((), ())
    own = Page(3, "3", 0.0, 0.0, tested + "Our small model LynxLM wins.", (Block(0, len(tested) + 28, "body", ""),))
    used = count_name_usage(Reading("On Rivers", (front, pages[0], own), "full text", abbreviations=("LynxLM",)))
    assert (used.given, used.coined) == (("LynxLM",), ("LynxLM",))


def test_what_the_authors_name_is_theirs_whoever_uses_it_more() -> None:
    ours = reading(
        "Patient Standing", "Our best stander, called HeronRank, waits. " + "HeronRank likes ponds. river " * 40
    )
    others = [reading(f"On Ponds {number}", "We try HeronRank here. " * 60) for number in range(7)]
    readings = [ours, *others]
    titles, order = [one.title for one in readings], [f"20{number:02d}" for number in range(8)]
    names = [one.names for one in name_papers(titles, [count_name_usage(one) for one in readings], order)]
    assert names == [("HeronRank",), *[()] * 7]
