"""The embedder: shapes, unit length, order, window, threads, other models, fallbacks; and the reranker."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rag_app.errors import ModelError, SettingsError
from rag_app.models.embedder import Embedder, open_embedder
from rag_app.models.openvino import open_converted
from rag_app.models.openvino_convert import DEFAULT_COSINES, check_texts, choose_precision, neighbour_cosines
from rag_app.models.reranker import open_reranker
from rag_app.models.weights import find_model
from rag_app.settings import Settings
from tests.support.small_embedder import save_small_model

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
TEXTS = [
    "Retrieval-augmented generation gives a language model passages to read.",
    "BM25 ranks documents by the words of the question.",
    "",
    "The cat sat on the mat. " * 60,
    "Bananas are rich in potassium.",
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Path:
    """A folder of our own with the converted default model, for other models too."""
    return Path(shutil.copytree(models, tmp_path_factory.mktemp("cache") / "models", copy_function=os.link))


@pytest.fixture(scope="module")
def embedder(cache: Path) -> Embedder:
    return open_embedder(Settings(), cache)


@pytest.fixture(scope="module")
def plain(cache: Path) -> Embedder:
    return open_embedder(Settings(embedder_backend="torch"), cache)


def test_shapes_types_and_unit_length(embedder: Embedder) -> None:
    vectors = embedder.embed_passages(TEXTS)
    assert vectors.shape == (5, embedder.dimension) == (5, 384)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    question = embedder.embed_question("What does BM25 do?")
    assert question.shape == (384,)
    assert np.linalg.norm(question) == pytest.approx(1, abs=1e-5)


def test_no_texts(embedder: Embedder, plain: Embedder) -> None:
    for one in (embedder, plain):
        assert one.embed_passages([]).shape == (0, 384)
        assert one.count_tokens([]) == []


def test_meaning_is_near(embedder: Embedder) -> None:
    nearness = embedder.embed_passages(TEXTS) @ embedder.embed_question("Which fruit has much potassium?")
    assert int(nearness.argmax()) == 4


def test_the_same_again(embedder: Embedder) -> None:
    assert np.array_equal(embedder.embed_passages(TEXTS), embedder.embed_passages(TEXTS))


def test_order_and_company_do_not_matter(embedder: Embedder) -> None:
    texts = check_texts()
    together = embedder.embed_passages(texts)
    backwards = embedder.embed_passages(texts[::-1])[::-1]
    alone = np.stack([embedder.embed_passages([text])[0] for text in texts])
    for others in (backwards, alone):  # another batch is another shape, and rounds differently
        assert (together * others).sum(axis=1).min() > 0.995
        assert np.abs(together - others).mean() < 1e-3


def test_agrees_with_sentence_transformers(embedder: Embedder, plain: Embedder, cache: Path) -> None:
    texts = check_texts() + TEXTS
    expected = plain.embed_passages(texts)
    exact = open_converted(find_model("all-MiniLM-L6-v2"), cache, "f32").embed_passages(texts)
    assert (exact * expected).sum(axis=1).min() > 0.99999
    nearness = (embedder.embed_passages(texts) * expected).sum(axis=1)
    assert nearness[[bool(text) for text in texts]].min() > 0.99
    assert embedder.identity == plain.identity
    assert embedder.window == plain.window == 254
    assert embedder.count_tokens(texts) == plain.count_tokens(texts)


def test_the_cosines_kept_for_the_check_are_those_of_torch(plain: Embedder) -> None:
    assert np.abs(neighbour_cosines(plain.embed_passages(check_texts())) - DEFAULT_COSINES).max() < 1e-3


def test_check_texts_are_fifty_different_ones() -> None:
    assert len(set(check_texts())) == len(check_texts()) == 50


def test_a_text_is_read_up_to_the_window_and_no_further(embedder: Embedder) -> None:
    words = ["cat"] * embedder.window
    full = " ".join(words)
    assert embedder.count_tokens([full]) == [embedder.window]
    last_changed, beyond = " ".join([*words[:-1], "potassium"]), full + " potassium"
    vectors = embedder.embed_passages([full, last_changed, beyond])
    assert vectors[0] @ vectors[2] > 0.9999
    assert vectors[0] @ vectors[1] < 0.999


def test_counts_of_parts_add_up(embedder: Embedder) -> None:
    assert embedder.count_tokens(["The cat sat.", "On the mat!", ""]) == [4, 4, 0]
    assert embedder.count_tokens(["The cat sat. On the mat!"]) == [8]
    assert embedder.count_tokens(["cat " * 50_000]) == [50_000]


def test_megabytes_without_a_blank(embedder: Embedder) -> None:
    assert embedder.embed_passages(["x" * 3_000_000, "\x00\ufffd"]).shape == (2, 384)
    assert embedder.count_tokens(["x" * 3_000_000])[0] > 0


def test_sixteen_threads(embedder: Embedder) -> None:
    texts = [f"{text} {number}" for number, text in enumerate(check_texts()[:8])]
    expected = embedder.embed_passages(texts)

    def ask(number: int) -> float:
        if number % 8 == 0:
            return float((embedder.embed_passages(texts) * expected).sum(axis=1).min())
        assert embedder.count_tokens([texts[number % 8]])[0] > 0
        return float(embedder.embed_question(texts[number % 8]) @ expected[number % 8])

    with ThreadPoolExecutor(16) as pool:
        assert min(pool.map(ask, range(80))) > 0.995


def test_an_error_in_one_call_leaves_the_embedder_usable(embedder: Embedder) -> None:
    for _ in range(4):  # more often than there are requests to lose
        with pytest.raises(TypeError):
            embedder.embed_passages([None])  # type: ignore[list-item]
    assert embedder.embed_question("still there").shape == (384,)


def run_python(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_default_needs_no_network_and_no_torch(tmp_path: Path) -> None:
    code = """
        import socket, sys
        from pathlib import Path

        def refuse(*arguments, **_):
            raise SystemExit(f"network: {arguments}")

        socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
        from rag_app.models.embedder import open_embedder
        from rag_app.settings import Settings

        for _ in range(2):  # converting, then reading what was converted
            assert open_embedder(Settings(), Path(sys.argv[1])).embed_question("x").shape == (384,)
        heavy = {"torch", "transformers", "sentence_transformers", "huggingface_hub", "onnxruntime"}
        print(sorted(heavy & set(sys.modules)), sys.modules.get("openvino_telemetry"))
    """
    assert run_python(code, str(tmp_path)) == "[] None"


def test_a_conversion_leaves_one_complete_folder(embedder: Embedder, cache: Path) -> None:
    assert embedder.backend.startswith("OpenVINO")
    found = [path for path in cache.iterdir() if path.name.startswith("all-MiniLM")]
    assert len(found) == 1
    assert {path.name for path in found[0].iterdir()} == {"about.json", "model.xml", "model.bin", "tokenizer.json"}


def test_a_damaged_cache_is_named_and_torch_steps_in(embedder: Embedder, tmp_path: Path, cache: Path) -> None:
    good = next(path for path in cache.iterdir() if path.name.startswith("all-MiniLM"))
    bad = tmp_path / good.name
    bad.mkdir()
    (bad / "about.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match=r"Delete this folder"):
        open_embedder(Settings(embedder_backend="openvino"), tmp_path)
    assert open_embedder(Settings(), tmp_path).backend.startswith("torch")


def test_without_openvino_torch_steps_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)  # what Python finds where a package is not installed
    with pytest.raises(ModelError, match="pip install openvino"):
        open_embedder(Settings(embedder_backend="openvino"), tmp_path)
    assert open_embedder(Settings(), tmp_path).backend.startswith("torch")


def test_a_wrong_result_of_the_conversion_is_not_used(plain: Embedder) -> None:
    expected = plain.embed_passages(check_texts())

    def wrong(texts: list[str]) -> np.ndarray:
        return np.roll(expected, 1, axis=0)

    with pytest.raises(ModelError, match="differ from those of torch"):
        choose_precision(["f32"], lambda _: wrong, None)
    with pytest.raises(ModelError, match="differ from those of torch"):
        choose_precision(["f32", "bf16"], lambda _: wrong, expected)
    good = {"f32": lambda _: expected, "bf16": wrong}
    assert choose_precision(["f32", "bf16"], lambda precision: good[precision], expected) == "f32"


def test_eight_bits_stay_near(embedder: Embedder, cache: Path) -> None:
    small = open_converted(find_model("all-MiniLM-L6-v2"), cache, "int8")
    assert small.backend == "OpenVINO int8"
    texts = check_texts()
    assert (small.embed_passages(texts) * embedder.embed_passages(texts)).sum(axis=1).min() > 0.99
    assert embedder.identity == small.identity


def test_unknown_backend(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="auto, openvino, torch"):
        open_embedder(Settings(embedder_backend="gpu"), tmp_path)


def test_another_model_by_folder(embedder: Embedder, tmp_path: Path, cache: Path) -> None:
    folder = save_small_model(tmp_path, prompts={"query": "please find an answer: ", "document": "text: "})
    fast = open_embedder(Settings(embedder=str(folder), embedder_backend="openvino"), cache)
    plain = open_embedder(Settings(embedder=str(folder), embedder_backend="torch"), cache)
    assert fast.backend.startswith("OpenVINO")
    assert (
        (fast.dimension, fast.window) == (plain.dimension, plain.window) == (32, 44)
    )  # 48, two special, two of prompt
    assert fast.identity == plain.identity != embedder.identity
    assert fast.embed_question("cats") @ fast.embed_passages(["cats"])[0] < 0.99  # the prompts differ
    for text in ("a question about cats", "cats " * 70):
        assert fast.embed_passages([text])[0] @ plain.embed_passages([text])[0] > 0.99
        assert fast.embed_question(text) @ plain.embed_question(text) > 0.99


def test_a_model_with_two_sides_uses_each_of_them(tmp_path: Path, cache: Path) -> None:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    from sentence_transformers.base.modules import Router  # noqa: PLC0415

    asking, answering = (
        SentenceTransformer(str(save_small_model(tmp_path / str(seed), seed=seed)), device="cpu") for seed in (1, 2)
    )
    router = Router.for_query_document(list(asking), list(answering), default_route="document")
    SentenceTransformer(modules=[router], device="cpu").save(str(tmp_path / "two"))
    embedder = open_embedder(Settings(embedder=str(tmp_path / "two")), cache)
    assert embedder.backend.startswith("torch")
    for vector, side in (
        (embedder.embed_question("a cat"), asking),
        (embedder.embed_passages(["a cat"])[0], answering),
    ):
        assert vector @ side.encode("a cat", normalize_embeddings=True) == pytest.approx(1, abs=1e-4)


def test_other_weights_have_another_identity(tmp_path: Path) -> None:
    one, two = (save_small_model(tmp_path / str(seed), seed=seed) for seed in (1, 2))
    assert find_model(str(one)).identity() != find_model(str(two)).identity()


def test_what_cannot_be_converted_runs_on_torch_and_is_tried_once(
    tmp_path: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding  # noqa: PLC0415
    from tokenizers import Tokenizer  # noqa: PLC0415

    tokenizer = Tokenizer.from_file(str(find_model("all-MiniLM-L6-v2").folder / "tokenizer.json"))
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)]).save(str(tmp_path / "static"))
    settings = Settings(embedder=str(tmp_path / "static"))
    with caplog.at_level(logging.INFO):
        first = open_embedder(settings, cache)
        assert "converting" in caplog.text
        caplog.clear()
        again = open_embedder(settings, cache)
        assert "converting" not in caplog.text
        assert "runs on torch instead" in caplog.text
    assert first.backend.startswith("torch")
    assert first.embed_passages(TEXTS).shape == (5, 16)
    assert np.array_equal(again.embed_question("x"), first.embed_question("x"))


def test_a_broken_model_is_named(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(ModelError, match=f"{tmp_path.name}.*cannot be loaded"):
        open_embedder(Settings(embedder=str(tmp_path)), cache)


def save_small_cross_encoder(path: Path, labels: int) -> Path:
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification  # noqa: PLC0415

    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    config = BertConfig(vocab_size=30522, max_position_embeddings=64, num_labels=labels, **sizes)
    BertForSequenceClassification(config).save_pretrained(path)
    AutoTokenizer.from_pretrained(find_model("all-MiniLM-L6-v2").folder).save_pretrained(path)
    return path


def test_no_reranker_unless_named() -> None:
    assert open_reranker(Settings()) is None


def test_reranker_scores_each_text_by_itself(tmp_path: Path) -> None:
    reranker = open_reranker(Settings(reranker=str(save_small_cross_encoder(tmp_path, labels=1))))
    assert reranker is not None
    assert reranker.score("a question", []) == []
    texts = ["a cat", "a much longer text about dogs " * 5, "a cat"]
    scores = reranker.score("a question", texts)
    assert scores[0] == pytest.approx(scores[2])
    assert scores[0] != pytest.approx(scores[1], abs=1e-6)
    assert reranker.score("a question", texts[::-1]) == pytest.approx(scores[::-1], abs=1e-5)


def test_a_classifier_is_no_reranker(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="gives 3 scores"):
        open_reranker(Settings(reranker=str(save_small_cross_encoder(tmp_path, labels=3))))
