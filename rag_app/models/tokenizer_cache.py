"""Texts -> token numbers, word by word: a word that was seen before is looked up instead of being taken apart again.

BERT's tokenizer treats each word between blanks by itself: the result is the same as its own, many times faster.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

_MOST_WORDS = 400_000  # kept; the words of some thousand papers
_LONGEST_WORD = 1000  # characters; nothing readable is longer, and a longer one is taken in pieces
_JOINING = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # dropped by BERT, a blank for Python


def treats_words_alone(specification: str) -> bool:
    """Whether the tokenizer with this tokenizer.json is BERT's, whose words do not depend on their neighbours."""
    value = json.loads(specification)
    kinds = [(value.get(part) or {}).get("type") for part in ("model", "normalizer", "pre_tokenizer")]
    return kinds == ["WordPiece", "BertNormalizer", "BertPreTokenizer"]


class WordPieces:
    """The table of words. `tokenizer` is one of the tokenizers library, of a kind that `treats_words_alone`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._known: dict[str, tuple[int, ...]] = {}
        whole = tokenizer.encode("a").ids
        inside = tokenizer.encode("a", add_special_tokens=False).ids
        at = whole.index(inside[0])
        self._before, self._after = whole[:at], whole[at + len(inside) :]

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without the special ones."""
        known = self._learn(texts)
        return [sum(len(known[word]) for word in _words(text)) for text in texts]

    def numbers(self, texts: Sequence[str], longest: int) -> list[list[int]]:
        """Token numbers of each text with the special ones, at most `longest`."""
        known = self._learn(texts)
        room = longest - len(self._before) - len(self._after)
        return [
            [*self._before, *[number for word in _words(text) for number in known[word]][:room], *self._after]
            for text in texts
        ]

    def _learn(self, texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """A table that holds every word of the texts. Tables only grow, or are left behind whole: threads may share."""
        words = {word for text in texts for word in _words(text)}
        if len(self._known) > _MOST_WORDS:
            self._known = {}
        known = self._known
        new = [word for word in words if word not in known]
        encoded = self._tokenizer.encode_batch_fast(new, add_special_tokens=False)
        known.update({word: tuple(one.ids) for word, one in zip(new, encoded, strict=True)})
        return known


def _words(text: str) -> list[str]:
    words = _JOINING.sub("", text).split()
    if max(map(len, words), default=0) <= _LONGEST_WORD:
        return words
    return [word[at : at + _LONGEST_WORD] for word in words for at in range(0, len(word), _LONGEST_WORD)]
