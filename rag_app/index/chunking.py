"""Pages -> passages: short pieces of one page that fit the embedder's window, with page, section and offsets.

Pure: values in, records out. Sentences are never cut unless one alone is longer than a passage may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rag_app.errors import IndexFault
from rag_app.records import Block, Page, Passage, Reading, passage_id
from rag_app.text.sentences import sentences

SPLITTER_VERSION = 4

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True)
class Splitter:
    """How long passages are, and what their vectors are made of. `target` tokens of text, never more than `window`."""

    target: int = 160  # measured: docs/experiments/embedding.md
    overlap: int = 1  # sentences that a passage shares with the one before it on the same page and section
    window: int = 256
    heading: float = 0.4  # share of title and section in a passage's vector; measured: docs/experiments/embedding.md

    def key(self) -> str:
        return f"s{SPLITTER_VERSION}-{self.target}-{self.overlap}-{self.window}-{self.heading}"


@dataclass(frozen=True)
class _Span:
    start: int
    end: int
    tokens: int


def split_paper(
    reading: Reading, paper: str, digest: str, splitter: Splitter, count: CountTokens
) -> tuple[Passage, ...]:
    """Split one paper, whose title is `reading.title`. `digest` is the hash of its file: ids are made of it.

    Bibliography and furniture are left out; a paper without text gives no passages. Nothing is ever cut off silently:
    every passage fits the window. Raises IndexFault where a single character does not.
    """
    below = _captions_stand_below(reading.pages)
    runs = [run for page in reading.pages for run in _page_runs(page, paper, below)]
    contexts = count(texts_to_embed([run.empty for run in runs], splitter, count))
    # All sentences in one call: the tokenizer then works on every core.
    tokens = iter(count([run.page.text[start:end] for run in runs for start, end in run.places]))
    found = [
        piece
        for run, context in zip(runs, contexts, strict=True)
        for piece in _pieces(run, tokens, context, splitter, count)
    ]
    fitting = _halve_long_passages(found, {page.number: page for page in reading.pages}, splitter, count)
    return tuple(replace(passage, id=passage_id(digest, number)) for number, passage in enumerate(fitting))


def texts_to_embed(passages: Sequence[Passage], splitter: Splitter, count: CountTokens) -> list[str]:
    """What the embedder reads of each passage: its text, behind a table's caption and header row where it has them.

    These are shortened where they are long, so that most of the window is left for the text. A sentence that a passage
    shares with the one before it is read there only: it is in the words of both, and in the vector of one.
    """
    contexts = _shorten_texts([passage.context for passage in passages], splitter.window // 4, count)
    own = [
        one.text[_overlap_length(before, one) :].lstrip()
        for before, one in zip((None, *passages), passages, strict=False)
    ]
    return [
        "\n".join(part for part in (contexts[one.context], text) if part)
        for one, text in zip(passages, own, strict=True)
    ]


def _overlap_length(before: Passage | None, passage: Passage) -> int:
    """How many characters at the passage's start stand in the one before it too."""
    if before is None or (before.paper, before.page) != (passage.paper, passage.page):
        return 0
    return max(0, before.end - passage.start) if before.start < passage.start else 0


def heading_texts(passages: Sequence[Passage], title: str, splitter: Splitter, count: CountTokens) -> list[str]:
    """Title and section of each passage, which the embedder reads once for all passages of a section.

    Long ones are shortened to the window; of a long path of sections the innermost says most.
    """
    half = splitter.window // 2 - 1
    titles = _shorten_texts([title], half, count)
    sections = _shorten_texts([passage.section for passage in passages], half, count, keep_end=True)
    return ["\n".join(part for part in (titles[title], sections[one.section]) if part) for one in passages]


