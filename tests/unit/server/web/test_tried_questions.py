"""Examples are offered once they were tried, and only those that were answered."""

import threading
from dataclasses import dataclass, field

from rag_app.records import Answer, Citation, LibraryMap, PaperRow
from rag_app.server.web.tried_questions import MOST_TRIED, TriedQuestions

PATIENCE = 30  # seconds


@dataclass
class Library:
    """Answers what it has; says what it was asked."""

    answered: set[str]
    asked: list[str] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)

    def papers(self):
        return [PaperRow(f"{name}.pdf", f"{name}: A Title", 3, 9, "full text", "") for name in ("One", "Two", "Three")]

    def map(self):
        return LibraryMap(alike=("Two", "Three"))

    def suggest_questions(self, most, tried, candidates):
        assert self.open.wait(PATIENCE)
        found = []
        for question in list(candidates)[:tried]:
            if len(found) < most:
                self.asked.append(question)
                found += [question] if question in self.answered or "everything" in self.answered else []
        return found


def candidates():
    return [["fact 1", "fact 2", "fact 3"], ["compare 1"], ["absent 1", "absent 2"]]


def wait(tried):
    for thread in threading.enumerate():
        if thread.name == "examples":
            thread.join(PATIENCE)
    return tried.changes


def test_only_what_was_answered_is_offered_and_nothing_before_it_was_tried():
    library = Library({"fact 2", "absent 2"})
    tried = TriedQuestions(library)
    assert tried.questions("a", candidates) == []
    assert tried.questions("a", candidates) == [] and library.asked == []
    library.open.set()
    assert wait(tried) == 1
    assert tried.questions("a", candidates) == ["fact 2", "absent 2"]
    assert library.asked == ["fact 1", "fact 2", "compare 1", "absent 1", "absent 2"]


def test_another_library_is_tried_anew_and_no_place_without_end():
    library = Library(set())
    library.open.set()
    tried = TriedQuestions(library)
    tried.questions("a", lambda: [[f"fact {number}" for number in range(50)]])
    assert wait(tried) == 1 and len(library.asked) == MOST_TRIED
    tried.questions("b", candidates)
    assert wait(tried) == 2


def test_after_an_answer_come_questions_about_its_papers_and_not_the_same_again():
    library = Library({"everything"})
    library.open.set()
    tried = TriedQuestions(library)
    cited = tuple(
        Citation(n, f"{name}.pdf", name, 1, "", "", "words", True) for n, name in enumerate(("One", "Two"), 1)
    )
    answer = Answer("", "What are the limitations of One?", "answered", "x", "quoting", cited)
    found = tried.after("name", answer)
    assert found == [
        "What are the limitations of Two?",
        "How do One and Two differ?",
        "Which datasets is One evaluated on?",
    ]
    asked = len(library.asked)
    assert tried.after("name", answer) == found and len(library.asked) == asked, "tried once"
    assert tried.after("other", Answer("", "?", "answered", "x", "quoting")) == []
