"""A question about one paper that it names: the paper is searched for what is asked of it, without its name.

"How is DPR trained?": every page of that paper speaks of DPR; what tells the pages apart is "trained". Measured in
docs/experiments/answers.md, "Questions about one paper".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rag_app.answering.quoting.ranking import Unit, rank_units
from rag_app.answering.quoting.statements import (
    STATEMENT_WEIGHTS,
    does_propose,
    is_about_files,
    page_statement_features,
)
from rag_app.index.generations import Generation
from rag_app.models.embedder import SentenceEmbedder
from rag_app.records import Evidence, Hit, PageOf, Passage
from rag_app.retrieval.context import interleave_hits
from rag_app.retrieval.facets import facet_likeness, facets_of, related_words
from rag_app.retrieval.hybrid import Retriever, Scope
from rag_app.retrieval.question import AnalysedQuestion
from rag_app.retrieval.question_terms import (
    QuestionTerms,
    Terms,
    TermStatistics,
    extract_question_terms,
    is_filler,
    paper_share,
)
from rag_app.text.terms import content_words, squash
from rag_app.text.terms import find_names as names_in

HITS = 24  # passages of the paper, for the question and for the words in which papers answer such questions
OWNED = 0.1  # of the passages with a name are the paper's: then the name means the paper
OF_SUBJECT = 0.5  # added to the score of the paper's own sentences: here others need not name it
# Where nothing but the paper is asked about. titled: the share of its title's words (Edmundson, 1969).
OVERVIEW_WEIGHTS = {
    "in_abstract": 2.5, "own_voice": 0.8, "lost": -1.0, "proposes": 1.0, "titled": 1.5, "about_files": -3.0,
}  # fmt: skip

# "What is LoRA and how does it work?", "the main idea of": asks for the paper itself.
_NOTHING_ELSE = frozenset(
    content_words(
        "work works propose proposes proposed introduce introduces present presents do does about idea ideas main key "
        "core paper method approach contribution contributions explain describe summary summarize summarise overview "
        "tell purpose goal aim help helps useful mean means stand define definition basically short brief simple terms "
        "problem problems solve solves address addresses motivation motivated everything detail details "
        "finding findings find finds found result results conclude concludes conclusion conclusions claim claims argue "
        "argues takeaway takeaways message"
    )
)
# "How many authors does it have?": also where no word of it tells papers apart.
_ASKS_MORE = re.compile(
    r"\b(?:how (?:many|much|long|often|far|fast|large|big|old|well)|who|whom|whose|when|where|which)\b", re.IGNORECASE
)
_FOOTNOTE = re.compile(r"\W*\d+[A-Z]")  # "1Language Technologies Institute, Carnegie Mellon University"
_BYLINE = re.compile(r"\w@[\w{]|@\w+\.\w|[†‡∗⋆§¶].*[†‡∗⋆§¶]")
_LAYOUT = re.compile(
    r"\s*,?\s*\b(?:in|as|with|using)\s+(?:(?P<count>one|two|three|four|five|six|\d{1,2})\s+)?"
    r"(?:(?:short|brief|key|main|simple)\s+)*(?P<what>bullets?(?:\s+points?)?|bullet\s+list|points?|sentences?|lines?)\b",
    re.IGNORECASE,
)
_SIZE = re.compile(r"\b(?:\d+(?:\.\d+)?[bm]|base|large|small|xx?l)\b", re.IGNORECASE)
_COUNTS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
MOST_ITEMS = 10  # of a list that is asked for


@dataclass(frozen=True)
class Subject:
    """The one paper that a question is about, and what is asked of it."""

    paper: str
    asked: str  # the question without the paper's name
    overview: bool  # nothing else is asked than what the paper is about
    items: int = 0  # sentences that are wanted, as a list; 0: as many as is usual, as text


def subject_of(
    question: AnalysedQuestion, generation: Generation, library: TermStatistics, terms: Terms
) -> Subject | None:
    """The paper that a plain question names, when it names exactly one, by a name that is mostly its own.

    Also the only paper that the question is limited to.
    """
    text, plan, scope = question.search, question.plan, question.scope
    text, items = _take_layout(text)
    if len(scope.papers) == 1 and scope.papers[0] in generation.by_paper:
        return Subject(scope.papers[0], text, asks_overview(text), items)
    if plan.kind != "single" or len(plan.named) != 1:
        return None
    paper, asked = plan.named[0], text
    mentions = [one for one in plan.mentions if one.paper == paper]
    called = [terms(text[one.start : one.end]) for one in mentions]
    # "the QLoRA paper": what stands behind a name need not be said with it.
    if not any(paper_share(paper, words[:n], library) >= OWNED for words in called for n in range(1, len(words) + 1)):
        return None  # "the RAG scorer" speaks of a field
    for mention in reversed(mentions):
        size = " ".join(_SIZE.findall(asked[mention.start : mention.end]))  # "LLaMA 65b": the size tells rows apart
        asked = f"{asked[: mention.start]} {size} {asked[mention.end :]}"
    asked = " ".join(re.sub(r"\s['’]s\b", " ", asked).split())
    return Subject(paper, asked, asks_overview(asked), items)


def _take_layout(text: str) -> tuple[str, int]:
    """The question without "in three bullet points", and how many items that asks for; 0 where it does not."""
    match = _LAYOUT.search(text)
    if match is None:
        return text, 0
    count = (match["count"] or "three").casefold()
    many = _COUNTS.get(count) or int(count)
    return text[: match.start()] + text[match.end() :], max(1, min(many, MOST_ITEMS))


def is_byline(text: str) -> bool:
    """Whether a sentence of a front page names authors and where they work."""
    return _FOOTNOTE.match(text) is not None or _BYLINE.search(text) is not None


def is_front_matter(unit: Unit) -> bool:
    """Whether a sentence is a byline, or the paper's title itself."""
    return is_byline(unit.text) or squash(unit.text) == squash(unit.evidence.title)


