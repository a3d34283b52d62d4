"""Every test is run once, whatever becomes of a worker, and what it reports arrives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plugins.forked_workers import Shares

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).parents[2]
SAMPLE: Final = """
import logging
import os
import signal
import time
import traceback
import warnings
from pathlib import Path

import pytest

IMPORTED_BY = os.getpid()
PLACE = Path(__file__).parent
logging.getLogger().addHandler(logging.StreamHandler())


@pytest.fixture(scope="session")
def worker(request, tmp_path_factory):
    assert os.getppid() == IMPORTED_BY
    name = request.config.workerinput["workerid"]
    assert tmp_path_factory.getbasetemp().name == f"popen-{name}"
    (PLACE / f"began {name}").touch()
    yield name
    (PLACE / f"ended {name}").touch()


@pytest.mark.parametrize("number", range(12))
def test_fine(number, worker):
    print("not to be seen")
    assert "with_room" in [one.name for one in traceback.extract_stack()]
    # No worker is through before another has begun.
    deadline_s = time.monotonic() + 30
    while len(list(PLACE.glob("began *"))) < 2:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_wrong():
    print("what it printed")
    logging.warning("logged by a handler of the first process")
    assert [1, 2] == [1, 3]


def test_left_out():
    pytest.skip("for a reason")


def test_warns():
    warnings.warn("look out", UserWarning)


def test_dies():
    os.kill(os.getpid(), signal.SIGKILL)
"""
LEAVES_ONE_BEHIND: Final = """
import os
import stat
import time
from pathlib import Path


def test_it():
    process = os.fork()
    if process == 0:
        for opened in map(int, os.listdir("/proc/self/fd")):
            try:
                if not stat.S_ISSOCK(os.fstat(opened).st_mode):
                    os.close(opened)
            except OSError:
                pass
        time.sleep(300)
        os._exit(0)
    (Path(__file__).parent / "left behind").write_text(str(process))
"""


def ran(folder: Path, *options: str, sample: str = SAMPLE) -> subprocess.CompletedProcess[str]:
    """Run pytest over a sample of tests, with nothing of this run's but the plugin."""
    (folder / "test_sample.py").write_text(sample)
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    plugins = ("-p", "tests.plugins.forked_workers", "-p", "xdist", "-p", "pytest_timeout")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-c", os.devnull, "--rootdir", str(folder), *options, str(folder)],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_what_forks_report_arrives_and_one_that_dies_costs_its_test_only(tmp_path: Path) -> None:
    done = ran(tmp_path, "--forks", "2")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "= 2 failed, 13 passed, 1 skipped, 1 warning in " in done.stdout, done.stdout
    assert "[100%]" in done.stdout
    assert "At index 1 diff: 2 != 3" in done.stdout
    assert "what it printed" in done.stdout
    assert "logged by a handler of the first process" in done.stdout
    assert "Logging error" not in done.stdout + done.stderr
    assert "not to be seen" not in done.stdout
    assert "UserWarning: look out" in done.stdout
    assert "ended with -9 in test_sample.py::test_dies" in done.stdout
    began = {path.name.removeprefix("began ") for path in tmp_path.glob("began *")}
    ended = {path.name.removeprefix("ended ") for path in tmp_path.glob("ended *")}
    assert {"gw0", "gw1"} <= began
    assert len(began - ended) <= 1, "only the one that died may leave its fixtures"


def test_what_breaks_in_a_worker_or_is_enough_ends_the_run(tmp_path: Path) -> None:
    enough = ran(tmp_path, "--forks", "1", "-x", sample="def test_wrong():\n    assert 1 == 2\n")
    assert enough.returncode == pytest.ExitCode.TESTS_FAILED
    assert "stopping after 1 failures" in enough.stdout
    broken = ran(tmp_path, "--forks", "1", sample="import pytest\ndef test_it():\n    pytest.exit('no more')\n")
    assert broken.returncode == pytest.ExitCode.INTERNAL_ERROR
    assert "no more" in broken.stdout + broken.stderr


def test_a_worker_that_leaves_a_process_behind_is_seen_to_end(tmp_path: Path) -> None:
    """That process has the worker's connection open as well, so its end is not heard."""
    try:
        done = ran(tmp_path, "--forks", "1", sample=LEAVES_ONE_BEHIND)
    finally:
        os.kill(int((tmp_path / "left behind").read_text()), signal.SIGKILL)
    assert "= 1 passed in " in done.stdout, done.stdout + done.stderr


@given(tests=st.integers(0, 60), asking=st.lists(st.integers(0, 3), max_size=80))
def test_every_test_is_given_once_whoever_asks(tests: int, asking: Sequence[int]) -> None:
    shares = Shares(tests, 4)
    given_out = [number for worker in [*asking, *([0] * tests)] if (number := shares.take(worker)) is not None]
    assert sorted(given_out) == list(range(tests))
    assert shares.take(1) is None


def test_a_worker_goes_through_its_stretch_and_then_takes_the_end_of_the_longest() -> None:
    shares = Shares(8, 2)
    assert [shares.take(0) for _ in range(4)] == [0, 1, 2, 3]
    assert shares.take(1) == 4
    assert [shares.take(0), shares.take(1), shares.take(0)] == [6, 5, 7]


def test_what_a_worker_did_not_come_to_comes_next() -> None:
    shares = Shares(6, 2)
    held = [shares.take(0), shares.take(0)]
    shares.give_back(0, [number for number in held if number is not None])
    assert [shares.take(0) for _ in range(3)] == [0, 1, 2]
