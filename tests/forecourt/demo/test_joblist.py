"""Job lists: seeded ones fit their window, the openb list is read row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forecourt.demo.joblist import JobListUnusable, read_openb, seeded_jobs

if TYPE_CHECKING:
    from pathlib import Path

HEADER = (
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n"
)


def test_seeded_jobs_end_within_their_window_and_repeat() -> None:
    jobs = seeded_jobs(seed=5, count=300, length_s=86_400)
    assert jobs == seeded_jobs(seed=5, count=300, length_s=86_400)
    assert all(0 <= job.from_s < job.to_s <= 86_400 for job in jobs.jobs)
    assert {job.share_permille for job in jobs.jobs} > {1000}


def test_openb_rows_without_a_held_gpu_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "openb_pod_list_default.csv").write_text(
        HEADER
        + "a,1,1,1,460,,LS,Running,0,150,50\n"
        + "b,1,1,0,0,,LS,Running,0,150,50\n"
        + "c,1,1,8,1000,,LS,Pending,0,150,\n"
        + "d,1,1,2,1000,,LS,Succeeded,0,60,40\n"
    )
    jobs = read_openb(tmp_path)
    assert [job.job_ref for job in jobs.jobs] == ["d", "a"]
    assert jobs.left_out == 2
    assert jobs.gpu_ms == 460 * 100 + 2 * 1000 * 20


def test_a_wrong_cell_is_named(tmp_path: Path) -> None:
    (tmp_path / "openb_pod_list_default.csv").write_text(HEADER + "a,1,1,one,460,,LS,Running,0,150,50\n")
    with pytest.raises(JobListUnusable, match="line 2"):
        read_openb(tmp_path)


def test_a_missing_list_says_so(tmp_path: Path) -> None:
    with pytest.raises(JobListUnusable, match="openb pod list"):
        read_openb(tmp_path)
