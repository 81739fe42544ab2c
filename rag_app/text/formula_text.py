r"""What inline code and formulas say, as plain text: $41\%$ is 41%, $1.1 \times 10^{9}$ is 1100000000. Pure.

Only what is shown as a row of signs is reduced; of what is stacked or drawn over nobody can tell here what it shows.
"""

from __future__ import annotations

import html
import re
from decimal import Decimal

from rag_app.text.characters import without_invisible
from rag_app.text.formulas import FONTS, SIGNS
from rag_app.text.protected_spans import protected_spans

PROSE_WORDS = 4  # in a row that make a text read as prose
EAST_ASIAN_PROSE = 8  # characters of a script without blanks
LARGEST_EXPONENT = 30
SPELLED_WORDS = 3  # in a row that make a formula a sentence: one of them a name at most, and one of the others long
LONG_WORD = 4
SPELLED_LETTERS = 10  # that stand singly in a row: nobody multiplies so many
UNIT = 3  # letters of a word that does not belong to the number before it: "43 percent", but "110M"

_COMMENT = re.compile(r"<!--(.*?)(?:-->|$)", re.DOTALL)
_BARE_TAG = re.compile(r"</?[A-Za-z]{1,10}\s?/?>")
_NARROW = re.compile(r"(?<=\d)\\[,!](?=\d)|(?<=\d)\{(,)\}(?=\d)|(\\[,!;:>]|~)")
_FONT = re.compile(
    rf"\\(?:{'|'.join(re.escape(name) for name in sorted(FONTS, key=len, reverse=True))})(?![A-Za-z])\s*"
)
_PLAIN_FRACTION = re.compile(r"\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_POWER = re.compile(
    r"(?:(?P<times>\d+(?:\.\d+)?)\s*(?:\\times|\\cdot|×|·)\s*)?(?<![\d.])10\s*\^\s*(?:\{\s*([-−+]?\d+)\s*\}|(\d))"
)
_COMMAND = re.compile(r"\\([A-Za-z]+\*?|.)")
_VARIABLES = re.compile(r"(?<![\w-])[A-Za-z]{1,3}(?:_\w)?(?![\w-])")
_TEXT_GROUP = re.compile(r"\\(?:text\w*|math(?:rm|bf|it|sf|tt)|operatorname\*?)\s*\{([^{}]*)\}")
_EAST_ASIAN = re.compile(rf"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{{{EAST_ASIAN_PROSE},}}")
_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W_]+)*")
_DELIMITERS = re.compile(r"^(?:`+|\$+|\\[(\[])|(?:`+|\$+|\\[)\]])$")


_OTHER_TYPE = re.compile(r"(?<=\d)([*_$]{1,3})(\d+)\1(?!\d)|(?<!\d)([*_$]{1,3})(\d+)\3(?=\d)")
_ONE_WORD = re.compile(r"\\text\w*\s*\{\s*([^\W\d_]+)\s*\}")
_ANY_TEXT = re.compile(r"\\text\w*\s*\{[^{}]*\}")
_PARTS_WORDS = re.compile(r"\\(?:[ ;:]|q?quad(?![A-Za-z]))|[~.,!?\"'“”’]")
_JOINS_LETTERS = re.compile(r"\\[,!>]|[{}]")


def inner_text(span: str) -> str:
    """What stands between the delimiters of inline code or of a formula."""
    return _DELIMITERS.sub("", span)


def spell_words(content: str) -> str:
    """The words that a formula spells in its letters: "E d w a r d \\; l i e d". Empty where they make no sentence.

    Labels of several words within "\\text{...}" are not counted here.
    """
    text = _ANY_TEXT.sub("|", _ONE_WORD.sub(r"\\; \1 \\;", content))
    text = _PARTS_WORDS.sub("\n", _JOINS_LETTERS.sub("", _FONT.sub("", text)))
    found: list[str] = []
    for row in re.split(r"[^^\W\d_\s]?[\^_\\][A-Za-z]*|[^\w\s]|\d", text):
        groups = [group.split() for group in row.split("\n")]
        words = [word for group in groups for word in (["".join(group)] if _is_spaced(group) else group)]
        singles = sum(len(group) for group in groups if _is_spaced(group))
        whole = [word for word in words if len(word) > 1]
        plain = [word for word in words if word[1:].islower()]
        enough = len(plain) >= SPELLED_WORDS - 1 and max(len(plain), len(whole)) >= SPELLED_WORDS
        if singles >= SPELLED_LETTERS or (enough and max(map(len, plain)) >= LONG_WORD):
            found += words
    return " ".join(found)


