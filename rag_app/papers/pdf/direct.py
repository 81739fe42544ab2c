"""pdfium's functions called with addresses as numbers: a third of the time per call, and there are several per word."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

ADDRESS, INTEGER, FLOAT = ctypes.c_void_p, ctypes.c_int, ctypes.c_float


def direct(function: object, result: type | None, *arguments: type) -> Callable[..., Any]:
    """A function of pypdfium2.raw that takes and gives plain numbers, its addresses among them."""
    address = ctypes.cast(function, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
    return ctypes.PYFUNCTYPE(result, *arguments)(address)  # each returns at once, so the interpreter's lock stays
