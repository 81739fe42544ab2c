"""Recognises refusals, loops and sentences without a mark in what a model writes. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag_app.records import Evidence

REFUSAL = "NOT IN THE PAPERS"  # what the prompts ask for
LONGEST_PERIOD = 200  # characters of a loop's body that are looked for
SHORTEST_LOOP = 120  # characters that repeat before it counts: rules of tables and dotted lines are shorter
SHORTEST_STUTTER = 40  # the same for a few letters or digits: "1.1.1.1."
LONGEST_STUTTER = 4
LONGEST_WORD = 20
SHORTEST_SENTENCE = 40  # characters of a sentence that may not come three times
SHARED_WORDS = 0.6  # of a sentence's content words that its source must have
FEWEST_WORDS = 3

LONGEST_ECHO = 60  # letters of the prompt that an answer may begin with by chance

_NOT_LETTERS = re.compile(r"[\W_]+")
_BARE_REFUSAL = _NOT_LETTERS.sub("", REFUSAL).casefold()
_LEAD_IN = re.compile(r"^\W*(?:(?:final )?answer\s*(?:is)?\s*[:：]\s*)+", re.IGNORECASE)
_MARK = re.compile(r"\[\d+\]")
_SENTENCE = re.compile(r"[^.!?\n]*(?:[.!?](?!\s|$)[^.!?\n]*)*(?:[.!?]+|\n|$)")
_WORDS = re.compile(r"[^\W_]+(?:[.,-][^\W_]+)*")
_COMMON_WORDS = """
    this that these those with from into have been were they their there which what when where then than also such
    answer question text paper papers passage describes described provides provided introduces introduced using used
"""
_COMMON = frozenset(_COMMON_WORDS.split())
_PARAPHRASE = re.compile(
    r"\b(?:papers?|passages?|evidence|texts?|context|documents?|they|it)\b.{0,30}\b(?:do|does|did|is|are)"
    r"(?: not|n['’]t)\b.{0,20}\b(?:answer|mention|contain|provide|state|specif|discuss|say|report|include|give)|"
    r"\bnot (?:mentioned|provided|stated|specified|answered|given|contained) (?:in|by)\b|"
    r"\bno (?:information|evidence|mention|answer)\b",
    re.IGNORECASE,
)


class OpeningFilter:
    """Holds back the beginning of an answer until it is known what it is.

    A repeated question and "Answer:" in front are left out. `refused`: it is the refusal that the prompt asks for.
    `echoed`: it is the prompt itself, which a model that only continues text repeats.
    """

    def __init__(self, question: str, prompt: str) -> None:
        self._questions = [_letters_only(f"question {question}"), _letters_only(question)]
        self._prompt = _letters_only(prompt)
        self._held = ""
        self._decided = False
        self.refused = False
        self.echoed = False

    def feed(self, piece: str) -> str:
        """The next characters of the answer."""
        if self._decided:
            return "" if self.refused or self.echoed else piece
        self._held += piece
        return self._decide(final=False)

    def finish(self) -> str:
        """What was still held back."""
        return "" if self._decided else self._decide(final=True)

    def _decide(self, final: bool) -> str:
        text = self._without_question(_LEAD_IN.sub("", self._held))
        bare = _letters_only(text)
        if not final and self._is_undecided(bare):
            return ""
        if bare.startswith(_BARE_REFUSAL):
            kind = _refusal(text, final)
            if kind is None:
                return ""
            self.refused = kind
        self.echoed = len(bare) >= LONGEST_ECHO and bare[:LONGEST_ECHO] in self._prompt
        self._decided = True
        return "" if self.refused or self.echoed else text

    def _is_undecided(self, bare: str) -> bool:
        beginnings = (_BARE_REFUSAL, "finalansweris", *self._questions)
        if any(beginning.startswith(bare) and bare != _BARE_REFUSAL for beginning in beginnings):
            return True
        return len(bare) < LONGEST_ECHO and bare in self._prompt

    def _without_question(self, text: str) -> str:
        bare = _letters_only(text)
        for question in self._questions:
            if question and bare.startswith(question):
                return _LEAD_IN.sub("", text[_end_of(question, text) :].lstrip("?:.!*\"' \n\t"))
        return text


def _refusal(text: str, final: bool) -> bool | None:
    """Whether a text that begins with the refusal's words is one; None while the next character decides."""
    after = text[_end_of(_BARE_REFUSAL, text) :].lstrip("*_`\"'”’ )")
    if not after:
        return True if final else None
    return after[0] in ".!\n" or REFUSAL in text


