"""`verify`: every quote of an evidence file looked for in the papers again, with no model, index or network."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rag_app.errors import EvidenceError
from rag_app.outputs.evidence_file import LARGEST, ClaimedQuote, read_evidence
from rag_app.outputs.terminal import ProgressLine, pluralise, print_json, sanitise_text
from rag_app.outputs.verify import CheckedQuote, verify_quotes
from rag_app.settings import load_settings


def run(options: Namespace) -> int:
    """Check and print. Returns 0 only when there are quotes and every one of them holds."""
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


def _claims(path: Path) -> list[ClaimedQuote]:
    try:
        if path.stat().st_size > LARGEST:
            raise EvidenceError(f"{path}: larger than {LARGEST // 2**20} MB, so no evidence file of ours.")
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
            sanitise_text(
                f"{'ok   ' if one.holds else 'FAIL '}{where}[{claimed.number}] {claimed.paper}: {one.message}"
            )
        )
        if not one.holds:
            lines.append(sanitise_text(f"     “{' '.join(claimed.quote.split())}”"))
    states = Counter(one.state for one in checked)
    total = ", ".join(f"{number} {state}" for state, number in states.items())
    lines.append(
        f"{pluralise(len(checked), 'quote')}: {total}" if checked else "The file holds no quote, so nothing is proved."
    )
    return "\n".join(lines)
