"""The database of a test run ends with the run, however that ends."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import psutil
import psycopg
import pytest

from tests.plugins.database_process import FREE_BYTES_MIN, folder_in_memory

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 60
HOLDER = """
import subprocess, sys
server = subprocess.Popen(
    [sys.executable, "-m", "tests.plugins.database_process"], stdin=subprocess.PIPE, start_new_session=True
)
sys.stdin.read()
"""


@contextmanager
def server(*command: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def processes_of(url: str) -> list[psutil.Process]:
    """The first process of that PostgreSQL, which names its socket folder."""
    folder = unquote(url.partition("@")[2].partition(":")[0])
    return [
        p for p in psutil.process_iter(["cmdline"]) if f"unix_socket_directories={folder}" in (p.info["cmdline"] or [])
    ]


def test_serves_without_durability_and_goes_with_its_input() -> None:
    with server(sys.executable, "-m", "tests.plugins.database_process") as (process, url):
        with psycopg.connect(url) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("off",)
        os.kill(process.pid, signal.SIGINT)
        with psycopg.connect(url):
            found = processes_of(url)
        assert len(found) == 1
        process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0
        assert processes_of(url) == []
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)


@pytest.mark.parametrize(("available", "taken"), [(FREE_BYTES_MIN, True), (FREE_BYTES_MIN - 1, False)])
def test_it_lies_in_memory_where_much_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, available: int, taken: bool
) -> None:
    roomy = SimpleNamespace(free=FREE_BYTES_MIN, available=available)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: roomy)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: roomy)
    assert folder_in_memory(tmp_path) == (tmp_path if taken else None)
    assert folder_in_memory(tmp_path / "nowhere") is None


def test_goes_when_the_test_run_is_killed() -> None:
    with server(sys.executable, "-c", HOLDER) as (holder, url):
        found = processes_of(url)
        assert len(found) == 1
        holder.kill()
        _, alive = psutil.wait_procs(found, timeout=TIMEOUT_S)
        assert alive == []
