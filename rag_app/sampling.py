"""Further answers of the same model to the same prompt, to see whether it says the same again (RAG_SAMPLES)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from rag_app.errors import RagError
from rag_app.models.llm.call import said
from rag_app.models.llm.client import OpenAIModel
from rag_app.reader import ModelReader
from rag_app.records import Answer, Evidence
from rag_app.semantic_entropy import Embed, meanings, semantic_entropy

TEMPERATURE = 1.0  # of the samples, as in 2406.15927
LONGEST_SAMPLE = 600  # characters


def resampled(
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
            sample = said(warm, system, user, stop, longest=LONGEST_SAMPLE)
            samples.append(sample.text[:LONGEST_SAMPLE])
            tokens += sample.tokens
    except RagError:
        return replace(answer, tokens=tokens)
    if len(samples) < reader.samples:
        return replace(answer, tokens=tokens)
    different = len(meanings(samples, embed))
    told = (f"Asked {len(samples)} times more, the model gave {different} answers of different meaning.",)
    notes = (*answer.notes, *(told if different > 1 else ()))
    return replace(answer, tokens=tokens, notes=notes, semantic_entropy=round(semantic_entropy(samples, embed), 4))
