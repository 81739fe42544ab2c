"""What a sentence claims: its numbers, its names, its content words; and which of them a text does not hold.

Pure. Numbers are compared by value ("1,000" is 1000, "73.0 %" is 73, "13 million" is 13M), names without case, hyphens
and plural endings ("Fusion-in-Decoder" is "fusion in decoder").

Each sentence of an answer judged by the passages that it cites: supported, partly, or not. Pure.

Deterministic: its numbers and names have to occur there, and enough of its other words. How often that is right is
measured by benchmarks/checking.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from rag_app.citations.denials import Denial, find_denial, is_opposite
from rag_app.citations.directions import added_bound, opposite_direction, opposite_of_nearest
from rag_app.citations.statements import Statement, find_statements, without_emphasis
from rag_app.records import Answer, Evidence, Support, Verdict
from rag_app.text.characters import as_searchable
from rag_app.text.formula_text import read_spans
from rag_app.text.language import ENGLISH, language_of
from rag_app.text.sentences import sentences
from rag_app.text.terms import (
    STOPWORDS,
    Number,
    content_words,
    find_claimed_numbers,
    find_names,
    find_numbers,
    is_in_scaled_table,
    number_values,
    squash,
)


class BackingTexts:
    """The texts that may back a sentence, prepared so that many sentences are checked quickly."""

    def __init__(self, texts: Iterable[str]) -> None:
        joined = "\n".join(texts)
        self.values = number_values(joined)
        self._joined = joined
        self._grams = _grams(joined)

    def holds_name(self, name: str) -> bool:
        """Whether the texts hold the name in any spelling: hyphens, case, blanks and a plural s do not matter."""
        form = squash(name)
        owner = squash(re.sub(r"['’]s$", "", name))
        spellings = {form, owner, form.removesuffix("s"), form.removesuffix("es"), form + "s"}
        if any(spelling in self._grams for spelling in spellings if spelling):
            return True
        parts = [part for part in re.split(r"[-/+]", name) if part]
        # "LLaMA-based", "BM25/DPR": a made-up compound stands when each of its parts does; "GPT-4" is none.
        worded = all(any(sign.isalpha() for sign in part) for part in parts)
        return len(parts) > 1 and worded and all(squash(part) in self._grams for part in parts)

    def holds_number(self, number: Number) -> bool:
        return not number.values.isdisjoint(self.values) or is_in_scaled_table(number, self._joined)


def _grams(text: str, longest: int = 5) -> frozenset[str]:
    """All runs of up to `longest` neighbouring words, written together: "llama 2 7b" gives llama27b among others."""
    folded = as_searchable(text).casefold()
    # Letters and digits part company ("llama2" is llama, 2), so that "Llama 2" and "Llama2" meet in the same run.
    words = re.findall(r"[^\W\d_]+|\d+", folded)
    return frozenset("".join(words[i : i + n]) for n in range(1, longest + 1) for i in range(len(words) - n + 1))


def missing_claims(sentence: str, ground: BackingTexts, allowed: BackingTexts) -> list[str]:
    """The numbers and names of a sentence that its ground does not hold, as written; names in `allowed` may pass."""
    names = find_names(sentence)
    free = {name for name in names if allowed.holds_name(name)}  # "2WikiMultihopQA" is a name and begins with a number
    numbers = [
        number.written
        for number in find_claimed_numbers(sentence)
        if not ground.holds_number(number) and number.written not in free and not _is_held_roman(number.written, ground)
    ]
    missing = [name for name in names if not ground.holds_name(name) and name not in free]
    return list(dict.fromkeys([*numbers, *missing]))


def _is_held_roman(written: str, ground: BackingTexts) -> bool:
    """Whether a text has in letters ("IV") what is written in signs of its own (Ⅳ)."""
    return (
        len(squash(written)) > 1
        and all("\u2160" <= sign <= "\u2188" for sign in written)
        and ground.holds_name(written)
    )


NamesOf = Callable[[str], Sequence[str]]  # paper -> what people call it

ENOUGH_WORDS = (
    4  # content words from which their share is worth counting, and a clause beside a disclaimer claims something
)
FEWEST_WORDS = 3  # content words of a lead-in with a citation that claims something
CLAIM_WORDS = 2  # content words of the shortest text that claims something: "Omega wins"
FOREIGN_WORDS = 3  # content words of a last clause that stands against a model's word: 0.8 % of honest claims have one
LAST_WORDS = 2  # content words of a last clause that may say something else
SHARED = 0.6  # of its content words have to stand in the cited passages; chosen by benchmarks/checking.py
SAID_AGAIN = 0.8  # of its content words: a sentence that says one of the passages again
NEARLY_ALL = 0.9  # of the content words of what a sentence plainly denies; at 0.8 twice as many are wrong
FEWEST_ENGLISH = 0.15  # share of common English words from which a sentence counts as English

_EAST_ASIAN = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")

# What is said of sources in general, in roots: a sentence of nothing else claims nothing of its own.
_ABOUT_SOURCES = frozenset(
    content_words(
        "source sources evidence passage passages text texts document documents study studies author authors article "
        "articles publication literature reference references citation citations quote quotes excerpt say says said "
        "state states stated tell told show shows shown report reports reported confirm confirms confirmed support "
        "supports supported prove proves proven agree agrees indicate indicates suggest suggests write wrote written "
        "mention mentions according clear clearly true truth right correct indeed certain certainly definitely "
        "obviously really yes no fact facts so this that claim claims claimed find finds found"
    )
)
_NOT = r"(?:not|n['’]t|never|nowhere|neither)"
_TELL = r"(?:say|stat|mention|report|specif|disclos|discuss|indicat|document)\w*"
_GIVE = rf"(?:{_TELL}|(?:contain|cover|includ|describ|provid|giv|gave|nam|tell|address)\w*)"
_SOURCE = r"(?:papers?|evidence|librar\w+|catalogue|texts?|passages?|quotes?|authors?|stud(?:y|ies)|pages?|sections?)"
_DISCLAIMER = re.compile(
    r"\bnot in (?:the|these) (?:papers?|library|evidence)|"
    rf"\b(?:do|does|did|is|are|was|were|has|have)(?: not|n['’]t)\b.{{0,40}}\b(?:{_TELL}|provid\w+|given|found in)\b|"
    rf"\b{_SOURCE}\b.{{0,60}}(?:\b|(?<=n)){_NOT}\b.{{0,40}}\b{_GIVE}|"
    rf"\b(?:no|none of|neither)\b.{{0,40}}\b{_SOURCE}\b.{{0,60}}\b(?:{_GIVE}|answers?)\b|"
    r"\bno (?:evidence|information|passage|answer|mention|indication)\b|"
    r"\bnothing (?:in|about|on|is said|was found)\b|"
    r"\b(?:not|un)[ -]?(?:reported|mentioned|specified|stated|disclosed)\b|"
    r"\b(?:could|can|did) ?n(?:o|['’])t (?:be )?f(?:i|ou)nd\b|\bfound (?:no|nothing)\b|"
    r"(?:没有|未|并未|均未|都未|从未|没)(?:任何)?(?:论文|文献|明确|直接|具体)?"
    r"(?:提到|提及|说明|给出|报告|报道|讨论|涉及|找到|提供|指出)|"
    r"(?:没有|无)(?:一篇)?(?:任何)?(?:论文|文献|相关|信息).{0,12}(?:提|说|给|报|讨论|涉及|信息|内容|$)|"
    r"不在这些论文中|无法(?:得知|确定|回答)",
    re.IGNORECASE,
)
_CLAUSES = re.compile(
    r"[;；]|[,，]\s*(?:and|but|while|whereas|although|though|yet|only|但|不过|而)|"
    r"\b(?:but|whereas|although|though|however)\b",
    re.IGNORECASE,
)
# What may follow "the paper does not report it" and says something besides: "while …, X", ", which was …", "(it is …)".
_BESIDE = re.compile(
    r"[;；:：()]|[,，–—]\s*(?:as|so|since|because|where|which(?=\s+(?:is|are|was|were|has|have|does|can)\b)|who|whose|rather|instead"
    r"|except|in practice|in fact)\b"
    r"|\b(?:and|but|however|while|although|though|because|except|only)\b",
    re.IGNORECASE,
)
_BEGINS_BESIDE = re.compile(
    r"\W*(?:(?:please )?note that\s+)?(?:while|although|though|since|because|as)\b[^,，]*[,，]", re.IGNORECASE
)
_ASKS_INDIRECTLY = re.compile(r"\W*(?:or\s+)?(?:how|what|whether|if|why|when|who|which|where)\b", re.IGNORECASE)
_FINITE = re.compile(
    r"\b(?:is|are|was|were|has|have|had|do|does|did|can|could|will|would|must|should|it|they|we)\b"
    r"|\b\w{2,}ed\b|^\W*[A-Z]\w+ (?:\w+ly )?[a-z]{2,}s\b"
)
_RELATIVE = re.compile(
    r"[,(–—]\s*(?:(?:and|but)\s+)?(?:which|who|whose|where|although|though|because|since)\b([^,;()–—]*)", re.IGNORECASE
)
_LEAD_IN = re.compile(
    r"(?:here(?:['’]s| is| are)|below(?: is| are|,)|the following\b|the (?:table|list) below|as follows|"
    r"以下|下面|如下)",
    re.IGNORECASE,
)
_OPERATOR = re.compile(r"[=≈∝≤≥∑∏√∈←→^\\]")


def no_names(paper: str) -> Sequence[str]:
    """For libraries that know no short names."""
    return ()


def judge_sentences(
    answer: str, backing: Mapping[int, Sequence[Evidence]], question: str = "", names_of: NamesOf = no_names
) -> tuple[Verdict, ...]:
    """A verdict for each sentence of the answer that claims something; `backing` is the evidence by cited number.

    Names that the question uses, and the title and short names of a cited paper, need no backing. Each sentence is
    a slice of the answer. The three classes are those of WiCE (2303.01432, section 2).
    """
    grounds: dict[frozenset[int], CitedPassages] = {}
    found: list[Verdict] = []
    for sentence in find_statements(answer):
        key = frozenset(number for number in sentence.cited if backing.get(number))
        if key not in grounds:
            pieces = [piece for number in sorted(key) for piece in backing[number]]
            titles = [name for piece in pieces for name in (piece.title, *names_of(piece.paper))]
            grounds[key] = CitedPassages([piece.text for piece in pieces], [question, *titles])
        verdict = grounds[key].judge(sentence)
        if verdict is not None:
            found.append(verdict)
    return tuple(find_worst_verdicts(found).values())


_WORST_FIRST: tuple[Support, ...] = ("contradicted", "not", "partly", "unchecked", "supported")


def find_worst_verdicts(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    """Each sentence with the worst verdict on it: two equal ones that cite different words cannot be told apart."""
    found: dict[str, Verdict] = {}
    for one in verdicts:
        known = found.setdefault(one.sentence, one)
        if _WORST_FIRST.index(one.support) < _WORST_FIRST.index(known.support):
            found[one.sentence] = one
    return found


def unsupported_sentences(found: Sequence[Verdict]) -> tuple[str, ...]:
    """The sentences that are not wholly supported."""
    return tuple(verdict.sentence for verdict in found if verdict.support != "supported")


def find_doubts(answer: Answer) -> dict[str, Support]:
    """The sentences of an answer that are not wholly supported, each with how far it is; in their order."""
    known = find_worst_verdicts(answer.verdicts)
    return {one: known[one].support if one in known else "not" for one in answer.unsupported}


class CitedPassages:
    """The passages that sentences cite, prepared so that many are judged quickly; names in `allowed` pass."""

    def __init__(self, texts: Sequence[str], allowed: Sequence[str]) -> None:
        self._any = bool(texts)
        self._quotes = " ".join(texts)
        self._sentences: list[Denial] = []  # of the passages: what each denies
        self._written: list[str] = []  # the same, as written
        self._places: dict[str, set[int]] = {}  # content word -> the sentences that hold it
        for text in texts:
            for start, end in sentences(text):
                for word in set(content_words(text[start:end])):
                    self._places.setdefault(word, set()).add(len(self._sentences))
                self._sentences.append(find_denial(text[start:end]))
                self._written.append(text[start:end])
        self._free = frozenset(content_words(" ".join(allowed)))
        self._ground = BackingTexts(texts)
        self._allowed = BackingTexts(allowed)
        self._words = frozenset(content_words(" ".join([*texts, *allowed])))

    def judge(self, sentence: Statement) -> Verdict | None:
        """None for what claims nothing."""
        text, whole = read_spans(sentence.plain if self._any else sentence.prose)
        support, missing = self.support(text)
        if not missing and self._any and (_DISCLAIMER.search(text) or (not whole and support == "supported")):
            support = "unchecked"  # that nothing is said cannot be seen in what is said
        if support == "supported" and (
            opposite_direction(text, self._quotes) or opposite_of_nearest(text, self._written)
        ):
            support = "not"
        if support == "supported" and (added_bound(text, self._quotes) or adds_clause(text, self._words)):
            support = "unchecked"
        claims = missing or self._any or sentence.holds_prose or is_claim(sentence.prose)
        return Verdict(sentence.text, support, missing) if claims else None

    def support(self, text: str) -> tuple[Support, tuple[str, ...]]:
        """The class of a sentence without marks, and the numbers and names that it has from elsewhere."""
        claimed, missing = missing_items(text, _NOTHING, _NOTHING), missing_items(text, self._ground, self._allowed)
        coverage = word_coverage(text, self._words)
        if not self._any or (coverage is not None and coverage < SHARED):
            return "not", missing
        if not missing:
            return ("supported" if coverage is not None and self._may_say(text) else "unchecked"), missing
        return ("partly" if len(missing) < len(claimed) else "not"), missing

    def covers(self, text: str) -> bool:
        """Whether enough of a sentence's words stand in the passages, as they would say it."""
        coverage = word_coverage(text, self._words)
        return coverage is not None and coverage >= SHARED and self._may_say(text)

    def _may_say(self, text: str) -> bool:
        """Whether covered words can be said by the passages as the sentence says them.

        The words of a short sentence stand in one sentence there; of those that share its words, one denies what it
        denies, or both deny nothing. Of one that it says again, the others do not count.
        """
        words = set(content_words(text))
        if len(words) < ENOUGH_WORDS:
            places = [self._places.get(word, set()) for word in words - self._free]
            if places and not set.intersection(*places):
                return False
        shared = Counter(place for word in words for place in self._places.get(word, ()))
        most = max(shared.values(), default=0)
        enough = most if most >= SAID_AGAIN * len(words) else SHARED * len(words)  # one that it says again counts alone
        near = [place for place, count in shared.items() if count >= enough]
        denial = find_denial(text)
        return any(not is_opposite(denial, self._sentences[place]) for place in near) if near else not denial.denied


