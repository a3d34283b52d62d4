"""Words of payouts: every state, way and schedule has one, and what a row offers is what can happen next."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.models import (
    Payout,
    PayoutMethod,
    PayoutReversal,
    PayoutSchedule,
    PayoutState,
    PayoutTerms,
    ProviderStatement,
)
from billing.pages.payout_words import method_words, payout_row, schedule_words, standing_kpis, state_pill
from billing.statements.available import Available
from billing.statements.payouts import Standing
from portal.figures import EN
from tenants.models import Organization

AT = datetime(2026, 4, 1, 22, 30, tzinfo=UTC)
PROVIDER = Organization(slug="sample", name="Sample")


def payout(*back: str, **given: object) -> Payout:
    fields: dict[str, object] = {
        "provider": PROVIDER,
        "number": "PO-0001",
        "currency": "USD",
        "amount": Decimal("1663.83"),
        "method": PayoutMethod.BANK,
        "created_at": AT,
        "state": PayoutState.IN_TRANSIT,
        **given,
    }
    made = Payout(**fields)
    reversals = [PayoutReversal(payout=made, amount=Decimal(amount)) for amount in back]
    made._prefetched_objects_cache = {"reversals": reversals}  # type: ignore[attr-defined]  # as lists read them
    return made


def available(currency: str = "USD", **figures: str) -> Available:
    names = ("owed", "uncollected", "recent", "reserve", "held")
    return Available(currency=currency, **{name: Decimal(figures.get(name, "0")) for name in names})


def kpis(found: Available, locale: str = EN) -> list[tuple[str, str]]:
    shown = standing_kpis(Standing(PROVIDER, PayoutTerms(), found), locale)
    return [(one.value.replace("\N{NO-BREAK SPACE}", " "), one.foot) for one in shown]


def test_every_way_schedule_and_state_has_words_of_its_own() -> None:
    assert set(method_words()) == set(PayoutMethod.values)
    assert set(schedule_words()) == set(PayoutSchedule.values)
    assert len({state_pill(payout(state=state)).text for state in PayoutState}) == len(PayoutState)


@pytest.mark.parametrize(
    ("state", "tone"),
    [
        (PayoutState.IN_TRANSIT, "info"),
        (PayoutState.PAID, "good"),
        (PayoutState.FAILED, "bad"),
        (PayoutState.REVERSED, "warn"),
    ],
)
def test_a_state_has_the_tone_of_what_it_means(state: PayoutState, tone: str) -> None:
    assert state_pill(payout(state=state)).tone == tone


@pytest.mark.parametrize("method", list(PayoutMethod))
@pytest.mark.parametrize("state", list(PayoutState))
def test_a_row_offers_what_a_person_can_do_next(method: PayoutMethod, state: PayoutState) -> None:
    """A transfer at Stripe is sent by the worker; only what was paid can come back."""
    row = payout_row(payout(method=method, state=state), EN)
    assert row["by_hand"] == (method == PayoutMethod.BANK and state == PayoutState.IN_TRANSIT)
    assert row["can_come_back"] == (state == PayoutState.PAID)


@pytest.mark.parametrize(
    ("currency", "amount", "shown"),
    [("USD", "1663.83", "$1,663.83"), ("JPY", "1663", "JP¥1,663"), ("KWD", "1663.835", "KWD 1,663.835")],
)
def test_a_row_says_how_much_when_and_by_which_statement(currency: str, amount: str, shown: str) -> None:
    row = payout_row(payout(currency=currency, amount=Decimal(amount)), EN)
    assert row["amount"].replace("\N{NO-BREAK SPACE}", " ") == shown
    assert (row["provider"], row["method"], row["statement"]) == ("Sample", "Bank transfer", "")
    assert "22:30" in row["made"]
    assert payout_row(payout(statement=ProviderStatement(number="STM-0007")), EN)["statement"] == "STM-0007"


def test_why_a_transfer_was_refused_is_said_in_words_where_they_are_known() -> None:
    refused = "insufficient_capabilities_for_transfer: Your destination account needs to have capabilities enabled"
    shown = payout_row(payout(state=PayoutState.FAILED, last_error=refused), EN)["error"]
    assert shown == "The account at Stripe cannot receive transfers."
    for error in ("", "Stripe is unavailable"):
        assert payout_row(payout(last_error=error), EN)["error"] == error


def test_a_row_says_how_much_of_it_came_back() -> None:
    assert payout_row(payout("100.00", "51.5", state=PayoutState.PAID), EN)["back"] == "$151.50"
    assert payout_row(payout(state=PayoutState.PAID), EN)["back"] == ""


@pytest.mark.parametrize(
    ("owed", "uncollected", "foot"),
    [
        ("481.12", "666.12", "$185.00 too much was paid out, and is carried until it is made up for"),
        ("666.12", "666.12", ""),
        ("-5", "10", ""),
    ],
)
def test_what_was_paid_out_too_much_is_said_beside_what_tenants_still_owe(
    owed: str, uncollected: str, foot: str
) -> None:
    assert kpis(available(owed=owed, uncollected=uncollected))[0][1] == foot


def test_how_what_can_be_paid_comes_about_is_shown_whole() -> None:
    found = available(owed="1663.83", uncollected="600.00", recent="63.83", held="1751.40")
    assert [value for value, _ in kpis(found)] == ["$1,000.00", "$1,663.83", "$600.00", "$63.83", "$1,751.40"]


@pytest.mark.parametrize(("owed", "foot"), [("-0.01", "carried until it is made up for"), ("0", ""), ("0.01", "")])
def test_what_is_below_zero_is_carried(owed: str, foot: str) -> None:
    assert kpis(available(owed=owed))[1][1] == foot


@pytest.mark.parametrize(
    ("figures", "amount"),
    [
        ({"owed": "10", "held": "7"}, "7"),
        ({"owed": "7", "held": "10"}, "7"),
        ({"owed": "10", "held": "10", "uncollected": "4"}, "6"),
        ({"owed": "10", "held": "10", "recent": "4", "reserve": "5"}, "1"),
        ({"owed": "10", "held": "10", "recent": "4", "reserve": "7"}, "0"),
        ({"owed": "-10", "held": "10"}, "0"),
        ({"owed": "10", "held": "-3"}, "0"),
    ],
)
def test_no_more_is_paid_than_is_owed_collected_held_and_free(figures: dict[str, str], amount: str) -> None:
    assert available(**figures).amount == Decimal(amount)


@pytest.mark.parametrize(("currency", "shown"), [("USD", "1.25"), ("JPY", "1"), ("KWD", "1.250")])
def test_what_is_paid_is_on_the_minor_unit(currency: str, shown: str) -> None:
    assert str(available(currency, owed="1.25", held="9").amount) == shown
