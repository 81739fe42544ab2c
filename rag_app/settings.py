"""One frozen Settings: plain values only. Read once from RAG_* variables and an optional rag_app.toml."""

from __future__ import annotations

import hashlib
import os
import tomllib
from functools import cached_property
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from rag_app.errors import SettingsError

SETTINGS_FILE = "rag_app.toml"


def project_root() -> Path:
    """The folder that holds corpus/ and index/: the current one, or the checkout this package runs from."""
    checkout = Path(__file__).resolve().parent.parent
    for folder in (Path.cwd(), checkout):
        if (folder / "corpus" / "papers.toml").is_file():
            return folder
    return Path.cwd()


class Settings(BaseSettings):
    """Everything that can be set. A field `name` is the variable RAG_NAME and the key `name` in rag_app.toml."""

    model_config = SettingsConfigDict(env_prefix="RAG_", extra="forbid", frozen=True, toml_file=SETTINGS_FILE)

    corpus: Path = Field(
        default_factory=lambda: project_root() / "corpus", description="folder with the papers; sub-folders count"
    )
    index: Path | None = Field(
        default=None, description="folder of this corpus's index; default: a folder of its own below index/"
    )
    llm: str = Field(
        default="auto", description="auto, none, local, openai, anthropic, gemini, openrouter, ollama, or a model's name"
    )
    llm_base_url: str = Field(default="", description="an OpenAI-compatible server, for instance http://127.0.0.1:11434/v1")
    llm_model: str = Field(default="", description="the model's name there; for RAG_LLM=local the path of a GGUF file")
    llm_api_key: SecretStr = Field(default=SecretStr(""), description="the key for that server")
    llm_window: int = Field(default=0, ge=0, description="context window in tokens; 0: ask the server, else 8192")
    llm_timeout: float = Field(default=120.0, gt=0, description="seconds without a token before a provider counts as gone")
    llm_max_tokens: int = Field(default=1024, ge=16, description="longest answer in tokens")
    embedder: str = Field(
        default="all-MiniLM-L6-v2", description="the embedded default, or any sentence-transformers model: name or folder"
    )
    embedder_backend: str = Field(default="auto", description="auto, openvino, onnx or torch")
    reranker: str = Field(default="", description="a sentence-transformers cross-encoder: name or folder; empty: none")
    host: str = Field(default="127.0.0.1", description="address the browser page listens on")
    port: int = Field(default=7860, ge=0, le=65535, description="its port; 0: any free one")
    root_path: str = Field(default="", description="sub-path behind a proxy, for instance /papers")
    workers: int = Field(default=0, ge=0, description="processes that read papers; 0: one per core")
    arxiv_url: str = Field(default="https://arxiv.org", description="where fetch downloads from")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @cached_property
    def index_folder(self) -> Path:
        """Where this corpus's index lives: RAG_INDEX, or a folder of its own below the project's index/."""
        if self.index is not None:
            return self.index.expanduser().resolve()
        corpus = self.corpus.expanduser().resolve()
        root = project_root()
        if corpus == (root / "corpus").resolve():
            return root / "index" / "corpus"
        return root / "index" / f"{corpus.name}-{hashlib.sha256(str(corpus).encode()).hexdigest()[:8]}"


def load_settings(**overrides: object) -> Settings:
    """Read the environment and rag_app.toml once. Raises SettingsError naming each wrong or misspelt key."""
    known = {f"RAG_{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(key for key in os.environ if key.startswith("RAG_") and key.upper() not in known)
    if unknown:
        raise SettingsError(
            f"{', '.join(unknown)}: no such setting. Unset it or correct the name; the settings are: {', '.join(sorted(known))}."
        )
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks the values
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{SETTINGS_FILE}: not valid TOML: {error}. Correct the file or remove it.") from error
    except ValidationError as error:
        lines = [
            f"RAG_{'_'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}" for problem in error.errors()
        ]
        known_names = ", ".join(sorted(known))
        raise SettingsError("; ".join(lines) + f". The settings are: {known_names}.") from error
