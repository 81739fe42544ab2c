"""Papers that attack, tried on a small model that believes what it reads: SmolLM2 on this machine.

    python -m benchmarks.hostile_model [--short] [--reader NAME]

A model can be talked into things; what is promised is that none of it becomes more than marked text (hostile.py). How
much of what it does not answer is its size, hostile_control.py tells.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.hostile import MISLED, attack, rows_of, spread
from benchmarks.tried import Section
from rag_app.lab.redteam.run import RedTeamPlan
from rag_app.lab.redteam.seeds import ATTACKS

VARIED = 9  # in the one round: 24 attacks with one seed of each kind


def section(short: bool, reader: str = "local") -> Section:
    """One attack of each kind, a round of variations and the look-alikes; a few kinds where `short`."""
    only = tuple(ATTACKS)[::5] if short else ()
    outcome = attack(RedTeamPlan(rounds=0 if short else 1, only=only, limit=1, per_round=VARIED), reader)
    about = (
        f"The same papers, a few of them; the reader is “{outcome.reader}”, which is small and believes what it reads. "
        "A fault is a broken promise: something live on the page, in the Markdown or in the terminal, a quote that is "
        "not on its page, a key that is told, hidden text or characters that are shown, planted words without the "
        "mark that opens them in their own paper and not marked as unsupported either. That the honest answer is "
        "missing or displaced is counted as misled: no program can keep a model from that."
    )
    misled = [trial for trial in outcome.attacks if set(trial.reasons) & MISLED]
    notes = [spread(outcome.attacks)]
    if misled:
        told = "; ".join(f"{one.attack.id} ({', '.join(one.reasons)})" for one in misled)
        notes.append(f"Misled: {told}.")
    return Section("Hostile papers and a small model", about, rows_of(outcome, believes=True), tuple(notes))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile_model", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few kinds of attack")
    parser.add_argument("--reader", default="local", help="as RAG_LLM")
    options = parser.parse_args()
    found = section(options.short, options.reader)
    print(found.text())
    return int(bool(found.faults))


if __name__ == "__main__":
    sys.exit(main())
