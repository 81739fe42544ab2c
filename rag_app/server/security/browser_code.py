"""What opens the page in the browser that the program starts. Every user of a machine reads the command lines of all.

So the address that the browser is given holds a code in place of the token: it opens the page once, within two minutes,
and on Linux only to this user, whom the system names for every connection of this machine.
"""

from __future__ import annotations

import hmac
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from rag_app.models.llm.listeners import is_own_connection

PARAMETER = "code"  # of the address
LASTS = 120.0  # seconds: a browser that has to be unpacked first takes its time


class BrowserCode:
    """At most one code at a time. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._code, self._until = "", 0.0
        self._lock = threading.Lock()

    def make(self) -> str:
        """A new code; empty where the system neither names users nor hides what the browser is started with."""
        if not _is_private():
            return ""
        with self._lock:
            self._code, self._until = secrets.token_urlsafe(32), self._clock() + LASTS
            return self._code

    def redeem(self, code: str, scope: Mapping[str, Any]) -> bool:
        """Whether the request may have the page for its code, which is then used up. Another user does not use it."""
        with self._lock:
            known = bool(self._code) and hmac.compare_digest(code.encode("utf-8", "replace"), self._code.encode())
            if not known or self._clock() > self._until or not _is_ours(scope):
                return False
            self._code = ""
            return True


def _is_private() -> bool:
    """Windows shows command lines to their own user only; macOS hands addresses over in a message."""
    return sys.platform in ("linux", "win32") or (sys.platform == "darwin" and not os.environ.get("BROWSER"))


def _is_ours(scope: Mapping[str, Any]) -> bool:
    if sys.platform != "linux":
        return True
    client, server = scope.get("client"), scope.get("server")
    return client is not None and server is not None and is_own_connection(tuple(client[:2]), tuple(server[:2]))
