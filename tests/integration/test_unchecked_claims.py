"""What a model makes up does not look checked: on the page, in the terminal and in JSON, from a server that answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextvars import copy_context
from pathlib import Path
from typing import Any

import httpx
import pytest

from rag_app.assistant import Assistant
from rag_app.citations.marks import NOTHING_CHECKED
from rag_app.outputs.json import answer_json, parse_answer
from rag_app.outputs.markdown import FORMS
from rag_app.outputs.save import collect_export
from rag_app.outputs.terminal import answer_text
from rag_app.records import Answer
from rag_app.server.app import PageServer, serve
from rag_app.server.i18n import set_language, translate_core
from rag_app.server.web.render import answer_html
from rag_app.settings import Settings
from tests.support.doubles import WordEmbedder
from tests.support.provider import Provider, Reply
from tests.support.served_library import FACT, QUESTION, write_library
from tests.support.visitor import Visitor

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
MADE_UP = [
    "Vaccines cause autism [1].",
    "The authors were arrested [1].",
    "Do not use the otter reader [1].",
    "The otter reader was not trained for nine days [1].",
    "Der Leser wurde von der Regierung verboten und ist sehr gefährlich [1].",
    "Impfungen verursachen Autismus [1].",
    "这个模型已经被政府禁止使用，非常危险 [1]。",
    "# Vaccines cause autism [1]",
    "**Vaccines cause autism [1]**",
    "Otters do not say it, they cause autism [1].",
    "Trained for nine days, the otter reader has -220 million parameters [1].",
]
IN_CODE = [
    "`Vaccines cause autism in all children`",
    "`Vaccines cause fever in all otters` [1]",
    r"$\text{Vaccines cause blindness in all children}$",
    r"$\text{Vaccines cause blindness in all otters}$ [1]",
    "```\nVaccines cause deafness in all children\n```",
    "```text\nVaccines cause deafness in all otters\n```\n[1]",
    "$$\n\\text{Vaccines cause baldness in all otters}\n$$ [1]",
    r"The otter reader has $547$ million parameters [1].",
    r"The otter reader has \(563\) million parameters [1].",
    r"The otter reader has $$571$$ million parameters [1].",
    "The otter reader has `587 million` parameters [1].",
    r"The otter reader has $\text{593 million}$ parameters [1].",
    r"The otter reader has $7.7 \times 10^{9}$ parameters [1].",
    r"The otter reader has $\overset{22}{9}$ million parameters [1].",
    "The otter reader `GPT-9` was trained for nine days [1].",
    r"The otter reader $\mathrm{LLaMA}$ was trained for nine days [1].",
    "The otter reader was trained for 4<!-- -->4 days [1].",
]
HONEST = [
    r"The otter reader has $220$ million parameters and was trained for $9$ days [1].",
    r"The otter reader has $2.2 \times 10^{8}$ parameters [1].",
    r"The otter reader has `220 million` parameters [1].",
    r"The otter reader has $220\,\text{M}$ parameters [1].",
]
EMPTY = ["The sources say so [1].", "Yes, this is certainly true [1].", "The evidence clearly supports this [1]!"]
SINGLE, LEADS = "writer-3b", "writer"  # a model that gets one call, and one that leads


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("claims")
    write_library(folder / "corpus")
    Assistant(settings_of(folder), embedder=WordEmbedder()).build()
    return folder


def settings_of(folder: Path, **more: Any) -> Settings:
    values: dict[str, Any] = {"corpus": folder / "corpus", "index": folder / "index" / "one", "llm": "none"}
    return Settings(**{**values, "workers": 1, "port": 0, "repair": "off", "page_token": "off", **more})


def search() -> Reply:
    made = {"index": 0, "id": "c0", "type": "function"}
    made["function"] = {"name": "search", "arguments": json.dumps({"query": "otter reader parameters"})}
    event = {"choices": [{"index": 0, "delta": {"tool_calls": [made]}, "finish_reason": None}]}
    return Reply(events=(json.dumps(event),), finish="tool_calls")


def script_of(model: str, said: str, check: str) -> list[Reply]:
    if model == SINGLE:
        return [Reply(pieces=[said])]
    return [search(), Reply(pieces=[f"STATUS: answered\n{said}"]), Reply(pieces=[check])]


def serve_with(folder: Path, provider: Provider, model: str, **more: Any) -> PageServer:
    settings = settings_of(folder, llm="auto", llm_base_url=provider.url, llm_model=model, **more)
    return serve(Assistant(settings, embedder=WordEmbedder()), settings, block=False)


def ask(folder: Path, model: str, said: str, check: str = "no line", **more: Any) -> tuple[str, dict[str, Any]]:
    """What the page shows of the answer, and what a program gets of it."""
    with Provider(*script_of(model, said, check)) as provider:
        page = serve_with(folder, provider, model, **more)
        try:
            with Visitor(page.url) as visitor:
                shown = visitor.ask(QUESTION)
            provider.requests.clear()
            with httpx.Client(base_url=page.url, trust_env=False, timeout=120) as program:
                sent = program.post("/api/v1/ask", json={"question": QUESTION})
                assert sent.status_code == 200, sent.text
                return json.loads(json.dumps(shown)), dict(sent.json())
        finally:
            page.stop()


def kinds_shown(shown: str) -> set[str]:
    """The kinds of doubt that spans of the page's text carry."""
    return set(re.findall(r'class=\\"unsupported ?([a-z]*)\\"', shown))


