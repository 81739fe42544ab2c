"""Addresses that open the page at a place: which paper, which page, which words."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from rag_app.records import Citation
from rag_app.settings import Settings

LONGEST_WORDS = 300  # characters of the words in an address; the rest of a quote stands behind them


def place_url(base: str, paper: str, page: int = 1, words: str = "") -> str:
    """The address under which the page opens there. `base` ends with no slash."""
    asked: dict[str, str | int] = {"paper": paper, "page": page}
    short = _shorten(words)
    return f"{base}/?{urlencode(asked | ({'words': short} if short else {}), errors='replace')}"


def citation_url(base: str, citation: Citation) -> str:
    """The address of the cited words."""
    return place_url(base, citation.paper, citation.page, citation.quote if citation.verified else "")


def base_of(settings: Settings, origin: str = "") -> str:
    """Where the page is: RAG_ROOT_PATH if a full URL, else below `origin`, else where the settings serve it."""
    if "://" in settings.root_path:
        return settings.root_path.rstrip("/")
    secure = "s" if settings.tls_certificate else ""
    host = settings.host if ":" not in settings.host else f"[{settings.host.strip('[]')}]"
    here = origin or f"http{secure}://{'127.0.0.1' if host in ('0.0.0.0', '[::]') else host}:{settings.port}"
    return f"{here}{urlsplit(settings.root_path).path.rstrip('/')}"


def _shorten(words: str) -> str:
    plain = " ".join(words.split())
    return plain if len(plain) <= LONGEST_WORDS else plain[:LONGEST_WORDS].rpartition(" ")[0]
