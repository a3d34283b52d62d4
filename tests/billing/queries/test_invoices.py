from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import Invoice, Payment
from billing.queries import Order, invoice_page
from tests.billing.world import APRIL, HOUR, MARCH, World, make_world
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


def invoiced(amount: str = "10", *, parties: World | None = None, at: datetime = APRIL) -> tuple[World, Invoice]:
    world = make_world(parties=(parties.provider, parties.tenant) if parties else None)
    world.lease(1, from_at=NOON, to_at=NOON + HOUR, price=amount, rolled_to_at=APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    invoice = close_period(period_id=world.period().id, now=at).invoice
    assert invoice is not None
    return world, invoice


@kept
def world_and_first() -> tuple[World, Invoice]:
    return invoiced("1")


world_and_invoice = kept(invoiced)


def test_both_parties_see_an_invoice_and_nobody_else(world_and_invoice: tuple[World, Invoice]) -> None:
    world, invoice = world_and_invoice
    for party in (world.tenant, world.provider):
        [row] = invoice_page(party).rows
        assert (row.id, row.number, row.contract) == (invoice.id, "INV-0001", world.contract.number)
        assert (row.issuer, row.tenant) == (world.provider.name, world.tenant.name)
        assert (row.from_at, row.to_at, row.time_zone) == (MARCH, APRIL, "UTC")
        assert (row.settlement_state, row.total) == ("by_hand", Decimal("10.00"))
    assert invoice_page(make_organization("outsider")).rows == ()


def test_a_draft_is_not_listed() -> None:
    world = make_world()
    ensure_periods(contract=world.contract, now=MARCH)
    Invoice.objects.create(
        issuer=world.provider,
        tenant=world.tenant,
        contract=world.contract,
        period=world.period(),
        kind="lease",
        currency="USD",
        updated_at=MARCH,
    )
    assert invoice_page(world.tenant).rows == ()


def test_what_is_outstanding_is_the_total_less_what_was_paid() -> None:
    world, invoice = invoiced("10")
    for reference, amount in (("a", "2.50"), ("b", "1.25")):
        Payment.objects.create(
            invoice=invoice,
            method="bank_transfer",
            reference=reference,
            amount=Decimal(amount),
            currency="USD",
            received_at=APRIL,
        )
    [row] = invoice_page(world.tenant).rows
    assert row.outstanding == Decimal("6.25")


def test_an_invoice_is_overdue_from_the_instant_it_was_due_until_it_is_paid(
    world_and_invoice: tuple[World, Invoice],
) -> None:
    world, invoice = world_and_invoice
    due = APRIL + timedelta(days=14)
    [row] = invoice_page(world.tenant).rows
    assert (row.is_overdue(due - timedelta(seconds=1)), row.is_overdue(due)) == (False, True)
    assert (row.days_overdue(due + timedelta(hours=71)), row.days_overdue(MARCH)) == (2, 0)
    Invoice.objects.filter(pk=invoice.pk).update(state="paid")
    [row] = invoice_page(world.tenant).rows
    assert not row.is_overdue(due)
    assert row.days_overdue(due + timedelta(days=9)) == 0


@pytest.mark.parametrize("order", list(Order))
def test_pages_follow_each_other_without_missing_or_repeating(
    order: Order, world_and_first: tuple[World, Invoice]
) -> None:
    world, _ = world_and_first
    for number in range(2, 8):
        # Some are issued at one instant: the id decides then.
        invoiced(str(number), parties=world, at=APRIL + (number // 3) * HOUR)
    after, seen = None, []
    while True:
        page = invoice_page(world.tenant, order=order, after=after, limit=3)
        seen += [(row.issued_at, row.id) for row in page.rows]
        if page.next is None:
            break
        after = page.next
    assert len(seen) == len(set(seen)) == 7
    assert seen == sorted(seen, reverse=order is Order.ISSUED)


def test_filters_narrow_the_list(world_and_first: tuple[World, Invoice]) -> None:
    world, first = world_and_first
    other, second = invoiced("2", parties=world, at=APRIL + HOUR)

    def numbers(**filters: object) -> list[str]:
        return [row.number for row in invoice_page(world.tenant, **filters).rows]  # type: ignore[arg-type]  # by name

    assert numbers() == ["INV-0002", "INV-0001"]
    assert numbers(contract=other.contract.number) == ["INV-0002"]
    assert numbers(issued_from=APRIL + HOUR) == ["INV-0002"]
    assert numbers(issued_to=APRIL + HOUR) == ["INV-0001"]
    assert numbers(updated_since=second.updated_at) == ["INV-0002"]
    assert numbers(state="paid") == []
    assert numbers(limit=1) == ["INV-0002"]
    assert first.number == "INV-0001"


def test_a_list_of_any_length_is_one_query(
    django_assert_num_queries: DjangoAssertNumQueries, world_and_first: tuple[World, Invoice]
) -> None:
    world, _ = world_and_first
    for number in range(2, 6):
        invoiced(str(number), parties=world)
    with django_assert_num_queries(1):
        assert len(invoice_page(world.tenant).rows) == 5
