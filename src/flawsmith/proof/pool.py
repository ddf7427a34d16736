"""Several jobs at once, each in its own process, so that two slow cores train two inspectors side by side."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from flawsmith.core.errors import TrainingError
from flawsmith.core.protocols import Progress
from flawsmith.proof.work import Job, is_done, run, write_job

TAIL = 12
"""Last lines of a failed process that are shown."""


def run_jobs(jobs: Sequence[Job], workers: int, progress: Progress) -> None:
    """Run jobs, at most `workers` at once; one worker runs them in this process. Finished units are left alone.

    Raises TrainingError with the last words of the first process that failed; the others are ended.
    """
    open_jobs = [job for job in jobs if not is_done(job)]
    if workers == 1 or len(open_jobs) == 1:
        for job in open_jobs:
            run(job, progress)
        return
    running: list[subprocess.Popen[str]] = []
    with ThreadPoolExecutor(workers) as pool:
        tasks = [pool.submit(_run_apart, job, progress, running) for job in open_jobs]
        try:
            for task in as_completed(tasks):
                task.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in running:
                process.kill()
            raise


def _run_apart(job: Job, progress: Progress, running: list[subprocess.Popen[str]]) -> None:
    file = Path(job.folder).with_name(f".{job.name}.job.json")
    write_job(job, file)
    process = subprocess.Popen(
        [sys.executable, "-m", "flawsmith.proof.work", str(file)],
        stdin=subprocess.PIPE,  # held open while we live: the process ends when it closes
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    running.append(process)
    words: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        kind, *fields = line.rstrip("\n").split("\t")
        if kind == "progress" and len(fields) == 4:
            progress(fields[0], int(fields[1]), int(fields[2]), fields[3])
        else:
            words = [*words, line][-TAIL:]
    if process.wait() != 0:
        raise TrainingError(f"training {job.name} failed ({process.returncode}):\n{''.join(words)}")
    file.unlink(missing_ok=True)
