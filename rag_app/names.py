"""The names a paper gives its own method: "DPR", "Contriever", "Self-RAG". People ask by these names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from rag_app.records import Page
from rag_app.text.sentences import sentences, word_set

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
        found[_as_used(prefix["name"].strip(), pages)] += 100
    for name in re.findall(rf"\(({_SHORT_NAME})\)", title):
        found[name] += 100
    opening = " ".join(page.text for page in pages[:8])
    for name, weight in _introduced(opening, title):
        if not is_common(name) and 3 <= len(name) <= 30:
            found[name] += weight
    text = " ".join(page.text for page in pages)
    often = {name: len(re.findall(rf"(?<![\w-]){re.escape(name)}(?![\w])", text)) for name in found}
    kept = [name for name, weight in found.items() if weight >= 100 or (often[name] >= 6 and not _credited(name, text))]
    kept.sort(key=lambda name: (-(found[name] >= 100), -often[name] * min(found[name], 6)))
    return tuple(kept[:6])


def _credited(name: str, text: str) -> bool:
    """Does the text credit the name to another paper: "DeBERTa (He et al., 2021)", "DPR [12]"?"""
    return bool(re.search(rf"(?<![\w-]){re.escape(name)}\s*(?:\([A-Z][^()]{{2,60}}\d{{4}}|\[\d)", text))


def _introduced(text: str, title: str) -> Iterator[tuple[str, int]]:
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


def _as_used(name: str, pages: Sequence[Page]) -> str:
    """The name as the text writes it: titles are often set in capitals."""
    text = " ".join(page.text for page in pages)
    spellings = Counter(re.findall(rf"(?<![\w-]){re.escape(name)}(?!\w)", text, re.IGNORECASE))
    return spellings.most_common(1)[0][0] if spellings else name
