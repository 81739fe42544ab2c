"""Ask your papers a question. Every claim in the answer opens the exact words on the exact page.

>>> from rag_app import open_library
>>> answer = open_library("folder").ask("How large is the reader?")
"""

from __future__ import annotations

import os
import sys

# `python -m rag_app` looks for every module in the current folder first. That may be anybody's, and a file in it that
# is named as a library's would be run. Both modules above are there before any folder is looked at.
if sys.argv[:1] == ["-m"] and sys.path[:1] == [os.getcwd()] != [os.path.dirname(os.path.dirname(__file__))]:
    del sys.path[0]

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rag_app.assistant import Assistant, open_library
    from rag_app.outputs.save import save_answers
    from rag_app.records import Answer, Citation, Hit


__all__ = ["Answer", "Assistant", "Citation", "Hit", "open_library", "save_answers"]

_HOME = {
    "Assistant": "assistant",
    "open_library": "assistant",
    "Answer": "records",
    "Citation": "records",
    "Hit": "records",
    "save_answers": "outputs.save",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the processes that read papers must start quickly."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
