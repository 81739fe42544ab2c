"""Which reader answers, said on the page; the settings panel changes it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from rag_app.errors import RagError
from rag_app.texts import Later, later, say
from rag_app.ui_markdown import shown
from rag_app.ui_render import VERBATIM_READERS

if TYPE_CHECKING:
    from rag_app.assistant import Assistant


_log = logging.getLogger(__name__)


class Note(Protocol):
    """What the screen shows of the reader."""

    @property
    def name(self) -> str: ...
    def html(self) -> str: ...


class ReaderNote:
    """The reader's name once it is open, or why it cannot be opened."""

    def __init__(self) -> None:
        self.name = ""
        self.problem: str | Later = ""

    def open(self, assistant: Assistant) -> None:
        """Open the reader now, so that the first question does not wait for it. Never raises."""
        try:
            self.name = assistant.reader.name
        except RagError as error:
            self.problem = str(error)
        except Exception as error:  # the outermost edge of its thread: the page must say it
            _log.exception("the reader could not be opened")
            self.problem = later("reader.not-opened", why=f"{type(error).__name__}: {error}")

    def html(self) -> str:
        """A line that says who answers, and what opens the settings."""
        if self.problem:
            line = f'<span class="failed">{shown(str(self.problem))}</span>'
        elif not self.name:
            line = say("reader.ready")
        elif self.name in VERBATIM_READERS:
            line = f"{say('reader.name')}<b>{say('reader.quoting')}</b>{say('reader.no-model')}"
        else:
            line = f"{say('reader.name')}<b>{shown(self.name)}</b>"
        change = f'<button type="button" class="text-button open-settings">{say("settings.open")}</button>'
        return f'<p class="reader">{line}</p>{change}'
