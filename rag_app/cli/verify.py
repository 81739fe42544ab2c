"""`verify`: every quote looked for in the papers again: of an evidence file (no index needed), or of any text."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rag_app.cli.session import ready_assistant
from rag_app.errors import EvidenceError
from rag_app.outputs.evidence_file import LARGEST, ClaimedQuote, read_evidence
from rag_app.outputs.terminal import ProgressLine, pluralise, print_json, sanitise_text
from rag_app.outputs.verify import CheckedQuote, verify_quotes
from rag_app.outputs.verify_text import TextCheck, text_checks_json, verify_text
from rag_app.settings import load_settings
from rag_app.text.escaping import escape_controls

LARGEST_TEXT = 2 * 1024 * 1024  # bytes
NOTHING = "The text has no quotation and names no page, so there is nothing to check."


def run(options: Namespace) -> int:
    """Check and print. Returns 0 only when there are quotes and every one of them holds."""
    if options.file == "-" or Path(options.file).suffix.lower() != ".json":
        return _verify_text(options)
    claims = _claims(Path(options.file))
    settings = load_settings(**({"corpus": Path(options.papers)} if options.papers else {}))
    progress = ProgressLine()
    try:
        checked = verify_quotes(
            claims,
            settings.corpus,
            workers=settings.workers,
            on_read=lambda done, total, name: progress.show(f"reading {done}/{total}  {name}", "reading"),
        )
    finally:
        progress.close()
    holds = bool(checked) and all(one.holds for one in checked)
    if options.json:
        print_json({"status": "verified" if holds else "failed", "quotes": [_json(one) for one in checked]})
    else:
        print(_text(checked))
    return 0 if holds else 1


def _verify_text(options: Namespace) -> int:
    """Check the quotes and page references of a text against the papers of the index."""
    text = _read_text(options.file)
    if options.papers:
        raise EvidenceError("--papers is for evidence files. A text is checked against the index: set RAG_CORPUS.")
    checks = verify_text(text, ready_assistant())
    value = text_checks_json(checks)
    if options.json:
        print_json(value)
    else:
        print(_describe_checks(checks))
    return 0 if value["status"] == "verified" else 1


def _read_text(name: str) -> str:
    try:
        data = sys.stdin.buffer.read(LARGEST_TEXT + 1) if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise EvidenceError(f"{name}: cannot be read ({error.strerror}). Correct the path.") from error
    if len(data) > LARGEST_TEXT:
        raise EvidenceError(f"{name}: larger than {LARGEST_TEXT // 2**20} MB. Split it.")
    if b"\x00" in data:
        raise EvidenceError(f"{name}: contains binary data. Save the text as Markdown or plain text.")
    return data.decode("utf-8-sig", "replace")


def _describe_checks(checks: Sequence[TextCheck]) -> str:
    lines = []
    for one in checks:
        lines.append(sanitise_text(f"{'ok   ' if one.holds else 'FAIL '}“{' '.join(one.quoted.text.split())}”"))
        lines.append(escape_controls(f"     {one.message}"))
    held = sum(one.holds for one in checks)
    return "\n".join([*lines, f"{held} of {pluralise(len(checks), 'quote')} hold" if checks else NOTHING])


def _claims(path: Path) -> list[ClaimedQuote]:
    try:
        if path.stat().st_size > LARGEST:
            raise EvidenceError(f"{path}: larger than {LARGEST // 2**20} MB, so it is not one of our evidence files.")
        return read_evidence(path.read_bytes(), str(path))
    except OSError as error:
        raise EvidenceError(f"{path}: cannot be read ({error.strerror}). Correct the path.") from error


def _json(checked: CheckedQuote) -> dict[str, object]:
    claimed = checked.claimed
    return {
        "answer": claimed.answer,
        "number": claimed.number,
        "paper": claimed.paper,
        "page": claimed.page,
        "quote": claimed.quote,
        "state": checked.state,
        "pages": list(checked.pages),
        "message": checked.message,
    }


def _text(checked: Sequence[CheckedQuote]) -> str:
    lines = []
    several = any(one.claimed.answer > 1 for one in checked)
    for one in checked:
        claimed = one.claimed
        where = f"answer {claimed.answer} " if several else ""
        lines.append(
            escape_controls(
                f"{'ok   ' if one.holds else 'FAIL '}{where}[{claimed.number}] {claimed.paper}: {one.message}"
            )
        )
        if not one.holds:
            lines.append(sanitise_text(f"     “{' '.join(claimed.quote.split())}”"))
    states = Counter(one.state for one in checked)
    total = ", ".join(f"{number} {state}" for state, number in states.items())
    lines.append(
        f"{pluralise(len(checked), 'quote')}: {total}"
        if checked
        else "The file contains no quotes, so nothing was checked."
    )
    return "\n".join(lines)
