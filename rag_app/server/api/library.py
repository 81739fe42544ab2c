"""What the routes of other programs have in common: the assistant, whose conversations, addresses and limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request

from rag_app.errors import QuestionError
from rag_app.index.paper_choice import choose_papers
from rag_app.outputs.history import History
from rag_app.outputs.json import answer_json
from rag_app.papers.zotero import zotero_links
from rag_app.records import Answer, Json
from rag_app.server.api.errors import ApiError
from rag_app.server.api.limits import Limits
from rag_app.server.api.links import base_of, citation_url, place_url, recording_url
from rag_app.settings import Settings

if TYPE_CHECKING:
    from rag_app.assistant import Assistant
    from rag_app.server.build_job import BuildJob


@dataclass(frozen=True)
class Interfaces:
    """What every interface is made of."""

    assistant: Assistant
    settings: Settings
    job: BuildJob
    open_history: Callable[[str], History]
    limits: Limits

    def base(self, request: Request) -> str:
        """Where the page is, as this request reached it."""
        return base_of(self.settings, f"{request.url.scheme}://{request.url.netloc}")

    def choose(self, papers: Sequence[str]) -> tuple[str, ...]:
        """The papers that a request names. Raises ApiError 404 for an unknown one."""
        return find_papers(self.assistant, papers)

    def link(self, answer: Answer, base: str) -> Json:
        """The answer as the command line gives it, with the address of every cited place."""
        return linked_answer(answer, base, self.assistant)


def find_papers(assistant: Assistant, papers: Sequence[str]) -> tuple[str, ...]:
    """The papers that are named by file, file without suffix or arXiv id. Raises ApiError 404 for an unknown one."""
    try:
        return choose_papers(papers, assistant.papers()) if papers else ()
    except QuestionError as error:
        raise ApiError(404, "unknown_paper", str(error)) from error


def caller_of(request: Request) -> str:
    """Whose limits count: of the token, else of the user, else of the address."""
    scope = request.scope
    if scope.get("token"):
        return f"token {scope['token']}"
    return f"user {scope['user']}" if scope.get("user") else f"address {request.client.host if request.client else ''}"


def linked_answer(answer: Answer, base: str, assistant: Assistant) -> Json:
    """The answer as the command line gives it, with the address of every cited place, here and in Zotero."""
    value = answer_json(answer)
    sources = assistant.sources({citation.paper for citation in (*answer.citations, *answer.nearest)})
    for name, citations in (("citations", answer.citations), ("nearest", answer.nearest)):
        for found, citation in zip(value[name], citations, strict=True):
            found["url"] = citation_url(base, citation)
            source = sources.get(citation.paper)
            if source and source.recording:
                found["recording"] = recording_url(base, citation)
            if source:
                found["zotero"] = zotero_links(source.bibliography, citation.page)
    return value


def refuse_error(answer: Answer) -> Answer:
    """The answer. Raises ApiError for one that says what went wrong."""
    if answer.status == "error":
        raise ApiError(422, "not_answered", answer.answer)
    return answer


def describe_page(assistant: Assistant, paper: str, number: int, base: str) -> Json:
    """One page with its text. Raises ApiError 404 for a paper or page that is not there."""
    named = next(iter(find_papers(assistant, [paper])), "")
    if not named:
        raise ApiError(404, "unknown_paper", "No paper is named. Name it by its file or arXiv id.")
    row = next(row for row in assistant.papers() if row.paper == named)
    try:
        page = assistant.page(named, number)
    except KeyError as error:
        raise ApiError(404, "unknown_page", f"{named} has {row.pages} pages, so no page {number}.") from error
    return {
        "paper": named,
        "title": row.title,
        "page": page.number,
        "label": page.label,
        "pages": row.pages,
        "sections": list(dict.fromkeys(block.section for block in page.blocks if block.section)),
        "text": page.text,
        "url": place_url(base, named, page.number),
    }
