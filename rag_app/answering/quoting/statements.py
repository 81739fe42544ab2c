"""Features of a sentence: whose work it speaks of, how specific it is, whether it is about the text itself. Pure.

Papers say most things twice: once of others' work, once of their own. Comparisons want the second.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from rag_app.records import Page
from rag_app.text.terms import content_words, find_names, squash

_OWN = re.compile(r"\b(?:we|our|ours|us)\b|\bthis (?:paper|work)\b", re.IGNORECASE)
_YEAR = r"(?:19|20)\d\d[a-z]?"
_CITATION = re.compile(
    rf"[(\[][^()\[\]]*?\b{_YEAR}[)\]]|\[\d+(?:\s*[,;–-]\s*\d+)*\]|\bet al\.,?(?:\s*[(\[]?{_YEAR}[)\]]?)?"
)
# "Lee et al. (2019) propose", "Both Self-RAG (Asai et al., 2024) and": somebody else is what the sentence is about.
_OTHERS = re.compile(
    rf"^\W*(?:\w+,?\s+){{0,3}}?[A-Z][\w-]+(?:\s+(?:et al\.?|(?:and|&)\s+[A-Z][\w-]+))?,?\s*[(\[][^()\[\]]*{_YEAR}"
    r"|\b(?:prior|previous|earlier|recent|existing|other|concurrent|subsequent|much|several|many)\s+"
    r"(?:\w+\s+)?(?:works?|approaches|methods|studies|systems|efforts|papers|research)\b",
)
_ABOUT_TEXT = re.compile(
    r"^\W*(?:in (?:this|the (?:next|following)) (?:sub)?section|the (?:rest|remainder) of)\b"
    r"|\bwe (?:first |then |also |now )?(?:describe|discuss|detail|present|review|outline|refer|start by)\b"
    r"|\b(?:see|in|of) (?:appendix|section|§|subsection)|\b(?:section|appendix) [\dA-Z][\d.]* (?:shows?"
    r"|describes?|lists?|gives?)"
    r"|\b(?:table|figure|fig\.|section|appendix) ?[\dA-Z][\d.]* (?:shows?|lists?|presents?|reports?|gives?|compares?|"
    r"summari[sz]es|illustrates?|depicts?)\b|\bfuture (?:work|research)\b",
    re.IGNORECASE,
)
# "X is highly effective": says that something is good and not what it is.
_PRAISE = re.compile(
    r"\b(?:effective(?:ness|ly)?|powerful|robust(?:ness)?|flexib\w+|promising|superior(?:ity)?|competitive|impressive|"
    r"remarkabl[ey]|significant(?:ly)?|substantial(?:ly)?|strong(?:ly)?|excellent|outstanding|novel|elegant|versatile|"
    r"state-of-the-art|well-suited|great)\b",
    re.IGNORECASE,
)
# A prompt's words, a line of a table of contents, a reference: none of them is a statement of the authors.
_PROMPT = re.compile(
    r"^\W*(?:you are (?:an?|the|given)\b|your task\b|please\b"
    r"|(?:question|answer|context|input|output|instructions?|user|assistant|human|passage|prompt|q|a)\s*\d*\s*:)"
    r"|\[/?INST\]|<\|\w+\|>|\{\{?\w+\}?\}",
    re.IGNORECASE,
)
_CONTENTS = re.compile(r"(?:\.\s?){5,}\s*\d+\s*$")
_REFERENCE = re.compile(
    r"\barXiv preprint\b|\bIn Proceedings of\b|\bCoRR,? abs/|\bpp\. ?\d+"
    r"|^\W*(?:\[\d+\]\s*)?(?:[A-Z][\w'’-]+, (?:[A-Z]\. ?)+,? ?){2,}"
)
_PROPOSES = re.compile(
    r"\b(?:we|this (?:paper|work|article|study|survey)|the authors?)\b[^.]{0,60}?\b(?:propos|introduc|present|develop|"
    r"describ|investigat|stud(?:y|ies)|explor|design|build|train|examin|analy[sz]|review|survey|ask|address)",
    re.IGNORECASE,
)
_ABOUT_FILES = re.compile(
    r"https?://|\bwww\.|\b(?:code|data|models?|weights)\b.{0,60}\b(?:available|releas\w+|public\w*)\b"
    r"|\bpermission (?:to|from)\b|\bcopyright|\blicensed under\b",
    re.IGNORECASE,
)
_BESIDES = re.compile(
    r"\W*(?:we (?:also|further|additionally)|also|further(?:more)?|additionally|moreover|finally)\b", re.IGNORECASE
)
_TELLING_WORDS = 8  # a praise with so many other content words says something besides
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_SECTIONS = (
    ("related", re.compile(r"related|background|previous|prior work|preliminar", re.IGNORECASE)),
    ("closing", re.compile(r"conclusion|discussion|future|limitation|broader|ethic|impact|acknowledg", re.IGNORECASE)),
    ("opening", re.compile(r"introduction|motivation", re.IGNORECASE)),
    ("abstract", re.compile(r"abstract", re.IGNORECASE)),
    (
        "doing",
        re.compile(
            r"method|approach|model|train|setup|set-up|setting|experiment|implement|detail|data|architect"
            r"|evaluat|result"
            r"|objective|procedure|hyper|baseline",
            re.IGNORECASE,
        ),
    ),
)

# Added to the score of a sentence, of which it says how much its authors tell there of their own work.
# Measured in docs/experiments/answers.md.
STATEMENT_WEIGHTS = {
    "own_voice": 0.4,
    "others": -0.6,
    "cites": -0.5,
    "about_text": -0.6,
    "values": 0.3,
    "named": 0.3,
    "lost": -0.3,
    "in_related": -0.5,
    "in_closing": -0.2,
    "in_doing": 0.2,
    "in_abstract": 0.3,
}


def without_citations(text: str) -> str:
    """The text without "(Lee et al., 2019)" and "[12]", whose names and numbers say nothing of the matter."""
    return _CITATION.sub(" ", text)


def _is_praise(bare: str) -> bool:
    """Whether a sentence praises and has few other words."""
    return _PRAISE.search(bare) is not None and len(content_words(_PRAISE.sub(" ", bare))) <= _TELLING_WORDS


def is_no_statement(text: str) -> bool:
    """Whether the words are a prompt's, a reference, or a line of a table of contents."""
    return any(pattern.search(text) is not None for pattern in (_PROMPT, _CONTENTS, _REFERENCE))


