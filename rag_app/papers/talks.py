"""Transcripts of talks as a Reading: SubRip, WebVTT, and the JSON of Whisper. A page is a span of time.

A page's label is the time at which it begins ("12:34"), so that a place can be found in the recording; its text is
that of the cues, word for word.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from rag_app.errors import PaperError
from rag_app.files import open_regular
from rag_app.papers.plain_text import decode_file
from rag_app.records import Block, Page, Reading
from rag_app.text.characters import LOST, without_invisible
from rag_app.text.sentences import sentences

SUFFIXES = (".srt", ".vtt")
SPAN = 45.0  # seconds of a page; it ends with the sentence
LONGEST_SPAN = 90.0  # seconds: also within a sentence, since speech may have no full stops
RECORDINGS = (".mp4", ".webm", ".mkv", ".mov", ".m4a", ".mp3", ".ogg", ".wav")
_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{1,3})"
_CUE = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}")
_ENDS = re.compile(r"[.!?。！？][\"”’)]?$")
_TAG = re.compile(r"</?[a-zA-Z][^>]*>|<\d[\d:.]*>|\{\\[^}]*\}")


@dataclass(frozen=True)
class Cue:
    """Words that are said from `start` to `end`, in seconds."""

    start: float
    end: float
    text: str


def is_transcript(path: Path) -> bool:
    """Whether a JSON file is Whisper's: its beginning, or its end, names segments."""
    try:
        with open_regular(path) as stream:
            head = stream.read(4096)
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - 4096))
            tail = stream.read(4096)
    except OSError:
        return False
    return head.lstrip().startswith(b"{") and (b'"segments"' in head or (b'"text"' in head and b'"tokens"' in tail))


def read_talk(path: Path, title: str = "") -> Reading:
    """Read a transcript. Raises PaperError when it is broken or holds no cue."""
    text = decode_file(path)
    cues = list(_segments(text, path) if path.suffix.lower() == ".json" else _cues(text))
    spans = list(_spans(_without_repeats(cues)))
    if not spans:
        raise PaperError(f"{path.name}: no cue with a time and words was found. Export the transcript again.")
    pages = [_page(number, span) for number, span in enumerate(spans, start=1)]
    return Reading(title or _title(path), tuple(pages), "full text")


def clock(seconds: float) -> str:
    """Seconds as a player shows them: 12:34, 1:02:03."""
    whole = int(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def seconds_of(label: str) -> int:
    """The other way round. Raises ValueError for a label that is no time."""
    parts = [int(part) for part in label.split(":")]
    if len(parts) not in (2, 3):
        raise ValueError(label)
    return sum(part * 60**place for place, part in enumerate(reversed(parts)))


def find_second(paper: str, label: str) -> int | None:
    """The second at which a place of a talk begins, by its label; None for a place of another paper."""
    try:
        return seconds_of(label) if is_talk(paper) else None
    except ValueError:
        return None


def is_talk(paper: str) -> bool:
    """Whether a paper of that name is a transcript: no other papers have these suffixes."""
    return paper.lower().endswith((*SUFFIXES, ".json"))


def find_recording(path: Path) -> Path | None:
    """The recording beside a transcript: the same name with the suffix of one ("talk.en.vtt" and "talk.mp4" too).

    No link is followed: it could lead out of the corpus folder.
    """
    return _find_beside(path, RECORDINGS)


def find_slides(path: Path) -> Path | None:
    """The PDF beside a transcript that has its name."""
    return _find_beside(path, (".pdf",))


def _find_beside(path: Path, suffixes: Sequence[str]) -> Path | None:
    names = (path.with_suffix(""), path.with_suffix("").with_suffix(""))
    found = (name.with_name(name.name + suffix) for name in names for suffix in suffixes)
    return next((one for one in found if one.is_file() and not one.is_symlink()), None)


def _title(path: Path) -> str:
    return re.sub(r"[_\s]+", " ", re.sub(r"\.[a-z]{2}(?:-\w+)?$", "", path.stem)).strip() or path.stem


def _cues(text: str) -> Iterator[Cue]:
    """Of SubRip and WebVTT: a line with two times, then words up to the next blank line."""
    for block in re.split(r"\n[ \t]*\n", text):
        lines = block.split("\n")
        at = next((number for number, line in enumerate(lines) if _CUE.match(line)), None)
        if at is None:
            continue
        times = _CUE.match(lines[at])
        assert times is not None
        start, end = _seconds(times.groups()[:4]), _seconds(times.groups()[4:])
        words = "\n".join(_clean(line) for line in lines[at + 1 :])
        if words.strip():
            yield Cue(start, max(start, end), words)


def _seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = (part or "0" for part in parts)
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(fraction.ljust(3, "0")) / 1000


def _segments(text: str, path: Path) -> Iterator[Cue]:
    """Of Whisper's JSON."""
    try:
        for segment in json.loads(text)["segments"]:
            start, end = float(segment["start"]), float(segment["end"])
            words = _clean(str(segment["text"]))
            if words and 0 <= start < 10**6:
                yield Cue(start, max(start, end), words)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PaperError(f"{path.name}: not a Whisper transcript ({type(error).__name__}). Export it again.") from error


def _clean(line: str) -> str:
    plain = LOST.sub("", without_invisible(html.unescape(_TAG.sub("", line))))
    return " ".join(plain.split())


def _without_repeats(cues: Sequence[Cue]) -> Iterator[Cue]:
    """Captions that roll show each line twice: what the cue before showed last is left out."""
    last = ""
    for cue in cues:
        lines = [line for line in cue.text.split("\n") if line]
        new = lines[1:] if lines and lines[0] == last else lines
        last = lines[-1] if lines else last
        if new:
            yield Cue(cue.start, cue.end, " ".join(new))


def _spans(cues: Iterator[Cue]) -> Iterator[list[Cue]]:
    """Runs of cues that end with a sentence; a cue that holds such an end is parted there, both parts at its time."""
    span: list[Cue] = []
    for cue in cues:
        if span:
            long = cue.start - span[0].start
            ends = _ENDS.search(span[-1].text) is not None
            if long >= LONGEST_SPAN or (long >= SPAN and ends):
                yield span
                span = []
            elif long >= SPAN and (end := _sentence_end(cue.text)):
                yield [*span, Cue(cue.start, cue.end, cue.text[:end])]
                span, cue = [], Cue(cue.start, cue.end, cue.text[end:].lstrip())
        span.append(cue)
    if span:
        yield span


def _sentence_end(text: str) -> int:
    """Where the first sentence of a cue ends, if another one begins in it; else 0."""
    found = re.search(r"[。！？][”’」』）]*", text)
    first = sentences(text)[0][1]
    end = min(found.end(), first) if found else first
    return end if text[end:].strip() else 0


def _page(number: int, span: Sequence[Cue]) -> Page:
    text = " ".join(cue.text for cue in span)
    starts = accumulate((len(cue.text) + 1 for cue in span[:-1]), initial=0)
    cues = tuple((start, round(cue.start, 2)) for start, cue in zip(starts, span, strict=True))
    return Page(number, clock(span[0].start), 0.0, 0.0, text, (Block(0, len(text), "body"),), cues=cues)
