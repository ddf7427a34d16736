import re

import pytest

from flawsmith.apps.cli import progress
from flawsmith.apps.cli.progress import Shown


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def seconds_left(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"(\d+) s left", text)]


def test_time_left_follows_the_speed_since_the_task_began(clock, capsys):
    with Shown() as shown:
        shown("fit", 0, 100)
        clock[0] = 50.0
        shown("fit", 25, 100)
    assert seconds_left(capsys.readouterr().err) == [150]


def test_a_task_that_starts_over_is_timed_anew(clock, capsys):
    with Shown() as shown:
        shown("fit", 0, 10)
        shown("fit", 10, 10, "done")
        clock[0] = 1000.0
        shown("fit", 1, 102)
        clock[0] = 1020.0
        shown("fit", 3, 102)
    assert seconds_left(capsys.readouterr().err) == [990]


def test_quiet_says_nothing(capsys):
    with Shown(quiet=True) as shown:
        shown("fit", 0, 10)
    assert capsys.readouterr().err == ""
