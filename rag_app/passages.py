"""Pages -> passages: short pieces of one page that fit the embedder's window, with page, section and offsets.

Pure: values in, records out. Sentences are never cut unless one alone is longer than the window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rag_app.records import Block, Page, Passage, Reading
from rag_app.text import sentences

SPLITTER_VERSION = 1

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True)
class Splitter:
    """How long passages are. `target` tokens of text per passage; text and heading never exceed `window`."""

    target: int = 160  # measured: docs/choices.md
    overlap: int = 1  # sentences that a passage shares with the one before it on the same page and section
    window: int = 256
    identity: str = ""  # part of the key under which passages are kept

    def key(self) -> str:
        return f"s{SPLITTER_VERSION}-{self.target}-{self.overlap}-{self.window}"


@dataclass(frozen=True)
class _Span:
    start: int
    end: int
    tokens: int


def split(reading: Reading, paper: str, digest: str, splitter: Splitter, count: CountTokens) -> tuple[Passage, ...]:
    """Split one paper. `digest` is the hash of its file: ids are made of it and the position.

    Bibliography and furniture are left out. Raises nothing; a paper without text gives no passages.
    """
    found = [
        passage for page in reading.pages for passage in _split_page(page, paper, splitter, count, len(reading.title))
    ]
    return tuple(
        Passage(
            id=f"{digest[:16]}-{number:05d}",
            paper=paper,
            page=page.number,
            label=page.label,
            section=section,
            start=start,
            end=end,
            text=page.text[start:end],
            kind=kind,  # type: ignore[arg-type]
            context=context,
        )
        for number, (page, section, start, end, kind, context) in enumerate(found)
    )


_Piece = tuple[Page, str, int, int, str, str]


def _split_page(page: Page, paper: str, splitter: Splitter, count: CountTokens, title_length: int) -> Iterator[_Piece]:
    for run in _runs(page.blocks):
        kind = "table" if any(block.kind == "table" for block in run) else "text"
        if kind == "text" and all(block.kind == "caption" for block in run):
            kind = "caption"
        section = run[0].section
        context = _table_context(page, run) if kind == "table" else ""
        # 4 characters a token is the usual rate; the exact count is checked by the build before embedding.
        heading = (title_length + len(section) + len(context)) // 4 + 8
        room = max(48, min(splitter.target, splitter.window - heading - 16))
        spans = _spans(page, run, room, count)
        overlap = splitter.overlap if kind == "text" else 0
        for position, (start, end) in enumerate(_pack(spans, room, overlap)):
            yield page, section, start, end, kind, context if position else ""


def _runs(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Neighbouring blocks that belong together: body of one section; a table with its caption."""
    run: list[Block] = []
    for block in blocks:
        if block.kind in ("bibliography", "furniture", "heading"):
            if run:
                yield run
            run = []
            continue
        if run and not _together(run[-1], block):
            yield run
            run = []
        run.append(block)
    if run:
        yield run


def _together(one: Block, two: Block) -> bool:
    if one.section != two.section:
        return False
    if "body" in (one.kind, two.kind):
        return one.kind == two.kind
    return {one.kind, two.kind} != {"caption"}  # two captions in a row belong to two figures


def _table_context(page: Page, run: Sequence[Block]) -> str:
    """Caption and header row: what a row further down needs to be understood."""
    captions = [page.text[block.start : block.end] for block in run if block.kind == "caption"]
    header = next((page.text[block.start : block.end].strip().split("\n")[0] for block in run if block.kind == "table"), "")
    return " ".join(part.replace("\n", " ")[:200] for part in (*captions, header) if part)


def _spans(page: Page, run: Sequence[Block], room: int, count: CountTokens) -> list[_Span]:
    places: list[tuple[int, int]] = []
    for block in run:
        text = page.text[block.start : block.end]
        places += [(block.start + start, block.start + end) for start, end in sentences(text) if text[start:end].strip()]
    counts = count([page.text[start:end] for start, end in places])
    spans: list[_Span] = []
    for (start, end), tokens in zip(places, counts, strict=True):
        spans += [_Span(start, end, tokens)] if tokens <= room else _cut(page.text, start, end, room, count)
    return spans


def _cut(text: str, start: int, end: int, room: int, count: CountTokens) -> list[_Span]:
    """Halve a piece at white space until each half fits (a sentence longer than the window, a wall of digits)."""
    tokens = count([text[start:end]])[0]
    if tokens <= room or end - start < 8:
        return [_Span(start, end, tokens)]
    middle = (start + end) // 2
    space = text.rfind(" ", start + 1, middle)
    middle = space if space > start + (end - start) // 4 else middle
    return _cut(text, start, middle, room, count) + _cut(text, middle, end, room, count)


def _pack(spans: Sequence[_Span], room: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Greedy: as many neighbouring spans as fit; the last `overlap` of them start the next passage again."""
    first = 0
    while first < len(spans):
        last, tokens = first, spans[first].tokens
        while last + 1 < len(spans) and tokens + spans[last + 1].tokens <= room:
            last += 1
            tokens += spans[last].tokens
        yield spans[first].start, spans[last].end
        if last + 1 == len(spans):
            return
        again = max(first + 1, last + 1 - overlap)
        # Repeat a sentence only if the new passage still has room for something new.
        repeated = sum(span.tokens for span in spans[again : last + 1])
        first = again if repeated + spans[last + 1].tokens <= room and repeated * 2 <= room else last + 1
