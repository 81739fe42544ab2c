"""The texts of the page in its languages: one catalogue, static/texts.toml, and the language of a context. Pure.

The language is a context variable, as in every web framework: set for a request, it holds in all that is called for it.
The command line never sets one and stays English.
"""

from __future__ import annotations

import contextvars
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

ENGLISH, CHINESE = "en", "zh"
LANGUAGES = {ENGLISH: "en", CHINESE: "zh-CN"}
"""The catalogue's languages -> what HTML calls them (BCP 47)."""
NESTED = ("error", "what")  # values that are sentences of the core themselves
CORE = "core."  # keys of what the core says in English; all others are the page's own

_language = contextvars.ContextVar("language", default=ENGLISH)
_PLACE = re.compile(r"\{(\w+)(?:\|([^|}]*)\|([^|}]*))?\}")
_TOKEN = re.compile(r"\[\[([a-z]+\.[a-z-]+)\]\]")
Value = object
"""A number, a text, or a Later."""


def set_language(language: str) -> None:
    """From now on, what is said in this context is said in `language`; English where it is not known."""
    _language.set(language if language in LANGUAGES else ENGLISH)


def current_language() -> str:
    """The language of this context, one of LANGUAGES."""
    return _language.get()


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Key -> language -> text. A key is "section.name"."""
    text = (resources.files("rag_app.server.web") / "static" / "texts.toml").read_text(encoding="utf-8")
    sections: dict[str, dict[str, dict[str, str]]] = tomllib.loads(text)
    return {f"{section}.{name}": texts for section, named in sections.items() for name, texts in named.items()}


def translate(key: str, **values: Value) -> str:
    """The text of that key in the language of this context, with its values. Raises KeyError for an unknown one."""
    return _fill_values(catalogue()[key][current_language()], values)


def _fill_values(text: str, values: Mapping[str, Value]) -> str:
    def put(place: re.Match[str]) -> str:
        value = values[place[1]]
        if place[2] is not None:
            return place[2] if str(value) == "1" else place[3]
        return f"{value:,}" if isinstance(value, int) else str(value)

    return _PLACE.sub(put, text)


@dataclass(frozen=True)
class LazyText:
    """A text that is said when it is shown, in the language of who looks: str() of it.

    For what is remembered for several people.
    """

    key: str
    values: tuple[tuple[str, Value], ...] = ()

    def __str__(self) -> str:
        return translate(self.key, **dict(self.values))


def translate_later(key: str, **values: Value) -> LazyText:
    """As `translate`, in the language of whoever will look."""
    return LazyText(key, tuple(values.items()))


def fill_markup(markup: str) -> str:
    """`markup` with every [[section.name]] in it replaced by its text."""
    return _TOKEN.sub(lambda token: translate(token[1]), markup)


def page_texts() -> dict[str, str]:
    """The page's own texts in the language of this context, by key, for its scripts."""
    return {key: texts[current_language()] for key, texts in catalogue().items() if not key.startswith(CORE)}


# -- what the core says ---------------------------------------------------------------------------------------------


def translate_core(text: str) -> str:
    """A sentence of the core in the language of this context; as it stands where the catalogue does not know it.

    The core speaks English, on the command line as in saved answers; only its looks on the page are translated.
    """
    if current_language() == ENGLISH:
        return text
    for key, pattern in _patterns():
        found = pattern.fullmatch(text)
        if found:
            values = found.groupdict()
            inner = {name: translate_core(values[name]) for name in NESTED if values.get(name)}
            return _fill_values(catalogue()[key][current_language()], values | inner)
    return text


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """The English of the core's texts as patterns of what they may say."""
    return [
        (key, re.compile(pattern_of(texts[ENGLISH]), re.DOTALL))
        for key, texts in catalogue().items()
        if key.startswith(CORE)
    ]


def pattern_of(text: str) -> str:
    """A text of the catalogue as a regular expression: a group for each place that holds a value."""
    pattern, end = "", 0
    for place in _PLACE.finditer(text):
        words = f"(?P<{place[1]}>.+?)" if place[2] is None else f"(?:{re.escape(place[2])}|{re.escape(place[3])})"
        pattern, end = pattern + re.escape(text[end : place.start()]) + words, place.end()
    return pattern + re.escape(text[end:])


# -- whose language -------------------------------------------------------------------------------------------------


def choose_language(accepted: str, otherwise: str = ENGLISH) -> str:
    """The first of our languages that a browser asks for (Accept-Language, RFC 9110, 12.5.4); else `otherwise`."""
    wanted = []
    for place, part in enumerate(accepted[:1000].split(",")):
        name, _, weight = part.partition(";")
        share = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{1,3})?)\s*", weight)
        wanted.append((-(float(share[1]) if share else 1.0), place, name.strip().casefold().partition("-")[0]))
    return next((name for weight, _, name in sorted(wanted) if name in LANGUAGES and weight < 0), otherwise)
