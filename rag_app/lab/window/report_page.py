"""The result of a window probe as one HTML page: a plot by length and depth, and the proposed budget. Pure.

Self-contained: the plot is plain SVG, nothing is loaded from anywhere, and what the model said is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rag_app.lab.window.probe import DEPTHS, ENOUGH, Probe

LEFT, TOP, WIDTH, HEIGHT = 110, 46, 84, 36  # of the plot: space for labels, and a field, in pixels
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c1c1c; }
svg { max-width: 100%; height: auto; } svg text { font: 13px system-ui, sans-serif; fill: #1c1c1c; }
.found { fill: #2f6f9f; } svg text.on { fill: #fff; } .lost { fill: #f3d9c9; } .none { fill: #f4f4f4; }
.budget { stroke: #1c1c1c; stroke-width: 2; stroke-dasharray: 6 4; }
table { border-collapse: collapse; margin: 1rem 0; } th, td { padding: .2rem .6rem; text-align: left;
border-bottom: 1px solid #ddd; vertical-align: top; }
"""


def render_probe_page(model: str, window: int, found: Sequence[Probe], budget: int, advice: str) -> str:
    """The plot, what to set, and what the model said each time. `window` and `budget` are tokens; budget 0: none."""
    head = f"How much text {model} really uses"
    good = sum(probe.found for probe in found)
    said = (
        f"Window: {window:,} tokens. A fact was planted at {len(DEPTHS)} depths of texts of several lengths, made of "
        f"the papers themselves, and asked back {len(found)} times; {good} times it was found."
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(head)}</title><style>{_STYLE}</style></head><body><h1>{escape(head)}</h1>"
        f"<p>{escape(said)}</p><p><strong>{escape(advice)}</strong></p>{plot(found, budget)}{_probe_rows(found)}"
        "</body></html>\n"
    )


def plot(found: Sequence[Probe], budget: int, depths: Sequence[float] = DEPTHS) -> str:
    """Lengths as rows, the shortest on top, depths as columns; a dashed line below the longest text worth sending."""
    lengths = sorted({probe.tokens for probe in found})
    right, bottom = LEFT + WIDTH * len(depths), TOP + HEIGHT * len(lengths)
    drawn = [f'<text x="{LEFT}" y="16">where the fact stands: from the text’s beginning to its end</text>']
    for column, depth in enumerate(depths):
        x = LEFT + WIDTH * column + WIDTH / 2
        drawn.append(f'<text x="{x:.0f}" y="{TOP - 8}" text-anchor="middle">{depth:.0%}</text>')
    for row, length in enumerate(lengths):
        y = TOP + HEIGHT * row
        of = {probe.depth: probe for probe in found if probe.tokens == length}
        drawn.append(f'<text x="{LEFT - 10}" y="{y + 23}" text-anchor="end">{length:,} tokens</text>')
        drawn += [_field(of.get(depth), LEFT + WIDTH * column, y) for column, depth in enumerate(depths)]
        drawn.append(f'<text x="{right + 10}" y="{y + 23}">{_share(list(of.values()))}</text>')
    if budget:
        y = TOP + HEIGHT * (1 + max((row for row, length in enumerate(lengths) if length <= budget), default=-1))
        drawn.append(f'<line class="budget" x1="{LEFT - 100}" x2="{right + 150}" y1="{y}" y2="{y}"/>')
        drawn.append(f'<text x="{right + 60}" y="{y - 6}">budget: {budget:,}</text>')
    title = "Found or not, by length of the text and depth of the fact"
    whole = right + 180
    return (
        f'<figure><svg role="img" aria-label="{title}" viewBox="0 0 {whole} {bottom + 12}" width="{whole}">'
        f"{''.join(drawn)}</svg></figure>"
    )


def _field(probe: Probe | None, x: int, y: int) -> str:
    kind, sign = ("none", "") if probe is None else ("found", "found") if probe.found else ("lost", "lost")
    on = ' class="on"' if kind == "found" else ""
    said = f"<title>{escape(probe.said)}</title>" if probe is not None else ""
    return (
        f'<rect class="{kind}" x="{x + 1}" y="{y + 1}" width="{WIDTH - 2}" height="{HEIGHT - 2}">{said}</rect>'
        f'<text{on} x="{x + WIDTH / 2:.0f}" y="{y + 23}" text-anchor="middle">{sign}</text>'
    )


def _share(probes: Sequence[Probe]) -> str:
    right = sum(probe.found for probe in probes)
    return f"{right} of {len(probes)}{'' if right >= ENOUGH * len(probes) else ': too few'}"


def _probe_rows(found: Sequence[Probe]) -> str:
    rows = "".join(
        f"<tr><td>{probe.tokens:,}</td><td>{probe.depth:.0%}</td><td>{'found' if probe.found else 'lost'}</td>"
        f"<td>{escape(probe.said)}</td></tr>"
        for probe in found
    )
    head = "<tr><th>tokens</th><th>depth</th><th></th><th>the model said</th></tr>"
    return f"<h2>Each question</h2><table>{head}{rows}</table>"