_NOTHING = BackingTexts(())


def missing_items(sentence: str, ground: BackingTexts, allowed: BackingTexts) -> tuple[str, ...]:
    """Its numbers and names that are missing; other languages give capitals to plain words, which are no names."""
    missing = missing_claims(sentence, ground, allowed)
    english = _is_english(sentence)
    return tuple(item for item in missing if english or not (item.isalpha() and item[1:].islower()))


def word_coverage(sentence: str, held: Collection[str]) -> float | None:
    """The share of a sentence's content words that stand in `held`, 0..1.

    None where it cannot be told: hardly any word, or another language than English, of which the papers hold no words.
    A short sentence whose words all stand there is covered.
    """
    words = content_words(sentence)
    share = sum(word in held for word in words) / len(words) if words else 0.0
    if words and share == 1.0:
        return share
    return share if len(words) >= ENOUGH_WORDS and _is_english(sentence) else None


def adds_clause(sentence: str, held: Collection[str]) -> bool:
    """Whether a clause of its own speaks of what the passages do not: ", which was withdrawn". `held`: their words.

    A relative or causal clause of whose content words at most a third stands in `held`, or a last one with none.
    """
    relative = (content_words(clause[1]) for clause in _RELATIVE.finditer(sentence))
    if any(words and 3 * sum(word in held for word in words) <= len(words) for words in relative):
        return True
    last = content_words(sentence.rpartition(",")[2]) if "," in sentence else []
    return len(last) >= LAST_WORDS and not any(word in held for word in last)


