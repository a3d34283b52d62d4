"""A share with tiers, guarantee, cap, exclusions and reserve over three closed months: bills, carries and evidence."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from billing.charging import charge_period, ensure_periods
from billing.closing import CloseState, close_period
from billing.evidence import differences
from billing.models import Charge, Invoice, InvoiceEvidence, InvoiceLine, PeriodCarry
from metering.models import Witness
from tests.billing.sharing import share
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, World, make_world
from tests.kept import kept

pytestmark = pytest.mark.django_db

MTOK = 1_000_000
MONTHS = [MARCH, APRIL, *(datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6))]
TIERS = [
    {"from_base_amount": "0", "to_base_amount": "100", "share_percent": "30"},
    {"from_base_amount": "100", "share_percent": "20"},
]
AGREED: dict[str, Any] = {
    "share_percent": None,
    "tiers": TIERS,
    "tier_period": "contract_year",
    "exclusions": [{"rule": "tests"}, {"rule": "taxes", "percent": "25"}],
    "guarantee": {"amount_per_span": "15", "shortfall": "owed_recoupable", "prorated_by_availability": False},
    "cap": {"amount_per_span": "40"},
    "reserve": {"percent": "10", "held_days": 20},
}


def lines_of(invoice: Invoice) -> dict[str, Decimal]:
    return {line.rule: line.amount for line in InvoiceLine.objects.filter(invoice=invoice)}


@kept
def world() -> World:
    return make_world(tokens={(MODEL, "output"): "1"})


def test_three_months_hand_on_what_each_other_needs(world: World) -> None:
    shared = share(world, Witness.GATEWAY, **AGREED)
    world.rolled(world.nodes[0], MONTHS[-1] + timedelta(days=30))
    # 80 of base, then 120 (of it 50 tests, not shared), then 400, each after a quarter of taxes on top.
    for at, tokens in ((MARCH, 20), (APRIL, 100), (MONTHS[2], 400)):
        shared.use({"output": tokens * MTOK}, at=at + 5 * HOUR)
    shared.use({"output": 50 * MTOK}, at=APRIL + 9 * HOUR, marks="batch+test")
    invoices = []
    for start, end in pairwise(MONTHS):
        ensure_periods(contract=world.contract, now=end)
        charge_period(period_id=world.period(start).id, up_to=start + 12 * HOUR, now=start + 12 * HOUR)
        closed = close_period(period_id=world.period(start).id, now=end + timedelta(days=1))
        assert closed.invoice is not None
        invoices.append(closed.invoice)
    march, april, may = (lines_of(invoice) for invoice in invoices)
    # March: base 16, share 4.80, made up to 15; a tenth is held.
    assert march["share_tier_marginal"] == Decimal("4.80")
    assert (march["share_guarantee_shortfall"], march["share_reserve_held"]) == (Decimal("10.20"), Decimal("-1.50"))
    # April: base 80 after 16, all in the first tier: 24; 9 above the guarantee are taken back; 15 is left.
    assert april["share_tier_marginal"] == Decimal("24.00")
    assert april["share_guarantee_recouped"] == Decimal("-9.00")
    assert not april["share_excluded_tests"]
    assert april["share_reserve_released"] == Decimal("1.50")
    # May: base 320 after 96: 4 at 30 and 316 at 20 percent are 64.40; 1.20 is still to be taken back; capped at 40.
    assert may["share_tier_marginal"] == Decimal("64.40")
    assert (may["share_guarantee_recouped"], may["share_cap"]) == (Decimal("-1.20"), Decimal("-23.20"))
    for invoice in invoices:
        assert differences(json.loads(InvoiceEvidence.objects.get(invoice=invoice).document)) == []
        charged = sum(Charge.objects.filter(period=invoice.period).values_list("amount", flat=True))
        assert charged == sum(InvoiceLine.objects.filter(invoice=invoice).values_list("exact_amount", flat=True))
    carried = {carry.name: carry.value for carry in PeriodCarry.objects.filter(period=invoices[-1].period)}
    assert carried["tier_base_amount||"] == 16 + 80 + 320
    assert "recoupable_amount" not in carried


def test_a_share_says_how_long_its_period_stays_open_and_when_its_bill_is_due(world: World) -> None:
    settlement = {"due_days": 30, "cut_off_grace_hours": 100, "dispute_days": 10}
    shared = share(world, Witness.GATEWAY, settlement=settlement)
    shared.use({"output": 10 * MTOK})
    ensure_periods(contract=world.contract, now=APRIL)
    assert (world.contract.due_days, world.contract.grace_hours) == (14, 48)
    waiting = close_period(period_id=world.period().id, now=APRIL + 99 * HOUR)
    assert waiting.state is CloseState.WAITING
    closed_at = APRIL + 100 * HOUR
    closed = close_period(period_id=world.period().id, now=closed_at)
    assert closed.invoice is not None
    assert closed.invoice.due_at == closed_at + timedelta(days=30)
    assert [gap["kind"] for gap in closed.invoice.period.accepted_gaps] == ["node"]


def test_a_share_can_shorten_the_grace_and_the_contract_s_stands_for_what_it_leaves_out(world: World) -> None:
    shared = share(world, Witness.GATEWAY, settlement={"cut_off_grace_hours": 0})
    shared.use({"output": 10 * MTOK})
    ensure_periods(contract=world.contract, now=APRIL)
    closed = close_period(period_id=world.period().id, now=APRIL)
    assert closed.invoice is not None
    assert closed.invoice.due_at == APRIL + timedelta(days=14)
