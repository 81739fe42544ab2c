"""A report as one HTML page with plots: self-contained, nothing loaded from anywhere. Pure; everything is escaped.

The bars are plain SVG: a plotting library would be a heavy dependency for rectangles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from rag_app.evaluation.report import SCORES, MetricChange
from rag_app.records import Json

Bars = Sequence[tuple[str, float]]  # label, share 0..1

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c1c1c; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .2rem .6rem; text-align: left;
border-bottom: 1px solid #ddd; vertical-align: top; } td.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1.5rem 0; } figcaption { font-weight: 600; }
svg text { font: 13px system-ui, sans-serif; fill: #1c1c1c; }
.bar { fill: #2f6f9f; } .rail { fill: #e8edf1; } .worse { color: #a11; font-weight: 600; } .wide { overflow-x: auto; }
"""
_PLOTS = ("recall@5", "recall@10", "fact coverage", "citation precision")


def render_report(report: Json, changed: Sequence[MetricChange] = (), faults: Sequence[str] = ()) -> str:
    """The report, what changed against an accepted one, and why it is not acceptable where it is not."""
    parts = [_heads(report), _verdict(faults) if changed or faults else "", _plots(report)]
    parts += [_kinds(report), _changes(changed), _judge(report.get("judge")), _question_rows(report["each"])]
    parts.append(_disliked_table(report.get("disliked")))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Evaluation</title><style>{_STYLE}</style></head><body><h1>Evaluation</h1>"
        f"{''.join(parts)}</body></html>\n"
    )


def draw_bars(title: str, rows: Bars) -> str:
    """Horizontal bars as an SVG picture, with the figure beside each; shares outside 0..1 are drawn at the end."""
    height, left, width = 24, 250, 360
    drawn = []
    for place, (label, share) in enumerate(rows):
        top = place * height
        length = width * min(1.0, max(0.0, share))
        drawn.append(
            f'<text x="{left - 8}" y="{top + 16}" text-anchor="end">{escape(label)}</text>'
            f'<rect class="rail" x="{left}" y="{top + 4}" width="{width}" height="16"/>'
            f'<rect class="bar" x="{left}" y="{top + 4}" width="{length:.1f}" height="16"/>'
            f'<text x="{left + width + 8}" y="{top + 16}">{share:.3f}</text>'
        )
    whole = left + width + 70
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg role="img" aria-label="{escape(title, quote=True)}" '
        f'viewBox="0 0 {whole} {max(1, len(rows)) * height}" width="{whole}">{"".join(drawn)}</svg></figure>'
    )


def _heads(report: Json) -> str:
    quotes, seconds, tokens = report["quotes"], report["seconds"], report["tokens"]
    said = (
        f"{report['questions']} questions; reader: {report['reader'] or 'none'}. {quotes['on the page']} of "
        f"{quotes['cited']} quotes are on the page that they name, judged by the file's raw text. "
        f"{report['errors']} errors. {seconds['p50']} s per answer (p95 {seconds['p95']} s), {tokens['total']} tokens."
    )
    return f"<p>{escape(said)}</p>"


def _verdict(faults: Sequence[str]) -> str:
    if not faults:
        return "<p>Acceptable: nothing is below the accepted report by more than noise.</p>"
    rows = "".join(f"<li>{escape(fault)}</li>" for fault in faults)
    return f'<p class="worse">Not acceptable:</p><ul>{rows}</ul>'


def _plots(report: Json) -> str:
    kinds: Mapping[str, Mapping[str, float]] = report["kinds"]
    drawn = []
    for name in _PLOTS:
        rows = [(kind, row[name]) for kind, row in kinds.items() if name in row]
        if rows:
            drawn.append(draw_bars(f"{name}, by kind of question", rows))
    refusal = [(name, share) for name, share in report["refusal"].items() if share is not None]
    drawn.append(draw_bars("Refusal", refusal))
    if report["cells"]:
        total = sum(report["cells"].values()) or 1
        drawn.append(draw_bars("Cells of comparisons", [(name, n / total) for name, n in report["cells"].items()]))
    if report["confidence"]:
        levels = [(f"{level} ({row['answers']} answers)", row["right"]) for level, row in report["confidence"].items()]
        drawn.append(draw_bars("Right answers, by stated confidence", levels))
    return "".join(drawn)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]], title: str) -> str:
    if not rows:
        return ""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<h2>{escape(title)}</h2><div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f'<td class="n">{value:.3f}</td>'
    return f'<td class="n">{value}</td>' if isinstance(value, int) else f"<td>{escape(str(value))}</td>"


def _kinds(report: Json) -> str:
    rows = [[kind, row["questions"], *(row.get(n, "") for n in SCORES)] for kind, row in report["kinds"].items()]
    rows.append(["all", report["questions"], *(report["all"].get(name, "") for name in SCORES)])
    return _table(["kind", "questions", *SCORES], rows, "By kind of question")


def _changes(changed: Sequence[MetricChange]) -> str:
    rows = [[c.name, c.questions, c.accepted, c.now, c.noise, "worse" if c.worse else ""] for c in changed]
    return _table(["measure", "questions", "accepted", "now", "noise", ""], rows, "Against the accepted report")


def _judge(judged: Json | None) -> str:
    rows = [[name, "" if value is None else value] for name, value in (judged or {}).items() if name != "each"]
    return _table(["what", "measured"], rows, "The judge")


def _question_rows(lines: Sequence[Json]) -> str:
    rows = [
        [
            line["id"],
            line["question"],
            line["status"],
            line["confidence"],
            line["scores"].get("fact coverage", ""),
            line["scores"].get("citation precision", ""),
            "right" if line["right"] else "wrong",
        ]
        for line in lines
    ]
    return _table(["id", "question", "status", "confidence", "facts", "pages", ""], rows, "Each question")


def _disliked_table(again: Json | None) -> str:
    if again is None:
        return ""
    rows = [
        [line["id"], line["question"], line["reason"], line["status"], "the same" if line["same answer"] else "another"]
        for line in again["each"]
    ]
    head = ["id", "question", "reason of the thumb down", "status now", "answer now"]
    return _table(head, rows, "Asked again after a thumb down (not scored: what is right is not known)")
