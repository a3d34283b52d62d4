"""The demo's own small parts: its folder, its waiting, its notes about processes. The whole run is tested elsewhere."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import TYPE_CHECKING

import pytest

from forecourt.demo.command import Run, main
from forecourt.demo.progress import Progress
from forecourt.embedded.folder import CannotStart
from forecourt.embedded.supervisor import Supervisor
from tests.forecourt.demo.worlds import small_plan

if TYPE_CHECKING:
    from pathlib import Path


def run_in(folder: Path) -> Run:
    progress = Progress()
    platform, world, fleet = (Supervisor(say=progress.say) for _ in range(3))
    return Run(Namespace(), folder, small_plan(), progress, platform, world, fleet)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("mine")
    with pytest.raises(CannotStart, match=r"no earlier demo's; give another one with --data"):
        main(["--once", "--data", str(tmp_path)])
    assert kept.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


def test_a_trace_that_is_not_there_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"expected AzureLLMInferenceTrace_conv\.csv"):
        main(["--once", "--data", str(tmp_path / "data"), "--trace", str(tmp_path)])
    assert not (tmp_path / "data" / "postgres").exists()


def test_waiting_ends_when_it_is_so(tmp_path: Path) -> None:
    answers = iter([False, True])
    run_in(tmp_path).wait(lambda: next(answers), 30, "The end")
    assert next(answers, None) is None
    assert json.loads((tmp_path / "pids.json").read_text()) == {}


def test_waiting_too_long_names_what_did_not_come(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="The end did not come about within 0 s"):
        run_in(tmp_path).wait(lambda: False, 0, "The end")


def test_waiting_stops_when_a_stop_is_asked(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    run.platform.request_stop()
    with pytest.raises(CannotStart, match="Stopped"):
        run.wait(lambda: False, 30, "The end")
