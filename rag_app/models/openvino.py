"""Models converted for this processor. Alone imports OpenVINO and the tokenizers library.

A model is converted once and kept in a cache folder; opening it again needs neither torch nor sentence-transformers.
Precision is the fastest that this processor offers among those whose vectors agree with torch in float32.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import shutil
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from rag_app.errors import ModelError
from rag_app.files import read_regular, refuse_link, refuse_links
from rag_app.models.batching import Batch, normalise_vectors, pack, pad
from rag_app.models.openvino_convert import (
    ConvertedModel,
    Embed,
    choose_precision,
    convert_any,
    convert_default,
    quantise,
)
from rag_app.models.tokenizer_cache import WordPieces, treats_words_alone
from rag_app.models.weights import SentenceModel

FORMAT = 2  # of the cache folder
_FASTER = {"bf16": "BF16", "f16": "FP16", "int8": "INT8"}  # precisions, and how a processor says that it has them
_GROUPS = (384, 128)  # how many neighbouring activations share a scale in eight bits: the first that fits, measured
_CHARACTERS_PER_TOKEN = 64  # nothing readable has longer tokens; a string without a blank may hold megabytes
_COUNT_PIECE = 16_384  # characters handed to the tokenizer at once

_LINK_REMEDY = "Remove it; the model is converted again."

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _ModelInfo:
    """What the cache folder says about its model, so that opening it reads nothing else."""

    identity: str
    dimension: int
    longest: int  # tokens, special ones included
    window: int
    filler: int  # the padding token
    precision: str  # "f32", "bf16", "f16" or "int8"
    problem: str = ""  # why this model cannot be converted; then nothing else counts


def open_converted(model: SentenceModel, cache: Path, precision: str = "") -> OpenVinoEmbedder:
    """The model from `cache`, converted first when it is not there. Raises ModelError when it cannot be converted.

    `precision` overrides the one that was chosen: "f32", "bf16", "f16" or "int8".
    """
    refuse_link(cache, ModelError, _LINK_REMEDY)
    refuse_links(cache, ModelError, _LINK_REMEDY)
    openvino = _openvino()
    core = openvino.Core()
    folder = cache / f"{model.label}-{_key(model, openvino, core)}"
    if not (folder / "about.json").is_file():
        _log.info("%s: converting the model for this processor, once", model.name)
        try:
            _convert(model, folder, openvino)
        except (OSError, MemoryError) as error:  # may be gone the next time: not remembered
            raise _cannot_convert(cache, error) from error
    try:
        about = _ModelInfo(**json.loads(read_regular(folder / "about.json").decode("utf-8")))
        if not about.problem:
            return OpenVinoEmbedder(model, replace(about, precision=precision or about.precision), folder, core)
    except Exception as error:  # a damaged folder: whatever JSON, the tokenizer or OpenVINO make of it
        raise ModelError(f"{folder}: the converted model cannot be opened ({error}). Delete this folder.") from error
    raise ModelError(about.problem)


class CacheReadOnly(ModelError):
    """The folder for converted models cannot be written by this user."""


def _cannot_convert(cache: Path, error: OSError | MemoryError) -> ModelError:
    """The error, with the remedy that fits it."""
    said = f"{cache}: the model cannot be converted here ({error or 'too little memory'})."
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return CacheReadOnly(f"{said} Correct the permissions, or set RAG_INDEX to a folder that can be written.")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ModelError(f"{said} Free some space.")
    return ModelError(f"{said} {'Free some memory' if isinstance(error, MemoryError) else 'Look at that folder'}.")


class OpenVinoEmbedder:
    """A converted model. Threads share its requests: one more than it has streams, so that a question need not wait
    for a build that runs in another thread."""

    def __init__(self, model: SentenceModel, about: _ModelInfo, folder: Path, core: Any) -> None:
        self.identity = about.identity
        self.dimension = about.dimension
        self.window = about.window
        self.backend = f"OpenVINO {about.precision}"
        self._model = model
        self._about = about
        self._read = _tokenizer(folder, about.longest)
        self._folder = folder
        self._streams = _streams()
        compiled = _compile(core, folder, about, self._streams)
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self._streams + 1):
            self._requests.put(compiled.create_infer_request())

    @cached_property
    def _words(self) -> WordPieces | None:
        specification = read_regular(self._folder / "tokenizer.json").decode("utf-8")
        return WordPieces(self._count) if treats_words_alone(specification) else None

    @cached_property
    def _count(self) -> Any:
        return _tokenizer(self._folder, None)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the special ones that the model adds."""
        if self._words is not None:
            return self._words.counts(texts)
        pieces = [_pieces(text) for text in texts]
        flat = [piece for group in pieces for piece in group]
        lengths = iter([len(found.ids) for found in self._count.encode_batch_fast(flat, add_special_tokens=False)])
        return [sum(next(lengths) for _ in group) for group in pieces]

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (n, dimension), unit length, in the order of `texts`."""
        return self._embed(texts, self._model.passage_prompt)

    def embed_question(self, text: str) -> np.ndarray:
        """float32 (dimension,), unit length."""
        vector: np.ndarray = self.embed_questions([text])[0]
        return vector

    def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (n, dimension), unit length, in the order of `texts`."""
        return self._embed(texts, self._model.question_prompt)

    def _embed(self, texts: Sequence[str], prompt: str) -> np.ndarray:
        room = self._about.longest * _CHARACTERS_PER_TOKEN
        ids = self._numbers([(prompt + text)[:room] for text in texts])
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        running: deque[tuple[Any, Batch]] = deque()
        try:
            for batch in pack([len(numbers) for numbers in ids], self._about.longest):
                if len(running) == self._streams:
                    self._collect(running, vectors)
                request = self._requests.get()
                running.append((request, batch))
                tokens, mask = pad([ids[row] for row in batch.rows], batch.length, self._about.filler)
                request.start_async({0: tokens, 1: mask})
        finally:
            while running:
                self._collect(running, vectors)
        return normalise_vectors(vectors)

    def _numbers(self, texts: Sequence[str]) -> list[list[int]]:
        """Token numbers of each text with the special ones, cut to what the model reads."""
        if self._words is not None:
            return self._words.numbers(texts, self._about.longest)
        # Padding and truncation were set when the tokenizer was opened and never change: threads may share it.
        return [found.ids for found in self._read.encode_batch_fast(texts)]

    def _collect(self, running: deque[tuple[Any, Batch]], vectors: np.ndarray) -> None:
        request, batch = running.popleft()
        try:
            request.wait()
            vectors[list(batch.rows)] = request.get_output_tensor(0).data
        finally:
            self._requests.put(request)


