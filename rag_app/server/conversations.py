"""The conversation of each browser tab, kept on the server for the most recent tabs."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from rag_app.records import Answer

TURNS_SHOWN = 60  # of a conversation; older ones leave the screen
SESSIONS_KEPT = 200

Messages = list[dict[str, str]]


@dataclass
class Turn:
    """A question and its answer, as HTML."""

    question: str
    answer: str
    record: Answer | None = None  # once the answer is complete
    conversation: str = ""  # that it is kept in
    saved: int = 0  # its id there; 0 while it is not kept
    said: str = ""  # the question as typed
    began: float = field(default_factory=time.time)  # when it was asked, in seconds since 1970


@dataclass
class Conversation:
    """One browser tab's questions and answers, as shown."""

    turns: list[Turn] = field(default_factory=list)
    watcher: object = None  # which handler shows the answer that is being made; a later one takes over
    seen: str = ""  # the list of papers as this tab last got it
    seen_examples: str = ""  # of what papers, and while what was built, its example questions are
    seen_runs: int = -1  # how many answers had been begun or ended when it last got the list of conversations
    id: str = ""  # under which it is kept; empty while the tab has not been opened, or was forgotten
    sought: str = ""  # in the list of conversations

    @property
    def last_comparison(self) -> Answer | None:
        """The last answer, when it is a comparison: its plan may be corrected."""
        last = self.turns[-1].record if self.turns else None
        return last if last is not None and last.table is not None else None

    def history(self) -> list[Answer]:
        """The complete answers, oldest first."""
        return [turn.record for turn in self.turns if turn.record is not None]

    def messages(self) -> Messages:
        shown: Messages = []
        for turn in self.turns[-TURNS_SHOWN:]:
            shown += [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer}]
        return shown


class Sessions:
    """Conversations by browser tab; the ones unused for longest are forgotten. Thread-safe."""

    def __init__(self) -> None:
        self._all: OrderedDict[str, Conversation] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, session: str | None) -> Conversation:
        """The conversation of the tab that asks."""
        with self._lock:
            key = str(session)
            found = self._all.setdefault(key, Conversation())
            self._all.move_to_end(key)
            while len(self._all) > SESSIONS_KEPT:
                self._all.popitem(last=False)[1].watcher = None
            return found

    def drop(self, session: str | None) -> None:
        """The tab was closed or its connection lost: nobody watches there any more. Its answer goes on."""
        with self._lock:
            found = self._all.pop(str(session), None)
        if found is not None:
            found.watcher = None
