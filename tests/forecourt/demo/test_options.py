"""The demo's command line: what it takes when nothing is said, and each wrong word named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forecourt.cli import main
from forecourt.demo.options import read_options
from forecourt.embedded.stack import Serving

if TYPE_CHECKING:
    from pathlib import Path


def test_it_is_a_month_with_as_many_processes_as_up_has() -> None:
    found = read_options([])
    assert (found.once, found.days, found.requests) == (False, 31, 9_000)
    assert (found.web, found.workers) == (Serving().web_processes, Serving().worker_processes)


def test_what_is_said_is_taken() -> None:
    found = read_options(["--once", "--web", "1", "--workers", "3", "--port", "0", "--days", "2"])
    assert (found.once, found.web, found.workers, found.port, found.days) == (True, 1, 3, 0, 2)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--days", "32"], "argument --days: '32' is not a number of days from 1 to 31"),
        (["--days", "1.5"], "argument --days: '1.5' is not a number of days from 1 to 31"),
        (["--port", "65536"], "argument --port: '65536' is not a port from 0 to 65535"),
        (["--requests", "-5"], "argument --requests: '-5' is not a number of requests from 1 to 1000000"),
        (["--seed", "seven"], "argument --seed: invalid int value: 'seven'"),
        (["--web", "0"], "argument --web: '0' is not a number of processes from 1 to 256"),
        (["--workers", "257"], "argument --workers: '257' is not a number of processes from 1 to 256"),
        (["--json", "nowhere/report.json"], "nowhere/report.json cannot be written: expected a file in a folder"),
        (["--twice"], "unrecognized arguments: --twice"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_started(
    options: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["demo", "--once", "--data", str(tmp_path / "data"), *options])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
