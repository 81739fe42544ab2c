"""Every error a user can meet. Each message says what, where (file and page) and the remedy.

RagError
 ├── SettingsError        a setting is misspelt or has a wrong value
 ├── CorpusError          the corpus folder or its manifest
 │    └── PaperError      one file: broken, encrypted, empty
 ├── FetchError           a download failed
 ├── IndexFault           the index on disk
 │    ├── IndexMissing    nothing was built yet
 │    │    └── IndexOfOtherFolder  it holds the papers of another folder
 │    ├── IndexBusy       another process is building
 │    └── IndexMismatch   built by another version or embedder
 ├── ModelError           a learned part: weights missing, provider at fault
 │    ├── ModelUnreachable  refused, timed out, no such host
 │    ├── ModelDenied     401 or 403: the key
 │    ├── ModelBusy       429 or 5xx
 │    ├── ModelWindowExceeded  the prompt does not fit into the model
 │    └── ModelInterrupted  the stream ended before the answer did
 ├── QuestionError        a question that cannot be asked: empty, too long
 ├── AccountError         the users who may log in
 └── ExportError          an answer that cannot be exported in this format
      └── EvidenceError   an evidence file that cannot be checked
"""

from __future__ import annotations

import re

LONGEST_NAME, LONGEST_MESSAGE = 500, 20_000  # characters: of what has no gap, and of a whole message
_LONG_NAME = re.compile(rf"\S{{{LONGEST_NAME + 1},}}")


class RagError(Exception):
    """Root of all errors that carry a message for the user. What a file made too long to be read is cut."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(shorten(one) if isinstance(one, str) else one for one in arguments))


def shorten(message: str) -> str:
    """A message without the middle of long names, and without its own where it is still too long."""
    half = LONGEST_NAME // 2
    message = _LONG_NAME.sub(lambda name: f"{name[0][:half]}…{name[0][-half:]}", message)
    half = LONGEST_MESSAGE // 2
    return message if len(message) <= LONGEST_MESSAGE else f"{message[:half]} … {message[-half:]}"


class SettingsError(RagError):
    """A setting is misspelt or has a value that cannot be."""


class CorpusError(RagError):
    """The corpus folder or its manifest cannot be used."""


class PaperError(CorpusError):
    """One file cannot be read; the others go on."""


class FetchError(RagError):
    """A paper could not be downloaded."""


class IndexFault(RagError):
    """The index on disk cannot be used."""


class IndexMissing(IndexFault):
    """Nothing has been built yet."""


class IndexOfOtherFolder(IndexMissing):
    """There is an index, built from another folder of papers: of this folder nothing has been built yet."""


class IndexBusy(IndexFault):
    """Another process is building this index."""


class IndexMismatch(IndexFault):
    """The index was built by another version of the project or another embedder."""


class ModelError(RagError):
    """A learned part is missing or failed."""


class ModelUnreachable(ModelError):
    """The provider refused the connection or did not answer in time."""


class ModelDenied(ModelError):
    """The provider did not accept the key."""


class ModelBusy(ModelError):
    """The provider answered 429 or 5xx after the retries."""


class ModelWindowExceeded(ModelError):
    """The prompt has more tokens than the model takes."""


class ToolsRefused(ModelError):
    """The server takes no tools; it can be asked without them."""


class ModelInterrupted(ModelError):
    """The provider's stream ended before the answer did."""


class QuestionError(RagError):
    """The question is empty, too long or not text."""


class ExportError(RagError):
    """An answer cannot be exported in this format, or to this file."""


class EvidenceError(ExportError):
    """An evidence file is broken, or not one at all."""


class HistoryFault(RagError):
    """The conversations on disk cannot be used."""


class NoteConflict(RagError):
    """A note cannot be written: it was changed elsewhere, or is too long."""


class AccountError(RagError):
    """The users of the page cannot be used or changed."""
