"""From requests of different length at a gateway to an invoice that prices each as a whole, and says at which tier."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from billing.books import check_books
from billing.charging import charge_period, ensure_periods
from billing.closing import close_period
from billing.evidence import differences
from billing.models import Charge, Invoice
from metering.adjustment_models import AdjustmentCause
from metering.models import UsageHour
from metering.rebuild_events import rebuild_events
from metering.rollup_events import roll_up_events
from tests.billing.pages.reading import rows_of, text_of
from tests.billing.test_api import Program, csv_of
from tests.billing.world import APRIL, HOUR, MARCH, MODEL, World, make_world
from tests.kept import kept
from tests.metering.fleet import NOON
from tests.metering.test_events import event, send

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

PRICES = {(MODEL, "input"): "3", (MODEL, "cached_input"): "0.30", (MODEL, "output"): "15"}
TIERS = {(MODEL, "input", 200_000): "6", (MODEL, "cached_input", 200_000): "0.60", (MODEL, "output", 200_000): "22.5"}
LONG = {"input": 585_659, "output": 1_000}
SHORT = {"input": 200_000, "cached_input": 50_000, "output": 1_000}
LATE = {"input": 300_000, "cached_input": 250_000, "output": 10}


def report(world: World, event_id: str, counts: dict[str, int], *, now: datetime, at: datetime = NOON) -> None:
    """Report a request and roll it up."""
    send(world.tenant, event(event_id, model=MODEL, occurred_at=at.isoformat(), **counts), now=now)
    while roll_up_events(now=now):
        continue


def charge(world: World) -> int:
    return charge_period(period_id=world.period().id, up_to=NOON + 9 * HOUR, now=NOON + 9 * HOUR).charges


def invoiced(cast: Cast) -> tuple[World, Invoice]:
    """A short and a long request charged, another long one late, then the period closed."""
    world = make_world(tokens=PRICES, tiers=TIERS, parties=(cast.provider, cast.tenant))
    world.share(percent="100", rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    report(world, "short", SHORT, now=NOON + HOUR)
    report(world, "long", LONG, now=NOON + HOUR)
    assert charge(world) == 5
    report(world, "late", LATE, now=NOON + 5 * HOUR)
    assert charge(world) == 3
    assert charge(world) == 0
    closed = close_period(period_id=world.period().id, now=APRIL + timedelta(days=3))
    assert closed.invoice is not None
    return world, closed.invoice


world_and_invoice = kept(invoiced)


def test_each_request_is_priced_as_a_whole_and_its_tier_stands_on_the_invoice(
    world_and_invoice: tuple[World, Invoice],
) -> None:
    world, invoice = world_and_invoice
    short = Decimal("0.45") + Decimal("0.015") + Decimal("0.015")
    long = Decimal(585659) * 6 / 1_000_000 + Decimal("0.0225")
    late = Decimal("0.3") + Decimal("0.15") + Decimal("0.000225")
    [line] = invoice.lines.all()
    assert line.exact_amount == short + long + late
    assert line.amount == invoice.total == Decimal("4.47")
    parts = line.sublines.order_by("position").values_list("context_over", "token_class", "quantity", "unit_price")
    assert set(parts) == {
        (0, "input", Decimal(150_000), Decimal(3)),
        (0, "cached_input", Decimal(50_000), Decimal("0.3")),
        (0, "output", Decimal(1_000), Decimal(15)),
        (200_000, "input", Decimal(635_659), Decimal(6)),
        (200_000, "cached_input", Decimal(250_000), Decimal("0.6")),
        (200_000, "output", Decimal(1_010), Decimal("22.5")),
    }
    assert Charge.objects.filter(context_over=200_000, token_class="input").count() == 2
    assert differences(json.loads(invoice.evidence.document)) == []
    assert [check.wrong for check in check_books() if not check.holds] == []
    assert set(UsageHour.objects.values_list("context_over", flat=True)) == {128_000, 272_000, 512_000}
    again = rebuild_events(
        from_at=None, to_at=None, cause=AdjustmentCause.REBUILT, reason="A sample.", now=APRIL + timedelta(days=3)
    )
    assert (again, world.tenant) == ([], invoice.tenant)


def test_programs_and_people_read_the_tier(
    cast: Cast, client: Client, world_and_invoice: tuple[World, Invoice]
) -> None:
    _, invoice = world_and_invoice
    program = Program(cast.tenant, ("invoices:read", "usage:read"))
    address = f"/api/v1/invoices/{invoice.pk}/lines"
    [line] = program.get(address).json()["lines"]
    told = [part["tier"] for part in line["sublines"]]
    assert sorted(told) == ["", "", "", "over_200k", "over_200k", "over_200k"]
    assert [row["tier"] for row in csv_of(program.get(address, Accept="text/csv"))] == told
    window = "from=2026-03-10T00:00:00Z&to=2026-03-11T00:00:00Z&granularity=total&class=input&group_by=context_over"
    rows: list[dict[str, Any]] = program.get(f"/api/v1/usage?{window}").json()["usage"]
    assert [(row["context_over"], row["value"]) for row in rows] == [
        ("128000", "200000"),
        ("272000", "300000"),
        ("512000", "585659"),
    ]
    client.force_login(cast.alice)
    page = text_of(client.get(f"/t/invoices/{invoice.number}/"))
    assert "Input 150,000 tokens $3.00 / 1M v1" in page
    assert "Input over 200,000 input tokens 635,659 tokens $6.00 / 1M v1" in page
    assert [row["tier"] for row in rows_of(client.get(f"/t/invoices/{invoice.number}/lines.csv"))] == told
    for usage_page in ("/t/usage/?month=2026-03", "/t/usage/2026-03-10/"):
        assert "$3.00 / $0.30 / $15.00 over 200,000: $6.00 / $0.60 / $22.50" in text_of(client.get(usage_page))
