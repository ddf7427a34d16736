"""What is wrong with a data set, found before any work starts. Every file of `kinds` is imported: a check each."""

import importlib
import pkgutil

from flawsmith.data.checks import kinds
from flawsmith.data.checks.problem import Problem, printable
from flawsmith.data.checks.registry import FILE_CHECKS, SET_CHECKS
from flawsmith.data.checks.running import check, problems
from flawsmith.data.checks.survey import Survey, survey

for _module in sorted(module.name for module in pkgutil.iter_modules(kinds.__path__)):
    importlib.import_module(f"{kinds.__name__}.{_module}")

__all__ = ["FILE_CHECKS", "SET_CHECKS", "Problem", "Survey", "check", "printable", "problems", "survey"]
