"""Trains embedders and cross-encoders on judged passages, with sentence-transformers' own trainers.

Imports sentence-transformers for training, and alone imports `datasets`. Needs the extra `align`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag_app.errors import ModelError
from rag_app.models.torch_models import load_sentence_model
from rag_app.models.weights import SentenceModel

OnStep = Callable[[int, int], None]
"""Called after each step with the number of steps done and of all."""

_MISSING = 'The trainer is not installed. Run: pip install "rag-app[align]" (or: pip install accelerate datasets)'


@dataclass(frozen=True)
class TrainingExample:
    """One thing to learn: this text answers the question, those do not."""

    question: str
    positive: str
    negatives: tuple[str, ...]


@dataclass(frozen=True)
class TrainingOptions:
    """How long and how strongly."""

    epochs: int = 2
    steps: int = 0  # at most; 0: as many as the epochs take
    batch: int = 32  # the other examples' texts of a batch are negatives too
    embedder_rate: float = 2e-5
    reranker_rate: float = 2e-5
    seed: int = 0


def train_embedder(
    model: SentenceModel, examples: Sequence[TrainingExample], folder: Path, training: TrainingOptions, on_step: OnStep
) -> None:
    """Fine-tune a bi-encoder and write it to `folder`, with the prompts that it was trained with.

    The loss is the softmax over the texts of a batch (Henderson et al. 2017, 1705.00652), in pieces that fit into
    memory (Gao et al. 2021, 2101.06983). Raises ModelError.
    """
    from datasets import Dataset  # noqa: PLC0415
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments  # noqa: PLC0415
    from sentence_transformers.sentence_transformer.losses import CachedMultipleNegativesRankingLoss  # noqa: PLC0415

    trained = load_sentence_model(model.folder).train()
    trained.model_card_data.widget = [{}]  # else examples are computed for a card that we do not write
    trained.prompts = {"query": model.question_prompt, "document": model.passage_prompt}
    count = min((len(example.negatives) for example in examples), default=0)
    columns = {
        "question": [example.question for example in examples],
        "positive": [example.positive for example in examples],
        **{f"negative{i + 1}": [example.negatives[i] for example in examples] for i in range(count)},
    }
    prompts = {name: model.question_prompt if name == "question" else model.passage_prompt for name in columns}
    with tempfile.TemporaryDirectory() as scratch:
        arguments = SentenceTransformerTrainingArguments(
            **_arguments(training, len(examples), training.embedder_rate, scratch),
            prompts=prompts,
            batch_sampler="no_duplicates",  # another answer to the same question must not count as a wrong one
        )
        trainer = SentenceTransformerTrainer(
            model=trained,
            args=arguments,
            train_dataset=Dataset.from_dict(columns),
            loss=CachedMultipleNegativesRankingLoss(trained, mini_batch_size=8),
        )
        _run(trainer, on_step)
    trained.eval().save(str(folder), create_model_card=False)


def train_reranker(
    source: Path, examples: Sequence[TrainingExample], folder: Path, training: TrainingOptions, on_step: OnStep
) -> None:
    """Fine-tune a cross-encoder, or begin one from any encoder's folder, and write it to `folder`.

    Each text is judged by itself: binary cross-entropy, as by Nogueira and Cho 2019 (1901.04085). Raises ModelError.
    """
    from datasets import Dataset  # noqa: PLC0415
    from sentence_transformers import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments  # noqa: PLC0415
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss  # noqa: PLC0415

    try:
        trained = CrossEncoder(str(source), num_labels=1, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # the library raises whatever a broken file causes
        raise ModelError(
            f"{source}: no cross-encoder can begin from this model ({error}). Set RAG_RERANKER."
        ) from error
    trained.model_card_data.widget = [{}]
    rows = [
        (example.question, text, float(text is example.positive))
        for example in examples
        for text in (example.positive, *example.negatives)
    ]
    questions, texts, labels = (list(column) for column in zip(*rows, strict=True))
    columns = {"question": questions, "text": texts, "label": labels}
    with tempfile.TemporaryDirectory() as scratch:
        trainer = CrossEncoderTrainer(
            model=trained,
            args=CrossEncoderTrainingArguments(**_arguments(training, len(rows), training.reranker_rate, scratch)),
            train_dataset=Dataset.from_dict(columns),
            loss=BinaryCrossEntropyLoss(trained),
        )
        _run(trainer, on_step)
    trained.save_pretrained(str(folder), create_model_card=False)


def check_installed() -> None:
    """Raises ModelError with the remedy when the trainer's packages are missing."""
    try:
        import accelerate  # noqa: F401, PLC0415
        import datasets  # noqa: F401, PLC0415
    except ImportError as error:
        raise ModelError(_MISSING) from error


def _arguments(training: TrainingOptions, rows: int, rate: float, scratch: str) -> dict[str, Any]:
    """What both trainers are told. Nothing is saved between, logged or sent anywhere."""
    whole = -(-rows // training.batch) * training.epochs
    return {
        "output_dir": scratch,
        "num_train_epochs": training.epochs,
        "max_steps": min(training.steps or whole, whole),
        "per_device_train_batch_size": training.batch,
        "learning_rate": rate,
        "warmup_steps": 0.1,  # of all steps
        "seed": training.seed,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }


def _run(trainer: Any, on_step: OnStep) -> None:
    from transformers import PrinterCallback, TrainerCallback  # noqa: PLC0415

    class ProgressCallback(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            on_step(state.global_step, state.max_steps)

    trainer.remove_callback(PrinterCallback)  # it would print on standard output, which is for our JSON
    trainer.add_callback(ProgressCallback())
    trainer.train()