def _is_spaced(group: list[str]) -> bool:
    return len(group) > 1 and all(len(letter) == 1 for letter in group)


def reads_as_prose(text: str) -> bool:
    """Whether inline code, a formula or a line of code has four words in a row: no identifiers, calls or signs."""
    if _EAST_ASIAN.search(text):
        return True
    plain = re.sub(r"[{}]", "", _FONT.sub(" ", re.sub(r"\\(?:[ %,;:!>]|q?quad(?![A-Za-z]))|~", " ", text)))
    row = 0
    for token in plain.split():
        bare = token.strip(".,;:!?\"'“”‘’()*#—–-")
        if _WORD.fullmatch(bare) and (len(bare) > 1 or bare in "aAI"):
            row += 1
        elif re.search(r"[(){}\[\]=<>_\\/;|+*^$@]", bare):
            row = 0
        if row >= PROSE_WORDS:
            return True
    return False


def read_spans(text: str) -> tuple[str, bool]:
    """The text of one statement with its code and formulas in plain text, and whether all of them could be reduced.

    Digits in another type belong to the number that they stand at: "10,000*0*" is 10,0000.
    """
    text = _OTHER_TYPE.sub(lambda found: found[2] or found[4], text)
    shown, done, whole = "", 0, True
    for start, end in [one for line in _lines(text) for one in line]:
        span = text[start:end]
        reduced = inner_text(span) if span[0] == "`" else reduce_formula(inner_text(span))
        whole = whole and reduced is not None
        shown += text[done:start] + (inner_text(span) if reduced is None else reduced)
        done = end
    shown += text[done:]
    hidden = "".join(f" {found}" for found in _COMMENT.findall(shown))  # a page may show it as it is written
    plain = _BARE_TAG.sub("", _COMMENT.sub("", shown)) + hidden.rstrip()
    return html.unescape(without_invisible(plain)), whole


def _lines(text: str) -> list[list[tuple[int, int]]]:
    found, offset = [], 0
    for line in text.split("\n"):
        found.append([(offset + start, offset + end) for start, end in protected_spans(line)])
        offset += len(line) + 1
    return found


def reduce_formula(content: str) -> str | None:
    """A formula as the row of signs that it shows; None where that cannot be told.

    Variables of up to three letters are left out: they are no names, and a page prints them in many ways.
    """
    spelled = spell_words(content)
    if spelled:
        return spelled
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match[1] if len(match[1]) < UNIT else f" {match[1]} ")
        return f"\ufdd2{chr(0xE000 + len(kept) - 1)}"

    text = _TEXT_GROUP.sub(keep, content)
    text = _NARROW.sub(lambda found: found[1] or (" " if found[2] else ""), text)
    text = _POWER.sub(_expand_power, text)
    text = _PLAIN_FRACTION.sub(r" \1 / \2 ", _FONT.sub("", text))
    if re.search(r"\d\s*\}?\s*\^\s*\{?\s*\d", text):
        return None  # a number with an exponent is another number
    known = True

    def show(match: re.Match[str]) -> str:
        nonlocal known
        name = match[1]
        if not name[0].isalpha():
            return name if name in "%&#$_" else " "
        known = known and name in SIGNS
        return " "

    text = _COMMAND.sub(show, text).replace("{", "").replace("}", "")
    text = _VARIABLES.sub(" ", text).replace("_", " ")
    text = re.sub("\ufdd2(.)", lambda found: kept[ord(found[1]) - 0xE000].replace("\\%", "%"), text)
    return " ".join(text.split()) if known and "\\" not in text else None


def _expand_power(match: re.Match[str]) -> str:
    exponent = int((match[2] or match[3]).replace("−", "-"))
    if abs(exponent) > LARGEST_EXPONENT:
        return match[0]
    value = Decimal(match["times"] or 1) * Decimal(10) ** exponent
    return f" {value.normalize():f} "
