"""The report's plots as SVG text: equal results give equal bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

METRICS = {
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
}
"""The metrics that are drawn where an arm has them, by their name in the results, as people write them."""
COLOURS = ("#5b6b7b", "#b7791f", "#0f766e", "#7c3aed", "#be123c", "#2563eb")
STYLE: Any = {"svg.hashsalt": "flawsmith", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}


def intervals(arms: Sequence[Mapping[str, Any]]) -> str:
    """Return one panel per metric that is known: each arm's mean with its 95 % interval."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 0.5 + 0.35 * len(arms)), layout="constrained")
        shown = [name for name in METRICS if any(arm["metrics"][name]["mean"] is not None for arm in arms)]
        panels = figure.subplots(1, max(1, len(shown)), sharey=True, squeeze=False)[0]
        for panel, name in zip(panels, shown, strict=False):
            _interval_panel(panel, arms, name, METRICS[name])
        return _svg(figure)


def _interval_panel(panel: Axes, arms: Sequence[Mapping[str, Any]], name: str, title: str) -> None:
    for row, arm in enumerate(reversed(arms)):
        found, colour = arm["metrics"][name], COLOURS[(len(arms) - 1 - row) % len(COLOURS)]
        if found["mean"] is None:
            continue
        if found["low"] is not None:
            panel.plot([found["low"], found["high"]], [row, row], color=colour, linewidth=2.5, alpha=0.5)
        panel.plot([found["mean"]], [row], "o", color=colour, markersize=6)
    panel.set_title(title, fontsize=9)
    panel.set_yticks(range(len(arms)), [arm["arm"] for arm in reversed(arms)])
    panel.set_ylim(-0.6, len(arms) - 0.4)
    panel.grid(axis="x", alpha=0.3)
    panel.spines[["top", "right", "left"]].set_visible(False)


def learning_curves(curves: Mapping[str, Sequence[Mapping[str, Any]]], arms: Sequence[str]) -> str:
    """Return pixel AP (or else image AP) on validation images over optimiser steps, a line per arm and seed."""
    marked = any(point["pixel_ap"] is not None for points in curves.values() for point in points)
    metric, title = ("pixel_ap", "pixel AP") if marked else ("image_ap", "image AP")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 2.6), layout="constrained")
        panel = figure.subplots()
        for name, points in sorted(curves.items()):
            arm = name.rsplit("-", 1)[0]
            known = [(point["step"], point[metric]) for point in points if point[metric] is not None]
            if known and arm in arms:
                label = arm if name.endswith("-0") else None
                steps, values = zip(*known, strict=True)
                panel.plot(steps, values, ".-", color=COLOURS[arms.index(arm) % len(COLOURS)], label=label, alpha=0.8)
        panel.set_xlabel("optimiser steps")
        panel.set_ylabel(f"{title} on validation")
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
        if panel.get_legend_handles_labels()[0]:
            panel.legend(frameon=False)
        return _svg(figure)


def _svg(figure: Figure) -> str:
    buffer = StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
