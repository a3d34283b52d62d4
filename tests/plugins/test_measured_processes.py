"""A process is measured where its test asks for that, and only there."""

import os
import subprocess
import sys
from pathlib import Path

from tests.plugins.measured_processes import VARIABLE, measured

ASK = "import coverage; print(coverage.Coverage.current() is not None)"


def is_measured(folder: Path, **environ: str) -> bool:
    env = {**os.environ, **environ}
    done = subprocess.run([sys.executable, "-c", ASK], cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout == "True\n"


def test_a_process_that_inherits_the_environment_is_not_measured(tmp_path: Path) -> None:
    assert VARIABLE not in os.environ
    assert not is_measured(tmp_path)


def test_a_process_that_is_to_be_measured_is_where_the_run_measures(tmp_path: Path) -> None:
    import coverage

    assert is_measured(tmp_path, **measured()) == (coverage.Coverage.current() is not None)
