"""Serves the page: on this machine, or to users who log in. It is up within seconds, also while the index is built."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rag_app.errors import RagError, SettingsError
from rag_app.outputs.history import History
from rag_app.outputs.history_file import history_file
from rag_app.server.api.links import origin_of
from rag_app.server.build_job import BuildJob
from rag_app.server.security.accounts import SHORTEST, Accounts
from rag_app.server.security.browser_code import PARAMETER as CODE
from rag_app.server.security.browser_code import BrowserCode
from rag_app.server.security.gate import RequestGuard, allowed_hosts, listening_address
from rag_app.server.security.login import LOG_IN, LOG_OUT, LogInMiddleware
from rag_app.server.security.page_token import PARAMETER, load_page_token
from rag_app.server.uploads import Uploads
from rag_app.settings import Settings

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

    from rag_app.assistant import Assistant
    from rag_app.server.web.settings_panel import ReaderNote


START_PATIENCE = 60.0  # seconds
END_PATIENCE = 15.0  # seconds


class PageServer:
    """A page that is being served: at `url`; `address` opens it in a browser; `stop()` ends it."""

    def __init__(
        self,
        server: uvicorn.Server,
        listener: socket.socket,
        uploads: Uploads,
        preparing: threading.Thread,
        secure: bool = False,
    ) -> None:
        host, port = listener.getsockname()[:2]
        self.url = f"http{'s' if secure else ''}://{f'[{host}]' if ':' in host else host}:{port}"
        self.address = self.url
        self.browser_code: BrowserCode | None = None  # where the address alone does not open the page
        self.uploads = uploads
        self.job = uploads.job
        self._server = server
        self._preparing = preparing
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

    def open_in_browser(self) -> bool:
        """Open the page in the user's browser, whose command line others read: never with the token.

        Returns False where there is no browser: in CI, or with no display.
        """
        has_display = sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
        if not has_display or os.environ.get("CI"):
            return False
        code = self.browser_code.make() if self.browser_code else ""
        return webbrowser.open(f"{self.url}/?{CODE}={code}" if code else self.url)

    def rebuild(self) -> None:
        """Bring the index up to date in the background, after a build that runs now."""
        self.job.start(after_this_one=True)

    def stop(self) -> None:
        """End serving and a build that runs; what the build finished is kept."""
        self.uploads.cancel()
        self.job.stop()
        self._server.should_exit = True
        self._thread.join(5.0)
        self._preparing.join(END_PATIENCE)  # a program that ends while a model is being opened would crash


def serve(assistant: Assistant, settings: Settings, *, block: bool = True, page_token: str = "") -> PageServer:
    """Serve the page for `assistant`; a missing or stale index is built meanwhile, in the background.

    While nobody needs to log in, the page opens only with the `page_token` where one is given (load_page_token).
    With `block` it returns when the program is interrupted, else at once. Raises SettingsError for an address that
    other machines can reach while nobody needs to log in, for a port that is taken, and for a certificate or key that
    cannot be used; AccountError for a file of
    users that cannot be used.
    """
    _refuse_key_alone(settings)
    accounts = _accounts(settings)
    host = listening_address(settings.host, accounts.is_required)
    listener = _listen(host, settings.port)
    uploads = Uploads(assistant.build, settings)
    secure = settings.tls_certificate is not None
    try:
        port, code = listener.getsockname()[1], BrowserCode()
        server, preparing = _server(assistant, settings, uploads, accounts, host, port, page_token, code)
        page = PageServer(server, listener, uploads, preparing, secure)
    except OSError as error:  # ssl's errors are some
        listener.close()
        raise SettingsError(_tls_problem(settings, error)) from error
    page.start()
    if page_token and not accounts.is_required:
        page.address = f"{page.url}/?{PARAMETER}={page_token}"
        # Behind a proxy the client's address is what a header says, and so may be anybody's.
        page.browser_code = None if settings.root_path else code
    print(f"Open {page.address} (Ctrl-C ends it)", flush=True)
    if host not in ("127.0.0.1", "::1") and not secure and not settings.root_path.startswith("https://"):
        print("Passwords and papers go over the network unencrypted; RAG_TLS_CERTIFICATE and RAG_TLS_KEY change that.")
    if block:
        page.wait()
    return page


def open_history(settings: Settings, user: str = "") -> History:
    """The user's conversations about these papers; no key of the settings or the environment is ever written there."""
    keys = [value for name, value in os.environ.items() if name.upper().endswith("_API_KEY")]
    own = [key.get_secret_value() for key in (settings.llm_api_key, settings.password)]
    return History(history_file(settings.index_folder, user), (*keys, *own))


def choose_page_token(settings: Settings, without: bool = False) -> str:
    """The token for `serve`; empty where the settings, or `without`, let every user of this machine open the page."""
    return "" if without or settings.page_token == "off" else load_page_token()


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


def _refuse_key_alone(settings: Settings) -> None:
    if settings.tls_key is not None and settings.tls_certificate is None:
        raise SettingsError(
            "RAG_TLS_KEY is set without RAG_TLS_CERTIFICATE, so the page would be served unencrypted. "
            "Set both, or neither."
        )


