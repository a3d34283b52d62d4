from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import Invoice
from billing.pricing import publish_price_version
from billing.queries import EvidenceCheck, InvoiceDetail, invoice_detail
from billing.queries.invoice_detail import Asked
from tests.billing.world import APRIL, H100, HOUR, MARCH, MODEL, Shared, World, make_world
from tests.factories import make_organization
from tests.kept import kept

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
PRICES = {(MODEL, "input"): "0.28", (MODEL, "cached_input"): "0.07", (MODEL, "output"): "1.10"}


def make_invoice() -> tuple[World, Shared, Invoice]:
    """Leases at an agreed and at the book's price, and tokens under two price versions."""
    world = make_world(tokens={**PRICES, ("b-model", "output"): "4"}, gpus={H100: "1.94"})
    world.lease(4, from_at=NOON, to_at=NOON + HOUR, price="1.12", rolled_to_at=APRIL)
    world.lease(1, from_at=NOON, to_at=NOON + 2 * HOUR, price=None, rolled_to_at=APRIL)
    shared = world.share(percent="100", rolled_to_at=APRIL)
    assert world.book is not None
    publish_price_version(
        book=world.book,
        effective_at=NOON + HOUR,
        token_prices={(MODEL, "input"): Decimal("0.28"), (MODEL, "output"): Decimal("1.50")},
        gpu_prices={H100: Decimal("1.94")},
        now=MARCH,
    )
    for hour in (0, 1):
        shared.use({"input": 1_000_000, "output": 1_000_000}, at=NOON + hour * HOUR, records=500)
    ensure_periods(contract=world.contract, now=MARCH)
    invoice = close_period(period_id=world.period().id, now=APRIL).invoice
    assert invoice is not None
    return world, shared, invoice


def detail_of(world: World, invoice: Invoice) -> InvoiceDetail:
    detail = invoice_detail(world.tenant, invoice.id)
    assert detail is not None
    return detail


def checks_of(world: World, invoice: Invoice) -> dict[str, EvidenceCheck]:
    return {check.key: check for check in detail_of(world, invoice).checks}


world_and_shared_and_invoice = kept(make_invoice)


def test_lines_stand_in_groups_with_sums_classes_and_sources(
    world_and_shared_and_invoice: tuple[World, Shared, Invoice],
) -> None:
    world, _, invoice = world_and_shared_and_invoice
    detail = detail_of(world, invoice)
    assert [(group.heading, group.amount) for group in detail.groups] == [
        (MODEL, Decimal("3.16")),
        ("GPU leases", Decimal("8.36")),
    ]
    [tokens] = detail.groups[0].lines
    assert tokens.source == "v1, v2"
    classes = {row.token_class: row for row in tokens.classes}
    assert classes["input"].quantity == 2_000_000
    assert (classes["input"].unit_price, classes["input"].versions) == (Decimal("0.28"), (1, 2))
    assert (classes["output"].unit_price, classes["output"].exact_amount) == (None, Decimal("2.6"))
    assert len(classes["output"].prices) == 2
    assert classes["input"].prices == (Decimal("0.28"),)
    assert sum(row.exact_amount for row in tokens.sublines) == tokens.exact_amount
    agreed, at_book = detail.groups[1].lines
    assert (agreed.source, agreed.unit_price, agreed.classes) == (world.contract.number, Decimal("1.12"), ())
    assert at_book.source == "v1, v2"


def test_a_class_has_a_row_for_each_tier_of_its_requests() -> None:
    world = make_world(tokens=PRICES, tiers={(MODEL, "input", 200_000): "0.56"})
    shared = world.share(percent="100", rolled_to_at=APRIL)
    shared.use({"input": 1_000_000}, at=NOON)
    shared.use({"input": 3_000_000}, at=NOON, context_over=512_000)
    ensure_periods(contract=world.contract, now=MARCH)
    invoice = close_period(period_id=world.period().id, now=APRIL).invoice
    assert invoice is not None
    detail = detail_of(world, invoice)
    [line] = detail.groups[0].lines
    assert [(row.token_class, row.context_over, row.unit_price, row.exact_amount) for row in line.classes] == [
        ("input", 0, Decimal("0.28"), Decimal("0.28")),
        ("input", 200_000, Decimal("0.56"), Decimal("1.68")),
    ]
    assert [part.context_over for part in line.sublines] == [0, 200_000]
    assert (line.unit_price, line.amount) == (None, Decimal("1.96"))
    assert all(check.passed for check in detail.checks)


