"""The evidence of answers as a JSON value, to be written and to be read again wherever it comes from. Pure.

A file may be a stranger's: every field is checked before it is used, and a paper's name is never a path.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rag_app.citations.support import find_doubts
from rag_app.errors import EvidenceError
from rag_app.records import Answer, Citation, Json, Source

FORMAT = "rag-app evidence"
VERSION = 1
LARGEST = 64 * 1024 * 1024  # bytes
MOST_QUOTES, LONGEST_QUOTE, LONGEST_NAME, MOST_PAGES = 100_000, 5_000, 1_000, 1_000_000


@dataclass(frozen=True)
class ClaimedQuote:
    """One quote of an evidence file: these words stand on that page of the file with that digest."""

    answer: int  # from 1
    number: int
    paper: str
    page: int  # from 1
    quote: str
    digest: str  # SHA-256, 64 hexadecimal digits; empty where the paper had left the library before this was written


def evidence_value(answers: Sequence[Answer], sources: Mapping[str, Source], program: str, moment: str) -> Json:
    """Question, answer and every citation, each with the SHA-256 of its paper's file, and by whom and when."""
    cited = dict.fromkeys(citation.paper for answer in answers for citation in (*answer.citations, *answer.nearest))
    return {
        "format": FORMAT,
        "version": VERSION,
        "program": program,
        "created": moment,
        "answers": [_answer_value(answer, sources) for answer in answers],
        "papers": [_source_value(sources[paper]) for paper in cited if paper in sources],
    }


def _answer_value(answer: Answer, sources: Mapping[str, Source]) -> Json:
    return {
        "question": answer.question,
        "status": answer.status,
        "answer": answer.answer,
        "reader": answer.reader,
        "citations": [_citation_value(citation, sources) for citation in answer.citations],
        "nearest": [_citation_value(citation, sources) for citation in answer.nearest],
        "unsupported": list(answer.unsupported),
        "doubts": find_doubts(answer),
        "notes": list(answer.remarks),
    }


def _citation_value(citation: Citation, sources: Mapping[str, Source]) -> Json:
    source = sources.get(citation.paper)
    fields = asdict(citation)
    del fields["boxes"]
    return {**fields, "sha256": source.digest if source else ""}


def _source_value(source: Source) -> Json:
    fields = asdict(source)
    return {**{name: value for name, value in fields.items() if name != "digest"}, "sha256": source.digest}


# -- reading ----------------------------------------------------------------------------------------------------


def read_evidence(content: bytes, name: str) -> list[ClaimedQuote]:
    """Every quote of the file called `name`. Raises EvidenceError that says what is wrong and where."""
    if len(content) > LARGEST:
        raise EvidenceError(f"{name}: larger than {LARGEST // 2**20} MB, so it is not one of our evidence files.")
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        said = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise EvidenceError(f"{name}: not JSON ({said}). Export it again with: ask … --export FILE.json") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise EvidenceError(
            f'{name}: not an evidence file, it lacks "format": "{FORMAT}". Make one with: ask … --export'
        )
    if value.get("version") != VERSION or isinstance(value["version"], bool):
        raise EvidenceError(f"{name}: written in another version of the format than {VERSION}. Export it again.")
    claimed: list[ClaimedQuote] = []
    for number, answer in enumerate(_list(value, "answers", name, "the file"), start=1):
        where = f"answer {number}"
        if not isinstance(answer, dict):
            raise EvidenceError(f"{name}: {where} is not a JSON object.")
        for part in ("citations", "nearest"):
            listed = _list(answer, part, name, where)
            claimed += [
                _parse_claimed_quote(one, number, name, f"{where}, {part} {at}")
                for at, one in enumerate(listed, start=1)
            ]
        if len(claimed) > MOST_QUOTES:
            raise EvidenceError(f"{name}: more than {MOST_QUOTES} quotes. Split it.")
    return claimed


def _list(value: Json, field: str, name: str, where: str) -> list[Any]:
    found = value.get(field)
    if not isinstance(found, list):
        raise EvidenceError(f'{name}: {where} has no list "{field}".')
    return found


def _parse_claimed_quote(value: object, answer: int, name: str, where: str) -> ClaimedQuote:
    def field(key: str, kind: type) -> Any:
        found = value.get(key) if isinstance(value, dict) else None
        if not isinstance(found, kind) or isinstance(found, bool):
            raise EvidenceError(f'{name}: {where} has no "{key}" of the type {_KINDS[kind]}.')
        return found

    number, page = field("number", int), field("page", int)
    paper, quote, digest = field("paper", str), field("quote", str), field("sha256", str)
    if not 1 <= page <= MOST_PAGES or not 0 <= number <= MOST_QUOTES:
        raise EvidenceError(f'{name}: {where}: "page" or "number" is out of range.')
    if not paper or len(paper) > LONGEST_NAME or not paper.isprintable():
        raise EvidenceError(f'{name}: {where}: "paper" is not a file name.')
    if len(quote) > LONGEST_QUOTE:
        raise EvidenceError(f'{name}: {where}: "quote" is longer than {LONGEST_QUOTE} characters.')
    if not re.fullmatch(r"(?:[0-9a-f]{64})?", digest):
        raise EvidenceError(f'{name}: {where}: "sha256" is not 64 hexadecimal digits.')
    return ClaimedQuote(answer, number, paper, page, quote, digest)


_KINDS = {int: "number", str: "text"}
