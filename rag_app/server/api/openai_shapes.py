"""Our answers in the shapes of OpenAI's Chat Completions and Responses, and the messages of either as questions. Pure.

Citations are `url_citation` annotations, nested in Chat Completions and flat in Responses: the characters of the mark
"[1]" in the text, and an address that opens the page at the words. The whole answer stands in the field `rag_app`.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from rag_app.outputs.places import name_place
from rag_app.records import Answer, Json
from rag_app.server.api.errors import ApiError
from rag_app.server.api.links import citation_url

MODEL = "rag-app"
ANSWERS_KEPT = 1_000
CORRECTED = "\n\n---\n\nAfter the check:\n\n"  # what was streamed cannot be taken back
_MARK = re.compile(r"\[(\d+(?:\s*[,;–-]\s*\d+)*)\]")


class AnswerMemory:
    """Answers that were given lately, by text and by id: a message that is sent back is known again. Thread-safe."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._chains: OrderedDict[str, tuple[Answer, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, user: str, text: str, answer: Answer) -> None:
        """Remember the answer that was sent as this text."""
        with self._lock:
            self._answers[_key(user, text)] = answer
            while len(self._answers) > ANSWERS_KEPT:
                self._answers.popitem(last=False)

    def find(self, user: str, text: str) -> Answer | None:
        with self._lock:
            return self._answers.get(_key(user, text))

    def keep_chain(self, user: str, id: str, answers: Sequence[Answer]) -> None:
        """Remember the answers up to the response of this id."""
        with self._lock:
            self._chains[_key(user, id)] = tuple(answers)
            while len(self._chains) > ANSWERS_KEPT:
                self._chains.popitem(last=False)

    def chain(self, user: str, id: str) -> tuple[Answer, ...]:
        """The answers up to that response. Raises ApiError 404 when it is not remembered."""
        with self._lock:
            found = self._chains.get(_key(user, id))
        if found is None:
            raise ApiError(
                404, "unknown_response", f"{id[:80]}: no such response, or it is too old. Send the messages."
            )
        return found


def _key(user: str, text: str) -> str:
    return hashlib.sha256(f"{user}\n{text.strip()}".encode("utf-8", "surrogatepass")).hexdigest()


def split_messages(messages: Sequence[Json], user: str, memory: AnswerMemory) -> tuple[str, list[Answer]]:
    """The last question, and the answers before it, oldest first.

    System and tool messages say nothing about the papers and are left out. Raises ApiError 400 for messages without a
    question, or with something else than text in one.
    """
    question, history = "", []
    for message in messages:
        role, text = message.get("role", "user"), read_content(message.get("content"))
        if role == "user":
            question = text
        elif role == "assistant" and question:
            known = memory.find(user, text)
            history.append(known or Answer("", question, "answered", text, ""))
            question = ""
    if not question.strip():
        raise ApiError(400, "no_question", "The last message has to be a question from the user.")
    return question, history


def read_content(content: object) -> str:
    """The text of a message: a string, or parts of type text. Raises ApiError 400 for pictures, sound and files."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise ApiError(400, "invalid_request", "content has to be text, or a list of parts with text.")
    texts = []
    for part in content:
        if not isinstance(part, dict) or not isinstance(part.get("text"), str):
            kind = part.get("type", "part") if isinstance(part, dict) else type(part).__name__
            raise ApiError(400, "unsupported_content", f"{str(kind)[:40]}: only text can be asked.")
        texts.append(part["text"])
    return "\n".join(texts)


def annotate(text: str, answer: Answer, base: str) -> list[Json]:
    """A flat url_citation for each number of each mark in the text."""
    return list(_annotations(text, answer, base))


def _annotations(text: str, answer: Answer, base: str) -> Iterator[Json]:
    cited = {citation.number: citation for citation in answer.citations}
    for mark in _MARK.finditer(text):
        for number in _numbers(mark[1]):
            if number in cited:
                citation = cited[number]
                yield {
                    "type": "url_citation",
                    "start_index": mark.start(),
                    "end_index": mark.end(),
                    "url": citation_url(base, citation),
                    "title": f"{citation.title}, {name_place(citation.paper, citation.page, citation.label)}",
                }


def _numbers(mark: str) -> list[int]:
    found: list[int] = []
    for low, high in re.findall(r"(\d+)(?:\s*[–-]\s*(\d+))?", mark):
        first, last = int(low[:6]), int((high or low)[:6])
        found += range(first, last + 1) if first <= last <= first + 50 else [first, last]
    return found


def nest(annotations: Sequence[Json]) -> list[Json]:
    """The annotations as Chat Completions has them."""
    return [
        {"type": one["type"], "url_citation": {key: value for key, value in one.items() if key != "type"}}
        for one in annotations
    ]


def rest_of(streamed: str, answer: Answer) -> str:
    """What has to follow the streamed characters: the rest of the answer, or all of it where the check changed it."""
    whole = answer.answer
    if whole.startswith(streamed):
        return whole[len(streamed) :]
    if streamed.strip() == whole.strip():
        return ""
    return f"{CORRECTED}{whole}" if streamed.strip() else whole


# -- Chat Completions ---------------------------------------------------------------------------------------------


def completion(id: str, created: int, model: str, answer: Answer, base: str, whole: Json) -> Json:
    """A whole chat completion; `whole` is the answer as the command line gives it."""
    message = {
        "role": "assistant",
        "content": answer.answer,
        "refusal": None,
        "annotations": nest(annotate(answer.answer, answer, base)),
    }
    return {
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": usage(answer),
        "rag_app": whole,
    }


def chunk(id: str, created: int, model: str, delta: Json, finish: str | None = None, **more: Any) -> Json:
    """One piece of a streamed chat completion."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    head = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
    return {**head, "choices": [choice], **more}


def usage(answer: Answer) -> Json:
    """The tokens of the language model behind us; providers tell us their sum only."""
    return {"prompt_tokens": answer.tokens, "completion_tokens": 0, "total_tokens": answer.tokens}


# -- Responses ----------------------------------------------------------------------------------------------------


def response(
    id: str,
    created: int,
    model: str,
    status: str,
    output: list[Json],
    answer: Answer | None = None,
    whole: Json | None = None,
) -> Json:
    """A response, still in progress or whole: with its answer, and this one as the command line gives it."""
    value: Json = {
        "id": id,
        "object": "response",
        "created_at": created,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": output,
        "parallel_tool_calls": False,
        "previous_response_id": None,
        "temperature": None,
        "tool_choice": "none",
        "tools": [],
        "top_p": None,
        "usage": None,
    }
    if answer is not None:
        value["usage"] = {
            "input_tokens": answer.tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 0,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": answer.tokens,
        }
        value["rag_app"] = whole
    return value


def output_message(id: str, status: str, content: list[Json]) -> Json:
    """The one item of a response's output."""
    return {"type": "message", "id": id, "status": status, "role": "assistant", "content": content}


def output_text(text: str, annotations: list[Json]) -> Json:
    """The text of an output message."""
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}
