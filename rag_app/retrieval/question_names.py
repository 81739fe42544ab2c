"""The names in a question, where they stand, and which of them are data sets. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rag_app.index.paper_names import Mention
from rag_app.text.sentences import word_set

NameKind = Literal["paper", "dataset", "metric", "number", "other"]

DATASET_SHARE = 0.15  # of a name's uses: "on X", "the X dev set"; methods are seldom used like that
_NOTE = r"(?:\s?[(\[][^)\]]{0,60}[)\]])?"  # a citation after a name
_TOKEN = re.compile(r"[\w.@+&]+(?:[-/][\w.@+&]+)*")
_METRIC = re.compile(
    r"(?<!\w)(?:exact match|EM|F1|accuracy|precision|recall|n?DCG|MRR|MAP|BLEU|ROUGE|perplexity|latency"
    r"|hit rate|win rate|Kendall['’]s tau)(?:-\w+|@\d+| at \d+| scores?)?(?!\w)",
    re.IGNORECASE,
)
_QUESTION_WORDS = word_set(
    "what how which who whom whose where when why does do did is are was were can has have and or in on at by for of "
    "to from with the a an compare please list name explain describe tell i both"
)


@dataclass(frozen=True)
class QuestionName:
    """A name in a question: text[start:end]."""

    text: str
    start: int
    end: int
    kind: NameKind


def find_question_names(question: str, mentions: Sequence[Mention], datasets: Iterable[str] = ()) -> list[QuestionName]:
    """The names in the order of their first letters: papers, data sets, metrics, and whatever else has a capital.

    `mentions` are where the question names papers; a name among `datasets` is one, also where it names a paper.
    """
    known = set(datasets)
    found: list[QuestionName] = []
    for metric in _METRIC.finditer(question):
        found.append(QuestionName(metric[0], *metric.span(), "metric"))
    for mention in sorted(mentions, key=lambda mention: (mention.start, mention.start - mention.end)):
        text = re.sub(r"['’]s?$|[.,]+$", "", question[mention.start : mention.end])
        start, end = mention.start, mention.start + len(text)
        if _is_taken(found, start, end):
            continue
        kind: NameKind = "dataset" if text in known else "paper"
        last = found[-1] if found else None
        if last and last.kind == kind == "paper" and question[last.end : start] == " ":  # "Jina BERT" is one
            found[-1] = QuestionName(question[last.start : end], last.start, end, kind)
        else:
            found.append(QuestionName(text, start, end, kind))
    found += _find_capitalised(question, found, known)
    return sorted(found, key=lambda name: name.start)


def _find_capitalised(question: str, found: Sequence[QuestionName], datasets: set[str]) -> list[QuestionName]:
    """Runs of words with a capital or a digit: "TREC DL19", "MS MARCO", "top-20"."""
    runs: list[tuple[int, int]] = []
    for match in _TOKEN.finditer(question):
        text = match[0].rstrip(".")
        start, end = match.start(), match.start() + len(text)
        if not _is_capital(text, start) or _is_taken(found, start, end):
            continue
        if runs and question[runs[-1][1] : start] == " " and not text.isdigit():
            runs[-1] = (runs[-1][0], end)
        else:
            runs.append((start, end))
    return [QuestionName(question[a:b], a, b, _kind(question[a:b], datasets)) for a, b in runs]


def _is_capital(text: str, start: int) -> bool:
    if text.casefold() in _QUESTION_WORDS:
        return False
    inner = any(letter.isupper() or letter.isdigit() for letter in text[1:]) or text[:1].isdigit()
    return inner or (start > 0 and text[:1].isupper())


def _kind(text: str, datasets: set[str]) -> NameKind:
    if re.fullmatch(r"(?:top-)?\d[\d.,]*\w{0,2}", text, re.IGNORECASE):
        return "number"
    return "dataset" if text in datasets else "other"


def _is_taken(found: Sequence[QuestionName], start: int, end: int) -> bool:
    return any(name.start < end and start < name.end for name in found)


def is_used_as_dataset(name: str, texts: Iterable[str]) -> bool:
    """Whether these texts use the name as one of data to measure on: "on X", "the X dev set", "X questions"."""
    own = re.escape(name)
    use = re.compile(rf"(?<![\w-]){own}(?![\w-])")
    others = rf"(?:[A-Z][\w-]*{_NOTE}(?:,? and|,)\s){{0,4}}"  # "on NQ, TriviaQA and X"
    data = re.compile(
        rf"(?:\b(?:on|from|in)\s+(?:the\s+|both\s+)?{others}"
        rf"|\b(?:datasets?|benchmarks?)\W{{1,3}}(?:[\w-]+{_NOTE}(?:,? and|,)?\s){{0,6}}){own}(?![\w-])"
        rf"|(?<![\w-]){own}{_NOTE}\s+(?:data|dev|test|train|bench|question|corp|task|split|set\b)"
    )
    uses = as_data = 0
    for text in texts:
        uses += len(use.findall(text))
        as_data += len(data.findall(text))
    return uses > 0 and as_data >= DATASET_SHARE * uses
