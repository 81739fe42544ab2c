"""A model -> OpenVINO's form of it, checked and with the precision that suits this processor.

Nothing here imports OpenVINO: models/openvino.py passes the module and a way to run what was written.

A BERT encoder with mean pooling, built in OpenVINO's operations straight from its weights.

The default model's first start then needs no torch: one second instead of fifteen. Source: the layers of Devlin et al.
2019 (1810.04805) and the mean over tokens of Reimers and Gurevych 2019 (1908.10084).
"""

from __future__ import annotations

import json
import logging
import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rag_app.errors import ModelError
from rag_app.files import read_regular
from rag_app.models.batching import normalise_vectors
from rag_app.models.torch_models import is_two_sided, load_sentence_model, make_traceable
from rag_app.models.weights import SentenceModel

AGREEMENT = 0.99  # least cosine between a precision's vectors and those of torch in float32
# How many times faster than the best before it a precision must be to be taken: for less, digits are not given up.
# Eight bits are equal in retrieval: SciFact nDCG@10 over 1,109 claims -0.0005 ± 0.0014 against bfloat16.
_WORTH = {"f32": 1.0, "bf16": 1.1, "f16": 1.1, "int8": 1.1}
_NEAR = 0.005  # how far a cosine may be from the one that torch gave

# What precisions are compared on: text of the kind that will be embedded, and what goes wrong in it.
_SENTENCES = (
    "We train the retriever with in-batch negatives and a temperature of 0.05 for 40,000 steps.",
    "Table 3: Exact match on the test set (%), mean of three runs.",
    "How much memory does the index need for a million passages of 384 dimensions?",
    "In contrast to earlier work, the generator sees every document at once, and attends over all of them.",
    "x_t = W h_{t-1} + b, where W ∈ R^{d×d} and b is learned.",
    "The committee found no evidence that vaccination raises the risk of severe disease in children under five.",
    "RoBERTa 90.2 96.4 92.2 86.6 96.4 90.9 68.0 92.4",
    "Smith et al. (2021) report the opposite, though on a smaller corpus and with another tokenizer.",
    "License",
    "Each answer must name the page from which it was taken; an answer without a source counts as wrong.",
)
# Cosine of each check text with the next one, as sentence-transformers computes it for the default model in float32.
# fmt: off
DEFAULT_COSINES: tuple[float, ...] = (
    0.1970, 0.6186, 0.4176, 0.7708, 0.5458, -0.0241, 0.5092, 0.3267, 0.7562, 0.7711,
    0.1219, 0.0887, 0.1105, 0.0037, -0.0714, -0.0041, 0.1864, 0.2067, 0.1612, 0.1834,
    0.5726, 0.3225, 0.1596, 0.0774, -0.0664, 0.4286, 0.3180, 0.0365, 0.1015, 0.7201,
    0.1360, 0.1107, 0.1965, 0.1325, 0.0599, 0.0874, 0.0525, 0.0813, 0.1954, 0.0899,
    0.0867, 0.0171, 0.1073, 0.2069, 0.0811, -0.0803, 0.1369, 0.1228, 0.1988, 0.1980,
)
# fmt: on

_log = logging.getLogger(__name__)

Embed = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class ConvertedModel:
    """A model in OpenVINO's form, not yet written."""

    graph: Any
    tokenizer: str  # the text of tokenizer.json
    dimension: int
    longest: int  # tokens, special ones included
    filler: int  # the padding token
    expected: np.ndarray | None  # float32 (50, dimension): torch's vectors of the check texts; None for the default


def convert_default(model: SentenceModel, openvino: Any) -> ConvertedModel:
    """The packaged default, without torch. Raises what a missing or changed file causes."""
    config = json.loads(read_regular(model.folder / "config.json").decode("utf-8"))
    limits = json.loads(read_regular(model.folder / "sentence_bert_config.json").decode("utf-8"))
    return ConvertedModel(
        graph=build_bert(model.folder, openvino),
        tokenizer=read_regular(model.folder / "tokenizer.json").decode("utf-8"),
        dimension=int(config["hidden_size"]),
        longest=int(limits["max_seq_length"]),
        filler=int(config["pad_token_id"]),
        expected=None,
    )


