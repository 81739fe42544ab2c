"""Whether a question has nothing to do with the library (coffee, the weather), or with what its papers are about.

Another decision than that of quoting/answerability.py, which tells whether the passages found answer a question of the
library's field. Two signs in a logistic regression, fitted by benchmarks/calibrate_outside.py to questions of public
sets that were asked of each other's libraries.
"""

from __future__ import annotations

import re

import numpy as np

from rag_app.answering.context import AnswerContext, IndexTermStatistics, rows_with_name
from rag_app.index.bm25 import extract_terms
from rag_app.index.generations import Generation
from rag_app.retrieval.question import AnalysedQuestion
from rag_app.retrieval.question_terms import extract_question_terms, is_filler
from rag_app.text.terms import find_names

FITTED_TO = "all-MiniLM-L6-v2"  # another embedder's cosines have another scale
BIAS = -12.84
WEIGHTS: dict[str, float] = {"likeness": 23.32, "together": 5.46}
OUTSIDE = -1.08  # of the weighted sum: below lies 1 % of the questions that are inside
ABSENT = -0.52  # below lie 2 %: then no paper is about what a plain question asks

WHOLE = 0.999  # of the question's words by rarity in one passage: then they are what that is about


def measure_relatedness(question: str, vector: np.ndarray, generation: Generation) -> dict[str, float]:
    """How near the library comes to a question; empty where it holds no passage, or the question no word with content.

    likeness: the cosine of `vector`, the question's, float32 (dimension,), with the nearest passage. together: the
    share of the question's words, by rarity, that one passage holds.
    """
    size = generation.manifest.passages
    told = " ".join(
        word for word in question.split() if not is_filler(word.casefold())
    )  # "many" is not what it is about
    asked = extract_question_terms(told, extract_terms, IndexTermStatistics(generation), ())
    if not size or not asked.weights:
        return {}
    held = np.zeros(size)
    for term, weight in asked.weights.items():
        held[generation.words.rows_with(term)] += weight
    _, cosines = generation.search.nearest(vector, 1)
    return {"likeness": float(cosines[0]), "together": float(held.max()) / asked.total}


def score_relatedness(signs: dict[str, float]) -> float:
    """The signs' weighted sum: the logarithm of the odds that the question is one for the library."""
    return BIAS + sum(weight * signs[name] for name, weight in WEIGHTS.items())


def is_outside(context: AnswerContext) -> bool:
    """Whether nothing in the library has to do with the question."""
    score = rate_relatedness(context)
    return score is not None and score < OUTSIDE


def is_of_absent_subject(context: AnswerContext) -> bool:
    """Whether no paper is about what the question asks, though it may be of the library's field.

    Never where it is limited to one paper, which is then what it is about.
    """
    if len(context.question.scope.papers) == 1:
        return False
    score = rate_relatedness(context)
    return score is not None and score < ABSENT


def rate_relatedness(context: AnswerContext) -> float | None:
    """How much the library has to do with the question; None where that is not judged.

    That is where the question names or describes a paper, asks for a comparison by itself, or has no word with content;
    where the papers have a coined name of it ("BM25"), or one passage holds all its words, however few ("How many
    trainable parameters?"); and where the vectors are of another embedder than the one that the signs were fitted to.
    """
    question, manifest = context.question, context.generation.manifest
    if question.plan.named or question.plan.described or (question.comparison is not None and not question.demanded):
        return None
    if any(_is_coined(name) and len(rows_with_name(context.generation, name)) for name in find_names(question.search)):
        return None
    if not manifest.has_meaning or manifest.embedder.partition("@")[0] != FITTED_TO:
        return None
    scores = []
    for text in {question.search, _undo_corrections(question)}:  # "basil" may be corrected to "basic": neither is sure
        signs = measure_relatedness(text, context.meaning.embed_question(text), context.generation)
        if not signs:
            return None
        if signs["together"] > WHOLE:
            return None
        scores.append(score_relatedness(signs))
    return sum(scores) / len(scores)


def _is_coined(name: str) -> bool:
    """Whether a name is more than a word with a capital: BM25, HotpotQA, AMT."""
    return sum(letter.isupper() or letter.isdigit() for letter in name) > 1 and any(map(str.isalpha, name))


def _undo_corrections(question: AnalysedQuestion) -> str:
    """The words that are searched, each as it was typed."""
    text = question.search
    for typed, searched in question.corrections:
        text = re.sub(rf"(?<!\w){re.escape(searched)}(?!\w)", typed, text)  # letters alone: no escape in them
    return text
