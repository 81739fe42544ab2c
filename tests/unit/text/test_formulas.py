"""Formulas of strangers: mathematics is rendered; what moves, paints, defines or talks is shown as text."""

import pytest

from rag_app.server.web.markdown import markdown_html
from rag_app.text.formulas import COMMANDS, MOST_NEGATIVE_SPACES, is_clean_formula

MATHEMATICS = [
    r"\mathrm{Attention}(Q,K,V) = \mathrm{softmax}\left(\frac{QK^T}{\sqrt{d_k}}\right)V",
    r"p(y \mid x) = \sum_{z \in \text{top-}k} p_\eta(z \mid x)\, p_\theta(y \mid x, z)",
    r"\mathcal{L} = -\log \frac{e^{\mathrm{sim}(q,p^+)}}{e^{\mathrm{sim}(q,p^+)} + \sum_{j=1}^{n} e^{s_j}}",
    r"W_0 + \Delta W = W_0 + BA, \quad B \in \mathbb{R}^{d \times r}",
    r"F_1 = \frac{2 \cdot precision \cdot recall}{precision + recall}",
    r"\begin{pmatrix} 1 & 0 \\ 0 & 1 \end{pmatrix}",
    r"\begin{array}{l|cr} a & b & c \end{array}",
    r"f(x) = \begin{cases} 1 & \text{if } x > 0 \\ 0 & \text{otherwise} \end{cases}",
    r"\hat{y} = \operatorname*{argmax}_{y} \Pr(y \mid x), \qquad \alpha \leq 0.05",
    r"\mathrm{score}(query, document) \approx 73.0\%",
]


@pytest.mark.parametrize("content", MATHEMATICS)
def test_mathematics_is_rendered(content):
    assert is_clean_formula(content)
    assert 'class="formula"' in markdown_html(f"So ${content}$ holds.", str, [])


LAYOUT = [
    r"\smash{x}",
    r"\rlap{x}",
    r"\llap{x}",
    r"\clap{x}",
    r"\mathrlap{x}",
    r"\kern-5em x",
    r"\mkern-90mu x",
    r"\hskip-5em x",
    r"\hspace{-5em}x",
    r"\mskip-90mu x",
    r"\raisebox{3em}{x}",
    r"\raise 3em x",
    r"\lower 3em x",
    r"\vcenter{x}",
    r"\rule[2em]{30em}{9em}",
    r"\colorbox{white}{x}",
    r"\fcolorbox{red}{white}{x}",
    r"\color{white} x",
    r"\textcolor{red}{x}",
    r"\phantom{x}",
    r"\vphantom{x}",
    r"\hphantom{x}",
    r"\boxed{x}",
    r"\fbox{x}",
    r"\tag{✓}",
    r"\verb|x|",
    r"\Huge x",
    r"\cancel{x}",
    r"\genfrac{}{}{9em}{}{a}{b}",
    r"a \above 9em b",
    r"\\[-9em] x",
    r"\cr[-9em] x",
    r"\!" * 9 + "x",
    r"\begin{array}{@{\rlap{x}}c} a \end{array}",
    r"\begin{array}{c>{\color{white}}c} a \end{array}",
    r"\begin{CD} a \end{CD}",
    r"\def\x{y}\x",
    r"\gdef\x{y}",
    r"\newcommand{\x}{y}",
    r"\href{http://x}{y}",
    r"\includegraphics{x}",
    r"\htmlStyle{color:red}{x}",
    r"\unicode{x2713}",
    r"\char`✓",
    r"\checkmark x",
    r"\text{✓}",
    r"✓",
    r"\hbox{x}",
    r"\mathchoice{a}{b}{c}{d}",
    r"\unknowncommand x",
]


@pytest.mark.parametrize("content", LAYOUT)
def test_what_moves_paints_or_defines_is_shown_as_text(content):
    assert not is_clean_formula(content)
    for left, right in (("$", "$"), ("$$", "$$"), (r"\(", r"\)"), (r"\[", r"\]")):
        assert 'class="formula"' not in markdown_html(f"So {left}{content}{right} holds.", str, [])


PROSE = [
    r"\text{Every sentence was found}",
    r"\text{Every}\text{ sentence}\text{ was found}",
    r"\mathrm{Every~sentence~was~found}",
    r"Every\ sentence\ was\ found",
    r"\text{Every}\;\text{sentence}",
    r"{Every}\,{sentence}",
    r"\textbf{Jeder Satz wurde gefunden}",
    r"\text{每个句子都已找到}",
    r"x = 1 \quad \text{fully supported}",
    r"\text{Все предложения найдены}",
]


@pytest.mark.parametrize("content", PROSE)
def test_prose_in_a_formula_is_text(content):
    assert not is_clean_formula(content)


def test_a_few_negative_spaces_are_usual():
    assert is_clean_formula(r"\int\!\!\int f") and not is_clean_formula(r"\!" * (MOST_NEGATIVE_SPACES + 1) + "f")


def test_no_command_of_the_list_takes_a_length_or_a_colour():
    """Those of KaTeX that do: https://katex.org/docs/support_table"""
    lengths = (
        "kern mkern mskip hskip hspace raisebox raise lower rule genfrac above vspace smash rlap llap clap mathrlap"
    )
    assert COMMANDS.isdisjoint(
        [*lengths.split(), "color", "textcolor", "colorbox", "fcolorbox", "htmlStyle", "cr", "tag"]
    )
