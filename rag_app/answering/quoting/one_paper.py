"""A question about one paper that it names: the paper is searched for what is asked of it, without its name.

"How is DPR trained?": every page of that paper speaks of DPR; what tells the pages apart is "trained". Measured in
docs/experiments/answers.md, "Questions about one paper".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rag_app.answering.quoting.ranking import Unit, rank_units
from rag_app.answering.quoting.statements import STATEMENT_WEIGHTS, page_statement_features
from rag_app.index.generations import Generation
from rag_app.models.embedder import SentenceEmbedder
from rag_app.records import Evidence, Hit, PageOf
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
OVERVIEW_WEIGHTS = {"in_abstract": 2.5, "own_voice": 0.8, "lost": -1.0}  # where nothing but the paper is asked about

# "What is LoRA and how does it work?", "the main idea of": asks for the paper itself.
_NOTHING_ELSE = frozenset(
    content_words(
        "work works propose proposes proposed introduce introduces present presents do does about idea ideas main key "
        "core paper method approach contribution contributions explain describe summary summarize summarise overview "
        "tell purpose goal aim help helps useful mean means stand define definition basically short brief simple terms "
        "problem problems solve solves address addresses motivation motivated everything detail details"
    )
)
# "How many authors does it have?": also where no word of it tells papers apart.
_ASKS_MORE = re.compile(
    r"\b(?:how (?:many|much|long|often|far|fast|large|big|old|well)|who|whom|whose|when|where|which)\b", re.IGNORECASE
)
_FOOTNOTE = re.compile(r"\W*\d+[A-Z]")  # "1Language Technologies Institute, Carnegie Mellon University"


@dataclass(frozen=True)
class Subject:
    """The one paper that a question is about, and what is asked of it."""

    paper: str
    asked: str  # the question without the paper's name
    overview: bool  # nothing else is asked than what the paper is about


def subject_of(
    question: AnalysedQuestion, generation: Generation, library: TermStatistics, terms: Terms
) -> Subject | None:
    """The paper that a plain question names, when it names exactly one, by a name that is mostly its own.

    Also the only paper that the question is limited to.
    """
    text, plan, scope = question.search, question.plan, question.scope
    if len(scope.papers) == 1 and scope.papers[0] in generation.by_paper:
        return Subject(scope.papers[0], text, _is_overview(text))
    if plan.kind != "single" or len(plan.named) != 1:
        return None
    paper, asked = plan.named[0], text
    mentions = [one for one in plan.mentions if one.paper == paper]
    called = [terms(text[one.start : one.end]) for one in mentions]
    if not any(paper_share(paper, words, library) >= OWNED for words in called if words):
        return None  # "the RAG scorer" speaks of a field
    for mention in reversed(mentions):
        asked = f"{asked[: mention.start]} {asked[mention.end :]}"
    asked = " ".join(re.sub(r"\s['’]s\b", " ", asked).split())
    return Subject(paper, asked, _is_overview(asked))


def _is_overview(asked: str) -> bool:
    return not _ASKS_MORE.search(asked) and all(
        word in _NOTHING_ELSE for word in content_words(asked) if not is_filler(word)
    )


def hits_about(subject: Subject, retriever: Retriever, scope: Scope, ranked: Sequence[Hit]) -> list[Hit]:
    """`ranked`, what was found for the question, among passages of the paper.

    These are found for what is asked, and for the words in which papers speak of it; for an overview its abstract.
    """
    if subject.overview:
        passages = retriever.generation.passages_of(subject.paper)
        first = [one for one in passages if "abstract" in one.section.casefold()] or passages[:2]
        known = {one.id for one in first}
        return [*(Hit(one, 0.0) for one in first), *(hit for hit in ranked if hit.passage.id not in known)]
    searches = list(dict.fromkeys([subject.asked, f"{subject.asked} {related_words(subject.asked)}".strip()]))
    found = retriever.aspect_hits([subject.paper], searches, subject.asked, HITS, scope)
    return interleave_hits(interleave_hits(*(found[subject.paper, search] for search in searches)), ranked)


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
    weights = OVERVIEW_WEIGHTS if subject.overview else STATEMENT_WEIGHTS
    known, facets = frozenset(map(squash, names_in(question))), facets_of(subject.asked)
    units = rank_units(asked, evidence, terms, meaning, page_of)
    if subject.overview:
        units = [u for u in units if u.evidence.paper == subject.paper and not _FOOTNOTE.match(u.text)]
    for unit in units:
        page, place = page_of(unit.evidence.paper, unit.evidence.page), unit.evidence.start + unit.start
        said = page_statement_features(unit.text, page, place, known)
        if subject.overview and page.number == 1 and not any(said[kind] for kind in said if kind.startswith("in_")):
            said["in_abstract"] = 1.0  # what stands below no heading on the front page: not each abstract has one
        unit.score += sum(weight * said[name] for name, weight in weights.items())
        unit.score += facet_likeness(facets, unit.text) + OF_SUBJECT * (unit.evidence.paper == subject.paper)
    return asked, sorted(units, key=lambda unit: -unit.score)
