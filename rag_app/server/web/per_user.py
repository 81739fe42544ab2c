"""One page object per user: no user can name another's conversations, places, pictures or events."""

from __future__ import annotations

import asyncio
import html
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

import anyio.to_thread
from fastapi import FastAPI

from rag_app.server.i18n import LazyText, translate
from rag_app.server.security.gate import Message, Receive, RequestTimeout, Scope, Send

if TYPE_CHECKING:
    from rag_app.server.security.accounts import Accounts
    from rag_app.server.web.settings_panel import ReaderNote


THREADS_PER_USER = 24  # as many answers may come at once in one user's page
MOST_THREADS = 400
_log = logging.getLogger(__name__)


@dataclass
class _UserPage:
    app: FastAPI
    task: asyncio.Task[None] | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    end: asyncio.Event = field(default_factory=asyncio.Event)

    async def run_lifespan(self) -> None:
        async with self.app.router.lifespan_context(self.app):
            self.ready.set()
            await self.end.wait()


def _without_place(scope: Scope) -> Scope:
    """The request for the page without the place that its address names ("?paper=…&page=3"): the browser opens that.

    The web library has pages of its own, takes "page" for the name of one, and fails.
    """
    if scope["path"].removeprefix(scope.get("root_path", "") or "") not in ("", "/"):
        return scope
    asked = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    return {**scope, "query_string": urlencode([one for one in asked if one[0] != "page"]).encode()}


class PerUserPages:
    """Sends each request to the page of scope["user"], which is made when the user first comes.

    By construction no session, event, place or picture is shared: what the web library keeps, it keeps per page. One
    page takes about 5 MB and half a second to make.
    """

    def __init__(self, make: Callable[[str], FastAPI]) -> None:
        self._make = make
        self._pages = {"": _UserPage(make(""))}  # the page of whoever needs no log-in, there from the start
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._handle_lifespan(receive, send)
        page = await self._page_of(scope.get("user", ""))
        try:
            await page.app(_without_place(scope), receive, send)
        except RequestTimeout:
            raise
        except Exception as error:  # the web library has answered 500 to a request that no page of ours makes
            what = f"{scope.get('method')} {scope['path'][:200]!r}"
            _log.warning("%s could not be served (%s: %.200r)", what, type(error).__name__, str(error))
            _log.debug("it came from here", exc_info=error)

    async def _page_of(self, user: str) -> _UserPage:
        if user in self._pages:
            return self._pages[user]
        async with self._making:
            if user not in self._pages:
                page = _UserPage(await asyncio.to_thread(self._make, user))
                await self._open(page)
                self._pages[user] = page
                threads = anyio.to_thread.current_default_thread_limiter()
                threads.total_tokens = min(MOST_THREADS, threads.total_tokens + THREADS_PER_USER)
            return self._pages[user]

    async def _open(self, page: _UserPage) -> None:
        """A task of its own holds the page open, since it has to be closed by the task that opened it."""
        page.task = asyncio.create_task(page.run_lifespan())
        ready = asyncio.create_task(page.ready.wait())
        await asyncio.wait({page.task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if page.task.done():
            ready.cancel()
            page.task.result()  # raises what kept it from opening

    async def _handle_lifespan(self, receive: Receive, send: Send) -> None:
        message: Message = await receive()
        await self._open(self._pages[""])
        await send({"type": "lifespan.startup.complete"})
        while message["type"] != "lifespan.shutdown":
            message = await receive()
        for page in self._pages.values():
            page.end.set()
            if page.task is not None:
                with suppress(Exception):  # the process ends in any case
                    await page.task
        await send({"type": "lifespan.shutdown.complete"})


class UserReaderNote:
    """The note on who reads; below it who has logged in, and the way out, where one has to log in."""

    def __init__(self, note: ReaderNote, user: str, root_path: str, accounts: Accounts) -> None:
        self._note = note
        self._user = user
        self._accounts = accounts
        self._home = urlsplit(root_path).path.rstrip("/") + "/"

    @property
    def name(self) -> str:
        return self._note.name

    @property
    def problem(self) -> str | LazyText:
        return self._note.problem

    def html(self) -> str:
        """The note as HTML."""
        if not self._accounts.is_required:
            return self._note.html()
        who = translate("reader.logged-in")
        if self._user:
            who = f"{translate('reader.logged-in-as')} <b>{html.escape(self._user)}</b>"
        action = html.escape(f"{self._home}logout", quote=True)
        button = f'<button class="text-button">{translate("login.log-out")}</button>'
        return f'{self._note.html()}<form class="account" method="post" action="{action}">{who} {button}</form>'
