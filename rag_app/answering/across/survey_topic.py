"""Whether a question asks which papers do something, and what it is that they do. Pure.

"Which papers use X", "name those that use X", "X is used in which ones?", "who else uses X?", "papers with X": a phrase
that stands for the papers, and the rest of the question, which is the topic.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag_app.answering.context import SurveyTopic
from rag_app.index.bm25 import extract_terms
from rag_app.index.paper_names import Mention
from rag_app.text.terms import find_names, squash

_PAPERS = r"(?:papers|studies|works?|articles|publications|authors|groups|teams)"
_PAPER = r"(?:papers?|study|studies|works?|articles?|publications?)"
_OF = r"(?: of| from| among)?(?: (?:the|these|those|my|our|all|this|other|them))*"
_HERE = (
    r"(?: (?:here|in here|in there|(?:of|in|from) (?:this|the|my|our) (?:set|collection|library|corpus)|or papers?"
    r"|or more|or several))*"
)
_DOES = r"(?!(?:wrote|won|am)\b|(?:do|does|did|can|could|will)\s+(?:they|the|it|we|you|i|this|that)\b)"
_VERB = rf"(?!(?:is|are|was|were)\b){_DOES}"
_IN = r"(?:\b(?:in|by|from|for|of|with|on)\s+)?"
_NEXT = r"(?: (?:that|which|who|do|does|did|have|has)\b)?"
_ALL = "all|every|each|any|of|other"
_ORDER = (
    r"^\W*(?:(?:please|can you|could you|would you|i want to|i would like to|i'd like to)\s+)*"
    r"(?:list|name|find|show|give|tell|see|enumerate)(?: me| us)?"
)

# Phrases that stand for the papers, by what surely means them.
_SURE = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_IN}\b(?:which|what)(?: \w+)?{_OF}(?: \w+)? {_PAPERS}\b{_HERE}{_NEXT}",
        rf"{_IN}\b(?:which|what) (?:ones|paper or papers|of (?:them|these|those))\b{_HERE}{_NEXT}",
        rf"{_ORDER}(?: (?:{_ALL}|the|those|these))*(?: \w+)? (?:{_PAPERS}|ones)\b(?! of\b){_HERE}{_NEXT}",
        rf"{_ORDER}(?: (?:{_ALL}))+ {_PAPER}\b{_HERE}{_NEXT}",
        rf"{_ORDER} (?:all|those|everything|everyone|anyone)(?: of (?:them|these|those))? (?:that|which|who)\b",
        rf"^\W*who(?: else| all| here| in here)*(?= {_VERB}\w+)",
        r"^\W*(?:does|do|has|have|did|is) any(?:one|body)?(?: else| here)*(?: of (?:them|these|the papers))?(?= )",
        rf"^\W*(?:do|does|did|has|have) (?:any|some)(?: of)?(?: the| these| those| other)* {_PAPER}\b{_HERE}",
        r"^\W*(?:every|any|some)(?:one|body|thing) (?:that|who|which|on|about)\b",
        rf"^\W*(?:is|are) there (?:a|an|any|some)(?: other| more)?(?: {_PAPER})?\b{_HERE}{_NEXT}",
        rf"^\W*(?:all|any|some|every|each)(?: of)?(?: the| these| other)* {_PAPER}\b(?! (?:of|by)\b){_HERE}{_NEXT}",
        r"^\W*(?:what|which) (?:have|do) (?:we|you|i) (?:got |have )?(?:here )?(?=on\b|about\b|that\b)",
        r"^\W*(?:the )?(?:papers|studies|works?|articles|publications|anything|something)\b(?! (?:of|by)\b)"
        rf",?(?: please,?)?{_HERE}{_NEXT}",
        r"\bby (?:whom|who)(?= *\W*$)",
        r"(?:^|[:;,–-])\s*(?:and )?(?:who|which|anyone|anybody)(?: else)? "
        r"(?:does|uses?|has|have|reports?|tests?|tries|tried)(?: on)? (?:it|that|this|them)(?= *\W*$)",
    )
)
# These mean the papers only where the topic has a name and no paper is named: "which models were trained on V100s".
_LIKELY = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_IN}\b(?:which|what)(?: of (?:the|these|those))? (?:models|systems|experiments|methods|approaches|trials)\b"
        rf"(?= {_DOES}\w+)",
        rf"\bhow many{_OF} {_PAPERS}\b{_HERE}(?= {_VERB}\w+)",
        r"^\W*where(?:['’]s| is| are| was| were)"
        r"(?= .+ (?:used|evaluated|reported|tested|measured|trained|applied|run)\W*$)",
    )
)
_SAY = re.compile(
    r"\bwhat (?:do|does|did) (?:(?:the|these|those|all|my|our|other|different) )*"
    r"(?:papers|studies|works|articles|authors|publications)\s+"
    r"(?:say|write|report|find|tell us|claim|conclude|think|show)\s+(?:about|on|of|regarding|concerning)\s+",
    re.IGNORECASE,
)
# "Which papers mention ...": being named is enough. Else the paper has to use the thing itself.
_MENTIONS = re.compile(
    r"\b(?:mention|cite|name|discuss|refer to|talk about|speak of|describe|list)\w*\b", re.IGNORECASE
)
_FRAME = re.compile(
    r"\b(?:use[sd]?|using|report(?:s|ed)?|evaluate[sd]?|mention(?:s|ed)?|are|is|was|were|do|does|did|has|have|that|which|"
    r"say|says|their|own|these|those|the|this|authors?['’]?s?|for|in|on|of|as|a|an|any|results?|test(?:ed|s)?|set|methods?|"
    r"systems?|experiments?|datasets?|benchmarks?|train(?:ed|s)?|they|it|also|with|by|and|or|work)\b",
    re.IGNORECASE,
)
_BESIDES = re.compile(
    r"\b(?:besides|apart from|other than|except(?: for)?|aside from|not counting)\s+(?:the\s+)?", re.IGNORECASE
)
_POLITE = re.compile(
    r"^\W*(?:please|tell me|show me|do you know|i wonder|and|so)\b\W*|\W+(?:please|and which(?: ones)?)\W*$", re.I
)
_ENDS = " ,.?!:;–-"


def parse_survey_topic(question: str, mentions: Sequence[Mention] = ()) -> SurveyTopic | None:
    """The topic of a question about all papers; None when it is about something else. `mentions`: papers it names."""
    said = _SAY.search(question)
    found = said or _find_phrase(question, _SURE) or _find_phrase(question, _LIKELY)
    if found is None:
        return None
    sure = said is not None or _find_phrase(question, _SURE) is not None
    rest, besides = _without_besides(question, found.span(), mentions)
    text, opens = _join(rest)
    # A name right behind "which papers" is one also where it opens the topic; what opens the question may be any word.
    held = _whole_names(text, opens)
    if not text or not (held or _FRAME.sub(" ", text).strip(" ,.-'’")):
        return None
    either = re.search(r"\bor\b", text) is not None
    mentioned = said is not None or _MENTIONS.search(text) is not None
    return SurveyTopic(text, held, either, mentioned, sure, besides)


def mentioned_terms(question: str) -> list[str]:
    """The terms of what the papers are asked to mention; none where more is asked than that."""
    topic = parse_survey_topic(question)
    return extract_terms(_MENTIONS.sub(" ", topic.text)) if topic is not None and topic.mentioned else []


def asks_for_list(question: str) -> bool:
    """Whether the papers themselves are asked for: "which papers use X", and not what they say of it."""
    return _SAY.search(question) is None and _find_phrase(question, _SURE) is not None


def _find_phrase(question: str, patterns: Sequence[re.Pattern[str]]) -> re.Match[str] | None:
    return next((found for pattern in patterns if (found := pattern.search(question))), None)


def _without_besides(
    question: str, phrase: tuple[int, int], mentions: Sequence[Mention]
) -> tuple[tuple[str, str], tuple[str, ...]]:
    """What stands before and behind the phrase, without "besides Atlas", and the papers that this leaves out."""
    before, behind = question[: phrase[0]], question[phrase[1] :]
    match = _BESIDES.search(behind)
    if match is None:
        return (before, behind), ()
    at = phrase[1] + match.end()
    named = [one for one in mentions if one.start == at]
    if not named:
        return (before, behind), ()
    end = max(one.end for one in named)
    papers = tuple(dict.fromkeys(one.paper for one in named))
    return (before, f"{behind[: match.start()]} {question[end:]}"), papers


def _join(parts: tuple[str, str]) -> tuple[str, bool]:
    """The topic's text, and whether its first word opens the question, where any word has a capital."""
    before, behind = (re.sub(r"\([^()]*\)", " ", _POLITE.sub(" ", f" {part} ")).strip(_ENDS) for part in parts)
    return " ".join(f"{before} {behind}".split()), bool(before)


def _whole_names(text: str, opens: bool = False) -> tuple[str, ...]:
    """The names in a text; those that stand beside each other are one ("Natural Questions", "LLaMA 2")."""
    named = set(find_names(f"the {text}"))
    found: list[tuple[int, int]] = []
    for match in re.finditer(r"[^\W_]+(?:[-@.+/'’&][^\W_]+)*\+*", text):
        beside = bool(found) and text[found[-1][1] : match.start()] == " "
        if match[0] in named or (beside and re.fullmatch(r"v?\d+(?:\.\d+)?", match[0])):
            if beside:
                found[-1] = (found[-1][0], match.end())
            else:
                found.append(match.span())
    names = (re.sub(r"(?<=[A-Z\d])s$", "", text[a:b]) for a, b in found)  # "V100s"
    kept = dict.fromkeys(name for name in names if len(squash(name)) > 1)
    first = text.split(" ", 1)[0]
    return tuple(name for name in kept if not (opens and name == first and first[1:].islower()))


def bare_topic(text: str) -> str:
    """The topic without the words that only say that papers do something with it."""
    return _FRAME.sub(" ", text)
