"""Which reader answers, said on the page, and how to give it a model."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol

from rag_app.errors import RagError
from rag_app.settings import SETTINGS_FILE
from rag_app.ui_markdown import shown
from rag_app.ui_render import VERBATIM_READERS

if TYPE_CHECKING:
    from rag_app.assistant import Assistant

HOW_TO_GIVE_A_MODEL = (
    ('llm = "ollama"', "a model server on this machine; Ollama, LM Studio and llama.cpp are also found unasked"),
    ('llm = "local"', "the small model that comes with it, in this process"),
    ('llm = "openai"', "a provider, with its key in OPENAI_API_KEY; the passages then leave this machine"),
)
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
        self.problem = ""

    def open(self, assistant: Assistant) -> None:
        """Open the reader now, so that the first question does not wait for it. Never raises."""
        try:
            self.name = assistant.reader.name
        except RagError as error:
            self.problem = str(error)
        except Exception as error:  # the outermost edge of its thread: the page must say it
            _log.exception("the reader could not be opened")
            self.problem = f"The reader could not be opened ({type(error).__name__}: {error})."

    def html(self) -> str:
        """A line that says who answers, and below it how to change that."""
        if self.problem:
            line = f'<span class="failed">{shown(self.problem)}</span>'
        elif not self.name:
            line = "Reader: getting ready"
        elif self.name in VERBATIM_READERS:
            line = "Reader: <b>quoting</b> — no model; it answers with the papers’ own sentences"
        else:
            line = f"Reader: <b>{shown(self.name)}</b>"
        lines = "".join(
            f"<dt>{shown(setting)}</dt><dd>{shown(meaning)}</dd>" for setting, meaning in HOW_TO_GIVE_A_MODEL
        )
        return (
            f'<p class="reader">{line}</p><details class="how"><summary>Give it a model</summary>'
            f"<p>Write one of these lines into {SETTINGS_FILE} and start again:</p><dl>{lines}</dl></details>"
        )
