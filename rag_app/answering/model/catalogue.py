"""The library's catalogue for a prompt: a line for each paper, by which a model says which papers a question means.

No pattern of ours can know that "the trustworthiness survey" or "the Lucene study" is a paper; a model that sees
titles, names, authors, years and the beginning of each abstract can.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rag_app.index.generations import Generation
from rag_app.index.manifest import IndexedPaper
from rag_app.index.paper_names import find_mentions, fold_name
from rag_app.models.llm.prompt_safety import strip_template_marks
from rag_app.retrieval.hybrid import Retriever, Scope

MOST_PAPERS = 100  # lines; of a larger library the best for the question
LONG_LIBRARY = 25  # papers from which a line is shortened
ABSTRACT_WORDS, ABSTRACT_WORDS_SHORT = 60, 28
AUTHORS, AUTHORS_SHORT = 6, 2


@dataclass(frozen=True)
class Catalogue:
    """The papers of a prompt, each under a short id ("P7"), and what the model reads about them."""

    entries: Mapping[str, IndexedPaper]  # by id
    text: str
    left_out: int = 0  # papers of the library that are not listed

    def id_of(self, paper: str) -> str:
        """The id of a paper; its file name where it is not listed."""
        return next((id for id, entry in self.entries.items() if entry.paper == paper), paper)

    def find(self, name: str) -> list[IndexedPaper]:
        """The papers that a model means: by id, file name, arXiv id, title, or what a paper is called."""
        wanted = name.strip().strip("[]()\"'")
        by_id = re.fullmatch(r"[Pp]?0*(\d{1,5})", wanted)
        if by_id and f"P{by_id[1]}" in self.entries:
            return [self.entries[f"P{by_id[1]}"]]
        names: dict[str, list[str]] = {}
        by_paper = {entry.paper: entry for entry in self.entries.values()}
        for entry in self.entries.values():
            called = (entry.paper, entry.paper.rpartition(".")[0], entry.arxiv_id, entry.title, *entry.short_names)
            if any(fold_name(one) == fold_name(wanted) for one in called if one):
                return [entry]
            for one in (entry.title, *entry.short_names):
                names.setdefault(fold_name(one), []).append(entry.paper)
        inside = [id for id in re.findall(r"\bP\d{1,5}\b", wanted) if id in self.entries]
        if inside:
            return [self.entries[id] for id in inside]
        return [by_paper[paper] for paper in dict.fromkeys(m.paper for m in find_mentions(wanted, names))]


def make_catalogue(
    generation: Generation, entries: Sequence[IndexedPaper], retriever: Retriever, question: str, scope: Scope
) -> Catalogue:
    """The catalogue of the papers that can be read; of a library above MOST_PAPERS the best for the question.

    Ids follow the order of the index, so that the text is the same for every question and a provider's cache serves it.
    """
    readable = [entry for entry in entries if entry.passages]
    numbered = {entry.paper: f"P{number}" for number, entry in enumerate(generation.manifest.papers, start=1)}
    listed = readable if len(readable) <= MOST_PAPERS else _best(readable, retriever, question, scope)
    short = len(listed) > LONG_LIBRARY
    lines = [describe_paper(generation, entry, numbered[entry.paper], short=short) for entry in listed]
    return Catalogue({numbered[entry.paper]: entry for entry in listed}, "\n".join(lines), len(readable) - len(listed))


def _best(entries: Sequence[IndexedPaper], retriever: Retriever, question: str, scope: Scope) -> list[IndexedPaper]:
    hits = retriever.find_passages(question, 20 * MOST_PAPERS, scope)
    ranked = list(dict.fromkeys([*retriever.named_papers(question), *(hit.passage.paper for hit in hits)]))[
        :MOST_PAPERS
    ]
    return [entry for entry in entries if entry.paper in set(ranked)]


def describe_paper(generation: Generation, entry: IndexedPaper, id: str, *, short: bool) -> str:
    """A paper's line: id, title, names, authors, year, pages, the beginning of its abstract."""
    most = AUTHORS_SHORT if short else AUTHORS
    authors = ", ".join(entry.authors[:most]) + (" et al." if len(entry.authors) > most else "")
    names = ", ".join(entry.short_names[:4])
    facts = [f"called {names}" if names else "", authors, str(entry.year or ""), f"{entry.pages} pages"]
    about = "; ".join(fact for fact in facts if fact)
    abstract = abstract_of(generation, entry, ABSTRACT_WORDS_SHORT if short else ABSTRACT_WORDS)
    return strip_template_marks(f"{id} {entry.title or entry.paper} ({about}). {abstract}".strip())


def abstract_of(generation: Generation, entry: IndexedPaper, words: int) -> str:
    """The first words of the abstract; of the first long paragraph where no heading names one."""
    pages = generation.get_reading(entry.paper).pages[:2]
    bodies = [(block, page.text[block.start : block.end]) for page in pages for block in page.blocks]
    bodies = [(block, text) for block, text in bodies if block.kind == "body"]
    named = [text for block, text in bodies if "abstract" in block.section.casefold()]
    long = [text for _, text in bodies if len(text.split()) >= 40]
    text = " ".join((" ".join(named) or next(iter(long), "")).split())
    text = re.sub(r"^abstract\W+", "", text, flags=re.IGNORECASE)
    cut = text.split(" ")
    return text if len(cut) <= words else " ".join(cut[:words]) + " …"
