"""Title, authors, year, arXiv id and method names from the first pages of a paper."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag_app.papers.arxiv_ids import arxiv_id_of_file, parse_arxiv_id
from rag_app.papers.authors import find_authors
from rag_app.papers.pdf.lines import Line
from rag_app.papers.pdf.raw_page import DocumentInfo, RawPage
from rag_app.records import Page
from rag_app.text.normalize import normalise_text, words_of
from rag_app.text.quote_matching import find_quote
from rag_app.text.sentences import sentences, word_set

_STAMP = re.compile(r"arXiv:(\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?\s+\[?")
_NOT_TITLE = re.compile(
    r"published (?:as|in)|under review|accepted|preprint|proceedings|arxiv|workshop|conference|journal|"
    r"technical report$|abstract$|contents$|https?:|doi|draft$|confidential|watermark|embargoed|"
    r"(?:(?:original|research|review|short|full|regular|invited|open access) )*"
    r"(?:article|paper|letter|communication|review|report|note|commentary|editorial|perspective|brief|survey|access)s?$",
    re.IGNORECASE,
)
_NO_TITLE = re.compile(r"untitled\b|\S+\.(?:dvi|docx?|tex|pdf|ps|indd|qxd)$|microsoft word|document\d*$|slide \d", re.I)
_LONGEST_TITLE = 40  # words
_TITLE_ZONE = 0.6  # of the first page's height


@dataclass(frozen=True)
class FrontMatter:
    title: str
    authors: tuple[str, ...]
    year: int  # 0 when unknown
    arxiv_id: str  # without version; empty when unknown
    abbreviations: tuple[str, ...]


def title_lines(lines: Sequence[Line], height: float, body: float) -> list[Line]:
    """The lines of the title on the first page: its largest type, where that is text. Empty when there is none."""
    candidates = [
        line
        for line in lines
        if line.upright
        and line.kind not in ("furniture", "caption")
        and line.box[1] < _TITLE_ZONE * height
        and len(re.findall(r"[^\W\d_]", line.text)) >= 4
        and not _NOT_TITLE.match(line.text.strip())
    ]
    if not candidates:
        return []
    largest = max(line.size for line in candidates)
    first = next(line for line in candidates if line.size > 0.95 * largest)
    title = [first]
    for line in candidates[candidates.index(first) + 1 :]:
        near = line.box[1] - title[-1].box[3] < 1.5 * title[-1].height
        capitals = line.text.upper() == line.text and 0.75 * first.size < line.size <= first.size  # small ones
        alike = abs(line.size - first.size) <= 0.08 * first.size or capitals
        if not near or not alike or line.bold[0] != first.bold[0]:
            break
        title.append(line)
    # All in one type: what comes first is then a title only where it is short.
    if sum(line.words for line in title) > _LONGEST_TITLE or (largest <= 1.02 * body and len(title) > 3):
        return []
    return title


def front_matter(
    document: DocumentInfo,
    title_parts: Sequence[Line],
    lines: Sequence[Line],
    raw: RawPage,
    pages: Sequence[Page],
    title: str,
    path: Path,
) -> FrontMatter:
    """All of it. `title` is the manifest's, if it has one; `lines` are those of the first page, `raw`."""
    name = title or _title(document, title_parts, pages[0].text, path)
    arxiv_id = _arxiv_id(lines, path)
    return FrontMatter(
        title=name,
        authors=find_authors(document, raw, lines, title_parts, name),
        year=_year(arxiv_id, lines, raw.height),
        arxiv_id=arxiv_id,
        abbreviations=own_names(name, pages),
    )


def _title(document: DocumentInfo, parts: Sequence[Line], first_page: str, path: Path) -> str:
    raw = "\r\n".join(line.text for line in parts)
    printed = normalise_text(raw, words_of(first_page), breaks=()).text.strip(" ∗*†‡")
    told = " ".join(document.title.split())
    told = "" if _NO_TITLE.match(told) else told
    # Metadata is often a draft's; it counts when the first page bears it out, and is better set than small capitals.
    if len(told.split()) >= 3 and (not printed or find_quote(told, first_page)):
        return told
    if printed:
        return printed
    return told or (document.outline[0].title if document.outline else "") or path.stem


