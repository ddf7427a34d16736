"""Run every check."""

from __future__ import annotations

from flawsmith.core.records import Catalog
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.registry import FILE_CHECKS, SET_CHECKS
from flawsmith.data.checks.survey import Survey, survey


def check(catalog: Catalog) -> list[Problem]:
    """Return what is wrong with a data set: files first, in the catalog's order, then what concerns several."""
    return problems(survey(catalog))


def problems(seen: Survey) -> list[Problem]:
    """Return what is wrong with a data set that has been looked at."""
    of_files = [each for entry, facts in seen for name in FILE_CHECKS for each in FILE_CHECKS[name](entry, facts)]
    return [*of_files, *(each for name in SET_CHECKS for each in SET_CHECKS[name](seen))]
