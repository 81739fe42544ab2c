"""A BERT encoder with mean pooling, built in OpenVINO's operations straight from its weights.

The default model's first start then needs no torch: one second instead of fifteen. Source: the layers of Devlin et al.
2019 (1810.04805) and the mean over tokens of Reimers and Gurevych 2019 (1908.10084).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_MASKED = -1e4  # added to the score of a padding token; larger ones are no longer exact in bfloat16


def build_bert(folder: Path, openvino: Any) -> Any:
    """The OpenVINO model of a folder: int64 (n, length) tokens and mask -> float32 (n, hidden) means of any length."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
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
