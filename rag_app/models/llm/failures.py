"""Errors of a model server as messages for the user, and whether to try again.

The client's exceptions are told apart by what they carry (status, headers, body), so this module imports no client.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Collection
from email.utils import parsedate_to_datetime

from rag_app.errors import ModelBusy, ModelDenied, ModelError, ModelInterrupted, ModelUnreachable, ModelWindowExceeded
from rag_app.models.llm.servers import Endpoint, address_remedy, denied_message, list_models, unreachable_message

LONGEST_PAUSE = 30.0  # seconds; a provider that wants more is reported instead of waited for
LONGEST_MESSAGE = 300  # characters of what the provider says
LISTING_SECONDS = 2.0

_OVERFLOW = re.compile(
    r"context[ _]?(length|window|size)|maximum context|prompt is too long|too many tokens|"
    r"exceed\w* .{0,40}(tokens|context)|n_ctx|input.{0,20}too long|token count.{0,30}exceeds",
    re.IGNORECASE,
)
_QUOTA = re.compile(r"insufficient_quota|billing|credit balance|payment", re.IGNORECASE)
_BAD_KEY = re.compile(r"api[ _-]?key", re.IGNORECASE)
# What a request may hold that a server does not take, and how servers name it, the more telling first.
_FEATURES: tuple[tuple[str, str], ...] = (
    ("tools", r"\btools?\b|tool[ _-]?(?:choice|calls?)|function[ _-]call"),
    ("response_format", r"response_format|json_object|json mode"),
    ("stream_options", r"stream_options"),
    ("system", r"system (?:role|prompt|message|instruction)|role[s:]?\W{0,3}system|developer instruction"
               r"|roles must alternate|only user and assistant roles"),
    ("temperature", r"temperature"),
    ("max_tokens", r"max_tokens"),
)  # fmt: skip


def status_of(error: BaseException) -> int:
    """The HTTP status that the error carries, 0 for none. Error events inside a stream carry it as their code."""
    for name in ("status_code", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int | str) and str(value).isdigit():
            return int(value)
    body = getattr(error, "body", None)
    code = body.get("code") if isinstance(body, dict) else None
    return code if isinstance(code, int) else 0


def is_busy(error: BaseException) -> bool:
    """Whether trying again can help: 429 but for an empty account, 5xx, a connection that broke before an answer."""
    status = status_of(error)
    if is_overflow(error):
        return False
    if status == 429:
        return not _QUOTA.search(_provider_text(error))
    if status:
        return status >= 500
    return _is_connection(error) and not _is_certain(error)


def pause_before_retry(error: BaseException, usual: float) -> float | None:
    """Seconds to wait before trying again: as the provider asks, else `usual`; None when that is too long."""
    asked = retry_after(error)
    if asked is None:
        return usual
    return asked if asked <= LONGEST_PAUSE else None


def retry_after(error: BaseException) -> float | None:
    """The Retry-After header in seconds, whether it gives seconds or a date; None without one."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    value = headers.get("retry-after", "") if headers is not None else ""
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass  # not seconds: a date
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


_NO_CHAT = re.compile(
    r"no (?:default )?chat template|chat template is no longer allowed|must provide a chat template|"
    r"does not (?:have a|support) chat|not a chat model",
    re.IGNORECASE,
)


def refused_feature(error: BaseException, sent: Collection[str]) -> str:
    """Which of the features that were sent the server does not take, so that it is asked without it; empty for none.

    Servers word a refusal in many ways; that they name the feature is what counts. A prompt that is too long is none.
    """
    if status_of(error) not in (400, 404, 422, 500, 501):
        return ""
    said = _provider_text(error)
    if is_overflow(error):
        return ""
    return next((name for name, words in _FEATURES if name in sent and re.search(words, said, re.IGNORECASE)), "")


def is_overflow(error: BaseException) -> bool:
    """Whether the provider says that the prompt does not fit the window."""
    return status_of(error) == 413 or bool(_OVERFLOW.search(_provider_text(error)))


def lacks_chat_template(error: BaseException) -> bool:
    """Whether the server says that the model takes no chat: a base model, which only completes a text."""
    return status_of(error) in (400, 404, 422, 500, 501) and bool(_NO_CHAT.search(_provider_text(error)))


def make_fault(error: BaseException, endpoint: Endpoint, *, interrupted: bool = False) -> ModelError:
    """The error for the user: what, where, remedy; the key redacted. `interrupted`: part of the answer had arrived."""
    if interrupted:
        return ModelInterrupted(
            f"{endpoint.where} stopped in the middle of the answer: {_reason(error, endpoint)}. Ask again."
        )
    status = status_of(error)
    if status or (_error_fields(error) and is_overflow(error)):
        return _status_fault(status, error, endpoint)
    if isinstance(error, EOFError):
        return ModelError(f"{endpoint.where} sent no answer. {address_remedy(endpoint)}")
    if isinstance(error, TimeoutError) or type(error).__name__ == "APITimeoutError":
        return ModelUnreachable(
            f"{endpoint.where} did not answer in time. It may still be loading the model: ask again, raise "
            f"RAG_LLM_TIMEOUT, or set RAG_LLM=none."
        )
    if _is_connection(error):
        return ModelUnreachable(unreachable_message(endpoint, _root_cause(error)))
    if is_unreadable(error):
        return ModelError(f"{endpoint.where} sent something that is not a chat answer. {address_remedy(endpoint)}")
    return ModelError(f"{endpoint.where} failed: {_reason(error, endpoint)}. Ask again, or choose another model.")


