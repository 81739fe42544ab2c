"""Where words stand, as people say it: a page, a paragraph, a time. Pure."""

from __future__ import annotations

from urllib.parse import quote

from rag_app.papers.talks import find_second
from rag_app.records import PARAGRAPH


def name_place(paper: str, page: int, label: str) -> str:
    """ "page 3", "page 3 (printed iii)", "paragraph 12" of a file without pages, "12:34" of a talk."""
    if find_second(paper, label) is not None:
        return label
    if label.startswith(PARAGRAPH):
        return f"paragraph {label.removeprefix(PARAGRAPH).strip()}" if label != PARAGRAPH else "the whole text"
    return f"page {page}" + (f" (printed {label})" if label not in ("", str(page)) else "")


def recording_fragment(paper: str, label: str) -> str:
    """ "#t=754": the place of a talk in its recording (Media Fragments URI 1.0, 4.2.1); "" of any other paper."""
    second = find_second(paper, label)
    return "" if second is None else f"#t={second}"


def recording_link(recording: str, paper: str, label: str) -> str:
    """The address of that place in the recording, relative to the corpus folder: "talk.mp4#t=754"."""
    return f"{quote(recording)}{recording_fragment(paper, label)}"
