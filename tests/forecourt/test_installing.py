"""Setting up follows pip's settings, and does without uv where it is not to be had."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import pytest

from forecourt.installing import UV_LOCK, install, main, options_of_uv, settings_of_pip, variables_of

if TYPE_CHECKING:
    from collections.abc import Sequence

LISTED: Final = """\
:env:.cert='/etc/ssl/own.pem'
:env:.find-links='/wheels'
global.cert='/etc/ssl/other.pem'
global.extra-index-url='https://one.invalid/simple\\nhttps://two.invalid/simple'
global.no-index='false'
global.timeout='9'
install.no-cache-dir='1'
install.index-url='https://mirror.invalid/simple'
download.index-url='https://elsewhere.invalid/simple'
"""


def commands(*statuses: int) -> tuple[int, list[list[str]]]:
    """What is run to install a lock file where the first commands end so, and the status of all."""
    said: list[list[str]] = []

    def run(command: Sequence[str], variables: dict[str, str]) -> int:
        said.append([*command, *(f"{name}={value}" for name, value in variables.items())])
        return statuses[len(said) - 1]

    return install(["a.lock", "b.lock"], settings={"cert": "own.pem"}, run=run), said


def test_uv_is_got_by_its_hash_and_installs() -> None:
    status, [got, installed] = commands(0, 0)
    assert status == 0
    assert got[:3] == [sys.executable, "-m", "pip"]
    assert {"--require-hashes", str(UV_LOCK)} <= {*got}
    assert installed[0].endswith("/uv")
    assert {"--require-hashes", "--no-deps", sys.executable, "a.lock", "b.lock"} <= {*installed}
    assert installed[-1] == "SSL_CERT_FILE=own.pem"


@pytest.mark.parametrize("statuses", [(1, 0), (0, 1, 0), (0, 1, 7)])
def test_pip_installs_where_uv_is_not_to_be_had_or_fails(statuses: tuple[int, ...]) -> None:
    status, said = commands(*statuses)
    assert len(said) == len(statuses)
    assert status == statuses[-1]
    assert said[-1][1:3] == ["-m", "pip"]
    assert {"--require-hashes", "--no-deps", "a.lock", "b.lock"} <= {*said[-1]}


def test_uv_is_told_what_pip_is_told() -> None:
    settings = settings_of_pip(LISTED)
    options = options_of_uv(settings)
    pairs = set(pairwise(options))
    assert {
        ("--default-index", "https://mirror.invalid/simple"),
        ("--index", "https://one.invalid/simple"),
        ("--index", "https://two.invalid/simple"),
        ("--find-links", "/wheels"),
    } <= pairs
    assert "--no-cache" in options
    assert "--no-index" not in options
    assert "elsewhere" not in " ".join(options)
    assert variables_of(settings) == {"SSL_CERT_FILE": "/etc/ssl/own.pem"}


def test_without_settings_uv_asks_where_it_always_does() -> None:
    assert not {"--default-index", "--index", "--no-index"} & {*options_of_uv(settings_of_pip(""))}


def test_it_needs_nothing_that_is_not_in_python(capsys: pytest.CaptureFixture[str]) -> None:
    alone = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.append({str(UV_LOCK.parent)!r})"]
    alone[-1] += "; import forecourt.installing"
    assert subprocess.run(alone, check=False).returncode == 0
    assert main([]) == 2
    assert "LOCK_FILE" in capsys.readouterr().err
