"""What a model wrote gives other programs text, formulas and code, and no command."""

from __future__ import annotations

import pytest

from rag_app.outputs.markdown import ExportContent, export_markdown
from rag_app.outputs.model_prose import make_tex_plain
from rag_app.outputs.notebook import answer_as_note
from rag_app.records import Answer


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (r"$$\includegraphics{http://x}$$ \input{f}", r"\$\$\\includegraphics{http://x}\$\$ \\input{f}"),
        (r"\\input{f} \\\input{f}", r"\\input{f} \\\\input{f}"),
        (r"$x$ \newcommand{\x}{y} $\x$", r"$x$ \\newcommand{\\x}{y} \$\\x\$"),
        ("$^^5cinput{f}$", r"\$^^5cinput{f}\$"),
        ("`\\input{f}`{=latex}", "`\\input{f}`\\{=latex}"),
        ("`\\input{f}` { =latex}", "`\\input{f}` \\{ =latex}"),
        ("``` {=latex}\n\\input{f}\n```\n", "```\n\\input{f}\n```\n"),
        ("~~~{=latex}\n^^5cinput{f}\n~~~", "~~~\n^^5cinput{f}\n~~~"),
        ("> ```{=latex}\n> \\input{f}\n> ```", "> ```\\{=latex}\n> \\\\input{f}\n> ```"),
        ("```\n\\input{f}", "```\n\\\\input{f}"),
        ("- a\n\n      ```\n\\input{f}\n```\n", "- a\n\n      ```\n\\\\input{f}\n```\n"),
        ("| `a | \\input{f}` |\n|---|---|", "| `a | \\\\input{f}` |\n|---|---|"),
        ("a  b\n-- ----\n`x \\input{f}`", "a  b\n-- ----\n`x \\\\input{f}`"),
        ("a\n\n---\ntitle: b\n---\n", "a\n\n* * *\ntitle: b\n* * *\n"),
        ("> ---\n> title: b\n", "> * * *\n> title: b\n"),
    ],
)
def test_nothing_of_a_models_prose_is_run_as_tex(text: str, plain: str) -> None:
    assert make_tex_plain(text) == plain


@pytest.mark.parametrize(
    "text",
    [
        r"$\alpha^2$, \(x_1\), \[\frac{a}{b}\] and $$\sum_i x_i$$",
        "`print('a\\n')` and ``a ` b``",
        "```python\nprint('\\n', $x)\n```\n\n**bold** [1], 5 \\* 4\n\n| a | b |\n|---|---|\n| 1 | `c` |",
        "~~~\n```\n\\x\n~~~",
        "A line\\\nand *another*.",
    ],
)
def test_formulas_and_code_stay_as_they_were_written(text: str) -> None:
    assert make_tex_plain(text) == text


def test_exports_and_notes_hold_no_tex_of_a_model() -> None:
    answer = Answer("1", "Q?", "answered", r"So it is. \input{f}", "model")
    for made in (export_markdown(ExportContent([answer], {}, "rag-app", "now")), answer_as_note(answer)):
        assert r"So it is. \\input{f}" in made