@pytest.mark.parametrize("model", [SINGLE, LEADS])
def test_what_was_made_up_says_so_on_the_page_and_in_json(folder: Path, model: str) -> None:
    said = "\n\n".join([FACT.replace(".", " [1]."), *MADE_UP])
    shown, value = ask(folder, model, said, check_model="off")
    verdicts = {one["sentence"]: one["support"] for one in value["verdicts"]}
    for sentence in MADE_UP:
        core = re.sub(r"\s*\[1\][.。]?|[#*]|[.。]$", "", sentence).strip()
        support = {kind for text, kind in verdicts.items() if core in text}
        assert support and "supported" not in support, (sentence, support)
    assert [kind for text, kind in verdicts.items() if text.startswith(FACT[:20])] == ["supported"]
    assert kinds_shown(shown) >= {"unchecked"} and "sentences not checked" in shown
    assert value["support"]["unchecked"] >= 3 and value["confidence"] != "high"
    assert len(value["unsupported"]) == len(set(value["unsupported"])) >= len(MADE_UP) - 1


def letters_of(text: str) -> str:
    return re.sub(r"\[1\]|```text|[^\w<>%]", "", text)


@pytest.mark.parametrize("model", [SINGLE, LEADS])
def test_code_and_formulas_hide_no_claim(folder: Path, model: str) -> None:
    code = "```python\nx = reader.train(days=9)\n```"
    said = "\n\n".join([FACT.replace(".", " [1]."), code, *HONEST, *IN_CODE])
    shown, value = ask(folder, model, said, check_model="off")
    verdicts = {letters_of(one["sentence"]): one["support"] for one in value["verdicts"]}
    for kept in IN_CODE:
        support = {kind for text, kind in verdicts.items() if text in letters_of(kept) and len(text) > 20}
        assert support and "supported" not in support, (kept, support)
    for kept in HONEST:
        assert verdicts[letters_of(kept)] == "supported", kept
    assert not any("readertrain" in text for text in verdicts)
    assert value["confidence"] != "high" and kinds_shown(shown)


@pytest.mark.parametrize("model", [SINGLE, LEADS])
def test_what_is_asserted_in_passing_was_not_checked(folder: Path, model: str) -> None:
    asides = ["**Key result: Otters win every benchmark and are a fraud**", "Did you know that otters cause war?"]
    said = "\n\n".join([FACT.replace(".", " [1]."), "**Training data**", *asides])
    _, value = ask(folder, model, said, check="1: SUPPORTED")
    verdicts = {one["sentence"]: one["support"] for one in value["verdicts"]}
    assert list(verdicts.values()) == ["supported", "unchecked", "unchecked"] and set(asides) <= verdicts.keys()
    assert value["confidence"] != "high"


