"""arXiv ids in all the forms people type and files are named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag_app.papers.arxiv_ids import ArxivId, arxiv_id_of_file, parse_arxiv_id, split_ids

OLD_ARCHIVES = ["hep-th", "astro-ph", "math", "math-ph", "cs", "cond-mat", "quant-ph"]


@st.composite
def new_ids(draw: st.DrawFn) -> ArxivId:
    year, month = draw(st.integers(7, 60)), draw(st.integers(1, 12))
    if year == 7:
        month = max(month, 4)
    digits = 4 if year < 15 else 5
    number = draw(st.integers(0, 10**digits - 1))
    return ArxivId(f"{year:02}{month:02}.{number:0{digits}}", draw(st.integers(0, 999)))


@st.composite
def old_ids(draw: st.DrawFn) -> ArxivId:
    year, month = draw(st.sampled_from([92, 95, 99, 0, 1, 6])), draw(st.integers(1, 12))
    archive = draw(st.sampled_from(OLD_ARCHIVES))
    return ArxivId(f"{archive}/{year:02}{month:02}{draw(st.integers(0, 999)):03}", draw(st.integers(0, 999)))


ids = new_ids() | old_ids()
FORMS = [
    "{}", " {} \n", "arXiv:{}", "ARXIV: {}", "{}.pdf",
    "https://arxiv.org/abs/{}", "http://www.arxiv.org/pdf/{}.pdf", "arxiv.org/pdf/{}", "https://export.arxiv.org/abs/{}/",
    "https://arxiv.org/html/{}?context=cs#S1", "https://doi.org/10.48550/arXiv.{}", "HTTPS://ARXIV.ORG/abs/{}",
]  # fmt: skip


@given(ids, st.sampled_from(FORMS))
def test_every_form_of_an_id_is_read_back(known: ArxivId, form: str) -> None:
    assert parse_arxiv_id(form.format(known)) == known


@given(ids)
def test_a_file_named_by_its_stem_is_known_again(known: ArxivId) -> None:
    assert "/" not in known.file_stem
    assert arxiv_id_of_file(known.file_stem) == (known, True)
    assert arxiv_id_of_file(f"arXiv-{known.file_stem} (1)") == (known, True)
    assert arxiv_id_of_file(f"{known.file_stem}-longrag") == (known, False)
    assert (arxiv_id_of_file(f"{known.file_stem}7777") or (None, True))[0] != known


@given(st.text() | st.from_regex(r"[0-9]{4}[./][0-9]{4,7}(v[0-9]+)?"))
def test_any_text_is_an_id_or_none_and_never_an_error(text: str) -> None:
    found = parse_arxiv_id(text)
    assert found is None or parse_arxiv_id(str(found)) == found
    of_file = arxiv_id_of_file(text)
    assert of_file is None or parse_arxiv_id(str(of_file[0])) == of_file[0]


@given(ids)
def test_the_date_is_in_the_id(known: ArxivId) -> None:
    assert 1 <= known.month <= 12
    assert 1991 <= known.year <= 2060
    assert f"{known.year % 100:02}{known.month:02}" in known.id


def test_dates_of_known_papers() -> None:
    dpr, old, older = (parse_arxiv_id(text) for text in ("2004.04906v3", "hep-th/9901001", "math.GT/0309136"))
    assert dpr == ArxivId("2004.04906", 3) and (dpr.year, dpr.month) == (2020, 4)
    assert old is not None and (old.year, old.month) == (1999, 1)
    assert older == ArxivId("math/0309136") and (older.year, older.month) == (2003, 9)


@pytest.mark.parametrize(
    "text",
    [
        "", "attention is all you need", "2413.12345", "2400.12345", "0703.1234", "2406.1531", "1012.12345",
        "2406.153190",
        "2406.15319v0", "2406.15319w2", "report/2001001", "hep-th/9913001", "hep-th/0801001", "../2406.15319",
        "https://evil.example/abs/2406.15319", "https://arxiv.org.evil.example/abs/2406.15319", "https://arxiv.org/list/cs",
        "https://arxiv.org@evil.example/abs/2406.15319", "https://[", "٢٤٠٦.١٥٣١٩", "2406.15319/../../x",
    ],
)  # fmt: skip
def test_what_only_looks_like_an_id_is_none(text: str) -> None:
    assert parse_arxiv_id(text) is None


@pytest.mark.parametrize(
    "stem", ["report_2001001", "notes", "2413.12345", "2406.153190", "2406.15319x", "v2406.15319", ""]
)
def test_other_file_names_hold_no_id(stem: str) -> None:
    assert arxiv_id_of_file(stem) is None


@pytest.mark.parametrize(
    ("pasted", "found"),
    [
        ("2406.15319", ["2406.15319"]),
        ("arXiv: 2406.15319, 2004.04906v3;hep-th/9901001", ["arXiv:2406.15319", "2004.04906v3", "hep-th/9901001"]),
        ("(https://arxiv.org/abs/2406.15319)\n\n2406.15319.", ["https://arxiv.org/abs/2406.15319", "2406.15319"]),
        ("see this one 2406.15319 and that", ["see this one", "2406.15319", "and that"]),
        ("https://example.org/2406.15319", ["https://example.org/2406.15319"]),
        (" \n, ; ", []),
    ],
)
def test_what_is_pasted_is_taken_apart(pasted: str, found: list[str]) -> None:
    assert split_ids(pasted) == found


@given(st.lists(st.sampled_from(["2406.15319", "hep-th/9901001v2", "https://arxiv.org/pdf/2004.04906"]), max_size=5))
def test_no_id_among_pasted_ones_is_lost(ids: list[str]) -> None:
    assert split_ids("\n".join(ids)) == list(dict.fromkeys(ids))
