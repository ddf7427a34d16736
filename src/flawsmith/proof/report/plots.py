"""The report's plots as SVG text: equal results give equal bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flawsmith.proof.titles import TITLES

DRAWN = ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "pixel_macro_ap", "accuracy", "macro_f1")
"""The metrics that are drawn, where an arm has them."""
COLOURS = ("#5b6b7b", "#b7791f", "#0f766e", "#7c3aed", "#be123c", "#2563eb")
STYLE: Any = {"svg.hashsalt": "flawsmith", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}


def intervals(arms: Sequence[Mapping[str, Any]]) -> str:
    """Return one panel per metric that is known: each arm's mean with its 95 % interval."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 0.5 + 0.35 * len(arms)), layout="constrained")
        shown = [name for name in DRAWN if any(arm["metrics"][name]["mean"] is not None for arm in arms)]
        panels = figure.subplots(1, max(1, len(shown)), sharey=True, squeeze=False)[0]
        for panel, name in zip(panels, shown, strict=False):
            _interval_panel(panel, arms, name, TITLES[name])
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


def worth_curve(
    arms: Sequence[Mapping[str, Any]], groups: Mapping[str, float], candidate: str, metrics: Mapping[str, str]
) -> str:
    """Return one panel per metric: real images alone over groups per class, the candidate's mean and interval across.

    `groups` maps the arms of the curve to their groups, `metrics` names to titles; one group alone draws nothing.
    """
    if len(groups) < 2:
        return ""
    found = {arm["arm"]: arm["metrics"] for arm in arms}
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 2.6), layout="constrained")
        for panel, (name, title) in zip(figure.subplots(1, len(metrics)), metrics.items(), strict=True):
            curve = [(count, found[arm][name]) for arm, count in groups.items() if found[arm][name]["mean"] is not None]
            _worth_panel(panel, sorted(curve, key=lambda point: point[0]), found[candidate][name])
            panel.set_title(title, fontsize=9)
        return _svg(figure)


def _worth_panel(panel: Axes, curve: Sequence[tuple[float, Any]], candidate: Mapping[str, Any]) -> None:
    counts = [count for count, _ in curve]
    panel.plot(counts, [each["mean"] for _, each in curve], "o-", color=COLOURS[0])
    for count, each in curve:
        if each["low"] is not None:
            panel.plot([count, count], [each["low"], each["high"]], color=COLOURS[0], linewidth=2.5, alpha=0.4)
    if candidate["mean"] is not None:
        panel.axhline(candidate["mean"], color=COLOURS[2])
    if candidate["low"] is not None:
        panel.axhspan(candidate["low"], candidate["high"], color=COLOURS[2], alpha=0.12, linewidth=0)
    panel.set_xlabel("groups per class")
    panel.grid(alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)


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


def feature_map(plane: Mapping[str, Any]) -> str:
    """Return the crops on the plane: good ones grey, each class in its colour, dots where real, crosses where made."""
    found = plane["points"]
    labels = sorted({point["label"] for point in found if point["origin"] != "good"})
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 4.5), layout="constrained")
        panel = figure.subplots()
        for origin, marker in (("good", "."), ("synthetic", "x"), ("real", "o")):
            for label in labels if origin != "good" else ["good"]:
                mine = [
                    (point["x"], point["y"]) for point in found if (point["origin"], point["label"]) == (origin, label)
                ]
                if mine:
                    colour = "#c3ccd5" if origin == "good" else COLOURS[1 + labels.index(label) % (len(COLOURS) - 1)]
                    name = "good" if origin == "good" else f"{label}, {origin}"
                    across, up = zip(*mine, strict=True)
                    panel.plot(across, up, marker, color=colour, markersize=5, label=name, alpha=0.8)
        panel.set_xticks([])
        panel.set_yticks([])
        panel.spines[["top", "right", "left", "bottom"]].set_visible(False)
        panel.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        return _svg(figure)


OVER_TRAINING = {
    "ssim_outside": "SSIM outside the defects",
    "lpips_outside": "LPIPS outside the defects",
    "kid": "KID of the defects",
}


def over_training(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return one panel per number that is known, over the steps that the generator had learnt."""
    shown = [name for name in OVER_TRAINING if any(row[name] is not None for row in rows)]
    if not shown:
        return ""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 2.4), layout="constrained")
        for panel, name in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
            known = [(row["step"], row[name]) for row in rows if row[name] is not None]
            steps, values = zip(*known, strict=True)
            panel.plot(steps, values, "o-", color=COLOURS[2], markersize=4)
            panel.set_title(OVER_TRAINING[name], fontsize=9)
            panel.set_xlabel("optimiser steps")
            panel.grid(alpha=0.3)
            panel.spines[["top", "right"]].set_visible(False)
        return _svg(figure)


def _svg(figure: Figure) -> str:
    buffer = StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
