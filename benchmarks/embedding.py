"""How fast texts become vectors: torch, OpenVINO in each precision, and the share of this machine's peak.

    python -m benchmarks.embedding [--texts 600] [--rounds 3]

Prints JSON. The contestants take turns, so that other load on the machine meets all of them; rates are medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from benchmarks.report import Section, table
from rag_app.models.batching import pack
from rag_app.models.embedder import Embedder, open_embedder
from rag_app.models.openvino import open_converted
from rag_app.models.openvino_convert import check_texts, quantise
from rag_app.models.weights import find_model
from rag_app.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "datasets" / "scifact" / "corpus.jsonl"
SPECIAL = 2  # tokens added to every text


def main(texts: int = 600, rounds: int = 3) -> dict[str, Any]:
    """Measure everything once. Rates are tokens per second, special tokens included, padding not."""
    sample = load_texts(texts)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        first_open = seconds_cold(cache)
        contestants = open_all(cache)
        # Torch is several times slower: a quarter of the texts tells as much about it.
        samples = {name: sample[:: 4 if name.startswith("torch") else 1] for name in contestants}
        tokens = {name: count(contestants["default"], texts_) for name, texts_ in samples.items()}
        runs = {name: partial(embedder.embed_passages, samples[name]) for name, embedder in contestants.items()}
        measured = race(runs, rounds)
        rate = {name: tokens[name] / wall for name, (wall, _) in measured.items()}
        work = operations_per_token(tokens["default"] / len(sample))
        peaks = {name: peak_rate(name.split()[1], rounds) for name in contestants if name.startswith("openvino")}
        return {
            "machine": openvino.Core().get_property("CPU", "FULL_DEVICE_NAME"),
            "versions": {"openvino": openvino.__version__, "python": sys.version.split()[0]},
            "texts": len(sample),
            "tokens": tokens["default"],
            "default": contestants["default"].backend,
            "tokens_per_second": rate,
            "tokens_per_processor_second": {name: tokens[name] / cpu for name, (_, cpu) in measured.items()},
            "padding": padding(contestants["default"], sample),
            "least_cosine_with_torch": agreement(contestants, sample),
            "operations_per_token": work,
            "peak_operations_per_processor_second": peaks,
            # Both by processor time: other load takes its share of the clock from each, but not the same one.
            "share_of_peak": {name: tokens[name] / measured[name][1] * work / peak for name, peak in peaks.items()},
            "question_milliseconds_p50": question_milliseconds(contestants["default"]),
            "seconds_first_open": first_open,
            "seconds_cold_open": statistics.median(seconds_cold(cache) for _ in range(rounds)),
        }


def load_texts(count: int) -> list[str]:
    """Abstracts of SciFact where they are at hand, else the sentences of the conversion's check."""
    if not CORPUS.is_file():
        return (check_texts() * (count // 50 + 1))[:count]
    with CORPUS.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]
    return [f"{row['title']}\n{row['text']}" for row in rows]


def open_all(cache: Path) -> dict[str, Embedder]:
    """The default, and every other way that this machine offers."""
    found: dict[str, Embedder] = {
        "default": open_embedder(Settings(), cache),
        "torch f32": open_embedder(Settings(embedder_backend="torch"), cache),
    }
    capable = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for precision, sign in {"f32": "FP32", "bf16": "BF16", "f16": "FP16", "int8": "INT8"}.items():
        if sign in capable:
            model = find_model(Settings().embedder)
            found[f"openvino {precision}"] = open_converted(model, cache, precision)
    return found


def race(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float]]:
    """Median seconds of each, by the clock and of processor time, after one round to warm up."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            wall, processor = time.perf_counter(), time.process_time()
            run()
            if turn:
                seconds[name].append((time.perf_counter() - wall, time.process_time() - processor))
    return {
        name: (statistics.median(wall for wall, _ in all_), statistics.median(cpu for _, cpu in all_))
        for name, all_ in seconds.items()
    }


def count(embedder: Embedder, texts: list[str]) -> int:
    """Tokens that the model reads of these texts."""
    return sum(min(tokens, embedder.window) + SPECIAL for tokens in embedder.count_tokens(texts))


def padding(embedder: Embedder, texts: list[str]) -> float:
    """Tokens computed per token read."""
    lengths = [min(tokens, embedder.window) + SPECIAL for tokens in embedder.count_tokens(texts)]
    batches = pack(lengths, embedder.window + SPECIAL)
    return sum(batch.length * len(batch.rows) for batch in batches) / sum(lengths)


def agreement(contestants: dict[str, Embedder], texts: list[str]) -> dict[str, float]:
    """Least cosine of each contestant's vectors with those of torch."""
    expected = contestants["torch f32"].embed_passages(texts[:100])
    return {
        name: float((embedder.embed_passages(texts[:100]) * expected).sum(axis=1).min())
        for name, embedder in contestants.items()
    }


