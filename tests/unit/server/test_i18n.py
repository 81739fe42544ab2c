"""One catalogue holds every text of the page: in each language, with the same values, used, and nothing beside it."""

from __future__ import annotations

import ast
import contextvars
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag_app.records import PaperRow
from rag_app.server.i18n import (
    LANGUAGES,
    catalogue,
    choose_language,
    current_language,
    fill_markup,
    pattern_of,
    set_language,
    translate,
    translate_core,
    translate_later,
)
from rag_app.server.web.language import in_language, language_for
from rag_app.server.web.library_panel import paper_list_html

PACKAGE = Path(__file__).resolve().parents[3] / "rag_app"
STATIC = PACKAGE / "server" / "web" / "static"
PAGE_MODULES = sorted([*(PACKAGE / "server").glob("*.py"), *(PACKAGE / "server" / "web").glob("*.py")])
CORE_MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path not in PAGE_MODULES]
PLACE = re.compile(r"\{(\w+)")
KEY = re.compile(r"[a-z]+\.[a-z-]+")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
# Words of ours that nobody reads on the page: for who starts the program, for a proxy, for the log, or of a model.
NOT_OF_THE_PAGE = {
    "app.py": (
        "The page could not be served",
        "Passwords and papers go over",
        "cannot be used",
        "too short.",
        "Open ",
        "Stopping.",
        "Another page may",
        "The log above",
        "Name the key",
    ),
    "routes.py": ("Shelf",),
    "screen.py": ("False",),
    "runs.py": (
        "Stopped. The text so far",
        "It was stopped before",
        "What had come:",
        "Something went wrong",
        "the reader ended",
    ),
    "render.py": ("Not in these papers",),
    "uploads.py": ("Asks arXiv",),
}
# Two capitals or a capital and a blank: what a person would read. Code is neither.
PROSE = re.compile(r"(?:^|[>\s“\"])[A-Z][a-z]+(?: [a-z]+){2,}|^[A-Z][a-z]+(?: [a-z]+)*[.:…]?$")


@pytest.fixture
def in_chinese() -> Iterator[None]:
    set_language("zh")
    yield
    set_language("en")


# -- the catalogue --------------------------------------------------------------------------------------------------


def test_every_text_is_there_in_every_language_with_the_same_values() -> None:
    wrong = []
    for key, texts in catalogue().items():
        if set(texts) != set(LANGUAGES) or not all(text.strip() for text in texts.values()):
            wrong.append(key)
            continue
        values = {language: set(PLACE.findall(text)) for language, text in texts.items()}
        left_out = values["en"] - values["zh"] if not key.startswith("core.") else set()
        if left_out or values["zh"] - values["en"]:
            wrong.append(key)
    assert wrong == []


def test_no_text_means_anything_to_html_css_or_json() -> None:
    wrong = [
        key
        for key, texts in catalogue().items()
        if not key.startswith("core.") and re.search(r"[\"'<>&\\\n]", "".join(texts.values()))
    ]
    assert wrong == [], "they are put in as they stand: write ’ “ ” instead"


def test_chinese_is_chinese() -> None:
    words = {key for key, texts in catalogue().items() if re.search("[A-Za-z]", re.sub(r"\{.*?\}", "", texts["en"]))}
    assert [key for key in sorted(words) if not CHINESE.search(catalogue()[key]["zh"])] == []
    halves = [key for key, texts in catalogue().items() if re.search(r"[\u4e00-\u9fff][,;!?]", texts["zh"])]
    assert halves == [], "half-width punctuation between Chinese characters"


def used_keys() -> set[str]:
    texts = [path.read_text(encoding="utf-8") for path in (PACKAGE / "server").rglob("*.py")]
    texts += [path.read_text(encoding="utf-8") for path in STATIC.iterdir() if path.suffix != ".toml"]
    return {
        key
        for text in texts
        for found in re.findall(rf"\[\[({KEY.pattern})\]\]|[\"'`]({KEY.pattern})[\"'`]", text)
        for key in found
        if key.partition(".")[0] in SECTIONS
    }


SECTIONS = {key.partition(".")[0] for key in catalogue()}


def test_every_key_that_is_used_is_there_and_every_one_there_is_used() -> None:
    own = {key for key in catalogue() if not key.startswith("core.")}
    files = {name for name in used_keys() if name.rpartition(".")[2] in ("html", "js", "css", "py")}
    assert used_keys() - files - own == set(), "used, and not in texts.toml"
    assert own - used_keys() == set(), "in texts.toml, and used nowhere"


