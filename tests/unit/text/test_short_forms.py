"""Short forms that a text itself defines."""

from __future__ import annotations

import re

import pytest

from rag_app.text.short_forms import find_forms, is_short_form


@pytest.mark.parametrize(
    ("name", "text", "forms"),
    [
        ("byte pair encoding", "We use byte pair encoding (BPE) throughout.", {"BPE"}),
        ("BPE", "Text is split by a joint byte pair encoding (BPE; Sennrich, 2016).", {"byte pair encoding"}),
        ("WoW", "On WoW (Wizard of Wikipedia) it gains.", {"Wizard of Wikipedia"}),
        ("TriviaQA", "TriviaQA (TQA) [24] has questions.", {"TQA"}),
        ("TriviaQA", "TriviaQA (Joshi et al., 2017) and TriviaQA (see below)", set()),
        ("LLaMA 2", "LLaMA 2 (Llama 2 Chat) is used.", set()),
    ],
)
def test_a_text_defines_its_short_forms(name: str, text: str, forms: set[str]) -> None:
    assert find_forms(name, re.compile(re.escape(name)), text) == forms


@pytest.mark.parametrize(
    ("short", "long", "fits"), [("NQ", "Natural Questions", True), ("QN", "Natural Questions", False)]
)
def test_the_letters_of_a_short_form_stand_in_the_long_one(short: str, long: str, fits: bool) -> None:
    assert is_short_form(short, long) is fits