def find_foreign_clause(sentence: str, around: str) -> str:
    """A relative or causal clause, or a last one, none of whose content words stands in the text; empty where none is.

    Short ones do not count, nor other languages than English. It is rarer than what adds_clause finds, so that a sign
    for it may stand against a model's word.
    """
    if language_of(sentence) != ENGLISH or language_of(around) != ENGLISH:
        return ""
    held = set(content_words(around))
    for clause in _RELATIVE.finditer(sentence):
        if _is_foreign(clause[1], LAST_WORDS, held):
            return clause[1].strip(" .")
    last = sentence.rpartition(",")[2] if "," in sentence else ""
    return last.strip(" .") if _is_foreign(last, FOREIGN_WORDS, held) else ""


def _is_foreign(clause: str, fewest: int, held: Collection[str]) -> bool:
    words = content_words(clause)
    return len(words) >= fewest and not any(word in held for word in words)


def _is_english(sentence: str) -> bool:
    """Whether enough of its words are common English ones; a terse English sentence may have none."""
    words = re.findall(r"[^\W\d_]+", sentence.casefold())
    return sum(word in STOPWORDS for word in words) >= FEWEST_ENGLISH * len(words)


def is_claim(sentence: str) -> bool:
    """Whether a sentence asserts something of the papers.

    A heading, a question, a lead-in and a formula do not; nor does "no paper mentions it", but for further clauses.
    """
    text = without_emphasis(sentence).strip()
    if text.endswith((":", "：", "?", "？")) or _LEAD_IN.match(text) or is_formula(text):
        return False
    if not _DISCLAIMER.search(text):
        return _says_enough(text, CLAIM_WORDS)
    further = [clause for clause in _CLAUSES.split(text) if not _DISCLAIMER.search(clause)]
    return any(_says_enough(clause, ENOUGH_WORDS) for clause in further) or _says_more(text)


