"""Pages -> passages: short pieces of one page that fit the embedder's window, with page, section and offsets.

Pure: values in, records out. Sentences are never cut unless one alone is longer than a passage may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rag_app.records import Block, Page, Passage, Reading, indexed_text
from rag_app.text import sentences

SPLITTER_VERSION = 1
SPECIAL_TOKENS = 8  # that an embedder may add around a text
LEAST_ROOM = 48  # tokens of text in every passage, however long its heading

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True)
class Splitter:
    """How long passages are. `target` tokens of text per passage; text and heading never exceed `window`."""

    target: int = 160  # measured: docs/choices.md
    overlap: int = 1  # sentences that a passage shares with the one before it on the same page and section
    window: int = 256

    def key(self) -> str:
        return f"s{SPLITTER_VERSION}-{self.target}-{self.overlap}-{self.window}"


@dataclass(frozen=True)
class _Span:
    start: int
    end: int
    tokens: int


def split(reading: Reading, paper: str, digest: str, splitter: Splitter, count: CountTokens) -> tuple[Passage, ...]:
    """Split one paper, whose title is `reading.title`. `digest` is the hash of its file: ids are made of it.

    Bibliography and furniture are left out. Raises nothing; a paper without text gives no passages.
    """
    found = [piece for page in reading.pages for piece in _split_page(page, paper, reading.title, splitter, count)]
    fitting = _fitting(found, {page.number: page for page in reading.pages}, reading.title, splitter, count)
    return tuple(replace(passage, id=f"{digest[:16]}-{number:05d}") for number, passage in enumerate(fitting))


def indexed_texts(passages: Sequence[Passage], title: str, splitter: Splitter, count: CountTokens) -> list[str]:
    """The passages as the embedder and the word index see them: title, section and context in front.

    Headings of unusual length are shortened for this, so that more than a third of the window is left for the text.
    """
    window = splitter.window
    titles = _shortened([title], window // 5, count)
    # Of a long path of sections the innermost says most.
    sections = _shortened([passage.section for passage in passages], window // 6, count, keep_end=True)
    contexts = _shortened([passage.context for passage in passages], window // 4, count)
    return [
        indexed_text(
            replace(passage, section=sections[passage.section], context=contexts[passage.context]), titles[title]
        )
        for passage in passages
    ]


def _shortened(texts: Sequence[str], limit: int, count: CountTokens, keep_end: bool = False) -> dict[str, str]:
    """Each text -> the part of it that has at most `limit` tokens."""
    different = list(dict.fromkeys(texts))
    short = dict(zip(different, different, strict=True))
    for text, tokens in zip(different, count(different), strict=True):
        while tokens > limit and short[text]:
            length = min(len(short[text]) - 1, len(short[text]) * limit // tokens)
            short[text] = short[text][len(short[text]) - length :] if keep_end else short[text][:length]
            tokens = count([short[text]])[0]
    return short


def _split_page(page: Page, paper: str, title: str, splitter: Splitter, count: CountTokens) -> Iterator[Passage]:
    for run in _runs(page.blocks):
        kind: Literal["text", "table", "caption"] = "table" if any(block.kind == "table" for block in run) else "text"
        if kind == "text" and all(block.kind == "caption" for block in run):
            kind = "caption"
        context = _table_context(page, run) if kind == "table" else ""
        empty = Passage("", paper, page.number, page.label, run[0].section, 0, 0, "", kind, context)
        heading = count(indexed_texts([empty], title, splitter, count))[0]
        # A few tokens to spare where the embedder's tokens of joined sentences are more than those of each.
        room = max(8, min(splitter.target, splitter.window - heading - 4))
        spans = _spans(page, run, room, count)
        overlap = splitter.overlap if kind == "text" else 0
        for position, (start, end) in enumerate(_pack(spans, room, overlap)):
            # The first piece of a table holds its caption and header itself.
            yield _piece(empty if position else replace(empty, context=""), page, start, end)


def _piece(passage: Passage, page: Page, start: int, end: int) -> Passage:
    return replace(passage, start=start, end=end, text=page.text[start:end])


def _fitting(
    passages: Sequence[Passage], pages: Mapping[int, Page], title: str, splitter: Splitter, count: CountTokens
) -> list[Passage]:
    """The passages, halved where one is too long after all."""
    counts = count(indexed_texts(passages, title, splitter, count))
    found: list[Passage] = []
    for passage, tokens in zip(passages, counts, strict=True):
        if tokens <= splitter.window or passage.end - passage.start < 2:
            found.append(passage)
            continue
        page = pages[passage.page]
        halves = [_piece(passage, page, *half) for half in _halves(page.text, passage.start, passage.end)]
        found += _fitting(halves, pages, title, splitter, count)
    return found


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
    header = next(
        (page.text[block.start : block.end].strip().split("\n")[0] for block in run if block.kind == "table"), ""
    )
    return " ".join(part.replace("\n", " ")[:200] for part in (*captions, header) if part)


def _spans(page: Page, run: Sequence[Block], room: int, count: CountTokens) -> list[_Span]:
    places: list[tuple[int, int]] = []
    for block in run:
        text = page.text[block.start : block.end]
        places += [
            (block.start + start, block.start + end) for start, end in sentences(text) if text[start:end].strip()
        ]
    counts = count([page.text[start:end] for start, end in places])
    spans: list[_Span] = []
    for (start, end), tokens in zip(places, counts, strict=True):
        spans += [_Span(start, end, tokens)] if tokens <= room else _cut(page.text, start, end, room, count)
    return spans


def _cut(text: str, start: int, end: int, room: int, count: CountTokens) -> list[_Span]:
    """Halve a piece at white space until each half fits (a sentence longer than the window, a wall of digits)."""
    tokens = count([text[start:end]])[0]
    if tokens <= room or end - start < 2:
        return [_Span(start, end, tokens)]
    return [span for half in _halves(text, start, end) for span in _cut(text, *half, room, count)]


def _halves(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Two parts of [start, end), cut at white space near the middle where there is some, without it at their edges."""
    middle = (start + end) // 2
    space = max(text.rfind(" ", start + 1, middle), text.rfind("\n", start + 1, middle))
    middle = space if space > start + (end - start) // 4 else middle
    parts = []
    for first, last in ((start, middle), (middle, end)):
        piece = text[first:last]
        left, right = first + len(piece) - len(piece.lstrip()), first + len(piece.rstrip())
        if left < right:
            parts.append((left, right))
    return parts


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
