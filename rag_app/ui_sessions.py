"""The page as the web library serves it, made to keep of each tab what it shows now and nothing that it has shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from rag_app.ui_conversation import SESSIONS_KEPT


class Page(gr.Blocks):
    """A page of which a tab's state does not grow with every press.

    When a handler changes how a part looks (or says to skip it), Gradio makes the part anew for the tab, under a new
    number. The next value is then kept under that number for as long as the page runs, with all that the part holds:
    about 150 kB for each question. With the number of the old one it takes its place.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.state_session_capacity = SESSIONS_KEPT  # 0.2 MB each; Gradio would keep 10,000

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list[Any]:
        """What a handler gave, as the browser gets it."""
        shown = await super().postprocess_data(block_fn, predictions, state)
        if state is not None:
            keep_numbers(block_fn.outputs, state)
        return shown

    def forget(self, session: str | None) -> None:
        """The tab was closed. Gradio ends only what has a time to live, and keeps the rest."""
        self.state_holder.session_data.pop(str(session), None)
        self.state_holder.time_last_used.pop(str(session), None)


def keep_numbers(parts: Sequence[Any], state: Any) -> None:
    """Parts that were made anew in a tab's state get the numbers of those whose places they took."""
    for part in parts:
        if part._id in state:
            state[part._id]._id = part._id