def _status_fault(status: int, error: BaseException, endpoint: Endpoint) -> ModelError:
    said, message = _provider_text(error), _message(error, endpoint)
    if status in (401, 403) or (status == 400 and _BAD_KEY.search(said)):
        return ModelDenied(denied_message(endpoint, status))
    if status == 402 or (status == 429 and _QUOTA.search(said)):
        return ModelBusy(f"{endpoint.where} says the account is empty ({status}): {message}. Check its billing page.")
    if status == 429:
        asked = retry_after(error)
        when = f"in {asked:.0f} seconds" if asked else "in a minute"
        return ModelBusy(f"{endpoint.where} accepts no more requests for now (429). Ask again {when}.")
    if status == 404:
        return ModelError(_not_found(endpoint))
    if is_overflow(error):
        return ModelWindowExceeded(
            f"The passages do not fit into the window of '{endpoint.model}' at {endpoint.where}: {message}. Set "
            f"RAG_LLM_WINDOW to its real size in tokens, or choose a model with a larger one."
        )
    if status >= 500:
        return ModelBusy(f"{endpoint.where} has an internal error ({status}): {message}. Ask again later.")
    return ModelError(f"{endpoint.where} refused the request ({status}): {message}. {address_remedy(endpoint)}")


def _not_found(endpoint: Endpoint) -> str:
    try:
        known = list_models(endpoint, LISTING_SECONDS)
    except ModelError:
        known = []
    if not known or endpoint.model in known:
        return f"{endpoint.where} knows no '{endpoint.model}' (404). Check RAG_LLM_MODEL. {address_remedy(endpoint)}"
    return (
        f"{endpoint.where} has no model '{endpoint.model}' (404). Set RAG_LLM_MODEL to one of: {', '.join(known[:12])}."
    )


def _reason(error: BaseException, endpoint: Endpoint) -> str:
    if isinstance(error, EOFError):
        return "the stream ended without saying that it was done"
    if isinstance(error, TimeoutError):
        return f"no more data came for {error} seconds"
    if is_unreadable(error):
        return "what came is not JSON of the API"
    if _error_fields(error):
        return _message(error, endpoint)
    return _shorten_message(str(_root_cause(error)), endpoint) or type(error).__name__


def _provider_text(error: BaseException) -> str:
    """All that the provider says, for finding out what it means."""
    fields = _error_fields(error)
    if fields:
        return " ".join(str(fields[name]) for name in ("message", "type", "code", "param") if fields.get(name))
    return str(getattr(error, "body", None) or getattr(error, "message", "") or error)


def _message(error: BaseException, endpoint: Endpoint) -> str:
    """What the provider says, for the user: the beginning of its error's message, without the key.

    Nothing else that came is quoted: an address may lead to another program, whose pages are not for whoever asks.
    """
    fields = _error_fields(error)
    said = str(fields.get("message") or fields.get("detail") or "")
    return _shorten_message(said, endpoint) or "it gives no reason"


def _error_fields(error: BaseException) -> dict[str, object]:
    """The provider's error object, which some put into an outer one."""
    body = getattr(error, "body", None)
    inner = body.get("error") if isinstance(body, dict) else None
    found = inner if isinstance(inner, dict) else body
    if isinstance(inner, str):
        return {"message": inner}
    if isinstance(found, dict) and "message" not in found and found.get("detail"):
        return {**found, "message": _detail(found["detail"])}
    return found if isinstance(found, dict) else {}


def _detail(detail: object) -> str:
    """What FastAPI and pydantic say of a request: a text, or a list of places and messages."""
    if not isinstance(detail, list):
        return str(detail)
    return "; ".join(
        f"{'.'.join(map(str, one.get('loc', ())))}: {one.get('msg', '')}" if isinstance(one, dict) else str(one)
        for one in detail
    )


def _shorten_message(text: str, endpoint: Endpoint) -> str:
    """One line of it, without the key, markup or what looks like another key."""
    text = re.sub(r"<[^>]*>", " ", endpoint.without_key(text))
    text = re.sub(r"\b(sk|pk|AIza|gsk|Bearer)[-_ ]?[\w*.-]{8,}", "***", text)
    return " ".join(text.split())[:LONGEST_MESSAGE].rstrip(". ")


def _is_connection(error: BaseException) -> bool:
    # The client wraps its transport's errors before the answer begins, and lets them through afterwards.
    return isinstance(error, OSError) or type(error).__name__ == "APIConnectionError" or _is_transport(error)


def _is_transport(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in ("httpx", "httpcore")


def _is_certain(error: BaseException) -> bool:
    """Whether the next try would fail as well: nobody is there, or the reply is one that is not read."""
    names = ("ConnectError", "ConnectTimeout", "UnsupportedProtocol", "DecodingError")
    return any(type(cause).__name__ in names for cause in _causes(error))


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in found:
        found.append(cause)
        cause = cause.__cause__ or cause.__context__
    return found


def _root_cause(error: BaseException) -> BaseException:
    """The deepest cause that says something: "Connection refused" rather than "Connection error."."""
    spoken = [cause for cause in _causes(error) if str(cause)]
    return spoken[-1] if spoken else error


def is_unreadable(error: BaseException) -> bool:
    """Not JSON, or JSON of another shape than the client expects."""
    return isinstance(error, json.JSONDecodeError | ValueError | TypeError | AttributeError | LookupError)
