"""Invoices of awkward shapes: hours that a clock skips or has twice, currencies of other decimals, many lines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.books import check_books
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import Invoice, InvoiceLine
from billing.money import exact_sum, round_to_minor
from billing.verifying import verify
from metering.models import Witness
from tests.billing.world import HOUR, MODEL, World, make_world

pytestmark = pytest.mark.django_db


def close(world: World, from_at: datetime, to_at: datetime) -> Invoice:
    ensure_periods(contract=world.contract, now=from_at)
    for node in world.nodes:
        world.rolled(node, to_at)
    invoice = close_period(period_id=world.period(from_at).pk, now=to_at + HOUR).invoice
    assert invoice is not None
    return invoice


def sound(invoice: Invoice) -> bool:
    lines = [line.amount for line in InvoiceLine.objects.filter(invoice=invoice)]
    assert exact_sum(lines) == invoice.subtotal
    assert all(amount == round_to_minor(amount, invoice.currency) for amount in lines)
    assert [check.name for check in check_books() if not check.holds] == []
    return verify(invoice.evidence.document, invoice.evidence.sha256) == []


@pytest.mark.parametrize(
    ("zone", "from_at", "to_at", "hours"),
    [
        # March of Berlin skips an hour, October has one twice; Lord Howe moves by half an hour.
        ("Europe/Berlin", datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC), "743"),
        ("Europe/Berlin", datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC), "745"),
        ("America/New_York", datetime(2026, 3, 1, 5, tzinfo=UTC), datetime(2026, 4, 1, 4, tzinfo=UTC), "743"),
        (
            "Australia/Lord_Howe",
            datetime(2026, 9, 30, 13, 30, tzinfo=UTC),
            datetime(2026, 10, 31, 13, tzinfo=UTC),
            "743.5",
        ),
        ("Asia/Kathmandu", datetime(2026, 3, 31, 18, 15, tzinfo=UTC), datetime(2026, 4, 30, 18, 15, tzinfo=UTC), "720"),
    ],
)
def test_a_month_is_billed_by_the_hours_that_it_has(zone: str, from_at: datetime, to_at: datetime, hours: str) -> None:
    world = make_world(time_zone=zone, from_at=from_at)
    world.lease(1, price="2.00", from_at=from_at, now=from_at)
    invoice = close(world, from_at, to_at)
    assert invoice.subtotal == Decimal(hours) * 2
    [line] = invoice.lines.all()
    assert line.quantity == Decimal(hours) * 3600
    days = set(line.sublines.values_list("day", flat=True))
    assert min(days).day == 1
    assert max(days).month == min(days).month
    assert sound(invoice)


def test_the_last_instant_of_a_month_is_on_its_bill_and_the_next_on_the_next() -> None:
    from_at, to_at = datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC)
    after = datetime(2026, 11, 30, 23, tzinfo=UTC)
    world = make_world(time_zone="Europe/Berlin", from_at=from_at, tokens={(MODEL, "output"): "1.00"})
    shared = world.share(percent="100", witness=Witness.ENGINE, now=from_at)
    shared.use({"output": 3_000_000}, at=to_at - HOUR)
    shared.use({"output": 5_000_000}, at=to_at)
    # The hour that Berlin has twice is two hours.
    twice = datetime(2026, 10, 25, 0, tzinfo=UTC)
    shared.use({"output": 100_000}, at=twice)
    shared.use({"output": 200_000}, at=twice + HOUR)
    october = close(world, from_at, to_at)
    november = close(world, to_at, after)
    assert (october.subtotal, november.subtotal) == (Decimal("3.30"), Decimal("5.00"))
    assert sound(october)
    assert sound(november)


@pytest.mark.parametrize(
    ("currency", "price", "amount"),
    [("JPY", "333.5", "500"), ("BHD", "0.3335", "0.500"), ("KWD", "0.3337", "0.501"), ("EUR", "3.335", "5.00")],
)
def test_an_amount_has_the_decimals_of_its_currency(currency: str, price: str, amount: str) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    world = make_world(currency=currency)
    world.lease(1, price=price, from_at=start, to_at=start + timedelta(minutes=90))
    invoice = close(world, start, datetime(2026, 4, 1, tzinfo=UTC))
    assert invoice.total == Decimal(amount)
    assert sound(invoice)


def bill_of(models: int) -> tuple[Invoice, int]:
    """A line for each model, and how many queries it took to bill them."""
    start, end = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    names = [f"model-{number:04d}" for number in range(models)]
    world = make_world(tokens={(name, "output"): "0.01" for name in names})
    shared = world.share(percent="100", witness=Witness.ENGINE)
    for number, name in enumerate(names):
        shared.use({"output": 1_000_000 + number}, model=name)
    ensure_periods(contract=world.contract, now=start)
    for node in world.nodes:
        world.rolled(node, end)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        invoice = close_period(period_id=world.period().pk, now=end + HOUR).invoice
    assert invoice is not None
    return invoice, len(asked)


def test_many_lines_take_no_more_questions_and_sum_to_their_total() -> None:
    few, asked_for_few = bill_of(3)
    many, asked_for_many = bill_of(60)
    assert (few.lines.count(), many.lines.count()) == (3, 60)
    assert asked_for_many == asked_for_few
    assert many.subtotal == Decimal("0.60")
    assert sound(many)
    assert [line.position for line in many.lines.order_by("model")] == list(range(1, 61))
