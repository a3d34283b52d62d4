"""Residuals and alerts in words: every kind has some, signs are right, one witness alone proves nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.alerts import AlertRow
from metering.checks import Cause, Explained, Residual
from metering.control_models import AlertKind
from metering.models import Quantity
from metering.pages.witness_words import (
    MINUS,
    cause_words,
    quantity_words,
    residual_pill,
    shown_alert,
    signed,
    unexplained_share,
)

AT = datetime(2026, 3, 5, 9, tzinfo=UTC)
ONE = Decimal(1)


def row(kind: str, **other: object) -> AlertRow:
    whole: dict[str, object] = {
        "id": UUID(int=1),
        "kind": kind,
        "state": "open",
        "from_at": AT,
        "to_at": AT + timedelta(hours=1),
        "deployment": "quartz",
        "node": "",
        "model": "sample-model",
        "quantity": "output",
        "measured": 7_200,
        "bound": 500,
        "rule": "a rule",
        "found_at": AT,
        "seen_by": "",
        "note": "",
        "seen_at": None,
    }
    return AlertRow(**{**whole, **other})  # type: ignore[arg-type]  # every field is there


def residual(engine: int, gateway: int, *explained: int) -> Residual:
    return Residual(engine, gateway, tuple(Explained(Cause.ABORTED, tokens) for tokens in explained))


def test_every_class_and_cause_has_words_of_its_own() -> None:
    said = [quantity_words(one) for one in ("input", "cached_input", "output", "reasoning", "requests", "energy_mj")]
    assert len(set(said)) == len(said)
    assert quantity_words("of tomorrow") == "of tomorrow"
    assert {"input", "output"} <= set(Quantity.values)
    assert len({cause_words(cause) for cause in Cause}) == len(Cause)
    with pytest.raises(ValueError, match="nonsense"):
        cause_words("nonsense")


@given(st.integers(-(10**15), 10**15))
def test_a_sign_is_always_said_and_once(tokens: int) -> None:
    said = signed(tokens)
    assert said[0] == ("+" if tokens > 0 else MINUS if tokens < 0 else "0")
    assert int(said.lstrip("+" + MINUS).replace(",", "")) == abs(tokens)


@pytest.mark.parametrize(
    ("found", "text", "tone"),
    [
        (residual(0, 0), "nothing counted", ""),
        (residual(10, 0), "engine only", "warn"),
        (residual(0, 10), "gateway only", "warn"),
        (residual(10, 10), "equal", "good"),
        (residual(15, 10, 5), "fully explained", "good"),
        # The tolerance is of the larger count, and reached is within.
        (residual(1_000, 990), "within tolerance", "good"),
        (residual(990, 1_000), "within tolerance", "good"),
        (residual(1_000, 989), "beyond tolerance", "bad"),
        (residual(989, 1_000), "beyond tolerance", "bad"),
        # Too much explained leaves as much as too little.
        (residual(1_000, 1_000, 11), "beyond tolerance", "bad"),
    ],
)
def test_a_residual_is_judged_by_its_rest(found: Residual, text: str, tone: str) -> None:
    pill = residual_pill(found, ONE)
    assert pill.text == text
    assert not tone or pill.tone == tone


def test_the_share_is_of_the_larger_count_and_nothing_has_none() -> None:
    assert unexplained_share(residual(200, 100)) == unexplained_share(residual(100, 200)) == "50.00%"
    assert unexplained_share(residual(0, 0)) == "–"
    assert unexplained_share(residual(150, 100, 50)) == "0.00%"


@pytest.mark.parametrize("kind", AlertKind.values)
@pytest.mark.parametrize("area", ["tenant", "provider"])
def test_every_kind_of_alert_is_said_with_its_figures_and_place(kind: str, area: str) -> None:
    shown = shown_alert(row(kind), area, "en")
    assert shown.title
    assert shown.text
    assert "%(" not in shown.text + shown.rule + shown.when
    assert shown.where.startswith("quartz · sample-model")
    assert shown.url.startswith(f"/{area[0]}/witnesses/")
    assert shown.hand_over_url == ""
    assert shown.pill.text == "open"


def test_titles_tell_kinds_apart() -> None:
    assert len({shown_alert(row(kind), "tenant", "en").title for kind in AlertKind.values}) == len(AlertKind)


def test_a_residual_says_who_counted_more() -> None:
    more = shown_alert(row("residual"), "tenant", "en").text
    less = shown_alert(row("residual", measured=-7_200), "tenant", "en").text
    assert more.startswith("The engine counted 7,200 more")
    assert less.startswith("The gateway reported 7,200 more")


def test_units_are_those_of_the_kind() -> None:
    assert "2.0 hours" in shown_alert(row("gateway_behind"), "tenant", "en").text
    assert "tokens" in shown_alert(row("unpriced"), "tenant", "en").text
    assert "GPU-hours" in shown_alert(row("unpriced", quantity=""), "tenant", "en").text
    drawn = shown_alert(row("energy_without_tokens", measured=400_000, bound=150_000), "provider", "en").text
    assert "400 W" in drawn
    assert "150 W" in drawn


def test_an_alert_says_whether_somebody_looked() -> None:
    seen = row("residual", seen_by="alice@example.com", note="A lost tail.", seen_at=AT)
    assert shown_alert(seen, "tenant", "en").pill.text == "looked at"
    assert shown_alert(seen, "tenant", "en").seen.endswith(": A lost tail.")
    assert not seen.waits
    cleared = row("residual", state="cleared")
    assert shown_alert(cleared, "tenant", "en").pill.text == "cleared by later figures"
    assert not cleared.waits
    # Nodes stand in where no deployment is known; a class without words is left out where there is none.
    assert shown_alert(row("residual", deployment="", node="node-1", model="", quantity=""), "tenant", "en").where == (
        "node-1"
    )
