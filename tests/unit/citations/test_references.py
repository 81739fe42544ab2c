"""What a quote's own marks name, and what only looks like a mark."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.assistant import Assistant
from rag_app.citations.references import KnownPaper, PaperRegistry, find_references, may_have_marks, raised_marks
from rag_app.outputs.json import answer_json, citation_json
from rag_app.outputs.terminal import answer_text
from rag_app.papers.read import read_paper
from rag_app.records import Answer, Citation
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.pdfs import make_paper

NUMBERED = (
    "[1] A. Vaswani, N. Shazeer, and N. Parmar. Attention is all you need. In NIPS, 2017.",
    "[2] J. Devlin and M. Chang. BERT: Pre-training of deep bidirectional transformers. arXiv:1810.04805, 2018.",
    "[3] E. Hu. LoRA: Low-rank adaptation of large language models. 2021.",
    "[4] P. Lewis et al. Retrieval-augmented generation. CoRR, abs/2005.11401, 2020.",
)
NAMED = (
    "Kelvin Guu, Kenton Lee, and Ming-Wei Chang. 2020. REALM: Retrieval-augmented pre-training. In ICML.",
    "Kenton Lee, Ming-Wei Chang, and Kristina Toutanova. 2019. Latent retrieval. In ACL.",
    "Min, S., Chen, D., and Hajishirzi, H. A discrete hard EM approach. In EMNLP, 2019a.",
    "Min, S., Chen, D., and Zettlemoyer, L. Knowledge guided text retrieval. 2019b.",
    "Gautier Izacard and Edouard Grave. 2020. Distilling knowledge from reader to retriever.",
    "Guido van den Driessche and Tom Brown. 2020. Something else.",
    "Alan Smith. 2020. On one thing.",
    "Alan Smith and Bea Jones. 2020. On another thing.",
    "OpenAI. 2023. GPT-4 technical report.",
    "Łukasz Łoś and İpek Şahin. 2021. Drift of probes.",
    "Šárka Čapek. 2021. Silt and clay.",
    "Jan Żak. 2022. Loam.",
)
NOTHING = PaperRegistry([])


def marks(quote, entries=NUMBERED):
    return {reference.mark: reference.entry for reference in find_references(quote, entries, NOTHING)}


@pytest.mark.parametrize(
    ("quote", "numbers"),
    [
        ("as shown before [2].", [2]),
        ("much recent work [1, 3; 4]", [1, 3, 4]),
        ("a line of work [2–4]", [2, 3, 4]),
        ("transformers [1]–[3] are", [1, 3]),
        ("T5-11B+SSM [2] and “others”[1]", [2, 1]),
        ("in [2] we see", [2]),
        ("evidence from [2] and values of [3]", [2, 3]),
        ("of the weights[1, 3]and more", [1, 3]),
        ("[1] and [2] propose", [1, 2]),
        ("twice [2] and again [2]", [2]),
    ],
)
def test_numbers_name_their_entries(quote, numbers):
    found = marks(quote)
    assert list(found) == [f"[{number}]" for number in numbers]
    for number in numbers:
        assert NUMBERED[number - 1] == f"[{number}] {found[f'[{number}]']}"


@pytest.mark.parametrize(
    "quote",
    [
        "a value in [0, 1] is clipped",
        "a value in the range [1, 3]",
        "k ∈ [2, 4] clusters",
        "x in [1, 2] holds",
        "the token [CLS] and [SEP]",
        "Document [3](Title: Millennium Falcon)",
        "array[1] and x[2] and m[3][4]",
        "matched by s[1-3]{4}",
        "with [7] entries there is no such one",
        "[2] Title: A passage of a prompt",
        "a set [1] = 3",
        "in 2019 [2019]",
        "the interval [1, 4]",
        "nothing at all",
        "",
    ],
)
def test_what_only_looks_like_a_mark_names_nothing(quote):
    assert marks(quote) == {}


def test_numbers_name_nothing_where_the_bibliography_has_none():
    assert marks("values in [1, 2] and [3]", NAMED) == {}
    assert marks("as shown [1]", ()) == {}


def test_keys_name_their_entries_and_tokens_do_not():
    entries = ("[CLS+20] A. Chen and B. Lee. One. 2020.", "[Dev18] J. Devlin. Two. 2018.")
    assert list(marks("shown by [Dev18, CLS+20] with the token [CLS]", entries)) == ["[Dev18]", "[CLS+20]"]


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("(Guu et al., 2020)", {"Guu et al., 2020": 0}),
        ("(see Guu et al., 2020; Lee et al., 2019)", {"Guu et al., 2020": 0, "Lee et al., 2019": 1}),
        ("Min et al. (2019a,b) show", {"Min et al., 2019a": 2, "Min et al., 2019b": 3}),
        ("Following Izacard and Grave (2020), we", {"Izacard and Grave, 2020": 4}),
        ("[Izacard & Grave, 2020]", {"Izacard and Grave, 2020": 4}),
        ("van den Driessche and Brown (2020)", {"van den Driessche and Brown, 2020": 5}),
        ("Smith and Jones (2020) and Smith (2020)", {"Smith and Jones, 2020": 7, "Smith, 2020": 6}),
        ("GPT-4 (OpenAI, 2023)", {"OpenAI, 2023": 8}),
        ("Łoś and Şahin (2021) and (Čapek, 2021)", {"Łoś and Şahin, 2021": 9, "Čapek, 2021": 10}),
        ("Żak (2022)", {"Żak, 2022": 11}),
    ],
)
def test_authors_and_year_name_their_entries(quote, found):
    assert marks(quote, NAMED) == {mark: NAMED[at] for mark, at in found.items()}


@pytest.mark.parametrize(
    "quote",
    [
        "(Min et al., 2019)",  # a or b?
        "(Guu et al., 2019)",
        "(Grave, 2020)",  # not the first author
        "(Izacard and Lee, 2020)",
        "(in December 2020)",
        "(n = 2020)",
        "(Smith and Nobody, 2020)",
    ],
)
def test_in_doubt_authors_name_nothing(quote):
    assert marks(quote, NAMED) == {}


@given(st.text(alphabet="[](),;0123456789 aA.–-\n∈", max_size=80))
def test_nothing_breaks_it_and_what_it_finds_is_there(quote):
    for reference in find_references(quote, NUMBERED, NOTHING):
        assert any(entry.endswith(reference.entry) for entry in NUMBERED)
        assert may_have_marks(quote)


# -- the paper in our library ---------------------------------------------------------------------------------------

SHELF = PaperRegistry(
    [
        KnownPaper(
            "bert.pdf", "BERT: Pre-training of Deep Bidirectional Transformers", "1810.04805", 2018, ("J. Devlin",)
        ),
        KnownPaper("rag.pdf", "Retrieval-Augmented Generation for Knowledge-Intensive NLP Tasks", "2005.11401", 2020),
        KnownPaper("survey.pdf", "Retrieval-Augmented Generation for Large Language Models", "2312.10997", 2023),
        KnownPaper("gpt.pdf", "GPT Understands, Too", "2103.10385", 2021, ("Xiao Liu", "Yanan Zheng")),
        KnownPaper("a.pdf", "One title of two papers", "", 2020),
        KnownPaper("b.pdf", "One title of two papers", "", 2020),
    ]
)


@pytest.mark.parametrize(
    ("entry", "paper"),
    [
        ("J. Devlin. Whatever it is called. arXiv preprint arXiv:1810.04805, 2018.", "bert.pdf"),
        ("Lewis, P. RAG. CoRR, abs/2005.11401, 2020.", "rag.pdf"),
        ("J. Devlin, “Bert: Pretraining of deep bidirectional transformers,” in NAACL, 2019.", "bert.pdf"),
        ("Gao. Retrieval-augmented generation for large language models. 2023.", "survey.pdf"),
        ("Gao. Retrieval-augmented generation for large language models in medicine. 2023.", ""),
        ("Gao. A survey of retrieval-augmented generation for large language models. 2023.", ""),
        ("Gao. Retrieval-augmented generation for large language models. 2008.", ""),
        ("Devlin. BERT: Pre-training of deep bidirectional transformers. arXiv:1901.00001, 2019.", ""),
        ("Xiao Liu and Yanan Zheng. GPT understands, too. 2021.", "gpt.pdf"),
        ("Somebody Else. GPT understands, too. 2021.", ""),
        ("Nobody. One title of two papers. 2020.", ""),
        ("", ""),
    ],
)
def test_an_entry_is_a_paper_of_ours_by_id_or_by_its_whole_title(entry, paper):
    assert SHELF.find(entry) == paper


# -- from the page ----------------------------------------------------------------------------------------------------


def test_real_papers_resolve_from_their_own_bibliography(papers_folder: Path):
    reading = read_paper(papers_folder / "2005.11401v4.pdf", "pdf")
    quote = next(line for line in reading.pages[0].text.split("\n") if "[20, 26, 48]" in line)
    dpr = KnownPaper("dpr.pdf", "Dense Passage Retrieval for Open-Domain Question Answering", "2004.04906", 2020)
    found = {one.mark: one for one in find_references(quote, reading.bibliography, PaperRegistry([dpr]))}
    assert "Dense passage retrieval" in found["[26]"].entry and found["[26]"].paper == "dpr.pdf"
    assert "REALM" in found["[20]"].entry and found["[20]"].paper == ""


def test_an_answer_brings_them_from_the_index(tmp_path: Path):
    (tmp_path / "corpus").mkdir()
    said = "The Quokka reader follows the Numbat encoder [2] in how it reads one hundred passages."
    entries = [
        "[1] A. Nobody. A work that is not here at all. In ACL, 2019.",
        "[2] G. Hopper. Numbat: Encoding Questions with Great Care. In EMNLP, 2020.",
        "[3] B. Nobody. Another work that is not here. In ACL, 2018.",
    ]
    make_paper(tmp_path / "corpus/quokka.pdf", "Quokka: Reading", [("1 Method", [said])], references=entries)
    make_paper(tmp_path / "corpus/numbat.pdf", "Numbat: Encoding Questions with Great Care", [("1 A", ["We encode."])])
    library = Assistant(settings_for(tmp_path), embedder=WordEmbedder())
    library.build()
    answer = library.ask("What does the Quokka reader follow in how it reads passages?")
    citation = next(one for one in (*answer.citations, *answer.nearest) if "[2]" in one.quote)
    assert [(one.mark, one.paper) for one in citation.references] == [("[2]", "numbat.pdf")]
    assert "Great Care" in citation.references[0].entry
    assert "(here: numbat.pdf)" in " ".join(answer_text(answer).split())
    assert '"paper": "numbat.pdf"' in json.dumps(answer_json(answer))


def test_the_terminal_and_json_say_nothing_where_a_quote_cites_nothing():
    plain = Citation(1, "a.pdf", "A", 1, "1", "", "it is 42", True)
    assert citation_json(plain)["references"] == []
    assert Answer("", "q", "answered", "x", "quoting", (plain,)).citations[0].references == ()


@pytest.mark.parametrize(
    ("quote", "numbers"),
    [
        ("an error of 2.4⁴ percent over ninety days¹–³, whereas", [[4], [1, 2, 3]]),
        ("shown before¹,² and proposed in 2015³.", [[1, 2], [3]]),
        ("each of the 40⁵ farms", [[5]]),
        ("an area of 12 m² with 10⁶ probes, 3 × 10⁻⁵ mol and 9 cm³", []),
    ],
)
def test_raised_numbers_cite_and_exponents_do_not(quote: str, numbers: list[list[int]]) -> None:
    assert list(raised_marks(quote)) == numbers
