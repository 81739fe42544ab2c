"""The user's choice of a model: tested with one short call, put into settings, and kept on this machine on request."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from rag_app.errors import ModelError, RagError, SettingsError
from rag_app.models.llm.client import open_language_model
from rag_app.models.llm.providers import PRESETS, chat_models
from rag_app.models.llm.servers import Endpoint, ascii_netloc, is_loopback, list_models
from rag_app.settings import READER_FIELDS, Settings, kept_reader_file, reader_file

OWN = "own"  # a server of the user's, by its address
NAMES = ("auto", "none", *PRESETS, "local", OWN)
TRIAL_SECONDS = 20.0  # without a token
TRIAL_WINDOW = 8192  # tokens: told, so that the server need not be asked for it
ENOUGH = 60  # characters of an answer that is only tried
LISTING_SECONDS = 5.0
LONGEST_FIELD = 2_000  # characters
LEFTOVER_AGE = 60.0  # seconds after which half a file belongs to nobody


@dataclass(frozen=True)
class ReaderChoice:
    """A reader as the user names it. The key is left out of repr."""

    name: str = "auto"  # one of NAMES
    base_url: str = ""
    model: str = ""
    key: str = field(default="", repr=False)


@dataclass(frozen=True)
class ReaderTestResult:
    """What came of one tiny call. `models` are those that the server lists, as far as they can answer."""

    works: bool
    message: str
    models: tuple[str, ...] = ()


def choice_of(settings: Settings) -> ReaderChoice:
    """The choice that the settings hold. An address is told without user name and password."""
    named = settings.llm.strip()
    name = named.lower() or "auto"
    model = settings.llm_model
    if name not in NAMES:  # a model's name stands there
        name, model = "auto", model or named
    if name == "auto" and settings.llm_base_url:
        name = OWN
    return ReaderChoice(name, _strip_credentials(settings.llm_base_url), model, settings.llm_api_key.get_secret_value())


def with_choice(settings: Settings, choice: ReaderChoice) -> Settings:
    """The settings with this reader in place of theirs.

    Without a key, the one in use goes on being used, but only for the same server: no key reaches another. Raises
    SettingsError for what cannot be a choice; nothing is asked.
    """
    if choice.name not in NAMES or max(len(choice.base_url), len(choice.model), len(choice.key)) > LONGEST_FIELD:
        raise SettingsError(f"There is no such reader. Choose one of: {', '.join(NAMES)}.")
    if choice.name == OWN and not choice.base_url.strip():
        raise SettingsError("Type the server's address. It looks like http://127.0.0.1:8080/v1.")
    asks = choice.name in (*PRESETS, OWN)
    before = choice_of(settings)
    same = (choice.name, _comparable_url(choice.base_url)) == (before.name, _comparable_url(before.base_url))
    key = choice.key.strip() or (before.key if same else "")
    changes: dict[str, object] = {
        "llm": "auto" if choice.name == OWN else choice.name,
        "llm_base_url": choice.base_url.strip() if asks else "",
        "llm_model": choice.model.strip() if choice.name != "none" else "",
        "llm_api_key": key if asks else "",
    }
    # Only fields that are set are handed on: the folder of the index is worked out from them as before.
    return Settings(**{**settings.model_dump(), **changes})


def try_reader(settings: Settings) -> ReaderTestResult:
    """Ask the model that the settings name for one word. Never raises: what is wrong is the message."""
    changes = {"llm_timeout": min(settings.llm_timeout, TRIAL_SECONDS), "llm_window": TRIAL_WINDOW}
    began = time.monotonic()
    try:
        model = open_language_model(Settings(**{**settings.model_dump(), **changes}))
        if model is None:
            return ReaderTestResult(True, _without_model(settings))
        try:
            said = _first_words(
                model.stream("This tests a connection.", "Answer with one word: ready", threading.Event())
            )
        except RagError as error:
            return ReaderTestResult(False, str(error), _models(model.endpoint))
    except RagError as error:
        return ReaderTestResult(False, str(error))
    endpoint = model.endpoint
    if not said:
        return ReaderTestResult(
            False, f"{endpoint.where} sent an empty answer. Choose another model.", _models(endpoint)
        )
    goes = (
        "Nothing leaves this machine." if is_loopback(endpoint.base_url) else "Passages of your papers will go there."
    )
    seconds = time.monotonic() - began
    message = f"It works: {endpoint.model} at {endpoint.where} answered “{said}” within {seconds:.1f} s. {goes}"
    return ReaderTestResult(True, message, _models(endpoint))


def _without_model(settings: Settings) -> str:
    if settings.llm.strip().lower() == "none":
        return "No model: answers are the papers’ own sentences. Nothing leaves this machine."
    return "No model server runs on this machine now, so answers are the papers’ own sentences."


def _first_words(stream: Generator[str, None, object]) -> str:
    said = ""
    with contextlib.closing(stream) as pieces:
        for piece in pieces:
            said += piece
            if len(said) > ENOUGH:
                break
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in said).split())
    return text if len(text) <= ENOUGH else text[: ENOUGH - 1] + "…"


def _models(endpoint: Endpoint) -> tuple[str, ...]:
    try:
        return tuple(chat_models(list_models(endpoint, LISTING_SECONDS))[:200])
    except ModelError:  # the trial itself says what is wrong
        return ()


# -- words ----------------------------------------------------------------------------------------------------------

_WORDS = (
    (r"\[(?:Errno|WinError) \d+\] (?:Connection refused|No connection could be made.*?it)", "no server listens there"),
    (
        r"\[Errno -?\d+\] (?:Name or service not known|Temporary failure in name resolution|nodename nor.*?known)",
        "there is no such name, or no network",
    ),
    (r"Connect call failed \([^)]*\)|All connection attempts failed", "no server listens there"),
    (r"\[(?:Errno|WinError) -?\d+\] ", ""),
    (r"RAG_LLM=\w+: ", ""),
    (r",? or set RAG_LLM=none(?: to read without a model)?", ", or choose “No model”"),
    (r",? or set RAG_LLM\b", ", or choose"),
    (r" or RAG_LLM_API_KEY", " or type the key"),
    (r"Check the network and RAG_LLM_BASE_URL", "Check the network and the address"),
    (r"Check RAG_LLM_API_KEY", "Check the key"),
    (r"Set RAG_LLM_MODEL to one of", "Choose one of its models"),
    (r"[Nn]ame it in RAG_LLM_MODEL", "type its name"),
    (r"Set RAG_LLM_BASE_URL to", "Type"),
    (r"Put the key into RAG_LLM_API_KEY", "Type the key into its own field"),
    (r"raise RAG_LLM_TIMEOUT", "wait a little"),
    (r"RAG_LLM_BASE_URL", "the address"),
    (r"RAG_LLM_API_KEY", "the key"),
    (r"RAG_LLM_MODEL", "the model"),
)


def adapt_for_form(message: str, key: str = "") -> str:
    """A message about RAG_* variables for somebody who fills in fields; the key never stands in it."""
    for pattern, words in _WORDS:
        message = re.sub(pattern, words, message)
    message = message[:1].upper() + message[1:]
    return message.replace(key, "***") if key else message


def _strip_credentials(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    except ValueError:
        return ""


def _comparable_url(url: str) -> str:
    """The address as it is looked up, so that two are the same only when they are one server's."""
    bare = _strip_credentials(url).rstrip("/").removesuffix("/v1")
    try:
        parts = urlsplit(bare)
        return urlunsplit(parts._replace(scheme=parts.scheme.lower(), netloc=ascii_netloc(parts)))
    except (ValueError, SettingsError):
        return bare


