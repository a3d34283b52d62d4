"""Payouts in words: every state, way and time has one, and what can be paid out is shown with how it comes about."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing.models import Payout, PayoutMethod, PayoutSchedule, PayoutState, PayoutTerms, ProviderStatement
from billing.pages.payout_words import method_words, payout_row, schedule_words, standing_kpis, state_pill
from billing.statements.available import Available
from billing.statements.payouts import Standing
from tenants.models import Organization

MADE_AT = datetime(2026, 4, 6, 22, 30, tzinfo=UTC)


def payout(state: PayoutState, method: PayoutMethod = PayoutMethod.BANK, *, statement: str = "") -> Payout:
    return Payout(
        provider=Organization(name="Sample Compute"),
        amount=Decimal("1234.5000"),
        currency="USD",
        state=state,
        method=method,
        created_at=MADE_AT,
        statement=ProviderStatement(number=statement) if statement else None,
    )


def standing(owed: str, *, uncollected: str = "0", recent: str = "0", held: str = "1000") -> Standing:
    found = Available("EUR", Decimal(owed), Decimal(uncollected), Decimal(recent), Decimal(0), Decimal(held))
    return Standing(Organization(name="Sample Compute"), PayoutTerms(), found)


def test_every_way_time_and_state_has_words_of_its_own() -> None:
    assert set(method_words()) == set(PayoutMethod.values)
    assert set(schedule_words()) == set(PayoutSchedule.values)
    texts = [state_pill(payout(state)).text for state in PayoutState]
    assert len(set(texts)) == len(PayoutState)
    assert state_pill(payout(PayoutState.FAILED)).tone == "bad"
    assert state_pill(payout(PayoutState.PAID)).tone == "good"


@pytest.mark.parametrize(
    ("state", "method", "by_hand", "can_come_back"),
    [
        (PayoutState.IN_TRANSIT, PayoutMethod.BANK, True, False),
        (PayoutState.IN_TRANSIT, PayoutMethod.STRIPE, False, False),
        (PayoutState.PAID, PayoutMethod.BANK, False, True),
        (PayoutState.PAID, PayoutMethod.STRIPE, False, True),
        (PayoutState.FAILED, PayoutMethod.BANK, False, False),
        (PayoutState.REVERSED, PayoutMethod.BANK, False, False),
    ],
)
def test_a_person_reports_what_a_bank_does_and_only_what_was_paid_comes_back(
    state: PayoutState, method: PayoutMethod, *, by_hand: bool, can_come_back: bool
) -> None:
    row = payout_row(payout(state, method), "en_GB")
    assert (row["by_hand"], row["can_come_back"]) == (by_hand, can_come_back)


def test_a_row_names_amount_instant_way_and_statement() -> None:
    row = payout_row(payout(PayoutState.PAID, statement="ST-0007"), "en_GB")
    assert (row["provider"], row["amount"], row["method"], row["statement"]) == (
        "Sample Compute",
        "$1,234.50",
        "Bank transfer",
        "ST-0007",
    )
    assert "6 Apr 2026" in row["made"]
    assert "22:30" in row["made"]
    assert payout_row(payout(PayoutState.PAID), "en_GB")["statement"] == ""


def test_the_figures_lead_with_what_can_be_paid_out() -> None:
    first, balance, *rest = standing_kpis(standing("900", uncollected="200", recent="50", held="650"), "en_GB")
    assert (first.title, first.value, first.lead) == ("Can be paid out", "€600.00", True)
    assert (balance.value, balance.foot) == ("€900.00", "")
    assert [one.value for one in rest] == ["€200.00", "€50.00", "€650.00"]


@pytest.mark.parametrize(("owed", "foot"), [("-0.01", True), ("0", False), ("0.01", False)])
def test_a_balance_below_zero_is_said_to_be_carried_and_nothing_goes_out(owed: str, *, foot: bool) -> None:
    first, balance, *_ = standing_kpis(standing(owed), "en_GB")
    assert bool(balance.foot) == foot
    assert first.value == ("€0.01" if owed == "0.01" else "€0.00")
