"""How an invoice is said: its state, its period, and what can be done about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from billing.models import InvoiceState, SettlementState
from billing.pages.invoice_words import (
    day_words,
    invoice_entries,
    pay_action,
    pays_by_transfer,
    period_words,
    shown_amount,
    state_pill,
)
from billing.queries.invoices import InvoiceRow

DUE = datetime(2026, 4, 30, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def row(**changes: Any) -> InvoiceRow:
    plain: dict[str, Any] = {
        "id": UUID(int=1), "number": "INV-1", "issuer_id": UUID(int=2), "issuer": "provider", "issuer_slug": "p",
        "tenant_id": UUID(int=3),
        "tenant": "tenant", "tenant_slug": "t",
        "contract": "C-1", "kind": "period", "currency": "USD", "time_zone": "UTC",
        "from_at": datetime(2026, 3, 1, tzinfo=UTC), "to_at": datetime(2026, 4, 1, tzinfo=UTC),
        "subtotal": Decimal(10), "tax": Decimal(0), "total": Decimal(10), "outstanding": Decimal(10),
        "state": InvoiceState.ISSUED, "issued_at": datetime(2026, 4, 1, tzinfo=UTC), "due_at": DUE, "paid_at": None,
        "updated_at": DUE, "collection": "", "settlement_state": SettlementState.WAIT,
        "hosted_url": "https://pay.example.com/1",
    }  # fmt: skip
    return InvoiceRow(**(plain | changes))


@pytest.mark.parametrize(
    ("now", "text", "tone"),
    [
        (DUE - 2 * DAY, "Due in 2 days", "info"),
        (DUE - DAY, "Due in 1 day", "info"),
        (DUE - SECOND, "Due today", "info"),
        (DUE, "Overdue since today", "bad"),
        (DUE + DAY - SECOND, "Overdue since today", "bad"),
        (DUE + DAY, "1 day overdue", "bad"),
        (DUE + 40 * DAY, "40 days overdue", "bad"),
    ],
)
def test_an_open_invoice_tells_how_long_there_is_and_then_how_late_it_is(now: datetime, text: str, tone: str) -> None:
    pill = state_pill(row(), now)
    assert (pill.text, pill.tone) == (text, tone)


@pytest.mark.parametrize(
    ("state", "text"),
    [(InvoiceState.PAID, "Paid"), (InvoiceState.UNCOLLECTIBLE, "Uncollectible"), (InvoiceState.VOID, "Void")],
)
def test_what_is_settled_is_never_overdue(state: InvoiceState, text: str) -> None:
    assert state_pill(row(state=state), DUE + 40 * DAY).text == text


def test_the_link_to_pay_is_for_what_is_still_owed() -> None:
    action = pay_action(row(outstanding=Decimal("4.50")), "en")
    assert action is not None
    assert (action.title, action.url, action.primary) == ("Pay $4.50", "https://pay.example.com/1", True)
    assert pay_action(row(state=InvoiceState.UNCOLLECTIBLE), "en") is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"state": InvoiceState.PAID},
        {"state": InvoiceState.VOID},
        {"hosted_url": ""},
        {"hosted_url": "javascript:alert(1)"},
        {"outstanding": Decimal(0)},
        {"outstanding": Decimal(-1)},
        {"settlement_state": SettlementState.BY_HAND},
        {"outstanding": Decimal("0.49")},
        {"outstanding": Decimal("0.29"), "carried": Decimal("0.20")},
        {"outstanding": Decimal(49), "currency": "JPY"},
        {"outstanding": Decimal("0.005"), "currency": "KWD"},
    ],
)
def test_there_is_no_link_to_pay_where_nothing_can_be_paid(changes: dict[str, Any]) -> None:
    assert pay_action(row(**changes), "en") is None


def test_only_what_nothing_collects_is_paid_by_transfer() -> None:
    assert pays_by_transfer(row(settlement_state=SettlementState.BY_HAND))
    assert pays_by_transfer(row(settlement_state=SettlementState.BELOW_MINIMUM))
    assert not pays_by_transfer(row(settlement_state=SettlementState.WAIT))
    assert pays_by_transfer(row(settlement_state=SettlementState.WAIT, outstanding=Decimal("0.49")))
    assert not pays_by_transfer(
        row(settlement_state=SettlementState.WAIT, outstanding=Decimal("0.49"), carried=Decimal("0.01"))
    )
    assert not pays_by_transfer(row(settlement_state=SettlementState.BY_HAND, outstanding=Decimal(0)))
    assert not pays_by_transfer(row(settlement_state=SettlementState.BY_HAND, state=InvoiceState.PAID))


@pytest.mark.parametrize(
    ("from_at", "to_at", "zone", "said"),
    [
        ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", "UTC", "March 2026"),
        ("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", "UTC", "December 2026"),
        ("2026-02-28T15:00:00Z", "2026-03-31T15:00:00Z", "Asia/Tokyo", "March 2026"),
        # A month of a zone that changes its clocks within it.
        ("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z", "Europe/Berlin", "March 2026"),
    ],
)
def test_a_whole_month_of_its_zone_is_said_by_its_name(from_at: str, to_at: str, zone: str, said: str) -> None:
    span = datetime.fromisoformat(from_at), datetime.fromisoformat(to_at)
    assert period_words(*span, zone, "en") == said


def test_a_part_of_a_month_is_said_by_its_days_and_a_part_of_a_day_by_its_instants() -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    days = period_words(start + 9 * DAY, start + 31 * DAY, "UTC", "en")
    assert "10" in days
    assert "31" in days
    two_months = period_words(start, start + 61 * DAY, "UTC", "en")
    assert two_months != "March 2026"
    assert "30" in two_months
    hours = period_words(start, start + timedelta(hours=30), "UTC", "en")
    assert "6:00" in hours or "06:00" in hours


def test_a_day_is_that_of_the_zone() -> None:
    late = datetime(2026, 3, 31, 20, tzinfo=UTC)
    assert day_words(late, "UTC", "en") == "Mar 31, 2026"
    assert day_words(late, "Asia/Tokyo", "en") == "Apr 1, 2026"


def test_an_unrounded_amount_has_four_decimals() -> None:
    assert shown_amount(Decimal("1.23456"), "USD", "en") == "$1.2346"


def test_an_entry_of_a_list_has_its_link_and_words() -> None:
    [entry] = invoice_entries([row()], DUE - 2 * DAY, "en")
    assert "INV-1" in entry.url
    assert (entry.period, entry.issued, entry.due) == ("March 2026", "Apr 1, 2026", "Apr 30, 2026")
    assert entry.pill.text == "Due in 2 days"
    assert entry.pay is not None
