"""A local time is asked for by the browser's own input, and by text where an offset has to be seen or typed."""

from __future__ import annotations

import pytest

from billing.pages.local_inputs import LocalInput


@pytest.mark.parametrize("value", [None, "", "2026-12-01T00:00", "2026-12-01T00:00:30"])
def test_a_browsers_own_input_shows_what_it_can(value: str | None) -> None:
    shown = LocalInput(step_s=1).render("from_at", value)
    assert 'type="datetime-local"' in shown
    assert 'step="1"' in shown


@pytest.mark.parametrize("value", ["2027-10-31T02:30:00+01:00", "2026-12-01T00:00Z", "soon"])
def test_what_it_would_lose_is_shown_as_text(value: str) -> None:
    shown = LocalInput().render("from_at", value)
    assert 'type="text"' in shown
    assert f'value="{value}"' in shown
    assert "step" not in shown


def test_an_offset_can_be_typed_once_it_is_asked_for() -> None:
    asked = LocalInput()
    asked.take_text()
    assert 'type="text"' in asked.render("from_at", "2027-10-31T02:30")
