"""What goes to a chat model and what it may call: messages, tools, tool calls. Records only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from rag_app.records import Json

MOST_CALLS = 32  # of one reply that are read; nobody reads as many papers at once

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class ToolCall:
    """One call that a model asks for."""

    id: str
    name: str
    arguments: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Message:
    """One message of a conversation with a model."""

    role: Role
    text: str
    calls: tuple[ToolCall, ...] = ()  # of an assistant
    answers: str = ""  # of a tool: the id of the call whose result this is


@dataclass(frozen=True)
class Tool:
    """A function that a model may call. `parameters` is its JSON schema."""

    name: str
    description: str
    parameters: Json

    @property
    def specification(self) -> Json:
        """The tool as the chat completions API describes it."""
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": self.parameters},
        }


def arguments_of(text: object) -> Json:
    """The arguments of a call: a JSON object, or its text; empty for what is neither."""
    if isinstance(text, dict):
        return text
    try:
        found = json.loads(str(text or "{}"), strict=False)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def merge_system(messages: Sequence[Message]) -> list[Message]:
    """The messages for a model without a system role: its text stands in front of the first user message."""
    system = "\n\n".join(message.text for message in messages if message.role == "system")
    rest = [message for message in messages if message.role != "system"]
    for place, message in enumerate(rest):
        if system and message.role == "user":
            rest[place] = Message("user", f"{system}\n\n{message.text}")
            break
    return rest


def client_messages(messages: Sequence[Message]) -> list[Any]:
    """The messages as LlamaIndex's records."""
    from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock  # noqa: PLC0415  # two seconds

    made = []
    for message in messages:
        more = {"tool_call_id": message.answers} if message.answers else {}
        one = ChatMessage(role=message.role, content=message.text, additional_kwargs=more)
        one.blocks += [
            ToolCallBlock(
                tool_call_id=call.id,
                tool_name=call.name,
                tool_kwargs=json.dumps(call.arguments, ensure_ascii=False, sort_keys=True),
            )
            for call in message.calls
        ]
        made.append(one)
    return made
