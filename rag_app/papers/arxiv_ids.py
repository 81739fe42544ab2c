"""What an arXiv id is: read from what people type, from links and from file names. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

# The archives of the time before April 2007, when an id began with its archive. Only these: a file "report_2001001.pdf"
# is no arXiv paper.
_ARCHIVES = (
    "acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|cond-mat|cs|dg-ga|"
    "funct-an|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math-ph|math|mtrl-th|nlin|nucl-ex|nucl-th|patt-sol|physics|plasm-ph|"
    "q-alg|q-bio|quant-ph|solv-int|supr-con"
)
_NEW = r"(?P<new>\d{4}\.\d{4,5})"
_OLD = rf"(?P<archive>{_ARCHIVES})(?:\.[a-z]{{2}})?[/_-]?(?P<old>\d{{7}})"
_ID = rf"(?:{_NEW}|{_OLD})(?:v(?P<version>[1-9]\d{{0,2}}))?"
_TYPED = re.compile(rf"(?:arxiv:\s*)?{_ID}(?:\.pdf)?", re.ASCII | re.IGNORECASE)
_FILE_STEM = re.compile(rf"(?:arxiv[-_. :]*)?{_ID}(?P<tail>[^0-9a-z].*)?", re.ASCII | re.IGNORECASE | re.DOTALL)
_LINK_PATH = re.compile(r"/(?:abs|pdf|html|format|ps|src|e-print)/(?P<id>.+?)/?", re.ASCII | re.IGNORECASE)
_COPY_TAIL = re.compile(r"\s*\(\d+\)|", re.ASCII)  # what a browser adds to a second download
HOSTS = frozenset({"arxiv.org", "www.arxiv.org", "export.arxiv.org"})


@dataclass(frozen=True)
class ArxivId:
    """One arXiv paper: "2406.15319" or "hep-th/9901001", and its version, 0 when none was named."""

    id: str
    version: int = 0

    def __str__(self) -> str:
        return f"{self.id}v{self.version}" if self.version else self.id

    @property
    def file_stem(self) -> str:
        """The name of its PDF without ".pdf": old ids hold a slash, which no file name can."""
        return str(self).replace("/", "_")

    @property
    def year(self) -> int:
        """The year the paper was first submitted."""
        year = int(self._digits[:2])
        return 1900 + year if "/" in self.id and year >= 91 else 2000 + year

    @property
    def month(self) -> int:
        """The month of it, 1 to 12."""
        return int(self._digits[2:4])

    @property
    def _digits(self) -> str:
        return self.id.rpartition("/")[2]


def parse_arxiv_id(text: str) -> ArxivId | None:
    """The id in `text`: plain, with "arXiv:" in front, or a link to arxiv.org or its DOI. None when it is none."""
    text = text.strip()
    if "//" in text or text.lower().startswith(("arxiv.org/", "www.arxiv.org/", "export.arxiv.org/", "doi.org/")):
        text = _from_link(text)
    return _build(_TYPED.fullmatch(text))


def split_ids(text: str) -> list[str]:
    """What was pasted, taken apart: each id or link by itself, and what stands between them and is none, together."""
    words = re.split(r"[\s,;]+", re.sub(r"(?i)\b(arxiv:)\s+", r"\1", text.strip()))
    found: list[str] = []
    strange: list[str] = []
    for word in (*words, ""):
        bare = word.strip("()[]{}<>\"'.“”‘’")
        known = parse_arxiv_id(bare) is not None
        if strange and (known or not word):
            found.append(" ".join(strange))
            strange = []
        if known:
            found.append(bare)
        elif bare:
            strange.append(bare)
    return list(dict.fromkeys(found))


def arxiv_id_of_file(stem: str) -> tuple[ArxivId, bool] | None:
    """The id that a file's name (without suffix) begins with, and whether the name says nothing more than it."""
    match = _FILE_STEM.fullmatch(stem)
    found = _build(match)
    if match is None or found is None:
        return None
    return found, _COPY_TAIL.fullmatch(match["tail"] or "") is not None


def _from_link(link: str) -> str:
    try:
        parts = urlsplit(link if "//" in link else f"https://{link}")
        host = (parts.hostname or "").lower()
    except ValueError:
        return ""
    if host in {"doi.org", "dx.doi.org"} and parts.path.lower().startswith("/10.48550/arxiv."):
        return parts.path[len("/10.48550/arxiv.") :]
    match = _LINK_PATH.fullmatch(parts.path)
    return match["id"] if match and host in HOSTS else ""


def _build(match: re.Match[str] | None) -> ArxivId | None:
    """The id of a match, unless its date cannot be: months run from 1 to 12, the forms changed in 2007 and 2015."""
    if match is None:
        return None
    version = int(match["version"] or 0)
    digits = match["new"] or match["old"]
    if not 1 <= int(digits[2:4]) <= 12:
        return None
    yymm = int(digits[:4])
    if match["new"]:
        length = 5 if yymm >= 1501 else 4
        return ArxivId(digits, version) if yymm >= 704 and len(digits) == 5 + length else None
    return ArxivId(f"{match['archive'].lower()}/{digits}", version) if yymm >= 9107 or yymm <= 703 else None
