"""Small talk and questions about the library itself, by their wording: how many papers, by whom, what a table shows.

They are answered without a search; a follow-up question means what was said before them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from rag_app.answering.context import AnswerContext
from rag_app.answering.library_records import (
    entries_of,
    papers_by,
    show_captioned,
    show_page,
    show_section,
    tell_author,
    tell_authors,
    tell_count,
    tell_extreme,
    tell_kind,
    tell_length,
    tell_list,
    tell_missing,
    tell_time,
    tell_title,
    tell_years,
)
from rag_app.records import Answer
from rag_app.text.sentences import word_set

HELLO = "Hello. Ask me about the papers of this library: each answer quotes them, page by page."

_GREETS = re.compile(
    r"(?:hi+|hello|hey|heya|hiya|howdy|yo|greetings|good (?:morning|afternoon|evening|day)"
    r"|how are you(?: doing)?(?: today)?|你好|您好|早上好|下午好|晚上好)"
    r"(?:,? (?:there|all|everyone|again|are you there))*",
    re.IGNORECASE,
)
_PRAISES = r"great|perfect|nice|cool|ok|okay|good|helpful|all|it|wow|awesome|super|alright|excellent"
_THANKS = re.compile(
    rf"(?:(?:{_PRAISES})\W+)*(?:many )?(?:thanks|thank you|thx|ty|cheers|谢谢|多谢|感谢)\b.{{0,40}}"
    rf"|(?:(?:that['’]?s|that is|this is|sounds|very|really|so) )*(?:{_PRAISES})"
    r"(?: job| work| answer| for now| for today)?|got it|i see|(?:good ?)?bye(?: ?bye)?|see you(?: later)?|good night"
    r"|再见",
    re.IGNORECASE,
)
_ABOUT_APP = re.compile(
    r"(?:what|who) (?:can|are|do) you(?: do| help(?: me)?(?: with)?)?(?: here)?|(?:can you )?help(?: me)?"
    r"|are you (?:an? )?(?:ai|bot|robot|human|person|chatgpt|language model)|what['’]?s your name"
    r"|who (?:made|built) you|how (?:do|does) (?:you|this|that|it)(?: \w+)? work|how (?:do|can) i use (?:this|it|you)"
    r"|what (?:is|does) this(?: app| tool| page| thing)?(?: do)?"
    r"|(?:what|which)(?: (?:kind|sort|type)s? of)?(?: questions| things)? can i (?:ask|do)(?: you| here)?"
    r"|你能(?:做|干)什么|你可以做什么|你会什么|你是谁|怎么(?:用|使用)|能帮我(?:做)?什么",
    re.IGNORECASE,
)
_PAPERS = r"(?:papers?|documents?|articles?|studies|publications|files|pdfs?)"
_HERE = (
    r"(?:\W*(?:are|is|there|do|you|we|i|have|got|in|of|the|this|that|my|our|your|library|collection|corpus|set|here|at"
    r"|all|now|indexed|know))*"
)
_LIBRARY = r"(?:library|collection|corpus|set|archive)"
_COUNT = re.compile(
    rf"how many {_PAPERS}{_HERE}|how many(?: are| do (?:you|we) have| is)*(?: there| here| in here)+"
    rf"|(?:what is the |the )?(?:total )?(?:number|count) of {_PAPERS}{_HERE}"
    rf"|(?:how (?:big|large) is|(?:what is )?(?:the )?size of) (?:this|the|my|your|our) {_LIBRARY}",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"(?:(?:please )?(?:list|show|name|give)(?: me)?|what are|which are)(?: all)?(?: of)?(?: the| your| my)? "
    rf"{_PAPERS}{_HERE}"
    rf"|(?:which|what) {_PAPERS} (?:are|do you have|have you got|is){_HERE}",
    re.IGNORECASE,
)
_EXTREME = re.compile(
    rf"(?:what|which|whats|what's|show|give|name)?(?: me)?(?: {_PAPERS})?(?: is| are)?(?: one)?\W*(?:the )?"
    rf"(?P<which>oldest|earliest|newest|latest|most recent)(?: of)?(?: the)?"
    rf"(?: {_PAPERS}| one)?(?: is(?: the)?)?{_HERE}",
    re.IGNORECASE,
)
_YEARS = re.compile(
    r"(?:which|what|list|show|name|any|how many|everything|anything|all)?(?: me)?(?: all)?(?: the)?"
    rf"\s*{_PAPERS}?{_HERE}(?: (?:were|was|that|which))*"
    r"\s*(?:(?:published|written|appeared|came out)\s)?(?P<how>in|since|after|before|until|of|from|between)"
    r"(?: the year)? (?P<year>(?:19|20)\d\d)"
    r"(?: (?:and|to|until|-) (?P<last>(?:19|20)\d\d))?",
    re.IGNORECASE,
)
_BY_AUTHOR = (
    re.compile(
        rf"(?:is there |are there |do you have |list |show |find |which |what )*(?:me )*(?:all |the )*"
        rf"(?:{_PAPERS}|anything|something|works?)(?: (?:are|is|were|was|here))*(?: (?:written|authored))* (?:by|from) "
        r"(?P<who>[^\d?]{3,40})",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?:which|what) {_PAPERS} (?:did|has|have|does) (?P<who>.{{3,40}}?) (?:write|wrote|written|publish(?:ed)?|"
        r"author(?:ed)?|co-?author(?:ed)?)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?:is there |are there |do you have |list |show |find |which |what )*(?:me )*(?:all |the )*"
        rf"(?:{_PAPERS}|anything)"
        r" (?:(?:with|having|where|has|have) )+(?P<who>.{3,40}?) (?:(?:as|is|among) )+(?:an? |the |one of the )*"
        r"(?:first |last |lead |co-?)?authors?",
        re.IGNORECASE,
    ),
)
_WROTE = re.compile(
    r"what (?:did|has|have) (?P<who>.{3,40}?) (?:write|wrote|written|publish(?:ed)?|author(?:ed)?)(?: here)?",
    re.IGNORECASE,
)
_OF_KIND = re.compile(
    r"(?:(?:is|are) there|do you have|have (?:you|we) got|any|list|show|which(?: papers)? are|what)(?: me)?"
    r"(?: any| some| all| a| an| the)*\s*"
    r"(?P<kind>surveys?|reviews?|overviews?|roadmaps?|tutorials?|benchmarks?|trials?)(?: papers?)?"
    rf"(?: (?:do|are|there|we|you|have))*{_HERE}",
    re.IGNORECASE,
)
_RANK = r"(?:(?P<rank>first|lead|last|senior) )?"
_WHO_WROTE = re.compile(
    rf"\bwho (?:wrote|authored|published|(?:is|are|was|were) (?:the )?{_RANK}authors?)\b(?: of\b)?"
    r"|\b(?:list |name |show )?(?:the )?(?:all )?authors of\b|\bwritten by whom\b|\bwho is behind\b",
    re.IGNORECASE,
)
_HOW_LONG = re.compile(
    r"\bhow many pages\b|\b(?:number of pages|page count|length) (?:of|in)\b"
    r"|^how long is\b(?!.*\b(?:train|run|take)\w*)",
    re.IGNORECASE,
)
_TITLE = re.compile(r"\b(?:what is |what's |whats )?(?:the )?(?:full )?title of\b", re.IGNORECASE)
_PRESENT = re.compile(
    r"^(?:do (?:you|we) have|is there|is|have (?:you|we) got|does (?:this|the) library have)\b"
    r"(?:.*\b(?:here|in the library|in this library|in the collection|indexed|available))?",
    re.IGNORECASE,
)
_WHEN = re.compile(
    r"\bwhen (?:was|did) .{0,80}\b(?:published|written|released|come out|appear|public)\b"
    r"|\b(?:what|which|in which|in what) year (?:is|was|did)\b.{0,80}\b(?:from|published|written|appear|come out)\b"
    r"|\b(?:publication|publishing) (?:year|date) of\b",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\b(?P<what>page|table|tab\.|figure|fig\.?|section|sec\.|appendix|algorithm)\s+"
    r"(?P<number>[A-Z]?\d+(?:\.\d+)*|[A-Z]\b)|\bthe (?P<nth>first|second|third|last) page\b",
    re.IGNORECASE,
)
_NTH = {"first": 1, "second": 2, "third": 3, "last": 0}
_PLACE_WORDS = word_set(
    "show me what is are on in of the a an does do say says tell give print read paper papers study article it there "
    "about can you please s whats contents content see display to from for and which shown reported report i want"
)


@dataclass(frozen=True)
class LibraryQuestion:
    """A question that the records or a page answer, and how."""

    answer: Callable[[AnswerContext], Answer]


def parse_small_talk(text: str) -> str:
    """What a greeting or a thank-you is answered with; empty for a question."""
    bare = text.strip(" .!?,;:~。！？，")
    if _GREETS.fullmatch(bare):
        return HELLO
    if _THANKS.fullmatch(bare) and "?" not in text:
        return "You are welcome. Ask another question whenever you like."
    if _ABOUT_APP.fullmatch(bare):
        return (
            "I answer questions from the papers of this library and quote the words on their pages. Ask about one "
            "paper, compare several, ask which papers do something, or about the library itself: what is in it, by "
            "whom, from when."
        )
    return ""


def opens_with_greeting(text: str) -> bool:
    """Whether a text begins like a letter: "good morning, are you there?"."""
    return re.match(rf"\W*(?:{_GREETS.pattern})(?!\w)", text, re.IGNORECASE) is not None


def parse_library_question(context: AnswerContext) -> LibraryQuestion | None:
    """How the records answer the question; None where it asks for what the papers say."""
    text = " ".join(context.question.search.split()).strip(" .!?")
    named = [paper for paper in context.question.named_papers if paper in context.generation.by_paper]
    if not named and len(context.question.scope.papers) == 1:
        named = [paper for paper in context.question.scope.papers if paper in context.generation.by_paper]
    if len(named) == 1:
        place = _parse_place(context, text, named[0])
        if place is not None:
            return LibraryQuestion(place)
        for pattern, tell in _OF_ONE_PAPER:
            match = pattern.search(text)
            if match and _asks_nothing_else(context, pattern, text, pattern in (_WHO_WROTE, _WHEN)):
                return _tell_of(named[0], tell, match)
    elif not named:
        described = _parse_description(context, text)
        if described is not None:
            return described
    extreme = _EXTREME.fullmatch(text)
    if extreme:
        return LibraryQuestion(lambda one: tell_extreme(one, extreme["which"].casefold()))
    if _COUNT.fullmatch(text):
        return LibraryQuestion(tell_count)
    if _LIST.fullmatch(text):
        return LibraryQuestion(lambda one: tell_list(one, entries_of(one), ""))
    kind = _OF_KIND.fullmatch(text)
    if kind:
        return LibraryQuestion(lambda one: tell_kind(one, kind["kind"].casefold().removesuffix("s")))
    years = _YEARS.fullmatch(text)
    if years:
        return LibraryQuestion(lambda one: tell_years(one, years))
    for pattern in _BY_AUTHOR:
        match = pattern.fullmatch(text)
        if match and not named:
            return LibraryQuestion(lambda one, who=match["who"]: tell_author(one, who))  # type: ignore[misc]
    wrote = _WROTE.fullmatch(text)
    if wrote and papers_by(context, wrote["who"]):
        return LibraryQuestion(lambda one: tell_author(one, wrote["who"]))
    return None


def _parse_description(context: AnswerContext, text: str) -> LibraryQuestion | None:
    """ "Who wrote the paper asking whether prompts are understood": all behind the words that ask is a description."""
    for pattern, tell in _OF_ONE_PAPER[:-1]:
        match = pattern.search(text)
        if match is None:
            continue
        what = re.sub(
            rf"^\W*(?:the |a |that )*(?:{_PAPERS} )?(?:(?:on|about|of|that|which|\w+ing) )?"
            r"(?:(?:whether|how|why|if) )?",
            "",
            f"{text[: match.start()]} {text[match.end() :]}".strip(),
            flags=re.IGNORECASE,
        )
        plan = context.retriever.plan(f"the paper on {what}", context.question.scope)
        if what and len(plan.named) == 1:
            return _tell_of(plan.named[0], tell, match)
    return None


def _tell_of(
    paper: str, tell: Callable[[AnswerContext, str, re.Match[str]], Answer], match: re.Match[str]
) -> LibraryQuestion:
    return LibraryQuestion(lambda one: tell(one, paper, match))


def _asks_nothing_else(context: AnswerContext, pattern: re.Pattern[str], text: str, spare: int = 1) -> bool:
    """Whether the words beside the paper's name are few: "who wrote the test set of X" asks what X says."""
    rest = pattern.sub(" ", text)
    for mention in sorted(context.question.plan.mentions, key=lambda one: -one.start):
        name = context.question.search[mention.start : mention.end]
        rest = rest.replace(name, " ")
    known = _PLACE_WORDS | word_set(
        "have has long was were did published written out come appear author authors by pages title called got you do"
    )
    return sum(word.casefold() not in known for word in re.findall(r"\w+", rest)) <= spare


def _parse_place(context: AnswerContext, text: str, paper: str) -> Callable[[AnswerContext], Answer] | None:
    match = _PLACE.search(text)
    if match is None or not _asks_nothing_else(context, _PLACE, text):
        return None
    if match["nth"]:
        nth = _NTH[match["nth"].casefold()] or context.generation.by_paper[paper].pages
        return lambda one: show_page(one, paper, nth)
    what, number = match["what"].casefold().rstrip("."), match["number"]
    if what == "page":
        return lambda one: (
            show_page(one, paper, int(number)) if number.isdigit() else tell_missing(one, match[0], paper)
        )
    if what in ("section", "sec", "appendix"):
        return lambda one: show_section(one, paper, number, match[0])
    kind = {"tab": "Table", "fig": "Figure"}.get(what, what.capitalize())
    return lambda one: show_captioned(one, paper, kind, number)


_OF_ONE_PAPER: tuple[tuple[re.Pattern[str], Callable[[AnswerContext, str, re.Match[str]], Answer]], ...] = (
    (_WHO_WROTE, tell_authors),
    (_HOW_LONG, tell_length),
    (_WHEN, tell_time),
    (_TITLE, tell_title),
    (_PRESENT, tell_title),
)
