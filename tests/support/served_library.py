"""A real library of two PDFs and a note, served with its interfaces: one token, one question that it can answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rag_app.assistant import Assistant
from rag_app.server.app import PageServer, serve
from rag_app.server.security.accounts import Accounts
from rag_app.settings import Settings
from tests.support.doubles import WordEmbedder, write_paper
from tests.support.pdfs import make_paper

FACT = "The otter reader has 220 million parameters and was trained for nine days."
QUESTION = "How many parameters does the otter reader have?"
SECOND = "The heron index holds 4,812 passages of marsh reports."


@dataclass(frozen=True)
class ServedLibrary:
    """Where it is served, and with which token."""

    server: PageServer
    assistant: Assistant
    settings: Settings
    token: str

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


def write_library(corpus: Path) -> Path:
    """Two PDFs and a note about animals."""
    corpus.mkdir(parents=True, exist_ok=True)
    make_paper(
        corpus / "otter.pdf",
        title="Otter: A Reader of Rivers",
        sections=[("1 Introduction", ["We study how rivers are read."]), ("2 Reader", [FACT, "It swims upstream."])],
    )
    make_paper(corpus / "heron.pdf", title="Heron: An Index of Marshes", sections=[("1 Index", [SECOND])])
    write_paper(corpus, "lynx.md", "lynx")
    return corpus


@contextmanager
def serve_library(folder: Path, embedder: WordEmbedder | None = None, **more: object) -> Iterator[ServedLibrary]:
    """Build and serve the library in `folder`; `more` are settings."""
    values: dict[str, object] = {
        "corpus": write_library(folder / "corpus"),
        "index": folder / "index" / "one",
        "llm": "none",
        "workers": 1,
        "port": 0,
    }
    settings = Settings(**{**values, **more})  # type: ignore[arg-type]
    assistant = Assistant(settings, embedder=embedder or WordEmbedder())
    assistant.build()
    token = Accounts(settings.users_file).add_token("test")
    server = serve(assistant, settings, block=False)
    try:
        yield ServedLibrary(server, assistant, settings, token)
    finally:
        server.stop()
