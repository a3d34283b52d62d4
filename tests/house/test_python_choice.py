"""`make setup` takes a Python that was compiled with optimizations, where there is one that is new enough."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLD, PLAIN, QUICK = "old", "plain", "quick"
ANSWERS = {
    OLD: 'case "$2" in *version_info*) exit 1;; esac',
    PLAIN: 'case "$2" in *--enable-optimizations*) exit 1;; esac',
    QUICK: "exit 0",
}
"""What each says to what `make` asks: whether it is new enough, then whether it was optimized and has venv."""


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ((PLAIN, QUICK), QUICK),
        ((QUICK, PLAIN), QUICK),
        ((OLD, PLAIN), PLAIN),
        ((OLD, "absent", PLAIN), PLAIN),
        ((OLD,), ""),
    ],
)
def test_the_first_optimized_python_is_taken_else_the_first_new_enough(
    tmp_path: Path, there: tuple[str, ...], chosen: str
) -> None:
    for name, answer in ANSWERS.items():
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{answer}\n")
        program.chmod(0o755)
    # What answers a command line's question prints it and makes nothing.
    told = ["PYTHONS=" + " ".join(str(tmp_path / name) for name in there), "--eval=say: ; @echo '$(PYTHON)'"]
    command = ["make", "--silent", "--no-print-directory", *told, "say"]
    done = subprocess.run(command, cwd=ROOT, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (str(tmp_path / chosen) if chosen else ""), done.stderr
