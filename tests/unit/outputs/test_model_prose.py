"""What a model wrote gives other programs text, formulas and code, and no command."""

from __future__ import annotations

import pytest

from rag_app.outputs.markdown import ExportContent, export_markdown
from rag_app.outputs.model_prose import make_inert
from rag_app.outputs.notebook import answer_as_note
from rag_app.records import Answer


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (r"$$\includegraphics{http://x}$$ \input{f}", r"\$\$&#92;includegraphics\{http://x}\$\$ &#92;input\{f}"),
        (r"\\input{f} \\\input{f}", r"&#92;input\{f} &#92;&#92;input\{f}"),
        (r"$x$ \newcommand{\x}{y} $\x$", r"$x$ &#92;newcommand\{&#92;x}\{y} \$&#92;x\$"),
        ("$^^5cinput{f}$", r"\$&#94;&#94;5cinput\{f}\$"),
        ("$x$1 ^^5cinput 2$y$", r"\$x\$1 &#94;&#94;5cinput 2\$y\$"),
        (r"$x$2^^5cinput{f}$x$ \^^69nput", r"\$x\$2&#94;&#94;5cinput\{f}$x$ &#94;&#94;69nput"),
        ("x^\r^5c", "x&#94;\n&#94;5c"),
        (r"a^\input^ a~\input~ \\(x\\)", r"a&#94;&#92;input&#94; a\~&#92;input\~ &#92;(x&#92;)"),
        ("$x\n- y$ \\input", "\\$x\n- y\\$ &#92;input"),
        ("$x\n \ny$", "\\$x\n \ny\\$"),
        ("$x % y\nz$", r"$x \% y z$"),
        ("`\\input{f}`{=latex}", "`\\input{f}`\\{=latex}"),
        ("`\\input{f}` { =latex}", "`\\input{f}` \\{ =latex}"),
        ("`a\nb` \\input `c`", "\\`a\nb` \\input `c\\`"),
        ("``` {=latex}\n\\input{f}\n```\n", "```\n\\input{f}\n```\n"),
        ("~~~{=latex}\n^^5cinput{f}\n~~~", "```\n^^5cinput{f}\n```"),
        ("a\n~~~\n\\input{f}\n~~~\nb", "a\n\n```\n\\input{f}\n```\n\nb"),
        ("- a\n\n  ```\n  b\n\n\\input\n  ```", "- a\n\n  ```\n  b\n\n  \\input\n  ```"),
        ("```\n\\end{lstlisting}\\input\n```", "```\n\\ end{lstlisting}\\input\n```"),
        ("> ```{=latex}\n> \\input{f}\n> ```", "> \\`\\`\\`\\{=latex}\n> &#92;input\\{f}\n> \\`\\`\\`"),
        ("```\n\\input{f}", "\\`\\`\\`\n&#92;input\\{f}"),
        ("~~~\nall that follows", "\\~~~\nall that follows"),
        ("- a\n\n      ```\n\\input{f}\n```\n", "- a\n\n      \\`\\`\\`\n&#92;input\\{f}\n\\`\\`\\`\n"),
        ("| `a | \\input{f}` |\n|-|-|", "| \\`a | &#92;input\\{f}\\` |\n|-|-|"),
        ("a  b\n-- ----\n`x \\input{f}`", "a  b\n\\-- ----\n`x \\input{f}`"),
        ("+---+\n| a |\n+---+", "\\+---+\n| a |\n\\+---+"),
        ("a\n\n---\ntitle: b\n---\n", "a\n\n* * *\ntitle: b\n* * *\n"),
        ("> ---\n> title: b\n", "> * * *\n> title: b\n"),
    ],
)
def test_nothing_of_a_models_prose_is_run_as_tex(text: str, plain: str) -> None:
    assert make_inert(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ('[a]{onfocus="f()"} `c`{onclick=f}', '[a]\\{onfocus="f()"} `c`\\{onclick=f}'),
        ('::: {#a onclick="f()"}\nb\n:::', '\\::: \\{\\#a onclick="f()"}\nb\n\\:::'),
        ("## H {onclick=f}\n{: onclick=f}", "## H \\{onclick=f}\n\\{: onclick=f}"),
        ("[a]: http://b onclick=f", "[a]\\: http://b onclick=f"),
        (r"\<img src=x onerror=f> <b>", "&#60;img src=x onerror=f> &#60;b>"),
        ("$<img/src=x/onerror=f>$ $[a](b)$", "$< img/src=x/onerror=f>$ $[a] (b)$"),
        (
            "[a](javascript:f) [b](<data:x>) [c]\\(file:d)",
            "[a]&#40;javascript\\:f) [b]&#40;&#60;data\\:x>) [c]&#40;file\\:d)",
        ),
        ("![a](http://b/c.png) ![[d]]", "\\![a](http://b/c.png) \\![[d]]"),
        ("[^1]: forged ^[forged]", "[&#94;1]\\: forged &#94;[forged]"),
        ("{{< include f >}} {% include f %} <%= f %>", "\\{\\{< include f >}} \\{\\% include f %} &#60;%= f %>"),
        ("`= dv.x` `$= x` `{r} f` `<% f %>`", "\\`= dv.x\\` \\`\\$= x\\` \\`\\{r} f\\` \\`&#60;% f %>\\`"),
        ('`r system("f")`', '` r system("f") `'),
        ("```dataviewjs\nf()\n```", "```\nf()\n```"),
        ("~~~{r}\nf()\n~~~", "```\nf()\n```"),
        ("```mermaid\nf\n```", "```\nf\n```"),
        ("```python {cmd=true}\nf\n```", "```python\nf\n```"),
    ],
)
def test_nothing_of_a_models_prose_is_an_attribute_a_program_or_a_file(text: str, plain: str) -> None:
    assert make_inert(text) == plain


@pytest.mark.parametrize(
    "text",
    [
        r"$\alpha^2$, $x_1$, $$\sum_i x_i$$ and $\sqrt{2}$.",
        "`print('a\\n')` and ``a ` b``",
        "```python\nprint('\\n', $x)\n```\n\n**bold** [1], 5 \\* 4\n\n| a | b |\n|---|---|\n| 1 | `c` |",
        "````\n```\n\\x\n````",
        "A line\\\nand *another* at p < 0.05 [1], in [a page](https://a.b/c_d?e=1#f) of ~~one~~ two.",
    ],
)
def test_formulas_code_and_links_stay_as_they_were_written(text: str) -> None:
    assert make_inert(text) == text


def test_a_formula_is_written_as_all_programs_read_it() -> None:
    assert make_inert("\\(x_1\\), \\[\\frac{a}{b}\\] and $$\n x \n$$") == "$x_1$, $$\\frac{a}{b}$$ and $$x$$"
    assert make_inert("$5 and $6, a$x$b, $x$5") == "\\$5 and \\$6, a\\$x\\$b, \\$x\\$5"


def test_exports_and_notes_hold_no_tex_of_a_model() -> None:
    answer = Answer("1", "Q?", "answered", r"So it is. \input{f}", "model")
    for made in (export_markdown(ExportContent([answer], {}, "rag-app", "now")), answer_as_note(answer)):
        assert r"So it is. &#92;input\{f}" in made
