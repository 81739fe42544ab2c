"""Makes a model's text safe while it streams: no marks outside the evidence, no markup, links or thoughts.

All filters are pure: feeding a text in any pieces gives the same characters as feeding it whole. A renderer of
Markdown finds no tag, image, link, link definition or address in what comes out; the words stay.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Generator
from typing import TypeVar

from rag_app.text.characters import UNSEEN_ONE

LONGEST_MARK = 60  # characters between brackets that are looked at for a mark
LONGEST_WORD = 200  # characters held back at most
SHORTEST_SECRET = 8  # characters: a shorter key is no secret, and would be found in ordinary words
WITHHELD = "(a key, left out)"

Ended = TypeVar("Ended")

_MARK = re.compile(
    r"[\[【]\s*(?:(?:evidence|passage|source|reference|document)s?\s*)?"
    r"(?P<numbers>\^?\d{1,6}(?:\s*(?:[,;&]|[-–—]|and|to)\s*\^?\d{1,6})*)"
    r"\s*(?:†[^\]】]*|,\s*(?:pp?\.?|pages?)\s*\d+(?:[-–]\d+)?)?\s*[\]】]",
    re.IGNORECASE,
)
_BROKEN_MARK = re.compile(r"[\[【][\s\d^,;&–—-]*$")
_NUMBERS = re.compile(r"(\d+)(?:\s*(?:[-–—]|to)\s*\^?(\d+))?", re.IGNORECASE)
_DEFINITION = re.compile(r"[\s>*+\-]*\[|[^\[]*$")  # a line that begins with a bracket, or in the middle of one
_WORD = re.compile(rf"[A-Za-z0-9+.\-]{{1,{LONGEST_WORD}}}")
_TAG = r"(?:seed:)?(?:think(?:ing)?|reasoning|thoughts?)"
_THOUGHT = re.compile(
    rf"<{_TAG}(?:\s[^<>\n]{{0,100}})?>|\[THINK\]|◁think▷|<\|channel\|>\s*(?:analysis|commentary)\b", re.IGNORECASE
)
_THOUGHT_ENDS = re.compile(
    rf"</{_TAG}\s*>|\[/THINK\]|◁/think▷|(?:<\|start\|>assistant)?<\|channel\|>\s*final\s*<\|message\|>", re.IGNORECASE
)
_FRAME = re.compile(r"<\|(?:end|return|start|message|constrain)\|>(?:assistant\b)?", re.IGNORECASE)
_TAG_BEGUN = re.compile(
    r"(?:<\|(?:channel|start)\|>[\w\s]{0,24}(?:<[\w|]{0,10})?|<(?:[/|]?[a-z|][^<>\n]{0,110})?|<[/|]?|\[/?[A-Za-z]{0,5}|◁[^▷\n]{0,8})\Z",
    re.IGNORECASE,
)
_COULD_BE = re.compile(r"<[/|]?(?:\||s|t|r|$)|\[/?(?:t|$)|◁", re.IGNORECASE)


class ThoughtFilter:
    """Leaves out what a model thinks aloud: in <think>, [THINK], <seed:think> and the channels of gpt-oss.

    A tag within code is text. A closing tag alone means that all before it was a thought: `restarts` counts these, and
    whoever kept what came before drops it. A late thought that never ends was none, and is given back.
    """

    def __init__(self) -> None:
        self._held = ""
        self._thought = ""  # since the tag that opened it, with the tag
        self._late = False  # something of an answer came before the thought
        self._before = ""  # the end of what was passed on
        self._begun = False
        self._dropped = False
        self.restarts = 0

    def feed(self, piece: str) -> str:
        """The next characters of the answer."""
        self._held += piece
        return self._drain(final=False)

    def finish(self) -> str:
        """What is left; nothing when the model was still thinking."""
        shown = self._drain(final=True)
        return shown + (self._thought if self._late else "")

    def _drain(self, final: bool) -> str:
        shown = ""
        while self._held:
            if self._thought:
                ends = _THOUGHT_ENDS.search(self._thought + self._held)
                if ends is None:
                    self._thought, self._held = self._thought + self._held, ""
                    break
                self._held = (self._thought + self._held)[ends.end() :]
                self._thought, self._dropped = "", True
                continue
            found = self._next_tag(shown)
            if found is None:
                cut = len(self._held)
                begun = None if final else _TAG_BEGUN.search(self._held)
                if begun and _COULD_BE.match(begun[0]):
                    cut = begun.start()
                shown += self._pass_on(cut)
                break
            kind, match = found
            shown += self._pass_on(match.start())
            tag, self._held = self._held[: len(match[0])], self._held[len(match[0]) :]
            if kind == "opens":
                self._thought, self._late = tag, bool(self._begun)
            elif kind == "ends":
                self.restarts += 1
                shown, self._begun, self._before, self._dropped = "", False, "", True
        return shown

    def _next_tag(self, shown: str) -> tuple[str, re.Match[str]] | None:
        found = [
            (match.start(), kind, match)
            for kind, pattern in (("opens", _THOUGHT), ("ends", _THOUGHT_ENDS), ("frame", _FRAME))
            for match in pattern.finditer(self._held)
            if self._is_tag(kind, self._held[: match.start()])
        ]
        return min(found, key=lambda one: one[0])[1:] if found else None

    def _is_tag(self, kind: str, before: str) -> bool:
        """Whether a tag here is one: not within code, and a closing tag alone only where a sentence ended."""
        text = (self._before + before)[-200:]
        if text[text.rfind("\n") + 1 :].count("`") % 2:
            return False
        return kind != "ends" or not text.strip() or bool(re.search(r"[.!?。\n:)]\s*\Z|\n\s*\Z", text))

    def _pass_on(self, length: int) -> str:
        text, self._held = self._held[:length], self._held[length:]
        if self._dropped and not self._begun:
            text = text.lstrip()  # the blank lines between a thought and the answer
        self._before = (self._before + text)[-200:]
        self._begun = self._begun or bool(text.strip())
        return text


class SecretFilter:
    """Leaves out texts that no answer may hold, such as a key that a server repeats."""

    def __init__(self, secrets: Collection[str]) -> None:
        self._secrets = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
        self._held = ""

    def feed(self, piece: str) -> str:
        """The next characters; what may yet become a secret is held back."""
        if not self._secrets:
            return piece
        self._held = self._remove_secrets(self._held + piece)
        keep = max(
            length
            for secret in self._secrets
            for length in range(len(secret))
            if not length or self._held.endswith(secret[:length])
        )
        cut = len(self._held) - keep
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown

    def finish(self) -> str:
        """What was held back; the beginning of a secret that the text ends with is none."""
        shown, self._held = self._held, ""
        return shown

    def _remove_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, WITHHELD)
        return text


def filter_secrets(pieces: Generator[str, None, Ended], secrets: Collection[str]) -> Generator[str, None, Ended]:
    """The pieces without these secrets; returns what `pieces` returns, raises what it raises, and closes it."""
    keeper = SecretFilter(secrets)
    try:
        while True:
            shown = keeper.feed(next(pieces))
            if shown:
                yield shown
    except StopIteration as end:
        if rest := keeper.finish():
            yield rest
        ended: Ended = end.value
        return ended
    except Exception:  # what had come is kept
        if rest := keeper.finish():
            yield rest
        raise
    finally:
        pieces.close()


_SCHEME = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]{0,30}://|\bwww\.", re.IGNORECASE)
_TAG_OPENS = re.compile(r"<(?=[A-Za-z/!?])")
_LINK = re.compile(r"\](?=\(|:)")


def disarm_markup(text: str) -> str:
    """Prose of a model in which no renderer finds a tag, an image, a link or an address; the words stay."""
    return _LINK.sub("] ", _TAG_OPENS.sub("< ", _SCHEME.sub("", UNSEEN_ONE.sub("", text))))


class AnswerFilter:
    """Turns every way of citing into [n] and drops numbers that are not among `numbers`; disarms markup.

    A dropped mark takes the blanks before it with it. "[0, 1]" is an interval and stays: evidence counts from 1.
    """

    def __init__(self, numbers: Collection[int]) -> None:
        self._numbers = frozenset(numbers)
        self._held = ""
        self._line = ""  # what went out since the last line break

    def feed(self, piece: str) -> str:
        """The next characters of the answer; may be empty while a word or mark is incomplete."""
        self._held += UNSEEN_ONE.sub("", piece)
        return self._drain(final=False)

    def finish(self) -> str:
        """What is left when the text has ended, without blanks at the end."""
        return self._drain(final=True)

    def _drain(self, final: bool) -> str:
        out: list[str] = []
        while self._held:
            step = self._step(final)
            if step is None:
                break
            out.append(step)
        return "".join(out)

    def _step(self, final: bool) -> str | None:
        """Decide about the start of the held text; None to wait for more."""
        gap = len(self._held) - len(self._held.lstrip())
        if gap == len(self._held):
            return self._take(gap, "") if final else None
        if self._held[gap] in "[【":
            return self._bracket(gap, final)
        if gap:
            return self._take(gap, self._disarm_markup(self._held[:gap]))
        word = _WORD.match(self._held)
        if word:
            return self._word(word.group(), final)
        if self._held[0] in "]】" and _BROKEN_MARK.search(self._line):
            return self._take(1, "")  # of "[7[9]]" nothing may be left that reads as a mark
        return self._take(1, self._disarm_markup(self._held[0]))

    def _bracket(self, gap: int, final: bool) -> str | None:
        near = self._held[gap : gap + LONGEST_MARK]
        inside, broken, _ = near.partition("\n")
        close = min((at for at in (inside.find("]"), inside.find("】")) if at >= 0), default=-1)
        if close < 0 and not final and not broken and len(near) < LONGEST_MARK:
            return None
        space = self._held[:gap]
        mark = _MARK.fullmatch(near[: close + 1]) if close > 0 else None
        if mark is None:
            return self._take(gap + 1, self._disarm_markup(space + near[0]))
        cited = _expand_numbers(mark.group("numbers"))
        if 0 in cited and len(cited) > 1:
            return self._take(gap + close + 1, self._disarm_markup(space + near[: close + 1]))
        shown = [number for number in dict.fromkeys(cited) if number in self._numbers]
        if not shown and "\n" not in space:
            space = ""
        return self._take(
            gap + close + 1,
            self._disarm_markup(space) + self._disarm_markup("".join(f"[{number}]" for number in shown)),
        )

    def _word(self, word: str, final: bool) -> str | None:
        if len(word) == LONGEST_WORD:
            return self._take(len(word), self._disarm_markup(word))
        rest = self._held[len(word) : len(word) + 3]
        if not final and len(rest) < 3 and "://".startswith(rest):
            return None
        if rest == "://":  # an address stays readable, but nothing makes a link of it without its scheme
            return self._take(len(word) + 3, "")
        return self._take(len(word), self._disarm_markup(word[4:] if word[:4].lower() == "www." else word))

    def _take(self, length: int, shown: str) -> str:
        self._held = self._held[length:]
        return shown

    def _disarm_markup(self, text: str) -> str:
        """The text with its markup disarmed, by what went out before each character."""
        shown: list[str] = []
        for letter in text:
            safe = self._disarm_letter(letter)
            shown.append(safe)
            self._line = "" if letter == "\n" else self._line + safe
        return "".join(shown)

    def _disarm_letter(self, letter: str) -> str:
        line = self._line
        if line.endswith("<") and (letter.isalpha() or letter in "/!?"):
            return f" {letter}"  # "< img" is text to every renderer
        if line.endswith("]") and (letter == "(" or (letter == ":" and _DEFINITION.match(line))):
            return f" {letter}"  # neither a link nor an image nor the definition of one
        if letter == "/" and line.endswith(":/"):
            return ""
        if letter == "." and line[-3:].lower() == "www":
            return ""
        return letter


def _expand_numbers(numbers: str) -> list[int]:
    """Of "1, 3-5" the numbers 1, 3, 4, 5. A backward or endless range gives its two ends only."""
    found: list[int] = []
    for low, high in _NUMBERS.findall(numbers):
        first, last = int(low), int(high or low)
        found += range(first, last + 1) if first <= last <= first + 50 else [first, last]
    return found
