"""The turns before a question, as a model gets them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag_app.models.llm.chat import Message
from rag_app.models.llm.prompt_safety import estimate_tokens, strip_template_marks
from rag_app.records import Answer

TURNS = 8  # at most, the last ones
TOKENS = 4_000  # of all turns together
TOKENS_OF_OLDER = 400  # of an answer that is not the last
_SHOWN = re.compile(r"\s?\[\d+\]")


def earlier_turns(history: Sequence[Answer], tokens: int = TOKENS) -> list[Message]:
    """The conversation so far as turns, oldest first; older answers are shortened, the oldest left out."""
    turns: list[Message] = []
    for place, answer in enumerate(reversed(history[-TURNS:])):
        text = strip_template_marks(_SHOWN.sub("", answer.answer))
        most = tokens // 2 if place == 0 else TOKENS_OF_OLDER
        text = _shorten_text(text, most)
        papers = list(dict.fromkeys(citation.title for citation in answer.citations if citation.title))[:6]
        cited = f"\n(Cited: {'; '.join(strip_template_marks(title) for title in papers)})" if papers else ""
        pair = [
            Message("user", strip_template_marks(answer.question)),
            Message("assistant", f"{text}{cited}" or "(no answer)"),
        ]
        tokens -= sum(estimate_tokens(message.text) for message in pair)
        if tokens < 0 and turns:
            break
        turns = [*pair, *turns]
    return turns


def _shorten_text(text: str, tokens: int) -> str:
    if estimate_tokens(text) <= tokens:
        return text
    length = int(tokens * 3)
    return f"{text[:length].rsplit(' ', 1)[0]} …"
