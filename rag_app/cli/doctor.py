"""`doctor`: looks at every part that has to be right, and says what is wrong and what to do about it.

A wrong setting stops nothing here: its default is looked at instead. The checks themselves stand in doctor_checks.py.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator

from rag_app.cli.doctor_checks import CHECKS, CheckResult
from rag_app.lab.window import measure
from rag_app.outputs.terminal import ProgressLine, print_json
from rag_app.settings import Settings, examine_settings
from rag_app.text.escaping import escape_controls

MARKS = {"good": "  ok  ", "note": " note ", "wrong": "WRONG "}


def run(options: Namespace) -> int:
    """Print what was found. Returns 1 when something is wrong."""
    if options.window:
        return measure.run(options)
    progress = ProgressLine()
    findings = []
    try:
        for finding in examine(*examine_settings()):
            findings.append(finding)
            if not options.json:
                progress.close()
                print(format_check_result(finding), flush=True)
            if progress.rewrites:
                progress.show("checking further …")
    finally:
        progress.close()
    wrong = [finding.name for finding in findings if finding.state == "wrong"]
    if options.json:
        print_json(
            {
                "status": "wrong" if wrong else "good",
                "checks": [vars(finding) for finding in findings],
            }
        )
    else:
        print(f"\nwrong: {', '.join(dict.fromkeys(wrong))}" if wrong else "\nnothing is wrong")
    return int(bool(wrong))


def examine(settings: Settings, problems: tuple[str, ...]) -> Iterator[CheckResult]:
    """Everything that is worth saying about this installation. `problems` are the settings that are wrong."""
    for problem in problems:
        yield CheckResult("settings", "wrong", problem)
    if not problems:
        yield CheckResult("settings", "good", _changed_settings(settings))
    for name, check in CHECKS.items():
        try:
            yield from check(settings)
        except Exception as error:  # a check that fails is a finding; the others go on
            yield CheckResult(name, "wrong", f"this check failed: {type(error).__name__}: {error}")


def _changed_settings(settings: Settings) -> str:
    """The settings that differ from their defaults; keys stay hidden."""
    fields = type(settings).model_fields
    given = {name: getattr(settings, name) for name in sorted(settings.model_fields_set)}
    changed = [
        f"{name}={value}"
        for name, value in given.items()
        if value != fields[name].get_default(call_default_factory=True)
    ]
    return ", ".join(changed) or "all defaults"


def format_check_result(finding: CheckResult) -> str:
    """One line, and the remedy on the next."""
    lines = [f"{MARKS[finding.state]} {finding.name}: {finding.message}"]
    if finding.remedy:
        lines.append(f"       -> {finding.remedy}")
    return "\n".join(map(escape_controls, lines))
