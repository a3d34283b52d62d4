"""Words are compiled before a run where they are missing or old, and only there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.plugins.made_look import ROOT, is_fresh, stale_words


def write(folder: Path, app: str, *suffixes: str, at: int = 1_000) -> Path:
    place = folder / app / "locale" / "zh_Hans" / "LC_MESSAGES"
    place.mkdir(parents=True)
    for suffix in suffixes:
        (place / f"django{suffix}").touch()
        os.utime(place / f"django{suffix}", (at, at))
    return place / "django.po"


def test_what_was_never_compiled_and_what_changed_since_is_stale(tmp_path: Path) -> None:
    never = write(tmp_path, "never", ".po")
    fresh = write(tmp_path, "fresh", ".po", ".mo")
    changed = write(tmp_path, "changed", ".po", ".mo")
    os.utime(changed, (2_000, 2_000))
    assert stale_words(tmp_path) == [changed, never]
    assert fresh not in stale_words(tmp_path)


@pytest.mark.parametrize(("made_at", "fresh"), [(999, False), (1_000, True), (1_001, True)])
def test_what_is_as_old_as_its_source_is_fresh(tmp_path: Path, made_at: int, fresh: bool) -> None:
    words = write(tmp_path, "sample", ".po", ".mo")
    os.utime(words.with_suffix(".mo"), (made_at, made_at))
    assert is_fresh(words.with_suffix(".mo"), words) is fresh


def test_in_this_run_every_catalogue_is_compiled() -> None:
    assert list(ROOT.glob("*/locale/*/LC_MESSAGES/django.po"))
    assert stale_words(ROOT) == []
