"""Words that turn a statement around: "40% more" for "40% fewer", "3 months" for "3 days", "by 3" for "to 3".

Pure. English only. How often each rule is wrong about claims that people found supported is in
docs/experiments/answers.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from rag_app.citations.amounts import changed_fraction, changed_kind
from rag_app.text.sentences import sentences, word_set
from rag_app.text.terms import STOPWORDS, content_words, light_stem, number_values, number_words

# Each pair: the words of one direction, and those of the other.
_UP = word_set(
    "increase increases increased increasing rise rises rose risen rising raise raises raised raising grow grows grew "
    "grown growing double doubles doubled doubling boost boosts boosted boosting climb climbs climbed climbing "
    "elevate elevates elevated amplify amplifies amplified enlarge enlarges enlarged multiplies multiplied"
)
_DOWN = word_set(
    "decrease decreases decreased decreasing reduce reduces reduced reducing drop drops dropped dropping fall falls "
    "fell fallen falling shrink shrinks shrank shrunk shrinking lowers lowered lowering halve halves halved halving "
    "decline declines declined declining diminish diminishes diminished lessen lessens lessened cut cuts cutting "
    "curb curbs curbed slash slashes slashed"
)
_FOR_THE_BETTER = word_set(
    "improve improves improved improving enhance enhances enhanced enhancing alleviate alleviates alleviated "
    "alleviating ameliorate ameliorates ameliorated mitigate mitigates mitigated mitigating relieve relieves relieved"
)
_FOR_THE_WORSE = word_set(
    "worsen worsens worsened worsening degrade degrades degraded degrading impair impairs impaired impairing "
    "deteriorate deteriorates deteriorated exacerbate exacerbates exacerbated exacerbating aggravate aggravates "
    "aggravated harms harmed hurts"
)
_OPPOSITES = (
    (
        word_set("more higher larger bigger greater above") | _UP,
        word_set("fewer less lower smaller below") | _DOWN,
    ),
    (
        word_set("better best outperform outperforms outperformed") | _FOR_THE_BETTER,
        word_set("worse worst underperform underperforms underperformed") | _FOR_THE_WORSE,
    ),
    (word_set("faster quicker"), word_set("slower")),
    (word_set("longer"), word_set("shorter")),
)
# What is better when there is less of it, and what when there is more, in roots: "reduces errors" is "improves errors".
_BETTER_LESS = frozenset(
    content_words(
        "error loss cost latency risk mortality death bias noise hallucination toxicity perplexity pain symptom "
        "failure harm disease infection overfitting forgetting leakage delay inflammation fatigue anxiety depression "
        "stress emission pollution poverty inequality crime unemployment incidence severity complication "
        "misinformation redundancy overhead"
    )
)
_BETTER_MORE = frozenset(
    content_words(
        "accuracy precision recall performance quality robustness reliability efficiency faithfulness factuality "
        "fluency throughput generalization generalisation survival safety health satisfaction coherence relevance "
        "usability interpretability productivity wellbeing immunity income knowledge understanding diversity"
    )
)
_OBJECT_WITHIN = 4  # words between a verb of direction and what it moves
_NEARLY_ALL = 0.9  # of the words of a claim that says a sentence again with another verb; at 0.8 honest ones are met

_DIRECTED = frozenset().union(*_OPPOSITES[0], *_OPPOSITES[1])
_DOWNWARD = _OPPOSITES[0][1] | _OPPOSITES[1][1]

_SAID_AGAIN = 0.8  # of the other content words of a claim that one sentence has
_FEWEST_SHARED = 3
_NEGATION = re.compile(r"(?:non|un|in|im|ir|il|dis)(?=[a-z])")
_SHORTEST_ROOT = 5  # letters of "valid" in "invalid": "input" is no denial of "put"

_AMOUNT = re.compile(
    r"(?<![\w.,\[-])(?P<number>\d[\d,]*(?:\.\d+)?\s?(?:[kKMBT]\b|%|(?:million|billion|thousand|percent)\b)?)\s+(?P<thing>\w{3,})"
)

_COUNT = re.compile(
    r"(?:\b(?P<part>first|last|final|next|other|further|remaining|top|best)\s+)?"  # those are some of all
    r"(?<![\w.,-])(?P<count>two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d{1,3})"
    r"[ -](?P<thing>[a-z]{3,})\b"
)
_PLAIN = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*")


def opposite_direction(text: str, quotes: str) -> tuple[str, str] | None:
    """What of a text turns its quotes around, a word or an amount, and what the quotes say there; else None."""
    said, quoted = _words(text), _words(quotes)
    return (
        _opposite_word(said, quoted)
        or _moved_other_way(said, quoted)
        or _replaced_verb(said, quotes)
        or changed_kind(text, quotes)
        or changed_fraction(text, quotes)
        or changed_sign(text, quotes)
        or changed_step(text, quotes)
        or changed_count(text, quotes)
    )


def opposite_of_nearest(text: str, candidates: Sequence[str]) -> tuple[str, str] | None:
    """What of a text turns around the sentence that it says again but for that word, and what that says; else None.

    `candidates`: the sentences of what it cites. Other sentences there may have the text's word of something else.
    """
    said = _words(text)
    rest = set(content_words(" ".join(word for word in said if word not in _DIRECTED)))
    if len(rest) < _FEWEST_SHARED:
        return None
    shares = [len(rest.intersection(content_words(one))) / len(rest) for one in candidates]
    best = max(shares, default=0.0)
    if best < _SAID_AGAIN:
        return None
    turned = [
        _opposite_word(said, _words(one)) or _negated_word(said, _words(one)) or _other_amount(text, one)
        for one, share in zip(candidates, shares, strict=True)
        if share == best
    ]
    return turned[0] if all(turned) else None


def _negated_word(said: Sequence[str], quoted: Sequence[str]) -> tuple[str, str] | None:
    """A word with "in-", "un-" or the like where the quotes have it without, or the other way round."""
    for one, other, is_swapped in ((said, quoted, False), (quoted, said, True)):
        for word in one:
            prefix = _NEGATION.match(word)
            root = word[prefix.end() :] if prefix else ""
            if len(root) >= _SHORTEST_ROOT and root in other and word not in other and root not in one:
                return (root, word) if is_swapped else (word, root)
    return None


def _other_amount(text: str, sentence: str) -> tuple[str, str] | None:
    """A number before a word before which the sentence has another one, and that; each stands in one of both alone."""
    held, values, own = _amounts(sentence), number_values(sentence), number_values(text)
    for thing, written in _amounts(text).items():
        others = [number for number in held.get(thing, ()) if own.isdisjoint(number_values(number))]
        for number in written if others else ():
            if number_values(number) and values.isdisjoint(number_values(number)):
                return f"{number} {thing}", f"{others[0]} {thing}"
    return None


def _amounts(text: str) -> dict[str, list[str]]:
    """The root of each word behind a number -> the numbers before it, as written."""
    found: dict[str, list[str]] = {}
    for one in _AMOUNT.finditer(text):
        found.setdefault(light_stem(one["thing"].casefold()), []).append(one["number"].strip())
    return found


def _opposite_word(said: Sequence[str], quoted: Sequence[str]) -> tuple[str, str] | None:
    """A word counts where the quotes have words of the other direction only, and the text has none of these."""
    for pair in _OPPOSITES:
        for one, other in (pair, pair[::-1]):
            told, held = [word for word in said if word in one], [word for word in quoted if word in other]
            if told and held and one.isdisjoint(quoted) and other.isdisjoint(said):
                return told[0], held[0]
    return None


def _moved_other_way(said: Sequence[str], quoted: Sequence[str]) -> tuple[str, str] | None:
    """A thing that a text lets rise and its quotes only fall, or for the better there and for the worse here."""
    held = _find_moves(quoted)
    for thing, ways in _find_moves(said).items():
        others = held.get(thing, {})
        if len(ways) == 1 and len(others) == 1 and ways.keys() != others.keys():
            return next(iter(ways.values())), next(iter(others.values()))
    return None


def _find_moves(words: Sequence[str]) -> dict[tuple[str, str], dict[bool, str]]:
    """What is moved and along which scale -> the ways that it is moved, each with its word."""
    moves: dict[tuple[str, str], dict[bool, str]] = {}
    (more, less), (better, worse) = _OPPOSITES[:2]
    for at, word in enumerate(words):
        if word not in more | less | better | worse:
            continue
        along_amount, is_up = word in more | less, word in more | better
        known = _known_thing(words, at)
        if known:
            moves.setdefault((known, "effect"), {})[is_up != (along_amount and known in _BETTER_LESS)] = word
        thing = next((light_stem(one) for one in _words_after(words, at) if _names_thing(one)), "")
        if thing:
            moves.setdefault((thing, "amount" if along_amount else "worth"), {})[is_up] = word
    return moves


def _known_thing(words: Sequence[str], at: int) -> str:
    """What the word at a place moves, of what is known to be better with more or less: behind it, else before it."""
    near = [*_words_after(words, at), *reversed(words[max(0, at - _OBJECT_WITHIN) : at])]
    return next((root for root in map(light_stem, near) if root in _BETTER_LESS or root in _BETTER_MORE), "")


def _words_after(words: Sequence[str], at: int) -> Sequence[str]:
    after = words[at + 1 : at + 1 + _OBJECT_WITHIN]
    return after[: next((place for place, word in enumerate(after) if word in _DIRECTED), len(after))]


def _names_thing(word: str) -> bool:
    return word not in STOPWORDS and len(word) > 2 and not word.endswith("ly")


def _replaced_verb(said: Sequence[str], quotes: str) -> tuple[str, str] | None:
    """A verb of direction in place of another kind of one, in a claim that says a quoted sentence again.

    Where both move a thing of known worth, that has been compared: "improves accuracy" is "increases accuracy".
    """
    mine = _verbs(said)
    rest = set(content_words(" ".join(word for word in said if word not in _DIRECTED)))
    if len(mine) != 1 or len(rest) < 2:
        return None
    for start, end in sentences(quotes):
        there = _words(quotes[start:end])
        theirs = _verbs(there)
        compared = any(_known_thing(said, said.index(verb)) for verb in mine.values()) and any(
            _known_thing(there, there.index(verb)) for verb in theirs.values()
        )
        if len(theirs) != 1 or theirs.keys() == mine.keys() or compared:
            continue
        if len(rest.intersection(content_words(quotes[start:end]))) >= _NEARLY_ALL * len(rest):
            return next(iter(mine.values())), next(iter(theirs.values()))
    return None


def _verbs(words: Sequence[str]) -> dict[int, str]:
    """The kinds of verbs of direction among words, each with its first one."""
    kinds = enumerate((_UP, _DOWN, _FOR_THE_BETTER, _FOR_THE_WORSE))
    return {kind: found for kind, verbs in kinds if (found := next((word for word in words if word in verbs), ""))}


def changed_count(text: str, quotes: str) -> tuple[str, str] | None:
    """A number in words with what it counts, where the quotes count the same otherwise, and what they say; else None.

    "Two annotators" for "three annotators". Where the number stands anywhere in the quotes, it may count some of them.
    """
    held = _counts(quotes)
    values = number_values(quotes)
    for thing, said in _counts(text).items():
        there = held.get(thing, {})
        if len(said) != 1 or len(there) != 1 or said.keys() & values:
            continue
        (written,), (quoted,) = said.values(), there.values()
        if not written[0].isdigit():
            return written, quoted
    return None


def _counts(text: str) -> dict[str, dict[Decimal, str]]:
    """What is counted, by the root of the word behind the number -> each number of it from 2 on, as written."""
    counts: dict[str, dict[Decimal, str]] = {}
    for found in _COUNT.finditer(text.casefold()):
        if found["part"] or found["thing"] in STOPWORDS | number_words(found["thing"]):
            continue
        value = next(iter(number_values(found["count"])), Decimal(0))
        if value >= 2:
            written = f"{found['count']} {found['thing']}"
            counts.setdefault(light_stem(found["thing"]), {})[value] = written
    return counts


_PLAIN_NUMBER = r"(\d+(?:,\d{3})*(?:\.\d+)?)"
# A minus belongs to a number, a hyphen to a word, and a dash behind a number to a range: "-40", "GPT-4", "30 -40";
# that of an exponent ("10^-4") is compared with the number.
_SIGNED = re.compile(
    rf"(?:(?<![\w.,)\]%^-])(?<!\^[{{(])(?<!\d )[-−–]|\b(?:minus|negative)\s+){_PLAIN_NUMBER}|(?<![\w.,]){_PLAIN_NUMBER}"
)
_LOSES = word_set("loss losses loses lost negative minus deficit")
_ABOUT = (
    r"(?:(?:up to|at most|at least|about|around|approximately|roughly|some|nearly|almost|only|just|a|an|the|~|≈)\s+)*"
    r"[$€£~]?"
)
_STEP = re.compile(
    rf"(?:\b(by|to|from)\s+)?{_ABOUT}(?<![\d.,]){_PLAIN_NUMBER}(?:(?:\s?%| percent)?\s*(?:[-–]|to)\s*{_PLAIN_NUMBER})?"
)
_YEAR = re.compile(r"(?:19|20)\d\d")


def changed_sign(text: str, quotes: str) -> tuple[str, str] | None:
    """A number that a text gives with a minus and its quotes without, or the other way round, and theirs; else None.

    "Falls by 40" is "-40": where a word of the text says that something falls, its number needs no minus.
    """
    quoted, falls = _signed_numbers(quotes), not (_DOWNWARD | _LOSES).isdisjoint(_words(text))
    for number, signs in _signed_numbers(text).items():
        held = quoted.get(number)
        if held and len(signs) == len(held) == 1 and signs != held and not (falls and "-" in held):
            return f"{signs.pop()}{number}", f"{held.pop()}{number}"
    return None


def _signed_numbers(text: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in _SIGNED.finditer(text.casefold()):
        found.setdefault(_value(one[1] or one[2]), set()).add("-" if one[1] else "")
    return found


def changed_step(text: str, quotes: str) -> tuple[str, str] | None:
    """A number that a text gives as a step ("by 3") and its quotes as an end ("to 3"), and theirs; else None.

    A number that stands anywhere in the quotes without such a word tells nothing, nor does a year.
    """
    quoted = _steps(quotes)
    for number, said in _steps(text).items():
        held = quoted.get(number, {""})
        if "" not in said | held and said.isdisjoint(held) and not _YEAR.fullmatch(number):
            return f"{min(said)} {number}", f"{min(held)} {number}"
    return None


def _steps(text: str) -> dict[str, set[str]]:
    """Each number with the by, to and from that stand before it; of "from 3 to 5" 5 has "to", of "3 to 5" none."""
    found: dict[str, set[str]] = {}
    for one in _STEP.finditer(text.casefold()):
        word = one[1] or ""
        second = {"from": "to", "to": ""}.get(word, word)
        for number, kind in ((one[2], word), (one[3], second)):
            if number:
                found.setdefault(_value(number), set()).add(kind)
    return found


_BOUNDS = {
    "<": "under|below|(?:less|fewer|lower|smaller) than|at most|up to|(?:no|not) more than|[<≤]",
    ">": "over|above|beyond|(?:more|greater|higher|larger) than|at least|no (?:less|fewer) than|exceed(?:s|ed)?|[>≥]",
}
_BOUNDED = {
    sign: re.compile(rf"(?<!\w)(?:{words})\s*(?:(?:the|a|an|about|around|just)\s+)?[$€£~]?(\d+(?:[.,]\d+)*)")
    for sign, words in _BOUNDS.items()
}
_OR_MORE = re.compile(r"(\d+(?:[.,]\d+)*)[ \w%-]{0,20}?(?:\+|\bor more\b)")


def added_bound(text: str, quotes: str) -> str:
    """A number that a text bounds ("under 71.3") and its quotes give without that bound; empty where there is none."""
    plain = {_value(number) for number in _PLAIN.findall(quotes)}
    held = _bounded_numbers(quotes) | {(">", _value(found[1])) for found in _OR_MORE.finditer(quotes.casefold())}
    return next((number for sign, number in _bounded_numbers(text) - held if number in plain), "")


def _bounded_numbers(text: str) -> set[tuple[str, str]]:
    folded = text.casefold()
    return {(sign, _value(found[1])) for sign, form in _BOUNDED.items() for found in form.finditer(folded)}


def _value(number: str) -> str:
    return number.replace(",", "")


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.casefold())
