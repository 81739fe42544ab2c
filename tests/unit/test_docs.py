"""Every relative link of the documentation leads to a file and a heading; generated pages are up to date."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tools import settings_table

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^()\s]+)\)")


def markdown_files():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:  # no checkout: a copy of the files
        return sorted(path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")))
    return sorted(ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file())


def anchors(path):
    """What GitHub makes of the headings: lower case, punctuation gone, hyphens for blanks."""
    heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken_links(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("path", markdown_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(path):
    assert list(broken_links(path)) == []


def test_a_broken_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A page: of *mine*\n[a](gone.md) [b](#a-page-of-mine) [c](#gone) [d](page.md) [e](https://a.b/c)")
    assert list(broken_links(page)) == ["gone.md", "#gone"]


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


def test_every_file_that_the_readme_names_is_there():
    """The map of the packages leads to modules and folders that exist."""
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Where things are")[2]
    package = ROOT / "rag_app"
    there = [f"/{path.relative_to(package).as_posix()}" for path in package.rglob("*")]
    named = [name for name in re.findall(r"`([\w/]+(?:\.py|/))`", table) if name != "rag_app/"]
    assert named and [name for name in named if not any(path.endswith(f"/{name.rstrip('/')}") for path in there)] == []


def test_the_table_of_settings_is_up_to_date():
    assert settings_table.PAGE.read_text(encoding="utf-8") == settings_table.render_page(), (
        "run: python -m tools.settings_table --write"
    )


def security_promises():
    """Each promise of SECURITY.md with the tests that it names, as file::test."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    section = text.partition("## What is promised, and where it is tested\n")[2].partition("\n`tools/check.py`")[0]
    for promise in re.split(r"^- ", section, flags=re.MULTILINE)[1:]:
        yield promise, re.findall(r"`([\w/]+\.py)::(\w+)`", promise)


def missing_tests(named):
    """Those of these tests that are in no file of that name; a name without a folder is in tests/integration."""
    for file, name in named:
        path = ROOT / (file if "/" in file else f"tests/integration/{file}")
        if not path.is_file() or f"\ndef {name}(" not in path.read_text(encoding="utf-8"):
            yield f"{file}::{name}"


def test_each_promise_of_security_names_tests_that_are_there():
    promises = list(security_promises())
    assert len(promises) > 15
    for promise, named in promises:
        assert named, f"names no test: {promise[:60]}"
        assert list(missing_tests(named)) == [], promise[:60]


def test_a_test_that_is_not_there_is_found():
    named = [("test_docs.py", "test_no"), ("tests/unit/test_docs.py", "test_no"), ("test_keys.py", "test_a_server")]
    assert list(missing_tests(named)) == [f"{file}::{name}" for file, name in named]


SECRET_ARGUMENT = re.compile(
    r"""-e\ \w*(PASSWORD|KEY|TOKEN)=|\s-H[ ]*["']?Authorization|--header[ =]["']?Authorization|\s-u\ \S+:\S"""
    r"""|--(password|api-key|token)[ =]\S|^\s*\w*(PASSWORD|API_KEY|TOKEN):\ *\$""",
    re.MULTILINE | re.VERBOSE,
)


@pytest.mark.parametrize(
    "path",
    [*markdown_files(), ROOT / "compose.yaml", ROOT / "Containerfile"],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_example_puts_a_secret_on_a_command_line(path):
    """Every user of a machine reads the command lines of all."""
    assert not SECRET_ARGUMENT.search(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "text",
    [
        "podman run -e RAG_PASSWORD=… rag-app",
        'curl -s localhost:7860 -H "Authorization: Bearer $TOKEN"',
        "curl --header 'Authorization: Bearer x'",
        "curl -u ada:secret localhost",
        "rag-app serve --password secret",
        "    environment:\n      RAG_PASSWORD: ${RAG_PASSWORD}",
    ],
)
def test_a_secret_on_a_command_line_is_found(text):
    assert SECRET_ARGUMENT.search(text)
