"""The named browser goes first, then the one without windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chromium import PROGRAMS, chromium

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder where the system looks for programs, and nowhere else."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    return tmp_path


def install(folder: Path, *programs: str) -> None:
    for name in programs:
        (folder / name).touch(mode=0o755)


def test_the_one_without_windows_is_taken(system: Path) -> None:
    install(system, *PROGRAMS)
    assert chromium() == str(system / "chromium-headless-shell")


def test_the_only_one_is_taken(system: Path) -> None:
    install(system, "chromium")
    assert chromium() == str(system / "chromium")


def test_the_named_one_is_taken(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(system, *PROGRAMS)
    monkeypatch.setenv("CHROMIUM", "/opt/chrome")
    assert chromium() == "/opt/chrome"


def test_where_none_is_found_it_is_asked_for_where_it_should_be(system: Path) -> None:
    assert chromium() == "/usr/bin/chromium"
