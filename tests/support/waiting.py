"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(holds: Callable[[], object]) -> bool:
    """Whether `holds()` comes true within a minute."""
    for _ in range(1200):
        if holds():
            return True
        time.sleep(0.05)
    return False
