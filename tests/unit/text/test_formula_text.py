"""Code and formulas in plain text, as a reader sees them."""

from __future__ import annotations

import pytest

from rag_app.text.formula_text import read_spans, reads_as_prose, spell_words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"$41\%$", "41%"),
        (r"\(41\%\)", "41%"),
        (r"$$42\%$$", "42%"),
        ("`42%`", "42%"),
        (r"$\text{43 percent}$", "43 percent"),
        (r"$43\text{percent}$", "43 percent"),
        (r"$1.1 \times 10^{9}$", "1100000000"),
        (r"$10^{-4}$", "0.0001"),
        (r"$1{,}000$", "1,000"),
        (r"$110\,\text{M}$", "110 M"),
        (r"$\mathrm{LLaMA}$", "LLaMA"),
        ("`GPT-9`", "GPT-9"),
        (r"$GPT-9$", "GPT-9"),
        (r"\(4\)1%", "41%"),
        ("by 10,000*0* times", "by 10,0000 times"),
        ("by $1$10,000 times", "by 110,000 times"),
        ("by 10,000**0** times", "by 10,0000 times"),
        ("3*3*64 kernels", "3*3*64 kernels"),
        (r"$\mathrm{LoRA\ is\ fake}$", "LoRA is fake"),
        (r"$LoRA\ is\ fake$", "LoRA is fake"),
        ("4<!-- -->4%", "44%"),
        ("it costs $5 and 7", "it costs $5 and 7"),
        (r"$\frac{1}{2}$", "1 / 2"),
    ],
)
def test_a_simple_formula_is_plain_text(text: str, shown: str) -> None:
    assert read_spans(text) == (shown, True)


@pytest.mark.parametrize("text", [r"$\overset{4}{4}$", r"$40^{2}$", r"$\unknown{4}$", r"$\hat{4}$"])
def test_what_cannot_be_reduced_says_so(text: str) -> None:
    assert read_spans(text)[1] is False


@pytest.mark.parametrize(
    ("text", "prose"),
    [
        ("Vaccines cause autism in children", True),
        (r"\text{Vaccines cause autism today}", True),
        (r"\mathrm{Vaccines\ cause\ autism\ today}", True),
        ("这个模型已经被政府禁止使用", True),
        ("def train(model, data): return model", False),
        ("x = torch.nn.Linear(10, 20)", False),
        ("for i in range(10):", False),
        (r"\mathcal{L} = -\log p(y \mid x)", False),
    ],
)
def test_prose_is_told_from_code(text: str, prose: bool) -> None:
    assert reads_as_prose(text) is prose


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        (r"A d a \; H e r o n \; l i e d", "Ada Heron lied"),
        (r"A\,d\,a \quad H\,e\,r\,o\,n \quad lied", "Ada Heron lied"),
        (r"A d a H e r o n l i e d", "AdaHeronlied"),
        (r"Ada\ Heron\ lied", "Ada Heron lied"),
        ("Ada~Heron~lied", "Ada Heron lied"),
        (r"{A}{d}{a} \: Heron \: lied", "Ada Heron lied"),
        (r"\mathit{Ada}\;\mathit{Heron}\;\mathit{lied}", "Ada Heron lied"),
        (r"\text{Ada}\;\text{Heron}\;\text{lied}", "Ada Heron lied"),
        (r"x = 1, \; Ada \; Heron \; lied", "Ada Heron lied"),
        (r"W_0 x + \Delta W x = W_0 x + B A x", ""),
        (r"\frac{\text{number of hits}}{\text{number of queries}}", ""),
        (r"\text{Attention}(Q, K, V) \quad TP \; FP \; FN", ""),
        (r"x \in \mathbb{R}^{d \times k} \quad \text{for all } i", ""),
        (r"n l o g n", ""),
    ],
)
def test_words_that_a_formula_spells_are_read(formula: str, words: str) -> None:
    assert spell_words(formula) == words
    assert not words or words in read_spans(f"So ${formula}$ here")[0]
