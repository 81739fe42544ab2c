"""A model server whose replies are recorded: a prompt that is not in the record is refused, or written by somebody.

    python -m tests.support.recorded_model            lists the prompts whose replies the record lacks
    python -m tests.support.recorded_model --write D  puts each into D as NNNN.prompt.txt and waits for NNNN.answer.txt
                                                      or NNNN.answer.json, {"content": …, "tool_calls": [{"name", …}]}

Whoever writes reads only that prompt. A record's key is the hash of model, messages, tools and response format, so that
a changed prompt asks for a new reply. Replies that no question asks for any more leave the record.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rag_app.answering.model.reader import ModelReader
from rag_app.assistant import Assistant
from rag_app.models.llm.client import OpenAIModel
from rag_app.models.llm.servers import Endpoint
from rag_app.records import Answer
from tests.support.doubles import WordEmbedder, settings_for
from tests.support.five_papers import QUESTIONS, write_papers
from tests.support.provider import Provider, Reply, Request, error_body

RECORD = Path(__file__).with_name("recorded_model.jsonl")
NAME = "strong-70b"
WINDOW = 131_072
HASHED = ("model", "messages", "tools", "tool_choice", "response_format")
LACKING = "the record has no reply to this prompt"
Message = dict[str, Any]


def key_of(body: dict[str, Any]) -> str:
    """What a request is remembered by."""
    hashed = {name: body[name] for name in HASHED if body.get(name) is not None}
    return hashlib.sha256(json.dumps(hashed, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def read_record(file: Path = RECORD) -> dict[str, Message]:
    """Key -> reply."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {row["key"]: row["message"] for row in map(json.loads, lines)}


class RecordedModel(Provider):
    """The server. `used` are the keys that were asked for, `lacking` the requests without a reply."""

    def __init__(self, record: dict[str, Message], write: Callable[[dict[str, Any]], Message] | None = None) -> None:
        super().__init__(models=(NAME,))
        self.record = record
        self.used: dict[str, Message] = {}
        self.lacking: list[dict[str, Any]] = []
        self._write = write

    def next_reply(self, request: Request) -> Reply:
        """From the record, by whoever writes, or a refusal."""
        self.requests.append(request)
        key = key_of(request.body)
        if key not in self.record:
            self.lacking.append(request.body)
            if self._write is None:
                return Reply(status=400, body=error_body(LACKING))
            self.record[key] = self._write(request.body)
        message = self.used[key] = self.record[key]
        usage = {"prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1_000}
        calls = [
            {
                "index": place,
                "id": f"call_{key[:8]}_{place}",
                "type": "function",
                "function": {"name": one["name"], "arguments": json.dumps(one["arguments"], ensure_ascii=False)},
            }
            for place, one in enumerate(message.get("tool_calls", ()))
        ]
        if not calls:
            return Reply(pieces=(message["content"],), usage=usage)
        event = {"choices": [{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": None}]}
        return Reply(events=(json.dumps(event),), finish="tool_calls", usage=usage)


def ask_all(server: RecordedModel, folder: Path) -> dict[str, Answer]:
    """The answers to the questions about the five papers, which are written into `folder`, by name."""
    settings = settings_for(folder, llm_timeout=3_600.0, llm_question_seconds=36_000.0)
    write_papers(folder / "corpus")
    model = OpenAIModel(Endpoint("recorded", server.url, NAME, window=WINDOW), settings, first_pause=0.01)
    assistant = Assistant(settings, embedder=WordEmbedder(), reader=ModelReader(model, settings))
    assistant.build()
    answers: dict[str, Answer] = {}
    for name, (question, before) in QUESTIONS.items():
        *_, answer = assistant.stream(question, history=[answers[before]] if before else [])
        assert isinstance(answer, Answer)
        answers[name] = answer
    return answers


def show_prompt(body: dict[str, Any]) -> str:
    """A request to read: roles, texts, calls and tools."""
    lines = []
    for message in body["messages"]:
        lines.append(f"===== {message['role']} =====\n{message.get('content') or ''}")
        lines += [
            f"[calls {one['function']['name']}({one['function']['arguments']})]"
            for one in message.get("tool_calls", ())
        ]
    tools = [one["function"]["name"] for one in body.get("tools", ())]
    return "\n".join([*lines, f"===== tools =====\n{', '.join(tools) or 'none'}"])


def wait_for_reply(folder: Path, body: dict[str, Any]) -> Message:
    """What somebody writes beside the prompt's file."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{len(list(folder.glob('*.prompt.txt'))) + 1:04d}"
    stem.with_suffix(".prompt.txt").write_text(show_prompt(body), encoding="utf-8")
    while True:
        if (file := stem.with_suffix(".answer.json")).exists():
            message: Message = json.loads(file.read_text(encoding="utf-8"))
            return message
        if (file := stem.with_suffix(".answer.txt")).exists():
            return {"content": file.read_text(encoding="utf-8").rstrip("\n")}
        time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.support.recorded_model", description=__doc__)
    parser.add_argument("--write", type=Path, help="a folder for the prompts and their replies")
    queue = parser.parse_args().write
    write = (lambda body: wait_for_reply(queue, body)) if queue else None
    with tempfile.TemporaryDirectory() as folder, RecordedModel(read_record(), write) as server:
        ask_all(server, Path(folder))
    if queue:
        rows = [json.dumps({"key": key, "message": one}, ensure_ascii=False) for key, one in server.used.items()]
        RECORD.write_text("\n".join(rows) + "\n", encoding="utf-8")
    for body in () if queue else server.lacking:
        print(show_prompt(body), end="\n\n")
    print(f"{len(server.used)} replies used, {len(server.lacking)} prompts had none")


if __name__ == "__main__":
    main()