def _shorten_texts(texts: Sequence[str], limit: int, count: CountTokens, keep_end: bool = False) -> dict[str, str]:
    """Each text -> the part of it that has at most `limit` tokens."""
    different = list(dict.fromkeys(texts))
    short = dict(zip(different, different, strict=True))
    for text, tokens in zip(different, count(different), strict=True):
        while tokens > limit and short[text]:
            length = min(len(short[text]) - 1, len(short[text]) * limit // tokens)
            short[text] = short[text][len(short[text]) - length :] if keep_end else short[text][:length]
            tokens = count([short[text]])[0]
    return short


@dataclass(frozen=True)
class _BlockRun:
    """Neighbouring blocks that are split together, and where their sentences stand on the page."""

    page: Page
    empty: Passage  # a passage of this run, without its text
    places: tuple[tuple[int, int], ...]


def _captions_stand_below(pages: Sequence[Page]) -> bool:
    """Whether the paper sets the captions of its tables below them, by the captions that have a table on one side."""
    votes = 0
    for page in pages:
        kinds = [block.kind for block in page.blocks]
        for at, block in enumerate(page.blocks):
            if block.kind == "caption" and page.text.startswith(("Tab", "TAB"), block.start):
                before = at > 0 and kinds[at - 1] == "table"
                after = at + 1 < len(kinds) and kinds[at + 1] == "table"
                votes += before - after
    return votes > 0


def _page_runs(page: Page, paper: str, below: bool) -> Iterator[_BlockRun]:
    for blocks in _runs(page, below):
        kind: Literal["text", "table", "caption"] = (
            "table" if any(block.kind == "table" for block in blocks) else "text"
        )
        if kind == "text" and all(block.kind == "caption" for block in blocks):
            kind = "caption"
        context = _table_context(page, blocks) if kind == "table" else ""
        empty = Passage("", paper, page.number, page.label, blocks[0].section, 0, 0, "", kind, context)
        yield _BlockRun(page, empty, tuple(_places(page, blocks)))


def _places(page: Page, blocks: Sequence[Block]) -> Iterator[tuple[int, int]]:
    for block in blocks:
        text = page.text[block.start : block.end]
        for start, end in sentences(text):
            if text[start:end].strip():
                yield block.start + start, block.start + end


def _pieces(
    run: _BlockRun, tokens: Iterator[int], context: int, splitter: Splitter, count: CountTokens
) -> Iterator[Passage]:
    """The passages of one run; `tokens` gives those of each of its sentences, `context` has that many."""
    # A few tokens to spare where the embedder's tokens of joined sentences are more than those of each.
    room = max(8, min(splitter.target, splitter.window - context - 4))
    spans: list[_Span] = []
    for start, end in run.places:
        length = next(tokens)
        spans += (
            [_Span(start, end, length)] if length <= room else _halve_until_fits(run.page.text, start, end, room, count)
        )
    overlap = splitter.overlap if run.empty.kind == "text" else 0
    for position, (start, end) in enumerate(_pack(spans, room, overlap)):
        # The first piece of a table holds its caption and header itself.
        yield _piece(run.empty if position else replace(run.empty, context=""), run.page, start, end)


def _piece(passage: Passage, page: Page, start: int, end: int) -> Passage:
    return replace(passage, start=start, end=end, text=page.text[start:end])


def _halve_long_passages(
    passages: Sequence[Passage], pages: Mapping[int, Page], splitter: Splitter, count: CountTokens
) -> list[Passage]:
    """The passages, halved where one is too long after all."""
    counts = count(texts_to_embed(passages, splitter, count))
    found: list[Passage] = []
    for passage, tokens in zip(passages, counts, strict=True):
        if tokens <= splitter.window:
            found.append(passage)
            continue
        if passage.end - passage.start < 2:
            raise IndexFault(
                f"{passage.paper}, page {passage.page}: a passage has {tokens} tokens, the embedder reads "
                f"{splitter.window}. Choose an embedder with a larger window (RAG_EMBEDDER)."
            )
        page = pages[passage.page]
        halves = [_piece(passage, page, *half) for half in _halves(page.text, passage.start, passage.end)]
        found += _halve_long_passages(halves, pages, splitter, count)
    return found


def _runs(page: Page, below: bool) -> Iterator[list[Block]]:
    """Neighbouring blocks that belong together: body of one section; a table with its caption, above it or `below`."""
    run: list[Block] = []
    for block in page.blocks:
        if block.kind in ("bibliography", "furniture", "heading"):
            if run:
                yield run
            run = []
            continue
        # A table between two captions belongs to one of them, on the side where this paper sets them.
        of_table = block.kind == "table" and run and run[-1].kind == "caption"
        other = bool(of_table) and below and page.text.startswith(("Tab", "TAB"), run[-1].start) and _holds_table(run)
        other |= block.kind == "caption" and not below and _holds_table(run)
        if run and (other or not _belong_together(run[-1], block)):
            yield run
            run = []
        run.append(block)
    if run:
        yield run


def _holds_table(run: Sequence[Block]) -> bool:
    return any(block.kind == "table" for block in run)


def _belong_together(one: Block, two: Block) -> bool:
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
    return " ".join(part.replace("\n", " ")[:200] for part in (*captions[-2:], header) if part)


def _halve_until_fits(text: str, start: int, end: int, room: int, count: CountTokens) -> list[_Span]:
    """Halve a piece at white space until each half fits (a sentence longer than the window, a wall of digits)."""
    tokens = count([text[start:end]])[0]
    if tokens <= room or end - start < 2:
        return [_Span(start, end, tokens)]
    return [span for half in _halves(text, start, end) for span in _halve_until_fits(text, *half, room, count)]


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
