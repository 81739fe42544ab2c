"""Every failure of a request as {"error": {"code", "message"}} with the status that fits."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from rag_app.errors import (
    EvidenceError,
    HistoryFault,
    IndexBusy,
    IndexFault,
    IndexMissing,
    ModelBusy,
    ModelError,
    QuestionError,
    RagError,
    SettingsError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


_log = logging.getLogger(__name__)
# The first class that an error is of decides.
_OF_ERROR: tuple[tuple[type[RagError], int, str], ...] = (
    (QuestionError, 400, "invalid_question"),
    (EvidenceError, 400, "invalid_evidence"),
    (IndexMissing, 409, "index_missing"),
    (IndexBusy, 409, "index_busy"),
    (IndexFault, 503, "index_unusable"),
    (ModelBusy, 503, "model_busy"),
    (ModelError, 502, "model_failed"),
    (HistoryFault, 503, "history_unusable"),
    (SettingsError, 500, "wrong_setting"),
    (RagError, 422, "failed"),
)
_OF_STATUS = {
    400: "invalid_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    429: "rate_limited",
}
# Of what the framework raises itself: it says less.
_INSTEAD = {
    400: "The body cannot be read. Send JSON in UTF-8, nested as the description of the path says.",
    404: "No such path. See /api/v1/openapi.json.",
}
_OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """A request that cannot be served: its status, a code for programs, a sentence for people."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def error_response(path: str, error: ApiError) -> JSONResponse:
    """The error as a response; below /v1/ with the fields that OpenAI's clients read besides."""
    # A name that was sent may hold an unpaired surrogate, which no answer can.
    said = {"code": error.code, "message": error.message.encode("utf-8", "replace").decode("utf-8")}
    if path.startswith("/v1/"):
        other = "server_error" if error.status >= 500 else "invalid_request_error"
        said |= {"type": _OPENAI_TYPES.get(error.status, other), "param": None}  # type: ignore[dict-item]
    return JSONResponse({"error": said}, error.status, headers={"Cache-Control": "no-store", **error.headers})


def api_error(error: RagError) -> ApiError:
    """The error of the library as an error of a request."""
    status, code = next((status, code) for kind, status, code in _OF_ERROR if isinstance(error, kind))
    return ApiError(status, code, str(error))


def handle_errors(app: FastAPI) -> None:
    """Have every failure of a route of `app` answered in the one form."""

    @app.exception_handler(ApiError)
    async def refuse(request: Request, error: ApiError) -> JSONResponse:
        return error_response(request.url.path, error)

    @app.exception_handler(RagError)
    async def explain(request: Request, error: RagError) -> JSONResponse:
        return error_response(request.url.path, api_error(error))

    @app.exception_handler(RequestValidationError)
    async def name_fields(request: Request, error: RequestValidationError) -> JSONResponse:
        faults = [f"{_where(fault['loc'])}: {fault['msg']}" for fault in error.errors()[:5]]
        return error_response(request.url.path, ApiError(400, "invalid_request", "; ".join(faults)))

    @app.exception_handler(HTTPException)
    async def name_status(request: Request, error: HTTPException) -> JSONResponse:
        code = _OF_STATUS.get(error.status_code, "refused")
        said = _INSTEAD.get(error.status_code, str(error.detail))
        return error_response(request.url.path, ApiError(error.status_code, code, said, error.headers))

    @app.exception_handler(Exception)
    async def admit(request: Request, error: Exception) -> JSONResponse:
        _log.exception("%s %.200r failed", request.method, request.url.path, exc_info=error)
        said = f"Something went wrong inside the program ({type(error).__name__}). Try again; the log says more."
        return error_response(request.url.path, ApiError(500, "internal", said))


def _where(place: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in place if part != "body") or "body"
