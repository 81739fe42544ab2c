"""Fits the embedder, and a cross-encoder, to judged questions; measures on papers held out; keeps what helped.

What a retriever finds and what answers a question differ in every collection; DPA-RAG (Dong et al. 2024, 2406.18676)
aligns the parts to each other by training on such judgements. Here hard negatives are mined, and the result is
measured the way search uses it, fused with the words.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rag_app.errors import ModelError
from rag_app.index.bm25 import WordIndex, extract_terms
from rag_app.lab.align.judged_questions import JudgedQuestion, TrainTestSplit, all_texts
from rag_app.lab.align.ranking_measures import Gain, ndcg, paired_gain, recall
from rag_app.lab.align.training import TrainingExample, TrainingOptions, train_embedder, train_reranker
from rag_app.models.reranker import Reranker
from rag_app.models.torch_models import TorchEmbedder, TorchReranker
from rag_app.models.weights import SentenceModel, find_folder, find_model
from rag_app.retrieval.hybrid import MEANING_WEIGHT, RERANKED, RERANKER_WEIGHT

NEGATIVES = 3  # for each question and positive
_NEAR_POSITIVE = 0.95  # of the positive's cosine: what lies nearer may well be an answer that nobody judged

OnStep = Callable[[str, int, int], None]
"""What is trained, steps done, steps of all."""


@dataclass(frozen=True)
class RankingScores:
    """Mean recall and nDCG at 10 over the held-out questions."""

    recall: float
    ndcg: float


@dataclass(frozen=True)
class TrainingResult:
    """What training one model brought on the held-out questions, and where it is kept."""

    before: RankingScores  # as search would rank, with the words
    after: RankingScores
    gain: Gain  # of that nDCG
    alone_before: RankingScores | None = None  # of an embedder: by its cosine only
    alone_after: RankingScores | None = None
    folder: Path | None = None  # None: it did not help, and nothing was kept

    @property
    def has_helped(self) -> bool:
        return self.gain.is_certain


class AlignmentExperiment:
    """One set of questions, split by paper, and everything that is measured on the held-out part.

    The held-out questions are asked of all judged texts, those of the learned part included.
    """

    def __init__(self, split: TrainTestSplit, training: TrainingOptions, on_step: OnStep) -> None:
        self.split = split
        self.training = training
        self._on_step = on_step
        self._texts = all_texts([*split.learned, *split.held])
        row = {text: number for number, text in enumerate(self._texts)}
        self._wanted = [{row[text] for text in one.positives} for one in split.held]
        self._words = _word_scores(self._texts, [one.question for one in split.held])

    def fine_tune_embedder(self, name: str, out: Path, keep: bool = False) -> TrainingResult:
        """Fine-tune the embedder called `name` and write it to `out` if it helped. Raises ModelError."""
        model = find_model(name)
        before = TorchEmbedder(model)
        old = self._cosines(before)
        examples = mine_negatives(self.split.learned, before)
        with _temporary_folder(out) as place:
            train_embedder(model, examples, place, self.training, lambda *at: self._on_step("embedder", *at))
            after = TorchEmbedder(SentenceModel(out.name, place, model.question_prompt, model.passage_prompt))
            new = self._cosines(after)
            gain = paired_gain(
                self._ndcg_per_question(self._fuse_scores(old)), self._ndcg_per_question(self._fuse_scores(new))
            )
            kept = _publish_folder(place, out, keep or gain.is_certain)
        return TrainingResult(
            before=self._mean_scores(self._fuse_scores(old)),
            after=self._mean_scores(self._fuse_scores(new)),
            gain=gain,
            alone_before=self._mean_scores(old),
            alone_after=self._mean_scores(new),
            folder=kept,
        )

    def fine_tune_reranker(self, name: str, embedder: str, out: Path, keep: bool = False) -> TrainingResult:
        """Fine-tune the cross-encoder called `name`, or one begun from the embedder, on what the embedder finds.

        Before: the ranking with that cross-encoder, or without any where `name` is empty. Raises ModelError.
        """
        finder = TorchEmbedder(find_model(embedder))
        found = self._fuse_scores(self._cosines(finder))
        examples = mine_negatives(self.split.learned, finder)
        source = find_folder(name or embedder)
        old = self._rerank_scores(found, TorchReranker(source, name)) if name else found
        with _temporary_folder(out) as place:
            train_reranker(source, examples, place, self.training, lambda *at: self._on_step("reranker", *at))
            new = self._rerank_scores(found, TorchReranker(place, out.name))
            gain = paired_gain(self._ndcg_per_question(old), self._ndcg_per_question(new))
            kept = _publish_folder(place, out, keep or gain.is_certain)
        return TrainingResult(before=self._mean_scores(old), after=self._mean_scores(new), gain=gain, folder=kept)

    def _cosines(self, embedder: TorchEmbedder) -> np.ndarray:
        """float32 (held-out questions, texts)"""
        questions = np.stack([embedder.embed_question(one.question) for one in self.split.held])
        cosines: np.ndarray = questions @ embedder.embed_passages(self._texts).T
        return cosines

    def _fuse_scores(self, cosines: np.ndarray) -> np.ndarray:
        """Words and meaning as search weighs them; what it knows of pages and papers is not in a file of judgements."""
        return (1 - MEANING_WEIGHT) * scale_rows(self._words) + MEANING_WEIGHT * scale_rows(cosines)

    def _rerank_scores(self, scores: np.ndarray, reranker: Reranker) -> np.ndarray:
        """The best few of each row in a new order, as search does it; the others stay behind them."""
        result = scale_rows(scores) - 1
        for row, one in zip(result, self.split.held, strict=True):
            first = np.argsort(-row, kind="stable")[:RERANKED]
            judged = np.array(reranker.score(one.question, [self._texts[text] for text in first]), dtype=np.float32)
            blend = (1 - RERANKER_WEIGHT) * scale_rows(row[None, first])[0] + RERANKER_WEIGHT * scale_rows(
                judged[None]
            )[0]
            row[first] = 1 + blend
        return result

    def _ndcg_per_question(self, scores: np.ndarray) -> list[float]:
        return [ndcg(ranking, wanted) for ranking, wanted in zip(_rankings(scores), self._wanted, strict=True)]

    def _mean_scores(self, scores: np.ndarray) -> RankingScores:
        recalls = [recall(ranking, wanted) for ranking, wanted in zip(_rankings(scores), self._wanted, strict=True)]
        return RankingScores(float(np.mean(recalls)), float(np.mean(self._ndcg_per_question(scores))))


def mine_negatives(learned: Sequence[JudgedQuestion], embedder: TorchEmbedder) -> list[TrainingExample]:
    """One example for each question and positive, with NEGATIVES texts that do not answer it.

    First come the judged ones, then what the embedder holds for near among the other questions' texts.

    A text nearly as near as the positive is left out (Moreira et al. 2024, 2407.15831, positive-aware mining).
    """
    texts = all_texts(learned)
    vectors = embedder.embed_passages(texts)
    row = {text: number for number, text in enumerate(texts)}
    examples = []
    for one in learned:
        cosines = vectors @ embedder.embed_question(one.question)
        order = [texts[number] for number in np.argsort(-cosines, kind="stable")]
        for positive in one.positives:
            limit = _NEAR_POSITIVE * cosines[row[positive]]
            mined = [text for text in order if text not in one.positives and cosines[row[text]] < limit]
            chosen = tuple(dict.fromkeys([*one.negatives, *mined]))[:NEGATIVES]
            examples.append(TrainingExample(one.question, positive, chosen))
    return examples


def scale_rows(scores: np.ndarray) -> np.ndarray:
    """Each row of (rows, columns) moved and scaled to [0, 1]; a row of equal scores becomes zeros."""
    low, high = scores.min(axis=1, keepdims=True), scores.max(axis=1, keepdims=True)
    result: np.ndarray = (scores - low) / np.where(high > low, high - low, 1)
    return result


def _rankings(scores: np.ndarray) -> list[list[int]]:
    return [np.argsort(-row, kind="stable")[:100].tolist() for row in scores]


def _word_scores(texts: Sequence[str], questions: Sequence[str]) -> np.ndarray:
    """BM25, float32 (questions, texts)"""
    with tempfile.TemporaryDirectory() as folder:
        WordIndex.build(texts, Path(folder))
        index = WordIndex.open(Path(folder))
        found = np.stack([index.scores(extract_terms(question)) for question in questions])
        del index  # its arrays are mapped from the folder, which Windows then cannot remove
    return found


def check_free(out: Path) -> None:
    """Raises ModelError when a model would overwrite something."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelError(f"{out}: already exists. Name a new folder.")


@contextmanager
def _temporary_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out`, gone at the end unless it has become `out`."""
    check_free(out)
    place = out.with_name(f".{out.name}-{uuid.uuid4().hex[:8]}")
    try:
        place.mkdir(parents=True)
        yield place
    except OSError as error:
        raise ModelError(
            f"{out}: the model cannot be written ({error}). Free some space or name another folder."
        ) from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _publish_folder(place: Path, out: Path, kept: bool) -> Path | None:
    if not kept:
        return None
    if out.exists():
        out.rmdir()  # an empty folder
    place.rename(out)
    return out