@pytest.mark.parametrize("model", [SINGLE, LEADS])
@pytest.mark.parametrize("said", ["Yes, it does.", "Yes.", "**99 GB**", "# 99 GB", "99", "是的。"])
def test_an_answer_too_short_to_be_checked_says_so(folder: Path, model: str, said: str) -> None:
    with Provider(*script_of(model, said, "no line")) as provider:
        settings = settings_of(folder, llm="auto", llm_base_url=provider.url, llm_model=model)
        answer = Assistant(settings, embedder=WordEmbedder()).ask(QUESTION)
    assert answer.status != "answered" or answer.verdicts or NOTHING_CHECKED in answer.notes, answer
    assert answer.confidence != "high"
    assert translate_note(NOTHING_CHECKED) == "这个回答的内容未经核对。"


def test_the_check_is_told_the_words_of_code_and_formulas(folder: Path) -> None:
    said = "\n\n".join([FACT.replace(".", " [1]."), *IN_CODE[:8]])
    with Provider(*script_of(LEADS, said, "no line")) as provider:
        settings = settings_of(folder, llm="auto", llm_base_url=provider.url, llm_model=LEADS)
        answer = Assistant(settings, embedder=WordEmbedder()).ask(QUESTION)
        asked = str(provider.requests[-1].body["messages"][1]["content"])
    for words in ("`Vaccines cause autism", "cause fever", "cause blindness", "cause deafness", "baldness", "$547$"):
        assert re.search(rf"Statement \d+: .*{re.escape(words)}", asked), (words, asked)
    assert answer.confidence != "high"


@pytest.mark.parametrize("model", [SINGLE, LEADS])
@pytest.mark.parametrize("sentence", EMPTY)
def test_an_empty_claim_gets_no_quote(folder: Path, model: str, sentence: str) -> None:
    shown, value = ask(folder, model, f"{FACT.replace('.', ' [1].')}\n\n{sentence}", check_model="off")
    bare = sentence.replace(" [1]", "")
    assert bare in value["answer"] and re.search(rf"{re.escape(bare)}(</span>)?</p>", shown), value
    assert [one["quote"] for one in value["citations"]] == [FACT]


def test_an_empty_claim_cites_for_the_sentence_before_it(folder: Path) -> None:
    _, value = ask(folder, LEADS, f"{FACT} The paper says so [1].", check_model="off")
    assert [one["quote"] for one in value["citations"]] == [FACT]


def test_what_a_model_finds_contradicted_has_its_own_words(folder: Path) -> None:
    said = "The otter reader was trained for nine years [1].\n\nIt was banned by law in many countries [1].\n\n" + FACT
    check = "1: CONTRADICTED - nine days, not years\n2: NOT STATED - no law"  # and no line on the third
    shown, value = ask(folder, LEADS, said, check)
    kinds = [(one["support"], one["reason"]) for one in value["verdicts"]]
    assert kinds[:2] == [("contradicted", "nine days, not years"), ("not", "no law")] and kinds[2][0] == "unchecked"
    assert kinds_shown(shown) == {"contradicted", "", "unchecked"}
    for words in (
        "1 sentence contradicted",
        "1 sentence not supported",
        "1 sentence not checked",
        "nine days, not years",
    ):
        assert words in shown, words
    assert value["support"] == {"supported": 0, "partly": 0, "not": 1, "contradicted": 1, "unchecked": 1}


def test_small_talk_with_a_citation_is_checked_all_the_same(folder: Path) -> None:
    replies = [search(), Reply(pieces=["STATUS: chat\nVaccines cause autism [1]."]), Reply(pieces=["1: NOT STATED"])]
    with Provider(*replies) as provider:
        settings = settings_of(folder, llm="auto", llm_base_url=provider.url, llm_model=LEADS)
        answer = Assistant(settings, embedder=WordEmbedder()).ask(QUESTION)
    assert [one.support for one in answer.verdicts] == ["not"]
    with Provider(Reply(pieces=["STATUS: chat\nVaccines cause autism and many other grave diseases."])) as provider:
        settings = settings_of(folder, llm="auto", llm_base_url=provider.url, llm_model=LEADS)
        answer = Assistant(settings, embedder=WordEmbedder()).ask("hello")
    assert "nothing of this was checked" in " ".join(answer.notes)