def _tls_problem(settings: Settings, error: OSError) -> str:
    if settings.tls_key is None:
        return (
            f"RAG_TLS_CERTIFICATE is set without RAG_TLS_KEY and holds no key of its own that can be used ({error}). "
            "Name the key's PEM file in RAG_TLS_KEY."
        )
    return f"RAG_TLS_CERTIFICATE, RAG_TLS_KEY: cannot be used ({error}). Name PEM files."


def _accounts(settings: Settings) -> Accounts:
    password = settings.password.get_secret_value()
    if password and len(password) < SHORTEST:
        raise SettingsError(f"RAG_PASSWORD: too short. Use at least {SHORTEST} characters.")
    return Accounts(settings.users_file, password, named=settings.names_users_file)


_OWN_FILES = tempfile.TemporaryDirectory(prefix="rag-app-", ignore_cleanup_errors=True)  # removed with the process


@contextmanager
def _gradio_environment() -> Iterator[None]:
    """What Gradio finds while it is imported: no proxies, and a folder for its files that is this process's alone.

    It makes a client then, which fails for a proxy of a kind that is not installed (SOCKS); the page itself asks
    nobody. Its usual folder, /tmp/gradio, belongs to whoever made it first: another user of the machine could close it.
    """
    os.environ["GRADIO_TEMP_DIR"] = _OWN_FILES.name
    hidden = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


def _server(
    assistant: Assistant,
    settings: Settings,
    uploads: Uploads,
    accounts: Accounts,
    host: str,
    port: int,
    page_token: str,
    browser_code: BrowserCode,
) -> tuple[uvicorn.Server, threading.Thread]:
    """The server, and the thread that opens what the first question needs."""
    import uvicorn  # noqa: PLC0415  # with gradio, a second of imports that the command line must not pay
    from fastapi import FastAPI  # noqa: PLC0415

    from rag_app.server.api.app import ApiMiddleware, make_api  # noqa: PLC0415
    from rag_app.server.security.slow_requests import limit_slow_requests, server_options  # noqa: PLC0415
    from rag_app.server.web.language import LanguageMiddleware  # noqa: PLC0415
    from rag_app.server.web.per_user import PerUserPages, UserReaderNote  # noqa: PLC0415
    from rag_app.server.web.routes import library_routes  # noqa: PLC0415

    with _gradio_environment():
        from rag_app.server.web.screen import mount_screen  # noqa: PLC0415
    from rag_app.server.web.settings_panel import ReaderNote  # noqa: PLC0415

    reader, job = ReaderNote(), uploads.job

    def make(user: str) -> FastAPI:
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        note, history = UserReaderNote(reader, user, settings.root_path, accounts), open_history(settings, user)
        make_library_routes = library_routes(
            uploads, assistant, settings, reader, history, lambda: accounts.is_required
        )
        mount_screen(app, assistant, job, note, history, settings.root_path, make_library_routes)
        return app

    origin = origin_of(host, port, settings.tls_certificate is not None)
    api = make_api(assistant, settings, job, lambda user: open_history(settings, user), origin)
    pages = ApiMiddleware(PerUserPages(make), api)
    log_in = LogInMiddleware(
        pages, accounts, settings.root_path, port, page_token=page_token, browser_code=browser_code
    )
    preparing = _start_preparing(assistant, job, reader)
    config = uvicorn.Config(
        RequestGuard(
            LanguageMiddleware(_compress_responses(limit_slow_requests(log_in)), settings.language),
            allowed_hosts(settings.root_path, host),
            (LOG_IN, LOG_OUT),
        ),
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        ws="none",
        # Who asks, by what name and how, is believed of a proxy only where the settings name one.
        proxy_headers=bool(settings.root_path),
        forwarded_allow_ips=["127.0.0.1", "::1"],
        **server_options(settings.tls_certificate, settings.tls_key),
    )
    config.load()  # a certificate that cannot be read is said now
    return uvicorn.Server(config), preparing


def _compress_responses(app: Any) -> Any:
    """The app; texts are sent compressed to whoever takes that. Streams, pictures, PDFs and archives stay."""
    from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware  # noqa: PLC0415

    packed = (*DEFAULT_EXCLUDED_CONTENT_TYPES, "application/pdf")
    return GZipMiddleware(app, minimum_size=1000, compresslevel=6, exclude_content_types=packed)


def _start_preparing(assistant: Assistant, job: BuildJob, reader: ReaderNote) -> threading.Thread:
    thread = threading.Thread(target=_prepare, args=(assistant, job, reader), daemon=True, name="prepare")
    thread.start()
    return thread


def _prepare(assistant: Assistant, job: BuildJob, reader: ReaderNote) -> None:
    """Open what the first question needs, and bring the index up to date."""
    reader.open(assistant)
    try:
        if assistant.is_stale():
            job.start(by_itself=True)
        else:
            assistant.search("ready", top=1)  # opens the index and the embedder
    except RagError as error:
        job.failed, job.outcome = True, str(error)
