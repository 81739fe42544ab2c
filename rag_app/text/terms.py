"""Content words, numbers and names of a text. Pure.

Numbers are compared by value ("1,000" is 1000, "73.0 %" is 73, "13 million" is 13M), names without case, hyphens
and plural endings ("Fusion-in-Decoder" is "fusion in decoder").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, DecimalException, InvalidOperation
from functools import lru_cache
from math import prod

from rag_app.text.characters import AS_PLAIN, RAISED, as_searchable
from rag_app.text.numerals import find_numerals
from rag_app.text.sentences import word_set

STOPWORDS = word_set(
    "a about above after again against all also am an and any are as at be because been before being below "
    "between both but by can cannot could did do does doing down during each few for from further get give given "
    "gives had has have having he her here hers him his how however i if in into is it its itself let may me "
    "might more most much must my no nor not of off on once one only or other our ours out over own per same "
    "shall she should since so some such than that the their theirs them then there these they this those through "
    "thus to too under until up upon us use used uses using very via was we were what when where whether which "
    "while who whom whose why will with within without would yet you your many paper papers"
)
_STRUCTURE = word_set(
    "table figure fig tab section sec appendix equation eq algorithm chapter page paper papers abstract "
    "introduction conclusion conclusions results method methods discussion references yes no answer note january "
    "february march april may june july august september october november december english"
)
_TO_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_NUMBER_WORDS = {word: value for value, word in enumerate(_TO_TWENTY.split())}
_NUMBER_WORDS |= {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90}
_NUMBER_WORDS |= {"hundred": 100}
# That a text counts something: "one" and "zero" are mostly other words.
_COUNTING = (*(word for word, value in _NUMBER_WORDS.items() if value > 1), "thousand", "million", "billion")
_COUNTS = re.compile(rf"\b(?:{'|'.join(_COUNTING)})\b", re.IGNORECASE)
_SCALE = {"k": 10**3, "thousand": 10**3, "m": 10**6, "million": 10**6, "b": 10**9, "bn": 10**9, "billion": 10**9}
_SCALE |= {"t": 10**12, "tn": 10**12, "trillion": 10**12, "mn": 10**6, "mln": 10**6, "bln": 10**9, "milliard": 10**9}
_SCALE |= {"quadrillion": 10**15, "quintillion": 10**18, "sextillion": 10**21, "lakh": 10**5, "crore": 10**7}
_SCALE |= {"dozen": 12, "hundred": 100}
_SCALE |= {"千": 10**3, "万": 10**4, "百万": 10**6, "亿": 10**8, "万亿": 10**12}

_BIG_WORDS = "|".join(sorted((word for word in _SCALE if word.isascii() and len(word) > 3), key=len, reverse=True))
# "500-million", "5 hundred thousand", "7B", "30 bn"
_SCALED = (
    rf"(?P<word>(?:[\s-]?(?i:{_BIG_WORDS})s?\b)+|\s?(?:万亿|百万|[千万亿])\b)|"
    r"\s?(?P<letter>[kKMBT]|[mbt]n|[mb]ln)(?![A-Za-z])"
)

_RAISED_TO = r"\s?\^\s?[{{(]?(?P<{}>[-+−–]?\d{{1,3}})[)}}]?(?!\d)"
_NUMBER = re.compile(
    # "1e-4", "1.1 × 10^9", "1 × 10−4", "2^10": one number, with the sign of its exponent
    r"(?<![\w.])(?P<times>\d{1,12}(?:\.\d{1,12})?)"
    rf"(?:[eE](?P<exponent>[-+−–]?\d{{1,3}})(?!\d)|\s?[×x·*]\s?10(?:{_RAISED_TO.format('of_ten')}|(?P<flat>[-−]\d{{1,2}})(?!\d|\.\d)))"
    r"(?P<hundredth>\s?%|\sper\s?cent\b)?"
    rf"|(?<![\w.])(?P<base>\d{{1,12}}(?:\.\d{{1,12}})?){_RAISED_TO.format('power')}"
    r"|(?<![A-Za-z_@\d])(?<![^\W\d_]{2}[-.])(?<!\b[A-Za-z]-)(?<!\d\.)"
    r"(?P<digits>\d{1,3}(?:,\d{3})+\d*(?:\.\d+)?|\d*\.\d+|\d+)"
    rf"(?:(?P<percent>\s?%|\sper\s?cent\b)|{_SCALED})?"
    r"(?:st|nd|rd|th|x|×)?(?![\w@]|\.\d)(?P<bytes>\s(?:[KMGTP]i?B|(?:kilo|mega|giga|tera)?(?:byte|bit)s?)\b)?"
)
# "1.1 × 10^9"; a PDF's text flattens the exponent: "1.1 × 109", "10-4". And "1e-4".
_SCIENTIFIC = re.compile(
    r"(?<![\d.])(\d+(?:\.\d+)?)(?:\s*[×x·]\s*10(?:\s*\^\s*\{?)?|e)([-+]?\d{1,2})(?![\d.]\d)|(?<![\d.])10\s*(?:\^\s*\{?)?(-\d{1,2})"
)
_EXPONENT = re.compile(r"(?<![\w.])\d+(?:\.\d+)?[eE][-+]?\d{1,3}(?!\d)")  # no part of it is a number of its own
_RAISED_POWER = re.compile(rf"(?<![\w.])(\d{{1,12}}(?:\.\d{{1,12}})?)([{RAISED}]{{1,4}})(?![{RAISED}])")
_SQUARE = re.compile(r"(?<![\w.])(\d{1,12})\s?[×x]\s?\1(?![\w.])")
# "Two reasons", "three diseases": a sentence counts what its source only lists, in 0.3 % of honest claims.
FEWEST_SPELLED = 4
LEAST_SCALE = 1_000  # "two hundred" may be counted from 2, "two thousand" is another amount
# What else begins with digits: "16GB", "300ms", and names.
_GLUED = re.compile(
    r"(?<![\w.])(?<![^\W\d_]-)(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.\d+|\d+)"
    r"(?!(?:[kKMBT]|[mbt]n|[mb]ln|st|nd|rd|th|x)(?![^\W_])|[eE][-+−–]?\d)[^\W\d_][^\W_]*"
)
_WORDS_OF_NUMBERS = "|".join(sorted(_NUMBER_WORDS, key=len, reverse=True))
_SPELLED = re.compile(
    rf"\b(?:{_WORDS_OF_NUMBERS})(?:(?:\s+and\s+|[-\s]+)(?:{_WORDS_OF_NUMBERS}|{_BIG_WORDS}))*\b",
    re.IGNORECASE,
)
_PLAIN = r"\d{1,12}(?:,\d{3}){0,3}(?:\.\d{1,6})?"
_LISTED = re.compile(  # "5 to 10 million", "7/13/70B": the scale is of each
    rf"(?<![\w.,])(?P<others>(?:{_PLAIN}\s?(?:[-–—/]|,?\s?\b(?:to|and|or)\b|,\s)\s?[$€£]?){{1,6}}){_PLAIN}(?:{_SCALED})"
)
# A table's head or caption tells the scale of its cells: "Params (M)", "in millions".
_TOLD_SCALE = re.compile(
    rf"[(\[][^()\[\]\d]{{0,20}}?(?<![A-Za-z])(?P<letter>[kKMBT]|[mbt]n|[mb]ln|(?i:{_BIG_WORDS})s?)[)\]]|"
    rf"\bin (?P<word>(?i:{_BIG_WORDS})s)\b"
)
_CELL = re.compile(r"(?<![\w.])(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.\d+|\d+)(?![\w%]|\.\d|[\s-]{1,2}[a-z])")
_TOKEN = re.compile(r"[^\W_]+(?:[-@.+/'’&][^\W_]+)*\+*")
_WORD = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)*")
_AFTER_START = re.compile(r"[.!?:;|•\"“”(]\s*[\"“(*_]*$|^[\s\-*+#>\d.()|\"“_]*$")


_EAST_ASIAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_BETWEEN_SCRIPTS = re.compile(rf"(?<=[{_EAST_ASIAN}])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9%])(?=[{_EAST_ASIAN}])")
# "210千瓦时" is 210 kWh
_CHINESE_SCALE = re.compile(r"(?<=\d)\s*(万亿|百万|[千万亿])(?!(?<=千)\s*[瓦米克卡焦赫帕伏字比])")


def part_scripts(text: str) -> str:
    """The text with a blank where Chinese or Japanese meets Latin letters or digits, so that "有512个" holds 512."""
    if text.isascii():
        return text
    return _BETWEEN_SCRIPTS.sub(" ", _CHINESE_SCALE.sub(r" \1 ", text))


@lru_cache(maxsize=65_536)
def light_stem(word: str) -> str:
    """A light stem: case folded, plural and common verb endings off. Enough to see that two words are one."""
    word = word.casefold()
    for ending, rest in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", ""), ("s", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 4 - len(rest) and not word.endswith("ss"):
            return (word[: -len(ending)] + rest).rstrip("e")
    return word.rstrip("e") if len(word) > 3 else word


def content_words(text: str) -> list[str]:
    """The roots of the words that carry meaning, in order, with repeats; numbers stay as they are."""
    folded = as_searchable(text).casefold()
    return [
        light_stem(word)
        for word in _WORD.findall(folded)
        if word not in STOPWORDS and (len(word) > 1 or word.isdigit())
    ]


@dataclass(frozen=True)
class Number:
    """One number of a sentence: as written, and every value it may stand for.

    `cell` and `scale`: of "110 million", what a table holds whose head tells the scale. In words there is no cell.
    """

    written: str
    values: frozenset[Decimal]
    cell: Decimal | None = None
    scale: int = 1


def find_numbers(text: str) -> list[Number]:
    """The numbers of a text that stand alone; digits inside a name ("GPT-4", "top-20") belong to the name."""
    return [
        number if number.cell is None or match["bytes"] else replace(number, values=number.values | {number.cell})
        for match, number in _read_numbers(text)
    ]


def _read_numbers(text: str) -> Iterator[tuple[re.Match[str], Number]]:
    for match in _NUMBER.finditer(as_searchable(text)):
        values = _values(match)
        if values:
            # The unit behind a number is not of it.
            written = match.group().removesuffix(match["bytes"] or "").strip()
            scale = _scale_of(match)
            cell = None if scale is None else _decimal(match["digits"])
            yield match, Number(written, values, cell, scale or 1)


def find_claimed_numbers(text: str) -> list[Number]:
    """All numbers that a sentence claims: as find_numbers has them, written together with a unit, and in words.

    "8731GB" is 8731, and so is what else begins with digits; "16²" is 256, 二万 is 20,000. "500 billion" is not 500,
    nor is "1e-4 %" 1e-4.
    """
    plain = as_searchable(_RAISED_POWER.sub(lambda found: f"{found[1]}^{found[2].translate(AS_PLAIN)}", text))
    glued = [Number(found[0], frozenset({_decimal(found[1])})) for found in _GLUED.finditer(plain)]
    spelled = [number for number in _spelled_numbers(plain) if min(number.values) >= FEWEST_SPELLED]
    others = [
        Number(written, frozenset({value}), scale=LEAST_SCALE if value >= LEAST_SCALE else 1)
        for written, value in find_numerals(text)
        if value >= FEWEST_SPELLED
    ]
    return [*(number for _, number in _read_numbers(plain)), *glued, *spelled, *others]


def _spelled_numbers(text: str) -> list[Number]:
    """The numbers of a text that are written in words: "seventeen", "two hundred and five", "six million"."""
    found: list[Number] = []
    for match in _SPELLED.finditer(text):
        words = re.findall(r"[a-z]+", match[0].casefold())
        scale = max((size for word in words if (size := _SCALE.get(word, 1)) >= LEAST_SCALE), default=1)
        found.append(Number(match[0], frozenset({Decimal(_spelled_value(words))}), scale=scale))
    return found


def _spelled_value(words: Sequence[str]) -> int:
    """What number words come to: a word of scale multiplies all that is smaller before it ("five hundred billion")."""
    parts: list[int] = []
    for word in words:
        if word not in _SCALE:
            parts.append(_NUMBER_WORDS.get(word, 0))
            continue
        smaller = 0
        while parts and parts[-1] < _SCALE[word]:
            smaller += parts.pop()
        parts.append((smaller or 1) * _SCALE[word])
    return sum(parts)


def number_words(text: str) -> frozenset[str]:
    """The number words of a text from "two" on, without case: talks and prose write "eighty seven percent"."""
    return frozenset(word.casefold() for word in _COUNTS.findall(text))


def _values(match: re.Match[str]) -> frozenset[Decimal]:
    if match["base"]:
        power = _to_power(match["base"], match["power"])
        # PDF text flattens a raised exponent: 10^18 is extracted as "1018".
        flat = match["power"] if match["base"] == "10" and match["power"].isdigit() else ""
        return frozenset({power, Decimal(f"10{flat}")} if flat else {power})
    if match["times"]:
        exponent = match["exponent"] or match["of_ten"] or match["flat"]
        value = Decimal(match["times"]) * _to_power("10", exponent)
        return frozenset({value / 100 if match["hundredth"] else value})
    try:
        value = _decimal(match["digits"])
    except InvalidOperation:  # other scripts' digits that NFKC keeps: not a number we can compare
        return frozenset()
    values = {value * (_scale_of(match) or 1)}
    if match["percent"]:
        values.add(value / 100)
    return frozenset(values)


def _scale_of(match: re.Match[str]) -> int | None:
    """By what the words or the letter behind a number multiply it; None where there are none."""
    if match["letter"]:
        return _SCALE[match["letter"].casefold()]
    words = re.split(r"[\s-]+", (match["word"] or "").casefold().strip(" -\n"))
    return prod(_SCALE.get(word) or _SCALE[word.removesuffix("s")] for word in words) if words != [""] else None


def is_in_scaled_table(number: Number, text: str) -> bool:
    """Whether a text has a number as a table has it: its digits as a cell, and its scale in a head or a caption."""
    if number.cell is None:
        return False
    told = (found["letter"] or found["word"] for found in _TOLD_SCALE.finditer(text))
    if all(_SCALE.get(word.casefold(), _SCALE.get(word.casefold()[:-1])) != number.scale for word in told):
        return False
    return any(_decimal(found[1]) == number.cell for found in _CELL.finditer(as_searchable(text)))


def _decimal(digits: str) -> Decimal:
    return Decimal(digits.replace(",", ""))


def _to_power(base: str, exponent: str) -> Decimal:
    try:
        return Decimal(base) ** int(exponent.replace("−", "-").replace("–", "-"))
    except DecimalException:  # nought to the minus one
        return Decimal(0)


def number_values(text: str) -> frozenset[Decimal]:
    """Every value that stands anywhere in a text, generously read: digits inside names and number words count too."""
    folded = as_searchable(text).replace("−", "-")
    values = {value for number in find_numbers(folded) for value in number.values}
    for digits in re.findall(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.\d+|\d+", _EXPONENT.sub(" ", folded)):
        try:
            values.add(_decimal(digits))
        except InvalidOperation:
            continue
    for listed in _LISTED.finditer(folded):
        scale = _scale_of(listed) or 1
        values.update(value * scale for number in find_numbers(listed["others"]) for value in number.values)
    for times, exponent, alone in _SCIENTIFIC.findall(folded.casefold()):
        values.add(Decimal(times or 1) * Decimal(10) ** int(exponent or alone))
    for word in re.findall(r"[a-z]+", folded.casefold()):
        if word in _NUMBER_WORDS:
            values.add(Decimal(_NUMBER_WORDS[word]))
    values.update(value for number in _spelled_numbers(folded) for value in number.values)
    values.update(value for _, value in find_numerals(text))
    values.update(_to_power(base, raised.translate(AS_PLAIN)) for base, raised in _RAISED_POWER.findall(text))
    values.update(_to_power(side, "2") for side in _SQUARE.findall(folded))
    return frozenset(values)


def find_names(text: str) -> list[str]:
    """Names of methods, data sets, people: acronyms, camel case, letters with digits, capitals mid-sentence.

    A plain capitalised word that starts a sentence is not taken for a name: nothing tells it from any other word.
    """
    text = as_searchable(text)
    found: dict[str, None] = {}
    for match in _TOKEN.finditer(text):
        token = match.group().strip("'’")
        if is_name(token, starts=bool(_AFTER_START.search(text[max(0, match.start() - 40) : match.start()]))):
            found[token] = None
    return list(found)


@lru_cache(maxsize=65_536)  # a question looks at thousands of sentences, and most of their words are the same
def is_name(token: str, starts: bool = False) -> bool:
    """Whether a token looks like a name; `starts` says that it opens a sentence, where any word has a capital."""
    letters = [character for character in token if character.isalpha()]
    if re.fullmatch(r"[A-Z]\d{2,4}", token):  # "A100", "H800": hardware
        return True
    if len(letters) < 2 or squash(token) in _STRUCTURE:
        return False
    if all(_NUMBER.fullmatch(part) for part in re.split(r"[-/]", token)):
        return False
    if any(character.isdigit() for character in token):
        return True
    if all(part.casefold() in STOPWORDS for part in re.split(r"[-/'’]", token)):
        return False
    if re.search(r"[^\W\d_][^\W\d_]*?[A-Z]", re.split(r"['’]", token)[0].replace("-", "")) and not _title_hyphen(token):
        return True
    return token[0].isupper() and not starts and len(letters) >= 3


def _title_hyphen(token: str) -> bool:
    """Whether capitals stand only after hyphens, as in a heading: "Zero-Shot" is as plain as its parts."""
    parts = token.split("-")
    return len(parts) > 1 and all(part[:1].isupper() and part[1:].islower() for part in parts)


@lru_cache(maxsize=65_536)
def squash(name: str) -> str:
    """A name as it is compared: letters and digits only, case folded."""
    return "".join(character for character in as_searchable(name).casefold() if character.isalnum())
