"""The generator fitted again and again for the proof: what the chance in one fit is worth."""

from __future__ import annotations

from dataclasses import replace

from flawsmith.core.files import read_json
from flawsmith.recipes.choosing import LEARNED, filter_stage
from flawsmith.recipes.fitting import fit_stage, generate_stage
from flawsmith.recipes.route import Route
from flawsmith.recipes.settings import FilterSettings


def all_fits(route: Route) -> list[Route]:
    """Return a route for each of the generator's fits: the run's own first, the others fitted and drawn from by now.

    A further fit has the run's settings but for the seeds of fitting and of the plan, which are higher by its number.
    Raises StageError where the run's own images are not chosen yet.
    """
    further = [_refit(route, number) for number in range(1, route.settings.fits)]
    for each in further:
        for stage in (fit_stage, generate_stage, filter_stage):
            stage(each)
    return [route, *further]


def _refit(route: Route, number: int) -> Route:
    settings = route.settings
    plan = settings.generate.plan
    again = settings.model_copy(
        update={
            "seed": settings.seed + number,
            "generate": settings.generate.model_copy(
                update={"plan": plan.model_copy(update={"seed": plan.seed + number})}
            ),
            "filter": _limits(route),
        }
    )
    return replace(route, settings=again, fit=number)


def _limits(route: Route) -> FilterSettings:
    """Return the run's limits, those learned from verdicts by hand included: the verdicts name the run's own images."""
    learned = route.folder("filter") / LEARNED
    if route.settings.filter.by_hand is None:
        return route.settings.filter
    return FilterSettings(least=read_json(learned)["least"])