def test_all_four_checks_of_a_sound_invoice_pass_with_their_figures(
    world_and_shared_and_invoice: tuple[World, Shared, Invoice],
) -> None:
    world, _, invoice = world_and_shared_and_invoice
    detail = detail_of(world, invoice)
    assert [check.key for check in detail.checks] == ["adds_up", "same_as_dashboard", "priced_by_date", "sealed"]
    assert all(check.passed for check in detail.checks)
    checks = checks_of(world, invoice)
    assert checks["adds_up"].facts["records"] == "1000"
    assert checks["same_as_dashboard"].facts["dashboard"] == "11.52"
    assert checks["priced_by_date"].facts == {"wrong": "0", "versions": "v1, v2"}
    assert checks["sealed"].facts == {"sha256": invoice.evidence.sha256, "closed_at": APRIL.isoformat()}
    assert detail.sha256 == invoice.evidence.sha256


def test_usage_that_comes_after_the_close_shows_as_a_difference(
    world_and_shared_and_invoice: tuple[World, Shared, Invoice],
) -> None:
    world, shared, invoice = world_and_shared_and_invoice
    shared.use({"output": 2_000_000}, at=NOON, version=2)
    check = checks_of(world, invoice)["same_as_dashboard"]
    assert not check.passed
    assert check.facts["difference"] == "2.20"
    assert checks_of(world, invoice)["adds_up"].passed


@pytest.mark.parametrize(
    ("table", "change", "key"),
    [
        ("billing_charge", "amount = amount + 1e-18", "adds_up"),
        ("billing_invoicesubline", "exact_amount = exact_amount + 1e-18", "adds_up"),
        ("billing_invoiceline", "amount = amount + 0.01", "adds_up"),
        ("billing_invoice", "total = total + 1", "adds_up"),
        ("billing_charge", "from_at = from_at - interval '400 days'", "priced_by_date"),
        ("billing_charge", "to_at = to_at + interval '1 day'", "priced_by_date"),
        ("billing_invoiceevidence", "document = replace(document, '1000000', '1000001')", "sealed"),
    ],
)
def test_a_forged_row_fails_its_check(
    table: str, change: str, key: str, world_and_shared_and_invoice: tuple[World, Shared, Invoice]
) -> None:
    world, _, invoice = world_and_shared_and_invoice
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(f"UPDATE {table} SET {change}")
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    assert not checks_of(world, invoice)[key].passed


def test_only_the_parties_see_an_invoice(world_and_shared_and_invoice: tuple[World, Shared, Invoice]) -> None:
    world, _, invoice = world_and_shared_and_invoice
    assert invoice_detail(world.provider, invoice.id) is not None
    assert invoice_detail(make_organization("outsider"), invoice.id) is None
    assert invoice_detail(world.tenant, world.contract.id) is None