# -- keeping --------------------------------------------------------------------------------------------------------


def keep_reader(settings: Settings) -> Path:
    """Write the reader of the settings, key included, into the user's own file, readable by nobody else.

    Raises SettingsError when it cannot be written.
    """
    path = reader_file()
    texts = {name: str(getattr(settings, name)) for name in READER_FIELDS}
    texts["llm_api_key"] = settings.llm_api_key.get_secret_value()
    lines = ["# The reader chosen in the page or by: python -m rag_app reader --keep", *_toml(texts)]
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Created with its mode: there is no moment in which others could read it.
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written ({error.strerror}). Correct its permissions.") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    _delete_leftovers(path)
    return path


def _delete_leftovers(path: Path) -> None:
    """Take away what killed programs left unfinished: a key may be in it."""
    for left in path.parent.glob(f".{path.name}.*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > LEFTOVER_AGE:
                left.unlink()


def _toml(texts: dict[str, str]) -> list[str]:
    # A JSON string is a TOML string, but for DEL and for characters beyond 16 bits, which JSON writes as two halves.
    return [
        f"{name} = {json.dumps(text, ensure_ascii=False).replace(chr(127), '')}" for name, text in texts.items() if text
    ]


def forget_reader() -> bool:
    """Delete what is kept. Returns whether there was anything. Raises SettingsError when it cannot be deleted."""
    path = reader_file()
    _delete_leftovers(path)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise SettingsError(f"{path}: cannot be deleted ({error.strerror}). Delete it by hand.") from error
    return True


def is_reader_kept() -> bool:
    """Whether a reader is kept on this machine."""
    file = kept_reader_file()
    return file is not None and file.is_file()


def overriding_variables() -> tuple[str, ...]:
    """The variables that go before what is kept."""
    return tuple(f"RAG_{name.upper()}" for name in READER_FIELDS if os.environ.get(f"RAG_{name.upper()}", "").strip())


def key_source(settings: Settings, name: str, base_url: str = "") -> str:
    """Where a key for this reader comes from, in words and never its text; empty where there is none."""
    before = choice_of(settings)
    if before.key and (name, _comparable_url(base_url)) == (before.name, _comparable_url(before.base_url)):
        if os.environ.get("RAG_LLM_API_KEY", "").strip() == before.key:
            return "set in RAG_LLM_API_KEY"
        return f"kept in {reader_file()}" if _is_key_kept(before.key) else "set, in memory only"
    variable = PRESETS[name].key_variable if name in PRESETS and not base_url else ""
    return f"set in {variable}" if variable and os.environ.get(variable, "").strip() else ""


def _is_key_kept(key: str) -> bool:
    try:
        file = kept_reader_file()
        return file is not None and key in file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
