"""The bodies of requests, and the shapes of answers as OpenAPI describes them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_TEXT = 400_000  # characters of a text whose quotes are verified
MOST_PAPERS = 2_000
MOST_HITS = 100


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SearchBody(_Body):
    question: str = Field(min_length=1, description="what to look for")
    top: int = Field(10, ge=1, le=MOST_HITS, description="how many passages")
    papers: list[str] = Field([], max_length=MOST_PAPERS, description="only these, by file name or arXiv id")
    years: tuple[int, int] | None = Field(None, description="only papers of these years, first and last")
    section: str = Field("", description="only sections whose heading contains this text")


class AskBody(_Body):
    question: str = Field(min_length=1)
    id: str = Field("", max_length=200, description="comes back with the answer")
    papers: list[str] = Field([], max_length=MOST_PAPERS, description="only these, by file name or arXiv id")
    years: tuple[int, int] | None = Field(None, description="only papers of these years, first and last")
    section: str = Field("", description="only sections whose heading contains this text")
    conversation: str = Field("", max_length=100, description="go on with this conversation, and keep the answer in it")
    stream: bool = Field(False, description="server-sent events: progress, piece, then answer")


class CompareBody(_Body):
    question: str = Field(min_length=1)
    id: str = Field("", max_length=200)
    papers: list[str] = Field([], max_length=MOST_PAPERS, description="the rows; else those that the question names")
    aspects: str = Field("", max_length=4_000, description="the columns, separated by semicolons")
    years: tuple[int, int] | None = None
    section: str = ""


class BuildBody(_Body):
    fresh: bool = Field(False, description="discard finished work and start again")


class VerifyBody(_Body):
    text: str = Field(min_length=1, max_length=MOST_TEXT, description="any text with quotes or page references")
    papers: list[str] = Field([], max_length=MOST_PAPERS, description="only these, by file name or arXiv id")


class _Shape(BaseModel):
    model_config = ConfigDict(extra="allow")


class ErrorDetail(BaseModel):
    code: str
    message: str


class ErrorShape(BaseModel):
    error: ErrorDetail


class CitationShape(_Shape):
    number: int
    paper: str
    title: str
    page: int
    label: str
    section: str
    quote: str
    verified: bool
    boxes: list[list[float]]
    url: str = Field(description="opens the page at these words")


class AnswerShape(_Shape):
    id: str
    question: str
    status: Literal["answered", "not_in_papers"]
    answer: str
    reader: str
    citations: list[CitationShape]
    confidence: str


class HitShape(_Shape):
    rank: int
    paper: str
    title: str
    page: int
    section: str
    text: str
    score: float
    url: str


class HitsShape(_Shape):
    question: str
    hits: list[HitShape]
    milliseconds: float


class PaperShape(_Shape):
    paper: str
    title: str
    pages: int
    passages: int
    state: str
    problem: str
    year: int


class PapersShape(_Shape):
    papers: list[PaperShape]


class PageShape(_Shape):
    paper: str
    title: str
    page: int
    label: str
    pages: int
    text: str
    url: str


class BuildShape(_Shape):
    id: int
    state: Literal["waiting", "running", "built", "failed", "stopped"]
    message: str
    progress: dict[str, Any] | None
    report: dict[str, Any] | None


class CheckShape(_Shape):
    quote: str
    state: str
    message: str
    places: list[dict[str, Any]]


class ChecksShape(_Shape):
    status: Literal["verified", "failed", "nothing to verify"]
    quotes: list[CheckShape]


class _Lenient(BaseModel):
    """Clients send many fields that mean nothing here, such as temperature."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(max_length=200)
    stream: bool | None = None


class ChatBody(_Lenient):
    messages: list[dict[str, Any]] = Field(min_length=1, max_length=2_000)
    n: int | None = None
    stream_options: dict[str, Any] | None = None

    @property
    def wants_usage(self) -> bool:
        return bool((self.stream_options or {}).get("include_usage"))


class ResponseBody(_Lenient):
    input: str | list[dict[str, Any]] = Field(min_length=1)
    previous_response_id: str | None = Field(None, max_length=200)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [{"role": "user", "content": self.input}] if isinstance(self.input, str) else self.input
