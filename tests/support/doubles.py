"""Small honest parts in place of the slow ones: they really do what they promise, only more simply."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

import numpy as np

from rag_app.records import Draft, Evidence
from rag_app.settings import Settings

_WORD = re.compile(r"\w+|[^\w\s]")


class WordEmbedder:
    """Each word has a random direction of its own; a text is the sum of its words' directions, at unit length.

    Texts with the same words are near each other, so searching works; another `name` gives another space of the same
    dimension. `on_group` is called before each group of texts.
    """

    backend = "double"

    def __init__(
        self, name: str = "words", dimension: int = 64, window: int = 256, on_group: Callable[[int], None] | None = None
    ) -> None:
        self.identity = f"{name}@{dimension}"
        self.dimension = dimension
        self.window = window
        self.texts: list[str] = []  # embedded so far: passages and headings
        self._on_group = on_group
        self._lock = threading.Lock()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(_WORD.findall(text)) for text in texts]

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        if self._on_group is not None:
            self._on_group(len(texts))
        with self._lock:
            self.texts += texts
        return np.stack([self.embed_question(text) for text in texts])

    def embed_questions(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self.embed_question(text) for text in texts])

    def embed_question(self, text: str) -> np.ndarray:
        total = np.full(self.dimension, 1e-6, dtype=np.float32)
        for word in _WORD.findall(text.casefold()):
            total += _direction(self.identity, word, self.dimension)
        return total / np.linalg.norm(total)


_DIRECTIONS: dict[tuple[str, str], np.ndarray] = {}


def _direction(space: str, word: str, dimension: int) -> np.ndarray:
    if (space, word) not in _DIRECTIONS:
        seed = int.from_bytes(hashlib.sha256(f"{space}\n{word}".encode()).digest()[:8], "big")
        _DIRECTIONS[space, word] = np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
    return _DIRECTIONS[space, word]


class FirstSentenceReader:
    """Answers with the first sentence of each of the best three pieces of evidence. `pause` may hold it up."""

    name = "first sentences"
    budget = 2000

    def __init__(self, pause: Callable[[], None] = lambda: None) -> None:
        self._pause = pause
        self.closed = threading.Event()

    def read(self, question: str, evidence: Sequence[Evidence], stop: threading.Event) -> Generator[str, None, Draft]:
        try:
            said = ""
            for piece in self._pieces(evidence):
                if stop.is_set():
                    return Draft(said, problem="stopped")
                said += piece
                yield piece
                self._pause()
            return Draft(said or "Not in these papers.", refused=not said)
        finally:
            self.closed.set()

    @staticmethod
    def _pieces(evidence: Sequence[Evidence]) -> Iterator[str]:
        for piece in evidence[:3]:
            yield f"{piece.text.split('.')[0].strip()} [{piece.number}]. "


# -- a small library of Markdown papers ---------------------------------------------------------------------------

ANIMALS = (
    "otter",
    "heron",
    "lynx",
    "badger",
    "falcon",
    "salmon",
    "beetle",
    "walrus",
    "iguana",
    "magpie",
    "weasel",
    "urchin",
)


def write_paper(folder: Path, name: str, topic: str, sections: int = 2, secret: str = "") -> Path:
    """A Markdown paper about `topic`; `secret` is a sentence that stands in no other paper."""
    lines = [f"# The {topic.title()}: A Study of Methods", "", f"We study the {topic} with care and report numbers."]
    for number in range(1, sections + 1):
        lines += ["", f"## {number} Results on the {topic}", ""]
        lines += [
            f"The {topic} reaches {number * 7}.{place} points in trial {place} of series {number}. "
            for place in range(6)
        ]
    if secret:
        lines += ["", "## Discussion", "", secret]
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_corpus(folder: Path, papers: int = 4, sections: int = 2) -> Path:
    """A corpus folder of `papers` Markdown papers, each about another animal."""
    for number in range(papers):
        topic = ANIMALS[number % len(ANIMALS)] + ("" if number < len(ANIMALS) else str(number))
        write_paper(folder, f"{topic}.md", topic, sections)
    return folder


def settings_for(folder: Path, **more: object) -> Settings:
    """Settings for the corpus `folder`/corpus with its index beside it, and no language model."""
    values: dict[str, object] = {"corpus": folder / "corpus", "index": folder / "index", "llm": "none", "workers": 1}
    return Settings(**{**values, **more})  # type: ignore[arg-type]
