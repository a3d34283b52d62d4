"""Jobs that hold GPUs: a seeded list, or the public openb pod list. Seconds are counted from the list's own start."""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from clusters.occupancy import WHOLE_PERMILLE, Job
from forecourt.demo.quantiles import JOB_SECONDS, draw

if TYPE_CHECKING:
    from pathlib import Path

OPENB_FILE: Final = "openb_pod_list_default.csv"
PUBLIC_ROWS: Final = 8_152
EXPECTED: Final = "name, num_gpu, gpu_milli, scheduled_time and deletion_time in whole numbers"
# How the openb list's GPU jobs divide: about half take whole cards, the rest a part of one.
SHARES_MILLI: Final = (1000, 1000, 1000, 1000, 1000, 810, 470, 320, 650, 230)


class JobListUnusable(Exception):
    """The folder given does not hold the job list: says which file, line and column."""


@dataclass(frozen=True, slots=True)
class JobList:
    """The jobs, and how many rows of the list were left out because they never held a GPU."""

    jobs: tuple[Job, ...]
    left_out: int

    @property
    def gpu_ms(self) -> int:
        """Held time of all jobs in thousandths of a GPU-second, exact."""
        return sum(job.gpu_ms for job in self.jobs)


def seeded_jobs(*, seed: int, count: int, length_s: int) -> JobList:
    """Return `count` jobs that all end within `length_s`."""
    source = random.Random(seed)
    jobs = []
    for number in range(count):
        held_s = min(draw(JOB_SECONDS, source.uniform(0, 100)), length_s // 2)
        from_s = source.randrange(length_s - held_s)
        milli = source.choice(SHARES_MILLI)
        gpus = source.choice((1, 1, 1, 1, 1, 1, 2, 4)) if milli == WHOLE_PERMILLE else 1
        jobs.append(Job(f"job-{number:04d}", gpus, milli, from_s, from_s + held_s))
    return JobList(tuple(sorted(jobs, key=lambda job: (job.from_s, job.job_ref))), 0)


def read_openb(folder: Path) -> JobList:
    """Return the scheduled GPU pods of the openb list. Raises JobListUnusable."""
    path = folder / OPENB_FILE
    jobs, left_out = [], 0
    try:
        with path.open(newline="") as lines:
            for number, row in enumerate(csv.DictReader(lines), 2):
                try:
                    job = _openb_job(row)
                except (KeyError, TypeError, ValueError) as wrong:
                    raise JobListUnusable(f"{path.name} line {number}: {wrong}; expected {EXPECTED}") from wrong
                if job is None:
                    left_out += 1
                else:
                    jobs.append(job)
    except OSError as absent:
        raise JobListUnusable(f"{path}: {absent.strerror}; expected the openb pod list") from absent
    except (UnicodeDecodeError, csv.Error) as broken:
        raise JobListUnusable(f"{path}: {broken}; expected the openb pod list") from broken
    return JobList(tuple(sorted(jobs, key=lambda job: (job.from_s, job.job_ref))), left_out)


def is_public_openb(folder: Path) -> bool:
    """Whether the list in a folder is the public one of 2023, by its number of rows and not by what we read of it."""
    return len((folder / OPENB_FILE).read_bytes().splitlines()) - 1 == PUBLIC_ROWS


def _openb_job(row: dict[str, str]) -> Job | None:
    gpus = int(row["num_gpu"])
    if gpus == 0 or not row["scheduled_time"] or not row["deletion_time"]:
        return None
    from_s, to_s = int(row["scheduled_time"]), int(row["deletion_time"])
    if to_s <= from_s:
        return None
    milli = int(row["gpu_milli"])
    if from_s < 0 or gpus < 0 or not 1 <= milli <= WHOLE_PERMILLE or (gpus > 1 and milli != WHOLE_PERMILLE):
        raise ValueError(f"{gpus} GPUs at {milli} thousandths from second {from_s} cannot be held")
    return Job(row["name"], gpus, milli, from_s, to_s)
