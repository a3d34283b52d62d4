"""What a person reads while the demo works; plain lines where there is no terminal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from forecourt.demo.progress import Progress
from forecourt.demo.report import Check


def test_a_step_says_what_was_done_and_how_long_it_took(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress, progress.step("Starting"):
        progress.say("a detail")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Forecourt demo: a sample world")
    assert lines[1].strip() == "a detail"
    assert lines[2].startswith("✓ Starting")
    assert lines[2].endswith(" s")


def test_a_step_that_failed_is_not_ticked(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress, pytest.raises(ValueError, match="no"), progress.step("Starting"):
        raise ValueError("no")
    assert "✓" not in capsys.readouterr().out


def test_the_bar_ends_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress, progress.bar("Metering", 100) as bar:
        bar.at(50, datetime(2026, 10, 15, tzinfo=UTC))
    assert "✓ Metering" in capsys.readouterr().out


@pytest.mark.parametrize(("ok", "mark"), [(True, "✓"), (False, "✗")])
def test_a_check_shows_whether_it_held(capsys: pytest.CaptureFixture[str], ok: bool, mark: str) -> None:
    Progress().check(Check("tokens", ok, "found 1, expected 2"))
    assert capsys.readouterr().out.strip() == f"{mark} tokens: found 1, expected 2"


def test_the_welcome_names_address_people_and_key(capsys: pytest.CaptureFixture[str]) -> None:
    Progress().welcome("http://127.0.0.1:8080", "sample-password", "fk_sample")
    said = capsys.readouterr().out
    assert "The portal is at http://127.0.0.1:8080" in said
    assert said.count("sample-password") == 4
    assert "http://127.0.0.1:8080/api/docs" in said
    assert "fk_sample" in said
