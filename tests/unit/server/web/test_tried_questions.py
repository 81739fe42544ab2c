"""Examples are offered once they were tried, and only those that were answered; a model is not asked for it."""

import threading
from dataclasses import dataclass, field
from types import SimpleNamespace

from rag_app.errors import RagError
from rag_app.records import Answer
from rag_app.server.web.tried_questions import MOST_TRIED, TriedQuestions

PATIENCE = 30  # seconds


@dataclass
class Library:
    """Answers what it has; says what it was asked."""

    answers: dict[str, str]
    name: str = "quoting"
    asked: list[str] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)

    @property
    def reader(self):
        return SimpleNamespace(name=self.name)

    def ask(self, question):
        assert self.open.wait(PATIENCE)
        self.asked.append(question)
        if question not in self.answers:
            raise RagError("broken")
        return Answer("", question, self.answers[question], "", "quoting")


def candidates():
    return [["fact 1", "fact 2", "fact 3"], ["compare 1"], ["absent 1", "absent 2"]]


def wait(tried):
    for thread in threading.enumerate():
        if thread.name == "examples":
            thread.join(PATIENCE)
    return tried.changes


def test_only_what_was_answered_is_offered_and_nothing_before_it_was_tried():
    answers = {"fact 2": "answered", "compare 1": "not_in_papers", "absent 1": "answered", "absent 2": "not_in_papers"}
    library = Library(answers)
    tried = TriedQuestions(library)
    assert tried.questions("a", candidates) == []
    assert tried.questions("a", candidates) == [] and library.asked == []
    library.open.set()
    assert wait(tried) == 1
    assert tried.questions("a", candidates) == ["fact 2", "absent 2"]
    assert library.asked == ["fact 1", "fact 2", "compare 1", "absent 1", "absent 2"]


def test_another_library_is_tried_anew_and_no_place_without_end():
    library = Library({})
    library.open.set()
    tried = TriedQuestions(library)
    tried.questions("a", lambda: [[f"fact {number}" for number in range(50)]])
    assert wait(tried) == 1 and len(library.asked) == MOST_TRIED
    tried.questions("b", candidates)
    assert wait(tried) == 2


def test_a_model_is_not_asked():
    library = Library({}, name="some-model")
    assert TriedQuestions(library).questions("a", candidates) == ["fact 1", "compare 1", "absent 1"]
    assert library.asked == []
