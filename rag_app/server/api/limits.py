"""How much one token may ask for: requests in a minute, and answers at the same time."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rag_app.server.api.errors import ApiError

MINUTE = 60.0  # seconds
CALLERS_KEPT = 10_000


class Limits:
    """Counts by caller. Thread-safe. `rate`: requests a minute; `at_once`: answers in the making; 0: no limit."""

    def __init__(self, rate: int, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._at_once = at_once
        self._clock = clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, caller: str) -> None:
        """Note a request. Raises ApiError 429, with the seconds to wait, for one too many."""
        if not self._rate:
            return
        with self._lock:
            now = self._clock()
            times = self._times.setdefault(caller, deque())
            self._times.move_to_end(caller)
            while len(self._times) > CALLERS_KEPT:
                self._times.popitem(last=False)
            while times and times[0] <= now - MINUTE:
                times.popleft()
            if len(times) >= self._rate:
                wait = max(1, math.ceil(times[0] + MINUTE - now))
                raise ApiError(
                    429,
                    "rate_limited",
                    f"More than {self._rate} requests in a minute. Try again in {wait} s (RAG_API_RATE).",
                    {"Retry-After": str(wait)},
                )
            times.append(now)

    def take(self, caller: str) -> Callable[[], None]:
        """Begin an answer; call what comes back when it has ended. Raises ApiError 429 for one too many at once."""
        with self._lock:
            if self._at_once and self._running[caller] >= self._at_once:
                raise ApiError(
                    429,
                    "too_many_at_once",
                    f"{self._at_once} answers are being made for you already. Wait for one to end (RAG_API_AT_ONCE).",
                    {"Retry-After": "1"},
                )
            self._running[caller] += 1

        def give_back() -> None:
            with self._lock:
                self._running[caller] -= 1
                if not self._running[caller]:
                    del self._running[caller]

        return give_back

    @contextmanager
    def hold(self, caller: str) -> Iterator[None]:
        """`take` for the time of a block."""
        give_back = self.take(caller)
        try:
            yield
        finally:
            give_back()
