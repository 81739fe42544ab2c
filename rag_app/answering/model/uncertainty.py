"""How much a model's answers to one question differ in meaning: semantic entropy over a few samples.

The teacher of Semantic Entropy Probes (2406.15927, section 3): answers are grouped by meaning; the entropy is that of
the groups' shares. There, a model judges whether two answers entail each other; here they have to be near each other
as vectors, or share most content words both ways, and to hold the same numbers. Pure but for the vectors.

Further answers of the same model to the same prompt, to see whether it says the same again (RAG_SAMPLES).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import log

import numpy as np

from rag_app.answering.model.reader import ModelReader
from rag_app.errors import RagError
from rag_app.models.llm.call import call_model
from rag_app.models.llm.client import OpenAIModel
from rag_app.models.llm.output_guards import REFUSAL
from rag_app.records import Answer, Evidence
from rag_app.text.terms import content_words, number_values

Embed = Callable[[Sequence[str]], np.ndarray]  # texts -> float32 (n, dimension), unit length

LIKE = 0.8  # cosine from which two answers may mean the same
SHARED = 0.7  # of each one's content words that the other holds, where no vectors are at hand
_MARK = re.compile(r"\s*\[\d+\]")


def semantic_entropy(samples: Sequence[str], embed: Embed | None = None) -> float:
    """Entropy in nats over the meanings of the samples: 0 when all mean the same, log(n) when no two do."""
    sizes = [len(group) for group in group_by_meaning(samples, embed)]
    total = sum(sizes)
    return float(abs(-sum(size / total * log(size / total) for size in sizes))) if total else 0.0


def group_by_meaning(samples: Sequence[str], embed: Embed | None = None) -> list[list[int]]:
    """The samples' positions, grouped by meaning; each is compared with the first of each group."""
    texts = [_MARK.sub("", sample).strip() for sample in samples]
    vectors = embed([text or "-" for text in texts]) if embed is not None and texts else None
    groups: list[list[int]] = []
    for place, text in enumerate(texts):
        for group in groups:
            likeness = float(vectors[place] @ vectors[group[0]]) if vectors is not None else None
            if is_same_meaning(text, texts[group[0]], likeness):
                group.append(place)
                break
        else:
            groups.append([place])
    return groups


def is_same_meaning(one: str, other: str, likeness: float | None = None) -> bool:
    """Whether two answers say the same, as far as can be told; `likeness` is the cosine of their vectors."""
    if _is_refusal(one) or _is_refusal(other):
        return _is_refusal(one) and _is_refusal(other)
    if number_values(one) != number_values(other):
        return False
    if likeness is not None:
        return likeness >= LIKE
    return _word_overlap(one, other) >= SHARED and _word_overlap(other, one) >= SHARED


def _is_refusal(text: str) -> bool:
    return not text or REFUSAL.casefold() in text.casefold()


def _word_overlap(one: str, other: str) -> float:
    words, there = content_words(one), set(content_words(other))
    return sum(word in there for word in words) / len(words) if words else 1.0


TEMPERATURE = 1.0  # of the samples, as in 2406.15927
LONGEST_SAMPLE = 600  # characters


def add_semantic_entropy(
    answer: Answer, reader: ModelReader, evidence: Sequence[Evidence], embed: Embed | None, stop: threading.Event
) -> Answer:
    """The answer with the semantic entropy of further ones, and a note where they differ.

    Without it where the model can only say one thing, was stopped, or fails now: the answer stands all the same.
    """
    if not isinstance(reader.model, OpenAIModel) or answer.status == "error":
        return answer
    warm = reader.model.at_temperature(TEMPERATURE)
    system, user = reader.prompt(answer.question, evidence)
    samples: list[str] = []
    tokens = answer.tokens
    try:
        while len(samples) < reader.samples and not stop.is_set():
            sample = call_model(warm, system, user, stop, longest=LONGEST_SAMPLE)
            samples.append(sample.text[:LONGEST_SAMPLE])
            tokens += sample.tokens
    except RagError:
        return replace(answer, tokens=tokens)
    if len(samples) < reader.samples:
        return replace(answer, tokens=tokens)
    different = len(group_by_meaning(samples, embed))
    told = (f"Asked {len(samples)} more times, the model gave {different} answers with different meanings.",)
    notes = (*answer.notes, *(told if different > 1 else ()))
    return replace(answer, tokens=tokens, notes=notes, semantic_entropy=round(semantic_entropy(samples, embed), 4))