def convert_any(model: SentenceModel, openvino: Any) -> ConvertedModel:
    """Any sentence-transformers model, by following torch through it. Raises what the converter raises."""
    source = load_sentence_model(model.folder, device="cpu")
    if is_two_sided(source):
        raise ModelError("it computes questions and passages by different layers")
    fast = getattr(source.tokenizer, "backend_tokenizer", None)
    if fast is None:
        raise ModelError(f"its tokenizer ({type(source.tokenizer).__name__}) has no fast form")
    module, example = make_traceable(source)
    shapes = [(name, [-1, -1], openvino.Type.i64) for name in example]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of every branch that tracing fixes; the check below finds a wrong one
        graph = openvino.convert_model(module, example_input=example, input=shapes)
    texts = [model.passage_prompt + text for text in check_texts()]
    return ConvertedModel(
        graph=graph,
        tokenizer=fast.to_str(),
        dimension=int(source.get_embedding_dimension()),
        longest=int(source.max_seq_length),
        filler=int(source.tokenizer.pad_token_id or 0),
        expected=normalise_vectors(source.encode(texts, prompt="", show_progress_bar=False)),
    )


def choose_precision(offered: Sequence[str], open_as: Callable[[str], Embed], expected: np.ndarray | None) -> str:
    """The fastest of the precisions `offered` ("f32" first) whose vectors agree with torch.

    Raises ModelError when not even "f32" agrees.
    """
    texts = check_texts()
    best, best_seconds = "", float("inf")
    for precision in offered:
        embed = open_as(precision)
        vectors = embed(texts)
        if expected is None:
            _check_default(vectors)
            expected = vectors
        cosine = float((vectors * expected).sum(axis=1).min())
        seconds = _processor_seconds(embed, texts)
        _log.info("%s: least cosine with float32 %.5f, %.3f s of processor time", precision, cosine, seconds)
        if cosine >= AGREEMENT and seconds * _WORTH[precision] < best_seconds:
            best, best_seconds = precision, seconds
    if not best:
        raise ModelError("its vectors differ from those of torch")
    return best


def quantise(graph: Any, openvino: Any) -> None:
    """Turn the weights of every matrix product into eight bits with one scale for each output, in place."""
    ops = openvino.opset13
    for product in graph.get_ordered_ops():
        if product.get_type_name() != "MatMul" or not product.get_attributes()["transpose_b"]:
            continue
        source = product.input_value(1).get_node()
        if source.get_type_name() != "Constant" or len(source.get_output_shape(0)) != 2:
            continue
        weights = np.asarray(source.data, dtype=np.float32)
        scale = np.maximum(np.abs(weights).max(axis=1, keepdims=True), 1e-12) / 127
        small = ops.constant(np.round(weights / scale).astype(np.int8))
        product.input(1).replace_source_output(ops.multiply(ops.convert(small, "f32"), ops.constant(scale)).output(0))


