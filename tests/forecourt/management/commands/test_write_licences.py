"""The command writes the list where it is read."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django import Settings


def test_it_writes_what_is_locked(tmp_path: Path, settings: Settings) -> None:
    settings.BASE_DIR = tmp_path
    (tmp_path / "docs").mkdir()
    (tmp_path / "requirements.lock").write_text(
        "django==5.2 \\\n    --hash=sha256:aa\nnone-such==1\n", encoding="utf-8"
    )
    said = StringIO()
    call_command("write_licences", stdout=said)
    assert said.getvalue() == "1 packages.\n"
    written = (tmp_path / "docs" / "licences.md").read_text(encoding="utf-8")
    assert written.endswith("| django | BSD-3-Clause |\n")


def test_without_a_lock_file_nothing_is_written(tmp_path: Path, settings: Settings) -> None:
    settings.BASE_DIR = tmp_path
    with pytest.raises(FileNotFoundError, match=r"requirements\.lock"):
        call_command("write_licences")
    assert list(tmp_path.iterdir()) == []
