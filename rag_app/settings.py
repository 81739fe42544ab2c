"""One frozen Settings: plain values only. Read once from RAG_* variables and an optional rag_app.toml."""

from __future__ import annotations

import difflib
import errno
import hashlib
import json
import os
import sys
import tomllib
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from rag_app.errors import SettingsError
from rag_app.files import PRIVATE, open_regular, write_bytes

SETTINGS_FILE = "rag_app.toml"
READER_FIELDS = ("llm", "llm_base_url", "llm_model", "llm_api_key")  # one choice: never mixed from two places


PROVIDERS = ("openai", "anthropic", "gemini", "openrouter", "ollama")  # that `llm` may name, each at its own address


def reader_file() -> Path:
    """Where a user may keep the choice of a model with its key: outside of every project, for all of them."""
    return settings_folder() / "reader.toml"


def settings_folder() -> Path:
    """The user's own folder for what is kept between projects. Raises SettingsError where the user has no home."""
    home = os.environ.get("APPDATA" if sys.platform == "win32" else "XDG_CONFIG_HOME", "")
    try:
        folder = Path(home) if home else Path.home() / ".config"
        return folder.expanduser() / "rag-app"
    except RuntimeError as error:  # a container with an unknown user
        raise SettingsError("This user has no home folder to keep anything in. Set HOME or XDG_CONFIG_HOME.") from error


def kept_reader_file() -> Path | None:
    """The file in which a reader may be kept; None where this user can keep none."""
    try:
        return reader_file()
    except SettingsError:
        return None


def is_own_file(notes: str, key: Path, content: bytes) -> bool:
    """Whether this user noted this content for `key`, in the file `notes` of the settings folder.

    What lies beside papers or an index may come from anybody.
    """
    return _read_notes(notes).get(os.path.realpath(key)) == hashlib.sha256(content).hexdigest()


def note_own_file(notes: str, key: Path, content: bytes) -> None:
    """Note that this user wrote it. Raises SettingsError where this user can note nothing."""
    file = settings_folder() / notes
    noted = {**_read_notes(notes), os.path.realpath(key): hashlib.sha256(content).hexdigest()}
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_bytes(file, json.dumps(noted, indent=1).encode(), PRIVATE)
    except OSError as error:
        raise SettingsError(
            f"{file}: cannot be written ({error.strerror}); it says which files you wrote, and others are not "
            "followed. Correct its permissions, or set XDG_CONFIG_HOME to a folder of yours."
        ) from error


def _read_notes(notes: str) -> dict[str, str]:
    """What was noted; nothing where the file is missing, damaged, or was ever open to others."""
    try:
        with open_regular(settings_folder() / notes, follow_link=False) as stream:
            status = os.fstat(stream.fileno())
            if os.name == "posix" and (status.st_mode & 0o077 or status.st_uid != os.getuid()):
                return {}
            value = json.loads(stream.read())
    except (OSError, ValueError, RecursionError, SettingsError):
        return {}
    return value if isinstance(value, dict) else {}


CHROMA_KEYS = "CHROMA_CLIENT_AUTH_"  # variables that Chroma's own client sends to any server
SECRETS = {"llm_api_key", "password"}  # a file that holds one of them must be its owner's alone


def project_root() -> Path:
    """The folder that holds corpus/ and index/: the current one, the checkout this package runs from, else the user's.

    An installed package has no checkout: what the user adds then lies in the user's data folder.
    """
    checkout = Path(__file__).resolve().parent.parent
    for folder in (Path.cwd(), checkout):
        if (folder / "corpus" / "papers.toml").is_file():
            return folder
    return data_folder()


def data_folder() -> Path:
    """Where this system keeps a user's data of programs; the current folder for a user without a home."""
    given = {"win32": "LOCALAPPDATA"}.get(sys.platform, "XDG_DATA_HOME")
    below = {"win32": "AppData/Local", "darwin": "Library/Application Support"}.get(sys.platform, ".local/share")
    try:
        home = Path(os.environ[given]) if os.environ.get(given) else Path.home() / below
    except RuntimeError:  # neither HOME nor an entry of the user
        return Path.cwd()
    return home.expanduser() / "rag-app"


def starter_corpus() -> Path:
    """Where an installed package keeps the digests that come with it (see data-files in pyproject.toml)."""
    return Path(sys.prefix) / "share" / "rag-app" / "corpus"


