"""Plots of the report: grouped bars and lines. The only module that imports matplotlib."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def _figure(width: float, height: float) -> Any:
    import matplotlib  # noqa: PLC0415  # of the extra `bench`; the figures can be measured without it

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "rag-app"  # the same figures give the same file
    from matplotlib import pyplot  # noqa: PLC0415

    return pyplot.subplots(figsize=(width, height), layout="constrained")


def _save(figure: Any, path: Path) -> str:
    from matplotlib import pyplot  # noqa: PLC0415

    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    return path.name


def bars(path: Path, title: str, groups: Sequence[str], series: Mapping[str, Sequence[float | None]]) -> str:
    """Grouped bars: for each of `groups` one bar per series. Returns the file's name."""
    figure, axes = _figure(max(6.0, 0.35 * len(groups) * len(series) + 2), 3.6)
    width = 0.8 / len(series)
    for number, (name, values) in enumerate(series.items()):
        places = [place + (number - (len(series) - 1) / 2) * width for place in range(len(groups))]
        axes.bar(places, [value or 0.0 for value in values], width, label=name)
    axes.set_xticks(range(len(groups)), groups, rotation=15 if max(map(len, groups)) > 12 else 0)
    axes.set_title(title)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize="small", ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    return _save(figure, path)


def differences(path: Path, title: str, changes: Mapping[str, float]) -> str:
    """Horizontal bars around nothing: what each change brings or costs. Returns the file's name."""
    figure, axes = _figure(7.5, 0.28 * len(changes) + 1.2)
    names, values = list(changes)[::-1], list(changes.values())[::-1]
    axes.barh(names, values, color=["tab:green" if value > 0 else "tab:red" for value in values])
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_title(title)
    axes.grid(axis="x", alpha=0.3)
    return _save(figure, path)


def lines(
    path: Path, title: str, x: str, y: str, series: Mapping[str, Sequence[tuple[float, float]]], log: bool = False
) -> str:
    """Lines through (x, y) points, one per series; `log` scales both axes so. Returns the file's name."""
    figure, axes = _figure(6.5, 3.8)
    for name, points in series.items():
        axes.plot([one for one, _ in points], [two for _, two in points], marker="o", label=name)
    if log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return _save(figure, path)
