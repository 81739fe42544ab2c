"""Title, authors, year, arXiv id and method names from the first pages of a paper."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rag_app.papers.pdf.lines import Line
from rag_app.papers.pdf.raw_page import DocumentInfo
from rag_app.records import Page
from rag_app.text.characters import RAISED
from rag_app.text.normalize import normalise_text, words_of
from rag_app.text.quote_matching import find_quote
from rag_app.text.sentences import sentences, word_set

_STAMP = re.compile(r"arXiv:(\d{4}\.\d{4,5})(?:v\d+)?\s+\[.*?\]\s+\d{1,2} \w{3} (\d{4})")
_FILE_ID = re.compile(r"(?<!\d)(\d{2})(\d{2}\.\d{4,5})(?:v\d+)?(?!\d)")
_NOT_TITLE = re.compile(
    r"published (?:as|in)|under review|accepted|preprint|proceedings|arxiv|workshop|conference|journal|"
    r"technical report$|abstract$|contents$|https?:|doi",
    re.IGNORECASE,
)
_TITLE_ZONE = 0.6  # of the first page's height


@dataclass(frozen=True)
class FrontMatter:
    title: str
    authors: tuple[str, ...]
    year: int  # 0 when unknown
    arxiv_id: str  # without version; empty when unknown
    abbreviations: tuple[str, ...]


def title_lines(lines: Sequence[Line], height: float) -> list[Line]:
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
    return title


def front_matter(
    document: DocumentInfo,
    title_parts: Sequence[Line],
    lines: Sequence[Line],
    pages: Sequence[Page],
    title: str,
    path: Path,
) -> FrontMatter:
    """All of it. `title` is the manifest's, if it has one; `lines` are those of the first page."""
    name = title or _title(document, title_parts, pages[0].text, path)
    stamp = next((match for line in lines if (match := _STAMP.search(" ".join(line.text.split())))), None)
    file_id = _FILE_ID.search(path.stem)
    arxiv_id = stamp[1] if stamp else (file_id[1] + file_id[2] if file_id else "")
    return FrontMatter(
        title=name,
        authors=_authors(document, title_parts, lines, name),
        year=_year(arxiv_id, document.created),
        arxiv_id=arxiv_id,
        abbreviations=own_names(name, pages),
    )


def _title(document: DocumentInfo, parts: Sequence[Line], first_page: str, path: Path) -> str:
    raw = "\r\n".join(line.text for line in parts)
    printed = normalise_text(raw, words_of(first_page), breaks=()).text.strip(" ∗*†‡")
    told = " ".join(document.title.split())
    # Metadata is often a draft's; it counts when the first page bears it out, and is better set than small capitals.
    if len(told.split()) >= 3 and (not printed or find_quote(told, first_page)):
        return told
    if printed:
        return printed
    return told or (document.outline[0].title if document.outline else "") or path.stem


def _year(arxiv_id: str, created: str) -> int:
    if arxiv_id:
        return 2000 + int(arxiv_id[:2])  # of the first version, as people cite it
    match = re.match(r"D:(\d{4})", created)
    return int(match[1]) if match else 0


_AFFILIATION = re.compile(
    r"universit|institut|research|college|school|laborator|\blabs?\b|department|academy|google|facebook|microsoft|meta\b|"
    r"openai|amazon|ibm|nvidia|deepmind|\bai\b|\binc\b|corporation|@|https?:|alibaba|tencent|huawei|group|cent(?:er|re)\b|"
    r"equal contribution|version|anonymous|hugging|github|\d{4}",
    re.IGNORECASE,
)
_PERSON = re.compile(
    r"(?:[A-ZÀ-Þ][\w’'.-]*\s+){1,3}(?:(?:van|von|der|de|den|di|da|del|la|le|el|al|bin|ben)\s+){0,2}[A-ZÀ-Þ][\w’'-]+$"
)


def _authors(document: DocumentInfo, parts: Sequence[Line], lines: Sequence[Line], title: str) -> tuple[str, ...]:
    """The authors as far as they can be told: the file's metadata, else the names between title and abstract."""
    told = [name.strip() for name in re.split(r"[,;]|\band\b", document.author) if name.strip()]
    if told and all(_PERSON.match(name) for name in told) and not _AFFILIATION.search(document.author):
        return tuple(told)
    if not parts:
        return ()
    after = lines[lines.index(parts[-1]) + 1 :]
    found: list[str] = []
    for line in after[:30]:
        if re.match(r"abstract\b|\d?\.?\s*introduction\b", line.text.strip(), re.IGNORECASE) or line.words > 30:
            break
        plain = re.sub(r"(?:\{[^}]*\}|\S+)\s?@\S+", " , ", normalise_text(line.text, breaks=()).text)
        if line.kind == "furniture" or _AFFILIATION.search(plain):
            continue
        clean = re.sub(rf"[{RAISED}∗*†‡§¶♠♢♣♦♡⋄⋆◦•∥|#\d()\[\]{{}}]+", " , ", plain)
        for piece in re.split(r"\s*,\s*|\s+and\s+|\s*&\s*", clean):
            name = " ".join(piece.split())
            if _PERSON.match(name) and name not in found and name not in title and len(name.split()) <= 4:
                found.append(name)
    return tuple(found)


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
    often = {name: len(re.findall(rf"(?<![\w-]){re.escape(name)}(?![\w])", text)) for name in found}
    kept = [
        name for name, weight in found.items() if weight >= 100 or (often[name] >= 6 and not _is_credited(name, text))
    ]
    kept.sort(key=lambda name: (-(found[name] >= 100), -often[name] * min(found[name], 6)))
    return tuple(kept[:6])


def _is_credited(name: str, text: str) -> bool:
    """Does the text credit the name to another paper: "DeBERTa (He et al., 2021)", "DPR [12]"?"""
    return bool(re.search(rf"(?<![\w-]){re.escape(name)}\s*(?:\([A-Z][^()]{{2,60}}\d{{4}}|\[\d)", text))


def _find_introduced_names(text: str, title: str) -> Iterator[tuple[str, int]]:
    """Names with weights: more for what is defined in the title's own words."""
    in_title = {word.lower()[:6] for word in re.findall(r"\w{4,}", title)}
    for match in _DEFINED.finditer(text):
        before = re.findall(r"\w{4,}", text[max(0, match.start() - 120) : match.start()])
        spelt = {word.lower()[:6] for word in before[-len(match["name"]) :]}
        if len(spelt & in_title) >= 2:
            yield match["name"], 4
    for start, end in sentences(text):
        sentence = text[start:end]
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