class Settings(BaseSettings):
    """Everything that can be set. A field `name` is the variable RAG_NAME and the key `name` in rag_app.toml."""

    model_config = SettingsConfigDict(
        env_prefix="RAG_", env_ignore_empty=True, extra="forbid", frozen=True, toml_file=SETTINGS_FILE
    )

    corpus: Path = Field(
        default_factory=lambda: project_root() / "corpus", description="folder with the papers; sub-folders count"
    )
    index: Path | None = Field(
        default=None, description="folder of this corpus's index; default: a folder of its own below index/"
    )
    llm: str = Field(
        default="auto", description="auto, none, local, openai, anthropic, gemini, openrouter, ollama; or a model"
    )
    llm_base_url: str = Field(default="", description="an OpenAI-compatible server: http://127.0.0.1:11434/v1")
    llm_model: str = Field(default="", description="the model's name there; for RAG_LLM=local the path of a GGUF file")
    llm_api_key: SecretStr = Field(default=SecretStr(""), description="the key for that server")
    llm_window: int = Field(default=0, ge=0, description="context window in tokens; 0: ask the server, else 8192")
    llm_timeout: float = Field(
        default=120.0, gt=0, description="seconds without a token after which a provider counts as unreachable"
    )
    llm_max_tokens: int = Field(default=1024, ge=16, description="longest answer in tokens")
    llm_completion: bool = Field(
        default=False, description="the model is a base model that only completes text; most servers report it"
    )
    llm_budget: int = Field(
        default=0,
        ge=0,
        description="most tokens of evidence; 0: by the model's size and window; doctor --window proposes one",
    )
    llm_price_in: float = Field(default=0.0, ge=0, description="price of a million tokens sent, in any currency")
    llm_price_out: float = Field(default=0.0, ge=0, description="price of a million tokens received")
    llm_question_price: float = Field(
        default=0.0,
        ge=0,
        description="most that gathering evidence for one question may cost, by these prices; 0: no limit",
    )
    llm_question_seconds: float = Field(
        default=600.0,
        gt=0,
        description="seconds after which a model that gathers evidence has to answer, and for thinking without a word",
    )
    check_model: str = Field(
        default="",
        description="the model that checks statements against their quotes; empty: the one that answers; or off",
    )
    evidence_step: Literal["auto", "on", "off"] = Field(
        default="off", description="the model scores each passage before it answers; auto: from 30 billion parameters"
    )
    samples: int = Field(
        default=0, ge=0, le=20, description="further answers of the model, compared by meaning; 0: none"
    )
    demonstrations: int = Field(
        default=0, ge=0, le=5, description="example answers, made from the evidence, that a model is shown; 0: none"
    )
    whole_papers: bool = Field(default=False, description="send whole papers if they fit the model's window")
    repair: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="unsupported sentences go back to the model once; auto: not below a billion parameters",
    )
    embedder: str = Field(
        default="all-MiniLM-L6-v2",
        description="the built-in model, or any sentence-transformers model by name or folder",
    )
    embedder_backend: str = Field(default="auto", description="auto, openvino or torch")
    reranker: str = Field(
        default="", description="a sentence-transformers cross-encoder by name or folder; empty: none"
    )
    host: str = Field(default="127.0.0.1", description="address the browser page listens on")
    port: int = Field(default=7860, ge=0, le=65535, description="port of the page; 0: any free one")
    root_path: str = Field(default="", description="sub-path behind a proxy, for instance /papers, or its full URL")
    language: Literal["auto", "en", "zh"] = Field(
        default="auto", description="language of the page: en, zh, or auto (what each browser asks for)"
    )
    password: SecretStr = Field(default=SecretStr(""), description="one password for the page, at least 10 characters")
    users: Path | None = Field(default=None, description="file of the users who may log in; written by: user add NAME")
    tls_certificate: Path | None = Field(default=None, description="certificate (PEM) to serve the page over https")
    tls_key: Path | None = Field(default=None, description="the key of that certificate (PEM)")
    page_token: Literal["on", "off"] = Field(
        default="on", description="a page without log-in opens only with the token in the printed address"
    )
    api_rate: int = Field(default=120, ge=0, description="requests a minute for one token; 0: no limit")
    api_at_once: int = Field(default=4, ge=0, description="answers at the same time for one token; 0: no limit")
    hidden_text: Literal["leave out", "keep"] = Field(
        default="leave out", description="text of a PDF that nobody can see: left out of search and answers, or kept"
    )
    chroma_url: str = Field(
        default="", description="a Chroma server that gets a copy of the vectors at each build: http://127.0.0.1:8000"
    )
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
        file = _SettingsFile(settings_cls)
        return init_settings, env_settings, file, _KeptReader(settings_cls), _KeyGuard(settings_cls)

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

    @cached_property
    def model_folders(self) -> tuple[Path, ...]:
        """Where converted models may be kept: beside the index, else in it, else in the user's own cache."""
        folders = [self.index_folder.parent / "models", self.index_folder / "models"]
        with suppress(RuntimeError):  # without a home there is no cache
            home = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME", "")
            folders.append((Path(home) if home else Path.home() / ".cache").expanduser() / "rag-app" / "models")
        return tuple(folders)

    @cached_property
    def users_file(self) -> Path:
        """Where the users are kept: RAG_USERS, or a file beside the index."""
        return self.users.expanduser().resolve() if self.users else self.index_folder.parent / "users.json"

    @property
    def names_users_file(self) -> bool:
        """Whether the environment names that file. rag_app.toml may be somebody else's, as the folder may."""
        return bool(os.environ.get("RAG_USERS"))


