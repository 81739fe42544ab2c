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