def test_the_number_of_queries_does_not_grow_with_lines(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    world = make_world(tokens=PRICES)
    for _ in range(6):
        world.lease(1, from_at=NOON, to_at=NOON + HOUR, rolled_to_at=APRIL)
        world.share(rolled_to_at=APRIL).use({"output": 1_000_000}, at=NOON)
    ensure_periods(contract=world.contract, now=MARCH)
    invoice = close_period(period_id=world.period().id, now=APRIL).invoice
    assert invoice is not None
    with django_assert_max_num_queries(26):
        assert sum(len(group.lines) for group in detail_of(world, invoice).groups) == 12


@pytest.mark.parametrize("asked", [Asked(0), Asked(100), Asked(9, page=1), Asked(9, page=7, line=3)])
def test_an_invoice_whose_lines_fit_on_a_page_has_them_all(
    asked: Asked, world_and_shared_and_invoice: tuple[World, Shared, Invoice]
) -> None:
    world, _, invoice = world_and_shared_and_invoice
    whole, found = detail_of(world, invoice), invoice_detail(world.tenant, invoice.id, asked)
    assert found is not None
    assert replace(found, page_lines=0) == whole
    assert (whole.lines, whole.parts, whole.page, whole.first) == (3, 7, 1, 1)


@pytest.mark.parametrize(
    ("asked", "number", "positions"),
    [
        (Asked(2), 1, [1, 2]),
        (Asked(2, page=2), 2, [3]),
        (Asked(2, page=9), 2, [3]),
        (Asked(2, line=2), 1, [1, 2]),
        (Asked(2, line=3), 2, [3]),
        (Asked(2, page=2, line=1), 1, [1, 2]),
        (Asked(2, page=2, line=4), 2, [3]),
        (Asked(1, line=2), 2, [2]),
        (Asked(3, page=2, page_lines=1), 1, [1, 2, 3]),
        (Asked(2, page=2, page_lines=1), 2, [2]),
        (Asked(2, line=3, page_lines=1), 3, [3]),
    ],
)
def test_lines_are_shown_page_by_page_with_the_sums_of_all(
    asked: Asked, number: int, positions: list[int], world_and_shared_and_invoice: tuple[World, Shared, Invoice]
) -> None:
    """A heading whose lines go over the end of a page has one sum on both."""
    world, _, invoice = world_and_shared_and_invoice
    whole, found = detail_of(world, invoice), invoice_detail(world.tenant, invoice.id, asked)
    assert found is not None
    assert (found.page, found.first, found.lines, found.parts) == (number, positions[0], 3, 7)
    assert [line.position for group in found.groups for line in group.lines] == positions
    amounts = {group.heading: group.amount for group in whole.groups}
    assert all(group.amount == amounts[group.heading] for group in found.groups)
    lines = {line.position: line for group in whole.groups for line in group.lines}
    assert all(line == lines[line.position] for group in found.groups for line in group.lines)
    assert found.checks == whole.checks
    assert found.row == whole.row


def test_of_many_parts_those_of_one_line_are_read_and_all_come_to_the_same(
    world_and_shared_and_invoice: tuple[World, Shared, Invoice],
) -> None:
    world, _, invoice = world_and_shared_and_invoice
    whole = detail_of(world, invoice)
    for line, parts_max, opened in ((0, 7, {1, 2, 3}), (0, 6, set()), (2, 6, {2}), (9, 6, set())):
        found = invoice_detail(world.tenant, invoice.id, Asked(100, line=line, parts_max=parts_max))
        assert found is not None
        for group, all_of_it in zip(found.groups, whole.groups, strict=True):
            for row, with_parts in zip(group.lines, all_of_it.lines, strict=True):
                assert row == (with_parts if row.position in opened else replace(with_parts, sublines=()))
    lines = [line for group in whole.groups for line in group.lines]
    assert [line.days for line in lines] == [len({part.day for part in line.sublines}) for line in lines]


def test_classes_are_what_their_parts_come_to(world_and_shared_and_invoice: tuple[World, Shared, Invoice]) -> None:
    world, _, invoice = world_and_shared_and_invoice
    lines = [line for group in detail_of(world, invoice).groups for line in group.lines if line.classes]
    for line in lines:
        assert sum(row.exact_amount for row in line.classes) == line.exact_amount
        for row in line.classes:
            key = (row.token_class, row.context_over)
            parts = [part for part in line.sublines if (part.token_class, part.context_over) == key]
            assert row.quantity == sum(part.quantity for part in parts)
            assert row.base_amount == sum(part.base_amount for part in parts)
            assert set(row.prices) == {part.unit_price for part in parts}
            assert set(row.versions) == {part.version for part in parts}
    assert any(len(row.prices) > 1 for line in lines for row in line.classes)


def test_the_pages_of_an_invoice_are_its_lines_once_each() -> None:
    world = make_world(tokens={(f"model-{place:02}", "input"): "1" for place in range(11)})
    shared = world.share(rolled_to_at=APRIL)
    for place in range(11):
        shared.use({"input": 1_000_000 + place}, at=NOON, model=f"model-{place:02}")
    ensure_periods(contract=world.contract, now=MARCH)
    invoice = close_period(period_id=world.period().id, now=APRIL).invoice
    assert invoice is not None
    pages = [invoice_detail(world.tenant, invoice.id, Asked(4, page=page)) for page in (1, 2, 3)]
    groups = [group for page in pages if page is not None for group in page.groups]
    assert groups == list(detail_of(world, invoice).groups)
    assert [len(page.groups) for page in pages if page is not None] == [4, 4, 3]
