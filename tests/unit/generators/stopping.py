"""A fit that is stopped on its way."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flawsmith.core.protocols import Progress


class Stopped(Exception):
    """What stops a fit in these tests."""


def stopping(monkeypatch: pytest.MonkeyPatch, when: Callable[[str, int, int], bool]) -> Progress:
    """Return a progress that stops the fit where `when(task, done, calls so far)` is true; every step is told."""
    monkeypatch.setattr("flawsmith.training.loop._PROGRESS_SECONDS", 0.0)
    calls: list[str] = []

    def stop(task: str, done: int, total: int, note: str = "") -> None:
        calls.append(task)
        if when(task, done, len(calls)):
            raise Stopped

    return stop