def does_propose(text: str) -> bool:
    """Whether a sentence says what its authors set out to do: "we propose", "this study examines".

    One of the zones of a paper of Teufel and Moens (2002); not "we also", which is never the first thing that they did.
    """
    return _PROPOSES.search(text) is not None and _BESIDES.match(text) is None


def is_about_files(text: str) -> bool:
    """Whether a sentence says where code, data or the text itself can be had, or what may be done with it."""
    return _ABOUT_FILES.search(text) is not None


def section_kind(section: str) -> str:
    """What a section is for, one of the names in _SECTIONS; empty when its heading does not say."""
    return next((kind for kind, pattern in _SECTIONS if pattern.search(section)), "")


def statement_features(text: str, section: str = "", known: Collection[str] = ()) -> dict[str, float]:
    """Features of one sentence, each 0 to 1. `known` are names of the question, squashed: they are not news.

    own: the authors speak of themselves; others: somebody else is the subject; cites: how much of it is citations;
    about_text: it tells where something stands; praise: it says that something is good, and little else; values, named:
    numbers and names that are no citation's; then the kind of its section.
    """
    bare = without_citations(text)
    fresh = [name for name in find_names(bare) if squash(name) not in known]
    figures = [digits for digits in _DIGITS.findall(bare) if not re.fullmatch(_YEAR, digits)]
    kind = section_kind(section)
    found = {
        "own_voice": float(bool(_OWN.search(bare))),
        "others": float(bool(_OTHERS.search(text)) and not _OWN.search(bare)),
        "cites": min(1.0, len(_CITATION.findall(text)) / 4),
        "about_text": float(bool(_ABOUT_TEXT.search(bare))),
        "praise": float(not figures and _is_praise(bare)),
        "values": min(1.0, len(figures) / 2),
        "named": min(1.0, len(fresh) / 2),
        "lost": float(
            bool(re.match(r"\W*[a-z]", text)) or not text.rstrip("\"'”’)]0123456789").endswith((".", "!", "?", ":"))
        ),
    }
    return found | {f"in_{name}": float(kind == name) for name, _ in _SECTIONS}


def page_statement_features(text: str, page: Page, place: int, known: Collection[str] = ()) -> dict[str, float]:
    """`statement_features` of a sentence that stands at `place` on its page, which knows the section."""
    section = next((block.section for block in page.blocks if block.start <= place < block.end), "")
    return statement_features(text, section, known)
