"""BM25 against a plain implementation, terms, and damage."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import bm25s
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_app.errors import IndexFault
from rag_app.index import bm25 as bm25_module
from rag_app.index.bm25 import WordIndex, extract_terms

RELAXED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
K1, B = 1.2, 0.75

WORDS = ["otter", "heron", "lynx", "73.0", "13,997", "nDCG@10", "running", "runs", "ran", "été", "水", "the", "of"]
word = st.sampled_from(WORDS)
texts = st.lists(st.lists(word, max_size=12).map(" ".join), max_size=8)


def opened(folder: Path, found: Iterable[str]) -> WordIndex:
    for path in folder.iterdir():
        path.unlink()
    WordIndex.build(found, folder)
    return WordIndex.open(folder)


def bm25(documents: list[list[str]], query: list[str]) -> list[float]:
    """Lucene's BM25, straight from its formula."""
    average = sum(map(len, documents)) / max(1, len(documents))
    scores = []
    for document in documents:
        count, score = Counter(document), 0.0
        for term in query:
            holding = sum(term in other for other in documents)
            rarity = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
            if count[term]:
                score += rarity * count[term] / (count[term] + K1 * (1 - B + B * len(document) / average))
        scores.append(score)
    return scores


@given(texts, st.lists(word, max_size=4))
@RELAXED
def test_scores_are_those_of_the_formula(tmp_path: Path, found: list[str], asked: list[str]) -> None:
    words = opened(tmp_path, found)
    query = extract_terms(" ".join(asked))
    expected = bm25([extract_terms(text) for text in found], query)
    assert words.size == len(found)
    assert np.allclose(words.scores(query), expected, atol=1e-4)
    assert np.allclose(words.scores(query, [2.0] * len(query)), np.array(expected) * 2, atol=1e-4)


@given(texts, st.lists(word, max_size=4), st.data())
@RELAXED
def test_the_scores_of_a_range_are_those_of_all(
    tmp_path: Path, found: list[str], asked: list[str], data: st.DataObject
) -> None:
    words, query = opened(tmp_path, found), extract_terms(" ".join(asked))
    start = data.draw(st.integers(0, len(found)))
    rows = slice(start, data.draw(st.integers(start, len(found))))
    weights = [0.5 + place for place in range(len(query))]
    assert np.array_equal(words.scores(query, weights, rows), words.scores(query, weights)[rows])
    for term in query:
        inside = [row for row in words.rows_with(term).tolist() if rows.start <= row < rows.stop]
        assert words.rows_with(term, rows).tolist() == inside


@given(texts, st.integers(1, 4))
@RELAXED
def test_written_in_blocks_it_is_the_same(tmp_path: Path, found: list[str], block: int) -> None:
    opened(tmp_path, found)
    whole = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bm25_module, "BLOCK", block)
        opened(tmp_path, iter(found))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == whole


@given(texts, word)
@RELAXED
def test_frequencies_and_rows_of_a_term(tmp_path: Path, found: list[str], asked: str) -> None:
    words = opened(tmp_path, found)
    for term in extract_terms(asked) or ["absent"]:
        rows = [row for row, text in enumerate(found) if term in extract_terms(text)]
        assert sorted(words.rows_with(term)) == rows
        assert words.frequency(term) == len(rows)


@given(texts.filter(lambda found: any(map(extract_terms, found))), st.lists(word, min_size=1, max_size=4))
@RELAXED
def test_bm25s_gives_the_same(tmp_path: Path, found: list[str], asked: list[str]) -> None:
    words, query = opened(tmp_path, found), extract_terms(" ".join(asked))
    theirs = bm25s.BM25(k1=K1, b=B, method="lucene")
    theirs.index([extract_terms(text) for text in found], show_progress=False)
    known = [term for term in query if term in words.vocabulary]
    assert np.allclose(words.scores(known), theirs.get_scores(known) if known else 0, atol=1e-6)


@pytest.mark.parametrize("found", [[], ["the of and"], [""], ["", "the"]])
def test_nothing_to_index_is_no_error(tmp_path: Path, found: list[str]) -> None:
    words = opened(tmp_path, found)
    assert words.scores(extract_terms("otter of the heron")).tolist() == [0.0] * len(found)
    assert words.frequency("otter") == 0 and not len(words.rows_with("otter"))


@given(st.text(max_size=60))
@RELAXED
def test_terms_never_fail_and_fold_case(text: str) -> None:
    assert extract_terms(text) == extract_terms(text.casefold())
    assert all(term.strip() for term in extract_terms(text))


def test_terms() -> None:
    assert extract_terms("The Retrievers were retrieving") == ["retriev", "retriev"]
    assert extract_terms("scores 73.0 and 13,997") == ["score", "73.0", "13997"]
    assert extract_terms("the paper's F1") == extract_terms("the paper’s f1") == ["paper", "f1"]
    assert extract_terms("what is of the") == []
    assert extract_terms("multi-hop state_of_the_art") == ["multi", "hop", "state", "art"]


@pytest.mark.parametrize("name", ["words.json", "frequency.npy", "data.csc.index.npy", "indptr.csc.index.npy"])
@pytest.mark.parametrize("content", [None, b"", b"rubbish"])
def test_damage_is_a_clear_error(tmp_path: Path, name: str, content: bytes | None) -> None:
    opened(tmp_path, ["otter heron", "lynx"])
    assert (tmp_path / name).is_file()
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(IndexFault, match="--fresh"):
        WordIndex.open(tmp_path)


def test_files_of_two_indexes_do_not_mix(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    opened(tmp_path / "a", ["otter heron"])
    opened(tmp_path / "b", ["otter"])
    (tmp_path / "a" / "words.json").replace(tmp_path / "b" / "words.json")
    with pytest.raises(IndexFault, match="do not belong together"):
        WordIndex.open(tmp_path / "b")


def test_the_files_hold_no_pickle(tmp_path: Path) -> None:
    opened(tmp_path, ["otter heron", "lynx"])
    for path in tmp_path.iterdir():
        assert path.suffix in (".json", ".npy")
        if path.suffix == ".npy":
            np.load(path, allow_pickle=False)
