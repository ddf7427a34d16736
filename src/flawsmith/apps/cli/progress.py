"""Progress on the terminal: one live line per task with time left, or plain lines where nobody watches."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PLAIN_EVERY_S = 15.0
"""Seconds between two plain lines of the same task."""


class Shown:
    """A `core.protocols.Progress` that a person can follow."""

    def __init__(self, quiet: bool = False) -> None:
        self.console = Console(stderr=True)
        self.quiet = quiet
        self.live = self.console.is_terminal and not quiet
        self.bars = Progress(
            TextColumn("[bold]{task.description:<10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=self.console,
        )  # fmt: skip
        self.tasks: dict[str, int] = {}
        self.began: dict[str, tuple[float, int]] = {}
        self.last: dict[str, tuple[int, int]] = {}
        self.told: dict[str, float] = {}

    def __enter__(self) -> Shown:
        if self.live:
            self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.bars.stop()

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        """Show that `task` has come to `done` of `total`; one that starts over (a control's, say) is timed anew."""
        again = task in self.last and (done < self.last[task][0] or total != self.last[task][1])
        self.last[task] = done, total
        if again:
            self.began.pop(task, None)
            if task in self.tasks:
                self.bars.reset(self.tasks[task], total=total)  # type: ignore[arg-type]
        if self.live:
            if task not in self.tasks:
                self.tasks[task] = self.bars.add_task(task, total=total, note=note)
            self.bars.update(self.tasks[task], completed=done, total=total, note=note)  # type: ignore[arg-type]
        elif not self.quiet:
            self._plain(task, done, total, note)

    def _plain(self, task: str, done: int, total: int, note: str) -> None:
        now = time.monotonic()
        start, first = self.began.setdefault(task, (now, done))
        if done < total and now - self.told.get(task, -PLAIN_EVERY_S) < PLAIN_EVERY_S:
            return
        self.told[task] = now
        speed = (done - first) / (now - start) if done > first and now > start else 0.0
        left = f", {(total - done) / speed:.0f} s left" if speed and done < total else ""
        self.console.print(f"{task}: {done}/{total}{left} {note}".rstrip(), highlight=False)