_YEAR = r"(?<![\d./-])((?:19|20)\d\d)(?![\d/-])"
_DATED = (
    re.compile(rf"(?:©|\(c\)|copyright)\D{{0,40}}{_YEAR}", re.IGNORECASE),
    re.compile(rf"\bpublished\b.{{0,40}}?{_YEAR}", re.IGNORECASE),
    re.compile(
        rf"\b(?:journal|proceedings|conference|workshop|vol(?:ume|\.)|transactions|letters)\b.{{0,80}}?{_YEAR}", re.I
    ),
    re.compile(rf"\b[A-Z]{{3,}}(?:[- ’'][A-Z]+)*\b.{{0,20}}?{_YEAR}"),
    re.compile(rf"\baccepted\b.{{0,40}}?{_YEAR}", re.IGNORECASE),
)
_VOLUME = r"\d{1,4}(?: ?\(\d{1,3}(?:[-–]\d{1,3})?\))?"
_CITED = (  # how a journal's head cites the paper itself, whatever its name
    re.compile(rf"^[A-Z]\D{{2,80}} {_VOLUME},? \({_YEAR}\)"),  # Shore and Shelf 9 (2021) 140-149
    re.compile(rf"^[A-Z]\D{{2,80}} {_VOLUME}[,:] ?e?\d+(?: ?[-–] ?e?\d+)? \({_YEAR}\)"),  # Shore 9, 140–149 (2021)
    re.compile(rf"^[A-Z]\D{{2,80}} {_YEAR}; ?{_VOLUME}: ?e?\d"),  # Shore and Shelf 2021; 9: 140-149
)


def _year(arxiv_id: str, lines: Sequence[Line], height: float) -> int:
    """The year of the first version on arXiv, else the one that the first page prints about itself; 0 when unknown.

    The file's own date says when it was made, not when the paper appeared.
    """
    known = parse_arxiv_id(arxiv_id)
    if known is not None:
        return known.year  # of the first version, as people cite it
    edge = [
        line for line in lines if line.kind == "furniture" or line.box[1] < 0.14 * height or line.box[3] > 0.86 * height
    ]
    texts = [" ".join(line.text.split()) for line in edge]
    head = [" ".join(line.text.split()) for line in edge if line.box[3] < 0.5 * height]  # below it are references
    for patterns, among in ((_DATED, texts), (_CITED, head)):
        for pattern in patterns:
            for text in among:
                found = pattern.search(text)
                if found:
                    return int(found[1])
    return 0


def _arxiv_id(lines: Sequence[Line], path: Path) -> str:
    """The id that arXiv has stamped on the page, else that of a file which is named by it; "" when there is none."""
    for line in lines:
        stamp = _STAMP.search(" ".join(line.text.split()))
        known = parse_arxiv_id(stamp[1]) if stamp else None
        if known is not None:
            return known.id
    named = arxiv_id_of_file(path.stem)
    return named[0].id if named and named[1] else ""


# Known to everybody, so no paper's own.
_COMMON = word_set(
    "ai api c4 rag cnn cpu gpu gpus ir kb kg kgs lm lms llm llms lstm mlm ml mt ner nli nlg nlp nlu nn oom ood "
    "plms plm qa rl rlhf rnn sota sgd sft svm tpu url usa vqa f1 bleu rouge bm25 mlp icl cot em nq kl iid gpt "
    "gpt-2 gpt-3 gpt-4 bert roberta t5 bart chatgpt transformer transformers wikipedia ccs acm icml iclr acl "
    "emnlp neurips naacl arxiv github openai google microsoft facebook meta huggingface english chinese"
)
_CLEAR = r"(?:[A-Z][a-z]+ )?(?:[A-Z]\w*[A-Z0-9]\w*|[A-Z][a-z]+[A-Z]\w*)(?:-[A-Za-z0-9]+)*"
# "Fusion-in-Decoder" is a name where nothing else follows that it could describe.
_ALONE = r"(?=\s*[,.;:()”\"'’]|\s+(?:that|which|to|for|is|an?|by|in|with|on|and)\b|\s*$)"
_SHORT_NAME = rf"(?:{_CLEAR}|[A-Z]\w*(?:-[A-Za-z0-9]+)+{_ALONE})"
_DEFINED = re.compile(rf"(?<=[\w-][ \n])\((?P<name>{_SHORT_NAME})s?\)")
_ABOUT_US = re.compile(r"\b(?:[Ww]e|[Oo]ur|[Tt]his (?:paper|work))\b")
_PRESENTED = re.compile(
    r"\b(?:we|this (?:paper|work)|our (?:paper|work))\b[^.;]{0,80}?\b(?:propos\w+|present\w*|introduc\w+|develop\w*|"
    r"call\w*|nam\w+|dub\w*|term\w*|releas\w+|describ\w+|creat\w+|design\w*|refer to)\b(?P<rest>[^.;]{0,160})",
    re.IGNORECASE,
)
_KIND = r"(?:model|method|approach|system|retriever|framework|benchmark|dataset|architecture|technique|algorithm)s?"
_NAMED = re.compile(
    rf"(?:\b(?:call(?:ed|s)?|nam(?:ed?|ely)|dub(?:bed)?|term(?:ed)?|as|introduc\w+|present|propose|{_KIND})|,)"
    rf"\s+[“\"‘']?(?P<name>{_SHORT_NAME})"
)
_CALLED = re.compile(r"\b(?:called|named|dubbed|termed)\s+(?P<name>[A-Z][\w-]{3,}\w)")
_OWN = re.compile(rf"\b[Oo]ur (?:\w+ )?{_KIND},? [“\"]?(?P<name>{_SHORT_NAME})")
_PREFIX = re.compile(r"(?P<name>[^:–—]{2,40}?)\s*(?::|\s[–—]|,\s+an?\s)\s*\S")