class _SettingsFile(TomlConfigSettingsSource):
    """rag_app.toml of the current folder."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        return _read_settings_file(Path(file_path))


class _KeptReader(PydanticBaseSettingsSource):
    """The reader that the user keeps, unless any part of one is named elsewhere: a key is for its own server only."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[object, str, bool]:
        """Not used: the file is read as a whole."""
        return None, field_name, False

    def __call__(self) -> dict[str, object]:
        if any(name in self.current_state for name in READER_FIELDS):
            return {}
        try:
            file = kept_reader_file()
            kept = _read_settings_file(file) if file else {}
        except SettingsError:
            return {}  # _file_problem says what is wrong with it
        return {name: kept[name] for name in READER_FIELDS if isinstance(kept.get(name), str)}


class _KeyGuard(PydanticBaseSettingsSource):
    """Adds nothing: it refuses a key of the environment at an address of rag_app.toml, and the other way round.

    Whoever wrote a file that lies in the current folder could otherwise have the key sent to a server of their own.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[object, str, bool]:
        """Not used: the sources are compared as wholes."""
        return None, field_name, False

    def __call__(self) -> dict[str, object]:
        own: dict[str, object] = {}  # what this process was given: by its environment or by its caller
        file: dict[str, object] = {}
        for name, values in self.settings_sources_data.items():
            if name == _SettingsFile.__name__:
                file = values
            elif name != _KeptReader.__name__:
                own = {**values, **own}
        problem = _key_problem(own, file) or _chroma_key_problem(own, file)
        if problem:
            raise SettingsError(problem)
        return {}


def _key_problem(own: dict[str, object], file: dict[str, object]) -> str:
    """Why the key must not be used at the address that results, with the remedy; empty when it may."""
    together = {**file, **own}
    if str(together.get("llm", "")).strip().lower() in ("none", "local"):
        return ""  # nobody is sent a key
    address = _server_address(together)
    if _secret(own.get("llm_api_key")):
        if address == _server_address(own):
            return ""
        named = "llm_base_url" if file.get("llm_base_url") else "llm"
        return (
            f"{SETTINGS_FILE} sets {named}, and the key in RAG_LLM_API_KEY was not given for that server. "
            f"Set RAG_{named.upper()} in the environment too, or put the key into {SETTINGS_FILE} (chmod 600)."
        )
    if "llm_api_key" not in own and _secret(file.get("llm_api_key")) and address != _server_address(file):
        return (
            f"The environment names another model server than {SETTINGS_FILE}, whose llm_api_key is for its own. "
            "Set RAG_LLM_API_KEY for that server, or unset RAG_LLM and RAG_LLM_BASE_URL."
        )
    return ""


def _chroma_key_problem(own: dict[str, object], file: dict[str, object]) -> str:
    """The same of what Chroma's client would send from its own variables, whoever named the server."""
    if "chroma_url" in own or not file.get("chroma_url"):
        return ""
    held = sorted(name for name, value in os.environ.items() if value and name.upper().startswith(CHROMA_KEYS))
    if not held:
        return ""
    return (
        f"{SETTINGS_FILE} sets chroma_url, and {held[0]} was not given for that server. "
        f"Set RAG_CHROMA_URL in the environment too, or unset {held[0]}."
    )


def _server_address(values: dict[str, object]) -> str:
    """Where a key would go: the address, else the provider's name; empty for neither."""
    provider = str(values.get("llm", "")).strip().lower()
    return str(values.get("llm_base_url", "")).strip() or (provider if provider in PROVIDERS else "")


