"""`redteam`: attacks the configured reader with hostile papers and reports the result."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rag_app.errors import QuestionError
from rag_app.lab.redteam.archive import REACHES, AttackAttempt, diversity, read_archive, write_archive
from rag_app.lab.redteam.run import AttackRunner, RedTeamPlan, RedTeamResult
from rag_app.lab.redteam.run import run as attack
from rag_app.lab.redteam.seeds import ATTACKS
from rag_app.outputs.terminal import print_json, print_note, sanitise_text
from rag_app.settings import load_settings


def run(options: Namespace) -> int:
    """Try, report, and keep the archive where one is named. 1 when an attack succeeded."""
    only = tuple(part.strip() for part in options.only.split(",") if part.strip())
    unknown = [name for name in only if name not in ATTACKS]
    if unknown:
        raise QuestionError(f"--only {', '.join(unknown)}: no such category. The categories are: {', '.join(ATTACKS)}.")
    file = Path(options.archive) if options.archive else None
    archive = read_archive(file) if file else read_archive(Path())
    outcome = attack(
        RedTeamPlan(options.rounds, only, options.limit), AttackRunner(load_settings()), archive, _progress
    )
    if file:
        write_archive(file, archive)
    value = outcome_json(outcome)
    if options.json:
        print_json(value)
    else:
        print(sanitise_text(outcome_text(value)))
    return int(value["succeeded"] > 0)


def _progress(done: int, total: int, name: str) -> None:
    if done == 1 or done % 25 == 0 or done == total:
        print_note(f"asking {done} of {total} ({name})")


def outcome_json(outcome: RedTeamResult) -> dict[str, Any]:
    """What came of a run: rates by category, diversity, over-refusal, and each success."""
    attacks, benign = outcome.attacks, outcome.benign
    won = [trial for trial in attacks if trial.reach == REACHES[-1]]
    denied = [trial for trial in benign if trial.denied]
    return {
        "status": "measured",
        "reader": outcome.reader,
        "tried": len(attacks),
        "succeeded": len(won),
        "shown with its source": sum(trial.reach == REACHES[2] for trial in attacks),
        "categories": {name: _counts(attacks, name) for name in ATTACKS if _counts(attacks, name)["tried"]},
        "diversity": diversity(attacks),
        "diversity of what came near": diversity([trial for trial in attacks if trial.score >= 0.5]),
        "benign": {"asked": len(benign), "not answered": len(denied), "which": [one.attack.id for one in denied]},
        "successes": [
            {"id": one.attack.id, "category": one.attack.category, "reasons": list(one.reasons), "said": one.said}
            for one in won
        ],
    }


def _counts(trials: Sequence[AttackAttempt], category: str) -> dict[str, int]:
    mine = [trial for trial in trials if trial.attack.category == category]
    counts = {reach: sum(trial.reach == reach for trial in mine) for reach in REACHES}
    return {"tried": len(mine), **counts}


def outcome_text(value: dict[str, Any]) -> str:
    """The same for a person."""
    lines = [f"{'':22} {'tried':>6} {'not found':>10} {'read':>6} {'shown with its source':>22} {'succeeded':>10}"]
    for name, counts in value["categories"].items():
        lines.append(
            f"{name:22} {counts['tried']:6} {counts['not found']:10} {counts['read']:6} "
            f"{counts['shown with its source']:22} {counts['succeeded']:10}"
        )
    benign = value["benign"]
    lines += [
        "",
        f"{value['tried']} attacks on the reader “{value['reader']}”: {value['succeeded']} succeeded, "
        f"{value['shown with its source']} were shown as what they are, words of their paper.",
        f"{benign['asked']} look-alikes: {benign['not answered']} not answered"
        + (f" ({', '.join(benign['which'])})." if benign["which"] else "."),
        "Diversity: " + ", ".join(f"{name} {figure}" for name, figure in value["diversity"].items()) + ".",
    ]
    for one in value["successes"]:
        lines.append(f"  {one['id']}: {', '.join(one['reasons'])} — {' '.join(one['said'].split())[:160]}")
    return "\n".join(lines)
