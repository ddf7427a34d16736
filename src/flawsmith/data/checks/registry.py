"""The checks by the kind of what they find. A new check is one new file in `kinds` that registers itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flawsmith.core.records import Entry
from flawsmith.core.registry import Registry
from flawsmith.data.checks.facts import ImageFacts
from flawsmith.data.checks.problem import Problem
from flawsmith.data.checks.survey import Survey

FileCheck = Callable[[Entry, ImageFacts], Iterator[Problem]]
"""Looks at one image and its masks."""
SetCheck = Callable[[Survey], Iterator[Problem]]
"""Looks at all images together."""

FILE_CHECKS = Registry[FileCheck]("check of a file")
SET_CHECKS = Registry[SetCheck]("check of a data set")
