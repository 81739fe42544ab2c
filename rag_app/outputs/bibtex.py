"""The cited papers as BibTeX; what is not known is left out. Pure.

arXiv papers as arXiv itself gives them: @misc with eprint, archivePrefix, primaryClass and url.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from rag_app.papers.arxiv_ids import parse_arxiv_id
from rag_app.records import Json, Source

HEAD = "% Titles and authors as papers.toml and the papers' first pages give them: check them before you publish."
TITLE_WORDS = 3  # of a title, in a key
_SPECIAL = {
    "\\": r"{\textbackslash}",
    # BibTeX counts braces also behind a backslash, so a lone one must not stand there at all.
    "{": r"{\textbraceleft}",
    "}": r"{\textbraceright}",
    "~": r"{\textasciitilde}",
    "^": r"{\textasciicircum}",
    **{letter: f"\\{letter}" for letter in "&%$#_"},
}
_TELLING_CASE = re.compile(r"[^\W_][A-ZÀ-ÞĀ-Ž0-9]")
_SMALL = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "by",
        "can",
        "do",
        "does",
        "for",
        "from",
        "how",
        "in",
        "is",
        "it",
        "of",
        "on",
        "or",
        "the",
        "to",
        "via",
        "what",
        "when",
        "with",
    ]
)


def to_bibtex(sources: Sequence[Source]) -> str:
    """An entry for each paper, in the order given. Keys depend on the papers, not on their order."""
    keys = _keys(sources)
    entries = [_entry(key, source) for key, source in zip(keys, sources, strict=True)]
    return "\n".join([HEAD, *entries])


def escape_bibtex(text: str) -> str:
    """Text as LaTeX prints it, for a field between braces. Letters beyond ASCII stay: BibTeX files are UTF-8."""
    plain = "".join(
        " " if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") else letter for letter in text
    )
    return "".join(_SPECIAL.get(letter, letter) for letter in " ".join(plain.split()))


def key_of(source: Source) -> str:
    """The key of the user's bibliography, else first author, year and the title's first words, in ASCII.

    "karpukhin2020densepassageretrieval"
    """
    if source.citation_key:
        shown = "".join(letter for letter in source.citation_key if letter.isprintable())
        return re.sub(r"[\s,{}%#\\\"'()=~$^&@;`<>|]+", "", shown) or "paper"
    family = _ascii(source.authors[0].split()[-1]) if source.authors and source.authors[0].split() else ""
    words = [_ascii(word) for word in re.findall(r"\w+", source.title)]
    telling = [word for word in words if word and word not in _SMALL][:TITLE_WORDS]
    return f"{family}{_year(source) or ''}{''.join(telling)}" or "paper"


def _keys(sources: Sequence[Source]) -> list[str]:
    """Two files of one work, or two works of one name, are told apart by their bytes."""
    plain = [key_of(source) for source in sources]
    times = Counter(plain)
    return [f"{key}-{source.digest[:8]}" if times[key] > 1 else key for key, source in zip(plain, sources, strict=True)]


def _ascii(word: str) -> str:
    folded = unicodedata.normalize("NFKD", word).casefold()
    return "".join(letter for letter in folded if letter.isascii() and letter.isalnum())


def _year(source: Source) -> int:
    """Of the first submission. A file's own date says when it was made, not when the paper appeared."""
    found = parse_arxiv_id(source.arxiv_id)
    return found.year if found else 0


def _entry(key: str, source: Source) -> str:
    fields = {"title": _title(source.title)}
    authors = [_author(name) for name in source.authors if name.strip()]
    if authors:
        fields["author"] = " and ".join(authors)
    arxiv = parse_arxiv_id(source.arxiv_id)
    if arxiv is not None:
        fields |= {"year": str(arxiv.year), "eprint": arxiv.id, "archivePrefix": "arXiv"}
        if source.primary_class:
            fields["primaryClass"] = escape_bibtex(source.primary_class)
        fields["url"] = f"https://arxiv.org/abs/{arxiv.id}"
    kind = "misc"
    if source.bibliography:
        kind, more = _from_csl(json.loads(source.bibliography))
        fields = {**more, **fields} if arxiv is None else {**fields, **more}
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join([f"@{kind}{{{key},", *lines, "}", ""])


_KINDS = {
    "article-journal": "article",
    "paper-conference": "inproceedings",
    "book": "book",
    "chapter": "incollection",
    "thesis": "phdthesis",
    "report": "techreport",
}
_CONTAINERS = {"article": "journal", "inproceedings": "booktitle", "incollection": "booktitle"}


def _from_csl(item: Json) -> tuple[str, dict[str, str]]:
    """The type and the fields of an entry of the user's bibliography, besides title and authors."""
    kind = _KINDS.get(str(item.get("type")), "misc")
    fields = {
        _CONTAINERS.get(kind, "howpublished"): item.get("container-title"),
        "publisher": item.get("publisher"),
        "volume": item.get("volume"),
        "number": item.get("issue"),
        "pages": str(item.get("page") or "").replace("–", "--"),
        "doi": item.get("DOI"),
    }
    year = ((item.get("issued") or {}).get("date-parts") or [[""]])[0][:1]
    return kind, {
        name: escape_bibtex(str(value)) for name, value in {**fields, "year": (year or [""])[0]}.items() if value
    }


def _title(title: str) -> str:
    """Words with a capital inside or a digit keep their case in every style: {BERT}, {LoRA}, {GPT-3}."""
    return " ".join(
        f"{{{escape_bibtex(word)}}}" if _TELLING_CASE.search(word) else escape_bibtex(word) for word in title.split()
    )


def _author(name: str) -> str:
    """A name of one author: commas and "and" would make others of it."""
    plain = escape_bibtex(name)
    return f"{{{plain}}}" if "," in plain or re.search(r"\band\b", plain, re.IGNORECASE) else plain
