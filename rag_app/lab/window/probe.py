"""How much text a model uses: a fact is planted at several depths of papers of several lengths, and asked for.

What a window holds and what a model finds in it differ: facts in the middle are lost (2307.03172, section 2.3), and the
usable length is far shorter than the window (2406.17588, LongIns). Pure but for the model.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rag_app.errors import ModelWindowExceeded
from rag_app.models.llm.call import LanguageModel, call_model
from rag_app.models.llm.prompt_safety import estimate_tokens
from rag_app.text.sentences import sentences

SHORTEST = 500  # tokens; then twice as many, up to the window
SPARE = 300  # tokens of the window for the question, the answer and a wrong estimate
DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)  # where the fact stands: 0 at the beginning of the text, 1 at its end
ENOUGH = 0.8  # of the depths of a length have to be found before so much text is worth sending
LONGEST_ANSWER = 200  # characters

SYSTEM = "You answer a question from the text that you are given. Use only that text. Answer in one short sentence."
PLACES = ("Turku", "Bergen", "Valencia", "Galway", "Utrecht", "Porto", "Graz", "Tartu", "Leuven", "Aarhus")


@dataclass(frozen=True)
class Probe:
    """One fact planted, asked for, and found or not."""

    tokens: int  # of the text, estimated
    depth: float  # 0..1
    found: bool
    said: str


def lengths_for(window: int, longest: int = 0) -> list[int]:
    """Tokens of text to try: 500, then twice as many, and as a last one all that the window holds.

    `longest` in tokens ends it earlier; 0: not.
    """
    most = min(window - SPARE, longest or window)
    lengths = []
    tokens = SHORTEST
    while tokens < most:
        lengths.append(tokens)
        tokens *= 2
    return [*lengths, most] if most >= SHORTEST else [max(1, most)]


def run_probes(
    model: LanguageModel,
    texts: Sequence[str],
    lengths: Sequence[int],
    depths: Sequence[float] = DEPTHS,
    stop: threading.Event | None = None,
    seed: int = 0,
) -> Iterator[Probe]:
    """Ask for a fact at every length and depth, shortest first. `texts` are papers; each length takes others of them.

    Ends at the first length that the server refuses. Raises ModelError where the model cannot be asked at all.
    """
    chance = random.Random(seed)
    stop = stop or threading.Event()
    for length in lengths:
        for depth in depths:
            if stop.is_set():
                return
            place, code = chance.choice(PLACES), str(chance.randrange(10_000, 99_999))
            text = plant_fact(
                haystack(texts, length, chance), f"The archive in {place} has the access code {code}.", depth
            )
            try:
                answer = call_model(model, SYSTEM, f"{text}\n\n{_question(place)}", stop, longest=LONGEST_ANSWER).text
            except ModelWindowExceeded:
                return
            yield Probe(length, depth, code in re.sub(r"(?<=\d)[ ,](?=\d)", "", answer), answer)


def _question(place: str) -> str:
    return f"Question: What is the access code of the archive in {place}?"


def haystack(texts: Sequence[str], tokens: int, chance: random.Random) -> str:
    """About so many tokens of the papers' own text, begun at a random paper, cut at the end of a sentence."""
    order = list(range(len(texts)))
    chance.shuffle(order)
    whole, size = "", 0
    for place in order * (1 + tokens // max(1, sum(map(estimate_tokens, texts)))):
        whole += texts[place] + "\n\n"
        size += estimate_tokens(texts[place])
        if size >= tokens:
            break
    whole = whole[: int(len(whole) * min(1.0, tokens / max(1, estimate_tokens(whole))))]
    spans = sentences(whole)
    return whole[: spans[-2][1]] if len(spans) > 2 else whole


def plant_fact(text: str, fact: str, depth: float) -> str:
    """The text with the fact between two of its sentences, `depth` 0..1 of them before it."""
    starts = [start for start, _ in sentences(text)] + [len(text)]
    at = starts[round(depth * (len(starts) - 1))]
    return f"{text[:at]}{'' if at == 0 else ' '}{fact} {text[at:]}"


def propose_length(found: Sequence[Probe]) -> int:
    """The longest text, in tokens, up to which at least four of five facts of every length were found; 0 for none."""
    best = 0
    for length in sorted({probe.tokens for probe in found}):
        row = [probe.found for probe in found if probe.tokens == length]
        if sum(row) < ENOUGH * len(row):
            break
        best = length
    return best


def format_table(found: Sequence[Probe], depths: Sequence[float] = DEPTHS) -> str:
    """Lengths as rows, depths as columns: whether the fact was found."""
    lines = ["tokens  " + "".join(f"{f'{depth:.0%}':>6}" for depth in depths)]
    for length in sorted({probe.tokens for probe in found}):
        row = {probe.depth: "yes" if probe.found else "-" for probe in found if probe.tokens == length}
        lines.append(f"{length:6}  " + "".join(f"{row.get(depth, ''):>6}" for depth in depths))
    return "\n".join(lines)
