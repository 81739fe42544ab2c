"""In which language a question is, by its script and its commonest words; and Chinese search words in English. Pure.

A library would know more languages; a question of ten words needs only to be told from the papers' language.
"""

from __future__ import annotations

import re

from rag_app.glossary import CHINESE
from rag_app.sentences import word_set

ENGLISH = "en"
NAMES = {
    "en": "English", "zh": "Chinese", "ja": "Japanese", "ko": "Korean", "ru": "Russian", "ar": "Arabic",
    "el": "Greek", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese", "nl": "Dutch",
}  # fmt: skip
# Scripts that tell a language, the more telling first: Japanese is known by its kana among Chinese characters.
_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\u1100-\u11ff\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
)
LEAST_SHARE = 0.2  # of the letters, or of words and characters: a Greek letter in a formula makes no Greek question
_COMMON = {
    "en": word_set("the of and is are was were what which how why does do did in on for with to by it that when who"),
    "de": word_set(
        "der die das und ist sind wie was welche welcher welches warum auf mit für von wird werden nicht ein"
    ),
    "fr": word_set(
        "le la les des est sont quel quelle quels quelles comment pourquoi dans avec pour sur du une et que"
    ),
    "es": word_set("el la los las es son qué cuál cuáles cómo cuánto cuántos por para con del una en y de se"),
    "it": word_set("il lo gli che è sono quale quali come quanto quanti perché con per del della una nel di"),
    "pt": word_set("o os as é são qual quais como quanto quantos por para com do da uma no na em que"),
    "nl": word_set("de het een is zijn wat welke hoe waarom met voor van op wordt worden niet en"),
}
_EAST_ASIAN = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_SEAM = re.compile(rf"(?<=[{_EAST_ASIAN}])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9%@+])(?=[{_EAST_ASIAN}])")
_RUN = re.compile(rf"[{_EAST_ASIAN}]+")
_LONGEST_TERM = max(map(len, CHINESE))


def language_of(text: str) -> str:
    """The language's ISO 639-1 code; "en" also where nothing tells, since names alone are of no language."""
    letters = len(re.findall(r"[^\W\d_]", text))
    units = len(re.findall(rf"[{_EAST_ASIAN}]|[^\W\d_{_EAST_ASIAN}]+", text))
    for code, script in _SCRIPTS:
        found = len(script.findall(text))
        # An East Asian character says as much as a word in Latin letters.
        if found >= 2 and found >= LEAST_SHARE * (units if code in ("ja", "ko", "zh") else letters):
            return code
    words = re.findall(r"[^\W\d_]+", text.casefold())
    counts = {code: sum(word in common for word in words) for code, common in _COMMON.items()}
    best = max(counts, key=lambda code: (counts[code], code == ENGLISH))
    return best if counts[best] >= 2 and counts[best] > counts[ENGLISH] else ENGLISH


def spaced(text: str) -> str:
    """The text with a blank wherever a Latin word or a number touches an East Asian one, so that names can be seen."""
    return _SEAM.sub(" ", text)


def english_words(question: str) -> str:
    """A Chinese question as English search words: its names and numbers, and the terms that the glossary knows.

    Empty where neither is in it.
    """
    words = _RUN.sub(lambda run: f" {' '.join(_translated(run[0]))} ", spaced(question))
    return " ".join(re.sub(r"[^\w\s.,@%+/()'’-]", " ", words).split())


def _translated(run: str) -> list[str]:
    """The known terms of a run of characters, the longest first at each place."""
    found: list[str] = []
    at = 0
    while at < len(run):
        for length in range(min(_LONGEST_TERM, len(run) - at), 0, -1):
            if run[at : at + length] in CHINESE:
                found.append(CHINESE[run[at : at + length]])
                at += length - 1
                break
        at += 1
    return list(dict.fromkeys(word for word in found if word))