def _says_more(disclaimer: str) -> bool:
    """Whether "the paper does not report it" goes on with a clause of its own; lists and indirect questions do not."""
    begun = _BEGINS_BESIDE.match(disclaimer)
    main = disclaimer[begun.end() :] if begun else disclaimer
    if begun and not _DISCLAIMER.search(main):
        return bool(content_words(main))
    return any(
        content_words(clause)
        and _FINITE.search(clause) is not None
        and not _DISCLAIMER.search(clause)
        and not _ASKS_INDIRECTLY.match(clause)
        for clause in _BESIDE.split(main)
    )


def _says_enough(text: str, words: int) -> bool:
    east_asian = len(_EAST_ASIAN.findall(text))
    if east_asian:  # "Zeta不如Omega": a word in Latin letters says as much as two of its characters
        east_asian += 2 * len(re.findall(r"[^\W\d_]+", _EAST_ASIAN.sub(" ", text)))
    return len(content_words(text)) >= words or east_asian >= 2 * words


def is_denied(text: str, there: Iterable[str], free: Collection[str] = ()) -> bool:
    """Whether a text says of a sentence's words what that sentence denies, or the other way round.

    Of sentences that hold nearly all of its content words, but for those in `free`, none denies one of those that it
    denies.
    """
    mine = find_denial(text)
    words = mine.words.difference(free, _ABOUT_SOURCES)  # "No author found that …"
    if len(mine.words) < FEWEST_WORDS or len(words) < 2:
        return False
    near = [one for one in there if len(words.intersection(content_words(one))) >= NEARLY_ALL * len(words)]
    return bool(near) and all(is_opposite(mine, find_denial(one)) for one in near)


def says_nothing(sentence: str) -> bool:
    """Whether an English sentence claims nothing of its own: "The sources say so." No quote can be about it."""
    words = content_words(sentence)
    if find_numbers(sentence) or _EAST_ASIAN.search(sentence) or not _ABOUT_SOURCES.issuperset(words):
        return False
    return bool(words) or _is_english(sentence)


def is_formula(text: str) -> bool:
    """Whether it is a formula that stands outside of dollar signs: an operator, hardly a word and no figure."""
    words = re.findall(r"[^\W\d_]{3,}", text)
    figures = any(value > 2 for number in find_numbers(text) for value in number.values)
    return bool(_OPERATOR.search(text)) and len(words) < ENOUGH_WORDS and not figures