def _openvino() -> Any:
    # OpenVINO reports its use to a server when it finds this package; a missing one is a case that it provides for.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino  # noqa: PLC0415
    except ImportError as error:
        raise ModelError(f"OpenVINO cannot be imported ({error}). Run: pip install openvino") from error
    return openvino


def _tokenizer(folder: Path, longest: int | None) -> Any:
    from tokenizers import Tokenizer  # noqa: PLC0415

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    if longest is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(longest)
    return tokenizer


def _pieces(text: str) -> list[str]:
    """A long text in parts, cut at blanks where there are any: the tokenizer's memory stays bounded."""
    pieces = []
    while len(text) > _COUNT_PIECE:
        cut = text.rfind(" ", _COUNT_PIECE // 2, _COUNT_PIECE)
        cut = cut if cut > 0 else _COUNT_PIECE
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text]


def _streams() -> int:
    """Batches computed side by side. Four cores share one well; each stream more takes memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // 4)


def _compile(core: Any, folder: Path, about: _ModelInfo, streams: int) -> Any:
    graph = core.read_model(folder / "model.xml")
    settings: dict[str, Any] = {"NUM_STREAMS": str(streams), "INFERENCE_PRECISION_HINT": about.precision}
    if about.precision == "int8":
        quantise(graph, _openvino())
        group = next((size for size in _GROUPS if about.dimension % size == 0), _GROUPS[-1])
        between = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
        settings |= {"INFERENCE_PRECISION_HINT": between, "DYNAMIC_QUANTIZATION_GROUP_SIZE": group}
    return core.compile_model(graph, "CPU", settings)


def _key(model: SentenceModel, openvino: Any, core: Any) -> str:
    """Changes with the model's files, OpenVINO's version and the processor."""
    name, capable = (core.get_property("CPU", key) for key in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES"))
    parts = (FORMAT, model.stamp(), openvino.__version__, name, sorted(capable))
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def _convert(model: SentenceModel, folder: Path, openvino: Any) -> None:
    """Convert, check and choose the precision. The folder appears complete or not at all."""
    core = openvino.Core()
    core.set_property({"ENABLE_MMAP": False})  # Windows renames no folder with a mapped file in it
    folder.parent.mkdir(parents=True, exist_ok=True)
    _tidy(folder.parent)
    making = folder.parent / f".making-{os.getpid()}-{time.time_ns()}"
    making.mkdir()
    try:
        about = _make(model, making, openvino, core)
        (making / "about.json").write_text(json.dumps(asdict(about), indent=1), encoding="utf-8")
        try:
            making.rename(folder)
        except OSError:
            if not (folder / "about.json").is_file():  # else another process was faster: its folder is as good
                raise
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _tidy(cache: Path) -> None:
    """Remove what conversions that were killed left behind."""
    for left in cache.glob(".making-*"):
        if re.fullmatch(r"\.making-\d+-\d+", left.name) and left.stat().st_mtime < time.time() - 3600:
            shutil.rmtree(left, ignore_errors=True)


def _make(model: SentenceModel, folder: Path, openvino: Any, core: Any) -> _ModelInfo:
    ways = (convert_default, convert_any) if model.is_packaged else (convert_any,)
    problem = ""
    for way in ways:
        try:
            return _write(model, way(model, openvino), folder, openvino, core)
        except (OSError, MemoryError):  # may be gone the next time: not remembered
            raise
        except Exception as error:  # a part that the converter does not know, a wrong result: the next way
            problem = f"{model.name}: OpenVINO cannot run this model ({type(error).__name__}: {error})."
            _log.info(problem)
    # Remembered, so that the next start does not try again.
    return _ModelInfo(model.identity(), 0, 0, 0, 0, "", problem)


def _write(model: SentenceModel, made: ConvertedModel, folder: Path, openvino: Any, core: Any) -> _ModelInfo:
    openvino.save_model(made.graph, folder / "model.xml", compress_to_fp16=False)
    (folder / "tokenizer.json").write_text(made.tokenizer, encoding="utf-8")
    tokenizer = _tokenizer(folder, None)
    prompt = len(tokenizer.encode(model.passage_prompt, add_special_tokens=False).ids)
    window = made.longest - tokenizer.num_special_tokens_to_add(False) - prompt
    about = _ModelInfo(model.identity(), made.dimension, made.longest, window, made.filler, "f32")

    def open_as(precision: str) -> Embed:
        return OpenVinoEmbedder(model, replace(about, precision=precision), folder, core).embed_passages

    capable = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    offered = ["f32", *(precision for precision, sign in _FASTER.items() if sign in capable)]
    return replace(about, precision=choose_precision(offered, open_as, made.expected))
