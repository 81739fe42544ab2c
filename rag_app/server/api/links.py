"""Addresses that open the page at a place: which paper, which page, which words."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlencode, urlsplit

from rag_app.outputs.places import recording_fragment
from rag_app.records import Citation
from rag_app.settings import Settings

RECORDING = "/reading/recording"  # the path of the recordings (web/reading_panel.py)
LONGEST_WORDS = 300  # characters of the words in an address; the rest of a quote stands behind them


def place_url(base: str, paper: str, page: int = 1, words: str = "") -> str:
    """The address under which the page opens there. `base` ends with no slash."""
    asked: dict[str, str | int] = {"paper": paper, "page": page}
    short = _shorten(words)
    return f"{base}/?{urlencode(asked | ({'words': short} if short else {}), errors='replace')}"


def citation_url(base: str, citation: Citation) -> str:
    """The address of the cited words."""
    return place_url(base, citation.paper, citation.page, citation.quote if citation.verified else "")


def recording_url(base: str, citation: Citation) -> str:
    """The address at which the recording of a cited talk plays."""
    fragment = recording_fragment(citation.paper, citation.label)
    return f"{base}{RECORDING}?{urlencode({'paper': citation.paper}, errors='replace')}{fragment}"


def base_of(settings: Settings, origin: str = "") -> str:
    """Where the page is: RAG_ROOT_PATH if a full URL, else below `origin`, else where the settings serve it."""
    if "://" in settings.root_path:
        return settings.root_path.rstrip("/")
    here = origin or origin_of(settings.host, settings.port, settings.tls_certificate is not None)
    return f"{here}{urlsplit(settings.root_path).path.rstrip('/')}"


def origin_of(host: str, port: int, secure: bool) -> str:
    """The address of a server that listens there, as this machine reaches it."""
    return f"http{'s' if secure else ''}://{_reachable(host)}:{port}"


def _reachable(host: str) -> str:
    """A name of this machine for an address that the server listens on; all addresses have no name."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host
    if address.is_unspecified:
        return "127.0.0.1"
    return f"[{address}]" if address.version == 6 else str(address)


def _shorten(words: str) -> str:
    plain = " ".join(words.split())
    return plain if len(plain) <= LONGEST_WORDS else plain[:LONGEST_WORDS].rpartition(" ")[0]
