"""The first corpus of an installed program: the digests that come with it, in the user's data folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from rag_app.errors import CorpusError
from rag_app.settings import Settings, data_folder, starter_corpus


def is_corpus_to_make(settings: Settings) -> bool:
    """Whether the corpus is the user's own folder, which is not there before the first use."""
    corpus = settings.corpus.expanduser()
    return corpus == data_folder() / "corpus" and not corpus.exists()


def prepare_corpus(settings: Settings) -> Path:
    """The corpus folder; the user's own is made, with the digests, when it is not there yet. Raises CorpusError.

    A folder that the user names is never made: its name may be misspelt.
    """
    corpus = settings.corpus.expanduser()
    if not is_corpus_to_make(settings):
        return corpus
    temporary = corpus.with_name(f".corpus.{os.getpid()}.tmp")
    try:
        if starter_corpus().is_dir():
            shutil.copytree(starter_corpus(), temporary)
        else:
            temporary.mkdir(parents=True)
        os.replace(temporary, corpus)
    except OSError as error:
        if corpus.exists():  # another process was quicker
            shutil.rmtree(temporary, ignore_errors=True)
            return corpus
        raise CorpusError(
            f"{corpus}: cannot be made ({error.strerror}). Correct the permissions, or name a folder: RAG_CORPUS."
        ) from error
    return corpus