def check_texts() -> list[str]:
    """Fifty texts of one to five sentences, always the same."""
    count = len(_SENTENCES)
    return [
        " ".join(_SENTENCES[(start + step * (1 + row)) % count] for step in range(1 + (start + row) % 5))
        for row in range(50 // count)
        for start in range(count)
    ]


def neighbour_cosines(vectors: np.ndarray) -> np.ndarray:
    """Cosine of each vector with the next, the last one with the first: float32 (n,)."""
    cosines: np.ndarray = (vectors * np.roll(vectors, -1, axis=0)).sum(axis=1)
    return cosines


def _check_default(vectors: np.ndarray) -> None:
    difference = float(np.abs(neighbour_cosines(vectors) - np.array(DEFAULT_COSINES)).max())
    if difference > _NEAR:
        raise ModelError(f"its cosines differ from those of torch by {difference:.3f}")


def _processor_seconds(embed: Embed, texts: Sequence[str]) -> float:
    # Processor time, not the clock: what else runs on this machine must not choose the precision.
    began = time.process_time()
    embed(texts)
    return time.process_time() - began


_MASKED = -1e4  # added to the score of a padding token; larger ones are no longer exact in bfloat16


def build_bert(folder: Path, openvino: Any) -> Any:
    """The OpenVINO model of a folder: int64 (n, length) tokens and mask -> float32 (n, hidden) means of any length."""
    config = json.loads(read_regular(folder / "config.json").decode("utf-8"))
    return _Bert(config, _weights(folder / "model.safetensors"), openvino).build()


def _weights(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a safetensors file by name: eight bytes of header length, a JSON header, then the numbers."""
    whole = np.memmap(path, mode="r", dtype=np.uint8)
    start = 8 + int(whole[:8].view("<u8")[0])
    header = json.loads(whole[8:start].tobytes())
    types = {"F32": "<f4", "F16": "<f2", "I64": "<i8"}
    return {
        name: whole[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]]
        .view(types[entry["dtype"]])
        .reshape(entry["shape"])
        for name, entry in header.items()
        if name != "__metadata__"
    }


class _Bert:
    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, np.ndarray], openvino: Any) -> None:
        self._openvino = openvino
        self._ops = openvino.opset13
        self._weights = weights
        self._heads = int(config["num_attention_heads"])
        self._hidden = int(config["hidden_size"])
        self._layers = int(config["num_hidden_layers"])
        self._epsilon = float(config["layer_norm_eps"])

    def build(self) -> Any:
        tokens, mask = self._input("input_ids"), self._input("attention_mask")
        kept = self._ops.convert(mask, "f32")
        penalty = self._ops.multiply(self._ops.subtract(kept, self._number(1.0)), self._number(-_MASKED))
        penalty = self._ops.unsqueeze(penalty, self._integers(1, 2))
        state = self._embeddings(tokens)
        for layer in range(self._layers):
            state = self._layer(state, penalty, f"encoder.layer.{layer}.")
        row = self._ops.unsqueeze(kept, self._integers(1))
        total = self._ops.squeeze(self._ops.matmul(row, state, False, False), self._integers(1))
        mean = self._ops.divide(total, self._ops.reduce_sum(kept, self._integers(1), True))
        return self._openvino.Model([mean], [tokens, mask], "bert")

    def _embeddings(self, tokens: Any) -> Any:
        # Texts of one kind only: the first token type is part of every token.
        words = self._weights["embeddings.word_embeddings.weight"]
        words = words + self._weights["embeddings.token_type_embeddings.weight"][0]
        length = self._ops.gather(self._ops.shape_of(tokens), self._integers(1), self._integers(0))
        places = self._tensor("embeddings.position_embeddings.weight")
        places = self._ops.slice(places, self._integers(0), length, self._integers(1), self._integers(0))
        found = self._ops.gather(self._number(words), tokens, self._integers(0))
        return self._norm(self._ops.add(found, places), "embeddings.LayerNorm")

    def _layer(self, state: Any, penalty: Any, name: str) -> Any:
        query, key, value = (self._split(state, f"{name}attention.self.{part}") for part in ("query", "key", "value"))
        scale = self._number(1 / math.sqrt(self._hidden // self._heads))
        scores = self._ops.multiply(self._ops.matmul(query, key, False, True), scale)
        shares = self._ops.softmax(self._ops.add(scores, penalty), -1)
        mixed = self._ops.transpose(self._ops.matmul(shares, value, False, False), self._integers(0, 2, 1, 3))
        mixed = self._ops.reshape(mixed, self._integers(0, 0, self._hidden), True)
        attended = self._ops.add(self._linear(mixed, f"{name}attention.output.dense"), state)
        attended = self._norm(attended, f"{name}attention.output.LayerNorm")
        wide = self._ops.gelu(self._linear(attended, f"{name}intermediate.dense"), "erf")
        return self._norm(self._ops.add(self._linear(wide, f"{name}output.dense"), attended), f"{name}output.LayerNorm")

    def _split(self, state: Any, name: str) -> Any:
        """(n, length, hidden) -> (n, heads, length, hidden / heads)"""
        shape = self._integers(0, 0, self._heads, self._hidden // self._heads)
        return self._ops.transpose(
            self._ops.reshape(self._linear(state, name), shape, True), self._integers(0, 2, 1, 3)
        )

    def _linear(self, state: Any, name: str) -> Any:
        product = self._ops.matmul(state, self._tensor(f"{name}.weight"), False, True)
        return self._ops.add(product, self._tensor(f"{name}.bias"))

    def _norm(self, state: Any, name: str) -> Any:
        even = self._ops.mvn(state, self._integers(-1), True, self._epsilon, "inside_sqrt")
        return self._ops.add(self._ops.multiply(even, self._tensor(f"{name}.weight")), self._tensor(f"{name}.bias"))

    def _input(self, name: str) -> Any:
        node = self._ops.parameter([-1, -1], self._openvino.Type.i64, name)
        node.output(0).set_names({name})
        return node

    def _tensor(self, name: str) -> Any:
        return self._number(self._weights[name])

    def _number(self, value: Any) -> Any:
        return self._ops.constant(np.ascontiguousarray(value, dtype=np.float32))

    def _integers(self, *values: int) -> Any:
        return self._ops.constant(np.array(values, dtype=np.int64))
