"""Numbers that are written without our digits: 二万, 一百, Ⅿ, ⅩⅩ, ፳, "a dozen", "a thousand", "tenfold". Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal

_DIGITS = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2, "兩": 2}
_DIGITS |= {sign: value for value, sign in enumerate("壹贰叁肆伍陆柒捌玖", start=1)}
_DIGITS |= {sign: value for value, sign in enumerate("壹貳參肆伍陸柒捌玖", start=1)}
_TENS = {"十": 10, "百": 100, "千": 1_000, "拾": 10, "佰": 100, "仟": 1_000}
_LARGE = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8, "兆": 10**12}
_DIGIT, _SCALE = "".join(_DIGITS), "".join(_TENS | _LARGE)
# A digit with a scale; "十二", "百" and "万" alone begin other words too, unless no East Asian sign stands beside them.
_EAST_ASIAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_CHINESE = re.compile(
    rf"(?<![{_DIGIT}{_SCALE}\d])(?<!第)(?<!\d )(?:[{_DIGIT}][{_SCALE}][{_DIGIT}{_SCALE}]*|[十拾][{_DIGIT}][{_SCALE}]*|"
    rf"(?<![{_EAST_ASIAN}])[{_DIGIT}{_SCALE}]+(?![{_EAST_ASIAN}]))"
)
_ROMAN = re.compile("[\u2160-\u2188]+")
_ENGLISH = re.compile(
    r"\b(?:(?:an?|(?P<part>half|(?:a\s+)?quarter\s+of)\s+an?)\s+(?P<word>dozen|thousand|million|billion|trillion)|"
    r"(?P<fold>four|five|six|seven|eight|nine|ten|twenty|thirty|forty|fifty|hundred|thousand|million)fold|"
    r"(?P<verb>quadrupl|quintupl|decupl|centupl)(?:e|es|ed|ing)\b)",
    re.IGNORECASE,
)
_WORTH = {
    **{"four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "dozen": 12, "twenty": 20},
    **{"thirty": 30, "forty": 40, "fifty": 50, "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9},
    **{"trillion": 10**12, "quadrupl": 4, "quintupl": 5, "decupl": 10, "centupl": 100},
}


def find_numerals(text: str) -> Iterator[tuple[str, Decimal]]:
    """Each number of a text that stands in no digits of ours, as written, and its value."""
    for found in _ENGLISH.finditer(text):
        value = Decimal(_WORTH[(found["word"] or found["fold"] or found["verb"]).casefold()])
        part = (found["part"] or "").casefold()
        yield found[0], value / (2 if part == "half" else 4 if part else 1)
    if text.isascii():
        return
    for found in _CHINESE.finditer(text):
        yield found[0], Decimal(_chinese_value(found[0]))
    for found in _ROMAN.finditer(text):
        yield found[0], Decimal(_roman_value(found[0]))
    for sign in text:
        if unicodedata.category(sign) in ("No", "Nl") and sign not in _DIGITS and not _is_read_already(sign):
            yield sign, Decimal(str(unicodedata.numeric(sign)))


def _is_read_already(sign: str) -> bool:
    return bool(_ROMAN.match(sign)) or any(letter.isdecimal() for letter in unicodedata.normalize("NFKC", sign))


def _chinese_value(written: str) -> int:
    """二万 is 20,000, 一百二十 is 120, 二〇二四 is 2024."""
    if all(sign in _DIGITS for sign in written):
        return int("".join(str(_DIGITS[sign]) for sign in written))
    whole = part = digit = 0
    for sign in written:
        if sign in _DIGITS:
            digit = _DIGITS[sign]
        elif sign in _TENS:
            part, digit = part + (digit or 1) * _TENS[sign], 0
        else:
            whole, part, digit = whole + (part + digit or 1) * _LARGE[sign], 0, 0
    return whole + part + digit


def _roman_value(written: str) -> int:
    """ⅩⅩ is 20, ⅠⅤ is 4."""
    values = [int(unicodedata.numeric(sign)) for sign in written]
    behind = [*values[1:], 0]
    return sum(-value if value < following else value for value, following in zip(values, behind, strict=True))