def _letters_only(text: str) -> str:
    return _NOT_LETTERS.sub("", text).casefold()


def _end_of(bare: str, text: str) -> int:
    """Where the characters of `text` end that make up `bare`, its beginning without blanks and punctuation."""
    seen = 0
    for at, letter in enumerate(text):
        seen += len(_letters_only(letter))
        if seen >= len(bare):
            return at + 1
    return len(text)


def is_refusal(answer: str) -> bool:
    """Whether a whole answer says in other words that the evidence does not answer: it cites nothing and denies."""
    if _MARK.search(answer):
        return False
    return REFUSAL.casefold() in answer.casefold() or (len(answer) < 400 and bool(_PARAPHRASE.search(answer)))


def loop_start(text: str) -> int | None:
    """Where a repetition begins that is not worth reading: after its first copy. None while there is none."""
    period = _repetition_period(text)
    if period:
        start = len(text) - period
        while start > 0 and text[start - 1] == text[start - 1 + period]:
            start -= 1
        return _end_of_word(text, start + period)
    return _find_third_repeat(text)


def _end_of_word(text: str, at: int) -> int:
    """Where the word ends that `at` stands in; `at` where that is too long to be a word."""
    end = at
    while 0 < end < len(text) and not text[end].isspace() and not text[end - 1].isspace():
        end += 1
    return end if end - at <= LONGEST_WORD else at


def _repetition_period(text: str) -> int:
    """The shortest body that the text ends with again and again, in characters; 0 for none."""
    for period in range(1, min(LONGEST_PERIOD, len(text) // 3) + 1):
        stutters = period <= LONGEST_STUTTER and any(letter.isalnum() for letter in text[-period:])
        needed = SHORTEST_STUTTER if stutters else max(SHORTEST_LOOP, 2 * period)
        if len(text) >= needed + period and text[-needed:] == text[-needed - period : -period]:
            return period
    return 0


def _find_third_repeat(text: str) -> int | None:
    """Where a long sentence that came three times stands for the second time."""
    places: dict[str, list[int]] = {}
    for match in _SENTENCE.finditer(text):
        key = _NOT_LETTERS.sub(" ", _MARK.sub("", match.group())).strip().casefold()
        if len(key) >= SHORTEST_SENTENCE:
            places.setdefault(key, []).append(match.start())
            if len(places[key]) == 3:
                return places[key][1]
    return None


@dataclass
class Attributor:
    """Puts [n] after each sentence that has none and whose words stand in one piece of evidence.

    For models too small to cite. What no piece backs gets no mark, so that the check of the answer names it.
    """

    evidence: Sequence[Evidence]
    sentences: int = 0  # how many have ended

    def __post_init__(self) -> None:
        self._held = ""
        self._words = [(piece.number, _content(piece.text)) for piece in self.evidence]

    def feed(self, piece: str) -> str:
        """The sentences that have ended."""
        self._held += piece
        shown: list[str] = []
        # The character after the stop tells a sentence's end from "3.5"; it stays for the next sentence.
        while (end := re.search(r"[.!?]+(?=\s)|\n", self._held)) is not None:
            shown.append(self._add_mark(self._held[: end.end()]))
            self._held = self._held[end.end() :]
        return "".join(shown)

    def finish(self, without: int = 0) -> str:
        """The last sentence, less its last `without` characters."""
        rest, self._held = self._held, ""
        rest = rest[: max(0, len(rest) - without)].rstrip() if without else rest
        return self._add_mark(rest) if rest.strip() else rest

    def _add_mark(self, sentence: str) -> str:
        body = sentence.rstrip()
        if not body:
            return sentence
        self.sentences += 1
        number = None if _MARK.search(sentence) else self._find_source(sentence)
        if number is None:
            return sentence
        stop = len(body.rstrip(".!?"))
        return f"{body[:stop]} [{number}]{sentence[stop:]}"

    def _find_source(self, sentence: str) -> int | None:
        words = _content(sentence)
        if len(words) < FEWEST_WORDS:
            return None
        shared = [(len(words & known), -number) for number, known in self._words]
        best, number = max(shared, default=(0, 0))
        return -number if best >= SHARED_WORDS * len(words) else None


def _content(text: str) -> frozenset[str]:
    """Its telling words: four letters and more, or with a digit."""
    words = (word.casefold() for word in _WORDS.findall(text))
    return frozenset(w for w in words if (len(w) > 3 or any(c.isdigit() for c in w)) and w not in _COMMON)