def is_common(name: str) -> bool:
    """Whether everybody uses the name: "LLM", "GPUs", "F1". A paper that uses it a lot has not made it its own."""
    return name.lower() in _COMMON or name.lower().rstrip("s") in _COMMON


def own_names(title: str, pages: Sequence[Page]) -> tuple[str, ...]:
    """Names from the title ("X: ...") and from sentences that introduce the paper's work; best first, at most six."""
    found: Counter[str] = Counter()
    prefix = _PREFIX.match(title)
    if prefix and len(prefix["name"].split()) <= 3 and "?" not in prefix["name"]:
        found[_spelling_in_text(prefix["name"].strip(), pages)] += 100
    for name in re.findall(rf"\(({_SHORT_NAME})\)", title):
        found[name] += 100
    opening = " ".join(page.text for page in pages[:8])
    for name, weight in _find_introduced_names(opening, title):
        if not is_common(name) and 3 <= len(name) <= 30:
            found[name] += weight
    text = " ".join(page.text for page in pages)
    often = {name: len(_as_word(name).findall(text)) for name in found}
    kept = [
        name for name, weight in found.items() if weight >= 100 or (often[name] >= 6 and not _is_credited(name, text))
    ]
    kept.sort(key=lambda name: (-(found[name] >= 100), -often[name] * min(found[name], 6)))
    return tuple(kept[:6])


def _as_word(name: str, after: str = r"(?!\w)") -> re.Pattern[str]:
    """The name where it is no part of a longer one, and what stands after it."""
    plain = re.escape(name)
    return re.compile(rf"{plain}(?<![\w-]{plain}){after}")  # the name first: it is sought letter by letter else


def _is_credited(name: str, text: str) -> bool:
    """Does the text credit the name to another paper: "DeBERTa (He et al., 2021)", "DPR [12]"?"""
    return bool(_as_word(name, r"\s*(?:\([A-Z][^()]{2,60}\d{4}|\[\d)").search(text))


def _find_introduced_names(text: str, title: str) -> Iterator[tuple[str, int]]:
    """Names with weights: more for what is defined in the title's own words."""
    in_title = {word.lower()[:6] for word in re.findall(r"\w{4,}", title)}
    for match in _DEFINED.finditer(text):
        before = re.findall(r"\w{4,}", text[max(0, match.start() - 120) : match.start()])
        spelt = {word.lower()[:6] for word in before[-len(match["name"]) :]}
        if len(spelt & in_title) >= 2:
            yield match["name"], 4
    lines = [line for line in text.split("\n") if _ABOUT_US.search(line)]
    for sentence in (line[start:end] for line in lines for start, end in sentences(line)):
        if not _ABOUT_US.search(sentence):
            continue
        presented = _PRESENTED.search(sentence)
        if presented:
            for match in (pattern for each in (_DEFINED, _NAMED) for pattern in each.finditer(presented["rest"])):
                yield match["name"], 3
        for match in _OWN.finditer(sentence):
            yield match["name"], 2
        for match in _CALLED.finditer(sentence):
            yield match["name"], 2


def _spelling_in_text(name: str, pages: Sequence[Page]) -> str:
    """The name as the text writes it: titles are often set in capitals."""
    text = " ".join(page.text for page in pages)
    spellings = Counter(re.findall(rf"(?<![\w-]){re.escape(name)}(?!\w)", text, re.IGNORECASE))
    return spellings.most_common(1)[0][0] if spellings else name