def _secret(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")


def load_settings(**overrides: object) -> Settings:
    """Read the environment and rag_app.toml once. Raises SettingsError naming each wrong or misspelt key."""
    problems = _unknown_variables()
    problem = _file_problem()
    if problem:
        raise SettingsError(" ".join([*problems, problem]))
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks the values
    except ValidationError as error:
        raise SettingsError(" ".join([*problems, *_sentences(error)])) from error
    if problems:
        raise SettingsError(" ".join(problems))
    return settings


def examine_settings() -> tuple[Settings, tuple[str, ...]]:
    """The settings with the default in place of each wrong one, and a sentence for each of those. Never raises."""
    problems = _unknown_variables()
    file_problem = _file_problem()
    if file_problem:
        problems.append(file_problem)
    defaults: dict[str, object] = {}
    try:
        _WithoutFile() if file_problem else Settings()
    except SettingsError as error:
        problems.append(str(error))
        return _WithoutFile(), tuple(problems)
    except ValidationError as error:
        problems += _sentences(error)
        wrong = {str(fault["loc"][0]) for fault in error.errors() if fault["loc"]} & Settings.model_fields.keys()
        defaults = {name: Settings.model_fields[name].get_default(call_default_factory=True) for name in wrong}
    kind = _WithoutFile if file_problem else _Lenient
    return kind(**defaults), tuple(problems)  # type: ignore[arg-type]


class _Lenient(Settings):
    """Settings that overlook keys they do not know, for looking at what else is wrong."""

    model_config = SettingsConfigDict(extra="ignore")


class _WithoutFile(_Lenient):
    """Settings from the environment alone, where rag_app.toml cannot be read."""

    model_config = SettingsConfigDict(toml_file=None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings


def _unknown_variables() -> list[str]:
    known = {_variable(name) for name in Settings.model_fields}
    unknown = sorted(key for key in os.environ if key.upper().startswith("RAG_") and key.upper() not in known)
    return [f"{key}: no such setting. {_hint(key.upper(), sorted(known))}" for key in unknown]


def _file_problem() -> str:
    """What keeps a file of settings from being read; empty when nothing does, or when there is none."""
    for path in filter(None, (Path(SETTINGS_FILE), kept_reader_file())):
        try:
            _read_settings_file(path)
        except SettingsError as error:
            return str(error)
    return ""


def _read_settings_file(path: Path) -> dict[str, object]:
    """What a file of settings holds; nothing where there is none. Opened once: what is read is what was looked at.

    Raises SettingsError, with the remedy, for what is no regular file, cannot be read, or shows a key to others.
    """
    try:
        with open_regular(path) as stream:
            found = tomllib.loads(stream.read().decode("utf-8"))
            mode = os.fstat(stream.fileno()).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except IsADirectoryError as error:
        raise SettingsError(f"{path}: no regular file, but a folder. Remove it.") from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # of open_regular, whose words name the remedy
            raise SettingsError(f"{path}: {error.strerror}.") from error
        raise SettingsError(
            f"{path}: cannot be read ({error.strerror}). Correct its permissions or remove it."
        ) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, or not TOML
        raise SettingsError(f"{path}: not valid TOML: {error}. Correct the file or remove it.") from error
    held = ", ".join(name for name in sorted(SECRETS) if found.get(name))
    if os.name == "posix" and held and mode & 0o077:
        raise SettingsError(f"{path}: holds {held}, and others on this machine can read it. Run: chmod 600 {path}")
    return found


def _sentences(error: ValidationError) -> list[str]:
    """One sentence per wrong value. The value is left out: it may be a key."""
    sentences = []
    for fault in error.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in fault["loc"])
        variable = _variable(name)
        where = variable if os.environ.get(variable) else f"{name} in {SETTINGS_FILE}"
        if fault["type"] == "extra_forbidden":
            sentences.append(f"{where}: no such setting. {_hint(name.lower(), sorted(Settings.model_fields))}")
            continue
        meaning = Settings.model_fields[name].description if name in Settings.model_fields else ""
        sentences.append(f"{where}: {fault['msg'][0].lower()}{fault['msg'][1:]}. It means: {meaning}.")
    return sentences


def _hint(wrong: str, known: list[str]) -> str:
    close = difflib.get_close_matches(wrong, known, n=1)
    return f"Do you mean {close[0]}?" if close else f"The settings are: {', '.join(known)}."


def _variable(name: str) -> str:
    return f"RAG_{name.upper()}"