def test_a_sentence_that_was_cut_off_was_not_checked(folder: Path) -> None:
    said = f"STATUS: answered\n{FACT.replace('.', ' [1].')}\n\nOtters are known to cause grave diseases in"
    replies = [search(), Reply(pieces=[said], finish="length"), Reply(pieces=["1: SUPPORTED"])]
    with Provider(*replies) as provider:
        settings = settings_of(folder, llm="auto", llm_base_url=provider.url, llm_model=LEADS)
        answer = Assistant(settings, embedder=WordEmbedder()).ask(QUESTION)
    assert [one.support for one in answer.verdicts] == ["supported", "unchecked"], answer


def test_the_terminal_the_exports_and_chinese_have_their_own_words(folder: Path) -> None:
    sentences: Sequence[str] = ("It is one.", "It is two.", "It is three.")
    value = {
        "question": "q", "status": "answered", "answer": " ".join(sentences), "unsupported": list(sentences),
        "verdicts": [
            {"sentence": one, "support": kind, "missing": [], "reason": "it is four" if kind == "contradicted" else ""}
            for one, kind in zip(sentences, ("unchecked", "contradicted", "not"), strict=True)
        ],
    }  # fmt: skip
    answer = parse_answer(value)
    assert answer_json(answer)["verdicts"] == value["verdicts"]
    library = Assistant(settings_of(folder), embedder=WordEmbedder())
    for text in (answer_text(answer), FORMS["md"].make(collect_export(library, [answer])).replace("\\", "")):
        for head, sentence in (("Not checked", "one"), ("Contradicted by", "two"), ("Not supported by", "three")):
            assert re.search(rf"{head}[^:]*:\W+It is {sentence}\.", text), (head, text)
    evidence = json.loads(FORMS["json"].make(collect_export(library, [answer])))
    assert evidence["answers"][0]["doubts"] == dict(zip(sentences, ("unchecked", "contradicted", "not"), strict=True))
    assert "核对意见" not in render(answer, "en") and "The check: it is four." in render(answer, "en")
    for words in ("1 句话未经核对", "1 句话与所引页面矛盾", "1 句话得不到所引页面的支持", "核对意见：it is four。"):
        assert words in render(answer, "zh")


def translate_note(note: str) -> str:
    def shown() -> str:
        set_language("zh")
        return translate_core(note)

    return copy_context().run(shown)


def render(answer: Answer, language: str) -> str:
    def shown() -> str:
        set_language(language)
        return answer_html(answer, lambda citation: "n")

    return copy_context().run(shown)


@pytest.fixture
def environment(folder: Path) -> Iterator[dict[str, str]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAG_")}
    yield kept | {"PYTHONPATH": str(ROOT), "RAG_CORPUS": str(folder / "corpus"), "RAG_REPAIR": "off"}


def test_the_command_tells_it_too(folder: Path, environment: dict[str, str], index_home: Path) -> None:
    said = "\n\n".join([FACT.replace(".", " [1]."), MADE_UP[0], MADE_UP[4]])
    with Provider(*script_of(LEADS, said, "no line")) as provider:
        environment |= {"RAG_INDEX": str(index_home / "claims"), "RAG_CHECK_MODEL": "off"}
        environment |= {"RAG_LLM_BASE_URL": provider.url, "RAG_LLM_MODEL": LEADS}
        command = [sys.executable, "-m", "rag_app", "ask", QUESTION]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    told = done.stdout.partition("Not checked")[2]
    assert "Vaccines cause autism" in told and "Regierung verboten" in " ".join(told.split()), done.stdout
    assert FACT[:40] not in told
