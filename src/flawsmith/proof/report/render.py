"""Turn gathered data into the page."""

from __future__ import annotations

from typing import Any

from flawsmith.proof.report.data import ReportData
from flawsmith.proof.report.headline import headline
from flawsmith.proof.report.plots import feature_map, intervals, learning_curves, over_training, worth_curve
from flawsmith.proof.report.templates import templates
from flawsmith.proof.titles import titles
from flawsmith.proof.worth import number


def render(data: ReportData) -> str:
    """Return the report as one HTML page that needs nothing else."""
    environment = templates("flawsmith.proof.report")
    environment.filters.update(share=share, points=points, groups=number, digits=digits)
    arms, metrics = data.proof["arms"], titles(data.proof["false_alarm_rate"])
    judged = {name: metrics[name] for name in (*data.proof["verdict"]["metrics"], "recall_at_fpr")}
    names = [arm["arm"] for arm in arms]
    course = (data.quality or {}).get("over_training")
    ceilings, looks = data.proof.get("ceilings", {}), data.proof["curves"]
    points_of_curve = {**data.proof["groups_per_class"], **ceilings}
    return environment.get_template("page.html.jinja").render(
        data=data,
        headline=headline(data),
        metrics=metrics,
        differences=differences(data.proof),
        intervals=intervals(arms),
        judged=judged,
        fits=fits(data.proof),
        ceilings=ceilings,
        worth_curve=worth_curve(arms, points_of_curve, data.proof["verdict"]["candidate"], judged),
        curves=learning_curves(looks, names) if any(len(each) > 1 for each in looks.values()) else "",
        quality_map=feature_map(data.quality["map"]) if data.quality and data.quality["map"] else "",
        course=course,
        course_plot=over_training(course["rows"]) if course else "",
    )


def fits(proof: Any) -> int:
    """Return how many fits of the generator the candidate's trainings took turns with."""
    return int(proof.get("sets", {}).get(proof["verdict"]["candidate"], 1))


def differences(proof: Any) -> list[dict[str, Any]]:
    """Return a row per metric and arm other than the base: the difference to real images alone."""
    rows = proof["against_base"]
    names = list(dict.fromkeys(row["arm"] for row in rows))
    return [{"arm": name, **{row["metric"]: row for row in rows if row["arm"] == name}} for name in names]


def share(value: float | None) -> str:
    """Write a share of one with three digits, a missing one as a dash."""
    return "–" if value is None or value != value else f"{value:.3f}"


def digits(value: float | None) -> str:
    """Write a number of any size with three digits, a missing one as a dash."""
    return "–" if value is None or value != value else f"{value:.3g}"


def points(value: float | None) -> str:
    """Write a difference in hundredths with its sign."""
    return "–" if value is None or value != value else f"{100 * value:+.1f}"
