"""pdfium's functions called with addresses as numbers: a third of the time per call, and there are several per word."""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import pypdfium2.raw as pdfium

ADDRESS, INTEGER, FLOAT = ctypes.c_void_p, ctypes.c_int, ctypes.c_float


def direct(function: object, result: type | None, *arguments: type) -> Callable[..., Any]:
    """A function of pypdfium2.raw that takes and gives plain numbers, its addresses among them."""
    address = ctypes.cast(function, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
    return ctypes.PYFUNCTYPE(result, *arguments)(address)  # each returns at once, so the interpreter's lock stays


def call_each(function: Callable[..., Any], *arguments: Iterable[Any]) -> None:
    """Call a function for what it writes, with each of the arguments in turn: without a step of the interpreter."""
    deque(map(function, *arguments), maxlen=0)


_loose_box = direct(pdfium.FPDFText_GetLooseCharBox, INTEGER, ADDRESS, INTEGER, ADDRESS)


def read_loose_boxes(textpage: int | None, indices: Sequence[int]) -> np.ndarray:
    """Left, top, right, bottom of characters, float32 (n, 4), as wide and high as their font says; else zeros."""
    boxes = np.zeros((len(indices), 4), np.float32)
    place = boxes.ctypes.data
    call_each(_loose_box, repeat(textpage), indices, range(place, place + boxes.nbytes, 16))
    return boxes