def operations_per_token(length: float) -> float:
    """Multiplications and additions in the matrix products of all-MiniLM-L6-v2, for texts of `length` tokens."""
    hidden, wide, layers = 384, 1536, 6
    return layers * (2 * (4 * hidden * hidden + 2 * hidden * wide) + 4 * length * hidden)


def peak_rate(precision: str, rounds: int) -> float:
    """Operations per processor second of plain matrix products in this precision: eight of 1024 x 1536 x 1536."""
    rows, size, links = 1024, 1536, 8
    ops, core = openvino.opset13, openvino.Core()
    start = state = ops.parameter([rows, size], openvino.Type.f32)
    weights = np.random.default_rng(0).normal(size=(size, size)).astype(np.float32) / size**0.5
    for _ in range(links):
        state = ops.matmul(state, ops.constant(weights), False, True)
    graph = openvino.Model([state], [start])
    hints = {"INFERENCE_PRECISION_HINT": precision}
    if precision == "int8":
        quantise(graph, openvino)
        between = "bf16" if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES") else "f32"
        hints = {"INFERENCE_PRECISION_HINT": between, "DYNAMIC_QUANTIZATION_GROUP_SIZE": "384"}
    request = core.compile_model(graph, "CPU", hints).create_infer_request()
    data = np.ones((rows, size), dtype=np.float32)

    def several() -> None:
        for _ in range(20):
            request.infer([data])

    return 20 * 2.0 * links * rows * size * size / race({"peak": several}, rounds)["peak"][1]


def question_milliseconds(embedder: Embedder) -> float:
    """Median time of one question on a warm process."""
    times = []
    for number in range(200):
        began = time.perf_counter()
        embedder.embed_question(f"How does retrieval change with {number} distracting passages in the context?")
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def seconds_cold(cache: Path) -> float:
    """A new process: import, open, embed one question; without the start of Python itself."""
    code = (
        "import sys, time; began = time.perf_counter()\n"
        "from pathlib import Path\n"
        "from rag_app.models.embedder import open_embedder\n"
        "from rag_app.settings import Settings\n"
        "open_embedder(Settings(), Path(sys.argv[1])).embed_question('What is it?')\n"
        "print(time.perf_counter() - began)"
    )
    command = [sys.executable, "-c", code, str(cache)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=True)
    return float(done.stdout)


def render(measured: dict[str, Any]) -> str:
    """The section as Markdown: each way beside the limit that this machine's own peak sets."""
    ways = measured["tokens_per_second"]
    peaks, shares = measured["peak_operations_per_processor_second"], measured["share_of_peak"]
    rows = [
        [
            f"{way} ({measured['default']})" if way == "default" else way,
            round(rate),
            round(measured["tokens_per_processor_second"][way]),
            round(peaks[way] / measured["operations_per_token"]) if way in peaks else None,
            round(shares[way], 2) if way in shares else None,
            round(measured["least_cosine_with_torch"][way], 4),
        ]
        for way, rate in ways.items()
    ]
    head = ["way", "tokens a second", "of one processor", "its limit", "share of it", "least cosine with torch"]
    return (
        f"{measured['texts']} texts, {measured['tokens']:,} tokens; padding adds {measured['padding'] - 1:.1%}. "
        f"A token costs {measured['operations_per_token'] / 1e6:.1f} million operations; the limit is what one "
        "processor's measured peak at matrix products in that precision allows. Weights are read once for a batch of "
        "about a thousand tokens, so that memory is not the limit. A question takes "
        f"{measured['question_milliseconds_p50']:.1f} ms; opening the model {measured['seconds_cold_open']:.2f} s, the "
        f"very first time {measured['seconds_first_open']:.1f} s.\n\n{table(head, rows)}"
    )


SECTIONS = (Section("embedding", "Embedding", main, render),)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=600, help="how many texts to embed in a round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the median is taken")
    print(json.dumps(main(**vars(parser.parse_args())), indent=2))
