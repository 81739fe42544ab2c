"""What a topic names, by the papers' own usage: phrases that they write as names, and the short forms that they define.

"real toxicity prompts" is RealToxicityPrompts, "byte pair encoding" is BPE, since the papers say so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rag_app.answering.context import SurveyTopic, name_pattern, rows_with_name
from rag_app.index.generations import Generation
from rag_app.index.manifest import IndexedPaper
from rag_app.text.short_forms import find_forms
from rag_app.text.terms import STOPWORDS, squash

LONGEST_PHRASE = 4  # words
LOOKED_AT = 120  # passages with a phrase, to see how the papers write it
NAMED = 0.7  # of a phrase's places have capitals: then it is a name
LEAST_PLACES = 2
COMMON = 0.34  # of the papers: a phrase in lower case that more of them have is no name, whatever its short form
APART = 0.9  # of the passages with the telling part of a name have it whole: below, the part alone is the name
_WORD = re.compile(r"[^\W_]+(?:[-'’.][^\W_]+)*")


def resolve_names(generation: Generation, topic: SurveyTopic) -> SurveyTopic:
    """The topic with the names that it writes in lower case, and each name's other forms."""
    names = [_without_common_part(generation, name) for name in topic.names]
    forms: dict[str, tuple[str, ...]] = {}
    for name in names:
        forms[name] = _look_up(generation, name)[1]
    for phrase in _phrases(topic):
        if any(squash(phrase.removesuffix("s")) in squash(name) for name in (*names, *topic.names)):
            continue
        is_name, others = _look_up(generation, phrase)
        if is_name:
            names = [name for name in names if squash(name) not in squash(phrase)] + [phrase]
            forms[phrase] = others
    order = sorted(names, key=topic.text.find)
    return replace(topic, names=tuple(order), forms={name: forms[name] for name in order if forms[name]})


def _without_common_part(generation: Generation, name: str) -> str:
    """A name without the common word beside it: "V100 GPUs" is V100, since papers write them apart, too."""
    parts = name.split()
    if len(parts) == 1 or any(part[:1].isdigit() for part in parts):
        return name
    rows = {part: rows_with_name(generation, part) for part in parts}
    telling = min(parts, key=lambda part: len(rows[part]))
    if not any(letter.isupper() or letter.isdigit() for letter in telling[1:]) or not len(rows[telling]):
        return name
    texts = [passage.text for passage in generation.passages(rows[telling][:LOOKED_AT].tolist())]
    whole = sum(name_pattern(name).search(text) is not None for text in texts)
    return telling if whole < APART * len(texts) else name


def forms_in(generation: Generation, topic: SurveyTopic, entry: IndexedPaper) -> SurveyTopic:
    """The topic for one paper: a short form of two letters counts only where the paper has the long one, too."""

    def has(name: str) -> bool:
        rows = rows_with_name(generation, name)
        return bool(np.any((entry.first <= rows) & (rows < entry.first + entry.passages)))

    kept = {
        name: tuple(form for form in forms if len(squash(form)) > 2 or has(name)) for name, forms in topic.forms.items()
    }
    return replace(topic, forms=kept)


def _phrases(topic: SurveyTopic) -> Iterator[str]:
    """Runs of words that may be a name, the longest first."""
    words = list(_WORD.finditer(topic.text))
    for length in range(LONGEST_PHRASE, 1, -1):
        for at in range(len(words) - length + 1):
            phrase = topic.text[words[at].start() : words[at + length - 1].end()]
            ends = (words[at][0].casefold(), words[at + length - 1][0].casefold())
            if not any(word in STOPWORDS for word in ends) and re.search(r"[^\w\s'’.-]", phrase) is None:
                yield phrase


def _look_up(generation: Generation, name: str) -> tuple[bool, tuple[str, ...]]:
    """Whether the papers write the phrase as a name, and the other forms that they define for it."""
    rows = rows_with_name(generation, name)
    spelled = name_pattern(name, any_case=True)
    written: Counter[str] = Counter()
    forms: dict[str, str] = {}
    step = max(1, len(rows) // LOOKED_AT)
    for passage in generation.passages(rows[::step].tolist()) if len(rows) else ():
        written.update(match[0] for match in spelled.finditer(passage.text))
        forms |= {form.casefold(): form for form in find_forms(name, spelled, passage.text)}
    capitals = sum(count for one, count in written.items() if _has_capitals(one))
    is_name = capitals >= max(LEAST_PLACES, NAMED * written.total())
    if is_name and name.isupper():  # "FAISS" is also "Faiss", where it is no plain word with a capital
        forms |= {one: one for one in written if one != name and one != one.lower() and squash(one) == squash(name)}
    if not is_name and not forms and len(name.split()) > 2:
        forms |= {short.casefold(): short for short in _initials(generation, name)}
    defined = bool(forms) and _share_of_papers(generation, rows) <= COMMON
    return is_name or defined, tuple(forms.values())


def _has_capitals(phrase: str) -> bool:
    """Whether each of its words that carry meaning has a capital or a digit."""
    words = [word for word in re.split(r"[\W_]+", phrase) if word and word not in STOPWORDS]
    return all(any(letter.isupper() or letter.isdigit() for letter in word) for word in words)


def _share_of_papers(generation: Generation, rows: np.ndarray) -> float:
    """Which share of the papers the rows are from."""
    papers = generation.manifest.papers
    ends = np.array([entry.first + entry.passages for entry in papers], dtype=np.int64)
    return len(np.unique(np.searchsorted(ends, rows, side="right"))) / max(1, len(papers))


def _initials(generation: Generation, phrase: str) -> list[str]:
    """The initials of a phrase, where the papers use them as a name and define them as nothing else."""
    short = "".join(word[0] for word in re.split(r"[\W_]+", phrase) if word).upper()
    rows = rows_with_name(generation, short)
    spelled = name_pattern(short)
    texts = [passage.text for passage in generation.passages(rows[:LOOKED_AT].tolist())] if len(rows) else []
    used = sum(spelled.search(text) is not None for text in texts)
    others = {squash(form) for text in texts for form in find_forms(short, spelled, text)}
    return [short] if used >= LEAST_PLACES and others <= {squash(phrase)} else []