def asks_overview(asked: str) -> bool:
    """Whether a text asks for nothing but what a paper is about or finds: its abstract says that."""
    return not _ASKS_MORE.search(asked) and all(
        word in _NOTHING_ELSE for word in content_words(asked) if not is_filler(word)
    )


def hits_about(subject: Subject, retriever: Retriever, scope: Scope, ranked: Sequence[Hit]) -> list[Hit]:
    """`ranked`, what was found for the question, among passages of the paper.

    These are found for what is asked, and for the words in which papers speak of it; for an overview its abstract.
    """
    if subject.overview:
        passages = retriever.generation.passages_of(subject.paper)
        return add_front_hits(passages, ranked)
    searches = list(dict.fromkeys([subject.asked, f"{subject.asked} {related_words(subject.asked)}".strip()]))
    found = retriever.aspect_hits([subject.paper], searches, subject.asked, HITS, scope)
    return interleave_hits(interleave_hits(*(found[subject.paper, search] for search in searches)), ranked)


def add_front_hits(passages: Sequence[Passage], ranked: Sequence[Hit]) -> list[Hit]:
    """The passages of a paper's abstract, or its first two, in front of what was found."""
    first = [one for one in passages if "abstract" in one.section.casefold()] or passages[:2]
    known = {one.id for one in first}
    return [*(Hit(one, 0.0) for one in first), *(hit for hit in ranked if hit.passage.id not in known)]


def overview_bonus(unit: Unit, page_of: PageOf, known: Collection[str]) -> float:
    """What a sentence is worth where nothing but the paper is asked about, beside its likeness to the question."""
    page, place = page_of(unit.evidence.paper, unit.evidence.page), unit.evidence.start + unit.start
    said = page_statement_features(unit.text, page, place, known)
    if page.number == 1 and not any(said[kind] for kind in said if kind.startswith("in_")):
        said["in_abstract"] = 1.0  # what stands below no heading on the front page: not each abstract has one
    said["proposes"], said["about_files"] = float(does_propose(unit.text)), float(is_about_files(unit.text))
    title = set(content_words(unit.evidence.title))
    said["titled"] = len(title & set(content_words(unit.text))) / max(1, len(title))
    return sum(weight * said[name] for name, weight in OVERVIEW_WEIGHTS.items())


def rank_about(
    subject: Subject,
    question: str,
    evidence: Sequence[Evidence],
    terms: Terms,
    library: TermStatistics | None,
    meaning: SentenceEmbedder | None,
    page_of: PageOf,
) -> tuple[QuestionTerms, list[Unit]]:
    """The question as it was taken apart, and the units of the evidence, best first.

    How the authors speak in a sentence counts, and whether it looks like an answer to what is asked.
    """
    asked = extract_question_terms(question if subject.overview else subject.asked, terms, library, evidence)
    known, facets = frozenset(map(squash, names_in(question))), facets_of(subject.asked)
    units = rank_units(asked, evidence, terms, meaning, page_of)
    if subject.overview:
        units = [u for u in units if u.evidence.paper == subject.paper and not is_front_matter(u)]
    for unit in units:
        if subject.overview:
            unit.score += overview_bonus(unit, page_of, known)
        else:
            page, place = page_of(unit.evidence.paper, unit.evidence.page), unit.evidence.start + unit.start
            said = page_statement_features(unit.text, page, place, known)
            unit.score += sum(weight * said[name] for name, weight in STATEMENT_WEIGHTS.items())
        unit.score += facet_likeness(facets, unit.text) + OF_SUBJECT * (unit.evidence.paper == subject.paper)
    return asked, sorted(units, key=lambda unit: -unit.score)
