"""Serve the page: on this machine only, up within seconds, usable while the first index is being built."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import webbrowser
from typing import TYPE_CHECKING

from rag_app.errors import RagError, SettingsError
from rag_app.history import History, history_file
from rag_app.settings import Settings
from rag_app.ui_arrivals import Arrivals
from rag_app.ui_library import BuildJob
from rag_app.ui_safety import Gate, allowed_hosts, loopback

if TYPE_CHECKING:
    import uvicorn

    from rag_app.assistant import Assistant
    from rag_app.ui_reader import ReaderNote

START_PATIENCE = 60.0  # seconds


class Page:
    """A page that is being served. `url` opens it; `stop()` ends it."""

    def __init__(self, server: uvicorn.Server, listener: socket.socket, arrivals: Arrivals) -> None:
        host, port = listener.getsockname()[:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self.arrivals = arrivals
        self.job = arrivals.job
        self._server = server
        self._thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True, name="page")

    def start(self) -> None:
        """Begin to serve. Returns once requests are answered; raises RagError when that fails."""
        self._thread.start()
        until = time.monotonic() + START_PATIENCE
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > until:
                raise RagError(f"The page could not be served at {self.url}. The log above says why; start it again.")
            time.sleep(0.02)

    def wait(self) -> None:
        """Serve until the program is interrupted (Ctrl-C)."""
        try:
            while self._thread.is_alive():
                self._thread.join(0.5)
        except KeyboardInterrupt:
            print("\nStopping.")
        finally:
            self.stop()

    def rebuild(self) -> None:
        """Bring the index up to date in the background, after a build that runs now."""
        self.job.start(after_this_one=True)

    def stop(self) -> None:
        """End serving and a build that runs; what the build finished is kept."""
        self.arrivals.cancel()
        self.job.stop()
        self._server.should_exit = True
        self._thread.join(5.0)


def serve(assistant: Assistant, settings: Settings, *, block: bool = True) -> Page:
    """Serve the page for `assistant`; a missing or stale index is built meanwhile, in the background.

    With `block` it returns when the program is interrupted, else at once. Raises SettingsError for an address that
    other machines can reach and for a port that is taken.
    """
    listener = _listen(loopback(settings.host), settings.port)
    arrivals = Arrivals(assistant.build, settings)
    page = Page(_server(assistant, settings, arrivals), listener, arrivals)
    page.start()
    print(f"Open {page.url} (Ctrl-C ends it)", flush=True)
    if block:
        page.wait()
    return page


def kept_history(settings: Settings) -> History:
    """The conversations about these papers; no key of the settings or the environment is ever written into them."""
    keys = [value for name, value in os.environ.items() if name.upper().endswith("_API_KEY")]
    return History(history_file(settings.index_folder), (*keys, settings.llm_api_key.get_secret_value()))


def open_in_browser(url: str) -> bool:
    """Open the page in the user's browser. Returns False where there is none: in CI, or with no display."""
    has_display = sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return has_display and not os.environ.get("CI") and webbrowser.open(url)


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if os.name == "posix":  # a page that has just ended must not keep the port; on Windows this would steal it
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"RAG_PORT={port}: {host} port {port} cannot be used ({error.strerror}). Another page may run there; "
            "end it, or choose another port: RAG_PORT=0 takes any free one."
        ) from error
    listener.listen(128)
    return listener


def _server(assistant: Assistant, settings: Settings, arrivals: Arrivals) -> uvicorn.Server:
    import uvicorn  # noqa: PLC0415  # with gradio, a second of imports that the command line must not pay
    from fastapi import FastAPI  # noqa: PLC0415

    from rag_app.ui_growing import growing_routes  # noqa: PLC0415
    from rag_app.ui_reader import ReaderNote  # noqa: PLC0415
    from rag_app.ui_screen import mount_screen  # noqa: PLC0415

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    reader, history, job = ReaderNote(), kept_history(settings), arrivals.job
    growing = growing_routes(arrivals, assistant, settings, reader, history)
    mount_screen(app, assistant, job, reader, history, settings.root_path, growing)
    threading.Thread(target=_prepare, args=(assistant, job, reader), daemon=True, name="prepare").start()
    config = uvicorn.Config(
        Gate(app, allowed_hosts(settings.root_path)),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        ws="none",
    )
    return uvicorn.Server(config)


def _prepare(assistant: Assistant, job: BuildJob, reader: ReaderNote) -> None:
    """Open what the first question needs, and bring the index up to date."""
    reader.open(assistant)
    try:
        if assistant.is_stale():
            job.start()
        else:
            assistant.search("ready", top=1)  # opens the index and the embedder
    except RagError as error:
        job.failed, job.outcome = True, str(error)