# -- nothing beside it ----------------------------------------------------------------------------------------------


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """The texts in a module that could be shown: no docstrings, no annotations, no names of the log."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    silent = {id(inner) for node in ast.walk(tree) for inner in _unseen(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.lineno, node.value


def _unseen(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value  # a docstring
    if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("_log."):
        yield from itertools.chain.from_iterable(ast.walk(argument) for argument in node.args)
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Literal", "re.compile", "TypeVar"):
        yield from ast.walk(node)


def shows(text: str) -> bool:
    plain = re.sub(r"<[^>]*>|\[\[[^\]]*\]\]", " ", text).strip()
    return bool(PROSE.search(plain)) and not KEY.fullmatch(plain)


@pytest.mark.parametrize("path", PAGE_MODULES, ids=lambda path: path.name)
def test_no_text_is_left_in_a_module_of_the_page(path: Path) -> None:
    known = NOT_OF_THE_PAGE.get(path.name, ())
    left = [(line, text) for line, text in literals(path) if shows(text) and not any(one in text for one in known)]
    assert left == [], "put it into static/texts.toml and say() it"


def script_texts(source: str) -> Iterator[str]:
    code = re.sub(r"^\s*//.*$|\s//\s.*$|/\*.*?\*/", "", source, flags=re.MULTILINE)
    for found in re.findall(r"\"((?:[^\"\\\n]|\\.)*)\"|`([^`]*)`", code):
        yield re.sub(r"\$\{[^}]*\}", " ", found[0] or found[1])


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_no_text_is_left_in_a_script_of_the_page(path: Path) -> None:
    keys = {"Enter", "Escape", "Tab", "Content-Type", "Files", "POST", "English"}
    left = [text for text in script_texts(path.read_text(encoding="utf-8")) if shows(text) and text.strip() not in keys]
    assert [text for text in left if "English" not in text] == []


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.html")), ids=lambda path: path.name)
def test_no_text_is_left_in_the_parts_of_the_page(path: Path) -> None:
    markup = re.sub(r"\[\[[^\]]*\]\]", "", path.read_text(encoding="utf-8"))
    shown = re.findall(r">([^<]*[A-Za-z]{2}[^<]*)<", markup)
    shown += re.findall(r"(?:title|aria-label|placeholder|alt)=\"([^\"]*[A-Za-z]{2}[^\"]*)\"", markup)
    assert [text.strip() for text in shown if text.strip()] == []


# -- what the core says ---------------------------------------------------------------------------------------------


def core_templates() -> list[str]:
    """Every text of the core, with "§" for each value in it."""
    found = []
    for path in CORE_MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "§" for part in node.values)
                found.append("".join(map(str, parts)))
    found += [path.read_text(encoding="utf-8") for path in (PACKAGE / "server" / "runs.py",)]
    return found


def test_the_core_still_says_what_the_page_translates() -> None:
    said = "\n".join(core_templates())
    for begun in ("No passage", "What the", "None of"):
        said = said.replace(f"papers: {begun[0].lower()}{begun[1:]}", begun)
    lost = []
    for key, texts in catalogue().items():
        parts = re.split(r"\{[^}]*\}|\. ", texts["en"])
        whole = max((part.strip(" .") for part in parts), key=len)
        if key.startswith("core.") and whole not in said:
            lost.append((key, whole))
    assert lost == [], "reworded in the core: change the English of these texts too"


@pytest.mark.usefixtures("in_chinese")
@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("reading 12 passages", "正在阅读 12 个段落"),
        ("reading 1 passage", "正在阅读 1 个段落"),
        ("comparing 2 papers on 4 aspects", "正在比较 2 篇论文的 4 个方面"),
        ("No passage found answers this question.", "找到的内容都没有回答这个问题。"),
        (
            "The papers mention DPR, but the passages found do not mention coffee.",
            "论文谈到了 DPR，但找到的内容没有提及 coffee。",
        ),
        ("What the paper says itself.", "What the paper says itself."),
        ("a.pdf: the file is empty. Fetch or export it again.", "a.pdf：文件是空的。请重新下载或导出。"),
        (
            '"x" is not an arXiv id. Use one like 2406.15319, hep-th/9901001 or a link to arxiv.org.',
            "“x”不是 arXiv 编号。",
        ),
        (
            "not tried: arxiv.org cannot be reached (no route). Check the network or proxy, then fetch again.",
            "没有尝试：",
        ),
        ("Ollama (127.0.0.1:1) did not accept the key (401). Check RAG_LLM_API_KEY.", "没有接受这个密钥。请检查"),
        (
            "H cannot be reached: x. Start it, or set RAG_LLM=none to read without a model.",
            "无法连接 H。请确认地址正确",
        ),
    ],
)
def test_what_the_core_says_is_translated_and_what_papers_say_is_not(english: str, chinese: str) -> None:
    assert chinese in translate_core(english)


def test_in_english_the_core_is_left_alone() -> None:
    assert translate_core("reading 12 passages") == "reading 12 passages"


def test_a_pattern_finds_its_values_and_nothing_longer() -> None:
    found = re.fullmatch(pattern_of("searching {n} papers (50 %)"), "searching 47 papers (50 %)")
    assert found and found.groupdict() == {"n": "47"}
    assert re.fullmatch(pattern_of("checking quotes"), "checking quotes of papers") is None


# -- saying ---------------------------------------------------------------------------------------------------------


def test_numbers_and_the_words_beside_them() -> None:
    assert translate("history.questions", n=1) == "1 question"
    assert translate("history.questions", n=1200) == "1,200 questions"


def test_what_is_said_later_is_said_in_the_language_of_who_looks() -> None:
    words = translate_later("build.done", time=translate_later("page.minutes", minutes=3), papers=2, passages=1200)
    assert str(words) == "Built in 3 min: 2 papers, 1,200 passages."
    context = contextvars.copy_context()
    context.run(set_language, "zh")
    assert context.run(str, words) == "索引已建好，用时 3 分钟：2 篇论文，1,200 个段落。"
    assert current_language() == "en", "another's language is not ours"


def test_markup_is_filled_and_an_unknown_key_is_a_fault() -> None:
    assert fill_markup("<b>[[library.search]]</b>") == "<b>Find a paper</b>"
    with pytest.raises(KeyError):
        fill_markup("[[library.no-such-text]]")


def test_values_are_escaped_where_the_page_puts_them() -> None:
    row = PaperRow("a.pdf", "<i>A & B</i>", 0, 0, "full text", "")
    listed = paper_list_html([row], lambda paper: "name")
    assert "<i>" not in listed and "&lt;i&gt;A &amp; B" in listed


# -- whose language -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("zh-Hant-TW", "zh"),
        ("en-US,en;q=0.9,zh;q=0.8", "en"),
        ("de-DE,de;q=0.9,zh;q=0.5,en;q=0.3", "zh"),
        ("fr,en;q=0.1", "en"),
        ("zh;q=0,en", "en"),
        ("*", "en"),
        ("zh;q=nonsense;;,,", "zh"),
        ("ja, ko", "en"),
    ],
)
def test_the_browser_is_answered_in_a_language_that_it_asks_for(accepted: str, language: str) -> None:
    assert choose_language(accepted) == language


@pytest.mark.parametrize(
    ("cookie", "configured", "accepted", "language"),
    [
        ("", "auto", "zh-CN", "zh"),
        ("", "en", "zh-CN", "en"),
        ("rag_app_language=zh", "en", "en", "zh"),
        ("other=1; rag_app_language=en", "zh", "zh-CN", "en"),
        ("rag_app_language=auto", "zh", "en", "zh"),
        ("rag_app_language=xx", "auto", "en", "en"),
        ("rag_app_language=\x00;;;=", "auto", "zh", "zh"),
    ],
)
def test_a_choice_in_the_page_goes_before_the_settings_and_they_before_the_browser(
    cookie: str, configured: str, accepted: str, language: str
) -> None:
    assert language_for({"cookie": cookie, "accept-language": accepted}, configured) == language


def test_each_step_is_made_in_its_language_whoever_asks_for_it() -> None:
    def steps() -> Iterator[str]:
        try:
            yield current_language()
            yield current_language()
        finally:
            ended.append(current_language())

    ended: list[str] = []
    taken = in_language("zh", steps())
    assert [next(taken), current_language(), next(taken)] == ["zh", "en", "zh"]
    taken.close()  # type: ignore[attr-defined]
    assert ended == ["zh"]
