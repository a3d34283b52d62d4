"""The checks of collective invoices find what was planted, and nothing in books that hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection

from billing.collective.checks import CHECKS
from tenants.models import Organization
from tests.billing.collected import pay_by_hand
from tests.billing.collective.gathered import gathered, waits
from tests.billing.issued import make_parties
from tests.kept import kept

if TYPE_CHECKING:
    from billing.models import Collective

pytestmark = pytest.mark.django_db

PARTS, NUMBERS = CHECKS


@kept
def made() -> Collective:
    parties = make_parties()
    first = waits(parties, "100.00")
    waits(parties, "23.45", minutes=5)
    pay_by_hand(first, "30.00")
    return gathered()


def plant(*statements: str) -> None:
    """Change rows as nobody can but the owner of the database, past its guards."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("billing_collective", "billing_collectivepart", "billing_invoice"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in statements:
            cursor.execute(statement)


def found(name: str) -> list[str]:
    return list(CHECKS[name]()[1])


other = kept(make_parties)


def test_books_that_hold_are_counted_and_nothing_is_found(
    made: Collective, other: tuple[Organization, Organization]
) -> None:
    waits(other, "1.00"), waits(other, "2.00")
    gathered()
    assert CHECKS[PARTS]() == (2, [])
    assert CHECKS[NUMBERS]() == (2, [])


def test_without_any_there_is_nothing_to_check() -> None:
    assert CHECKS[PARTS]() == CHECKS[NUMBERS]() == (0, [])


def test_what_was_paid_afterwards_changes_nothing(made: Collective) -> None:
    last = made.parts.select_related("invoice").get(position=2)
    pay_by_hand(last.invoice, str(last.amount))
    assert found(PARTS) == found(NUMBERS) == []


def test_a_total_that_is_not_its_parts_is_named_with_both(made: Collective) -> None:
    plant("UPDATE billing_collective SET total = total + 1")
    assert found(PARTS) == [f"{made.number}: 94.4500, its 2 parts 93.4500"]


def test_a_part_that_is_gone_is_named(made: Collective) -> None:
    plant("DELETE FROM billing_collectivepart WHERE position = 2")
    assert found(PARTS) == [f"{made.number}: 93.4500, its 1 parts 70.0000"]


@pytest.mark.parametrize(
    "change",
    ["currency = 'EUR'", "total = 1, subtotal = 1"],
)
def test_a_part_that_does_not_belong_is_named(made: Collective, change: str) -> None:
    part = made.parts.select_related("invoice").get(position=1)
    plant(f"UPDATE billing_invoice SET {change} WHERE id = '{part.invoice_id}'")
    assert found(PARTS) == [f"{made.number}: part {part.invoice.number} of 70.0000 does not belong to it"]


def test_a_part_of_another_tenant_is_named(made: Collective, other: tuple[Organization, Organization]) -> None:
    _issuer, stranger = other
    plant(f"UPDATE billing_collective SET tenant_id = '{stranger.pk}'")
    assert len(found(PARTS)) == 2


@pytest.mark.parametrize(
    ("statement", "counted"),
    [
        ("UPDATE billing_collectivesequence SET next_number = 3", "1 numbers below 3"),
        ("UPDATE billing_collectivesequence SET next_number = 1", "1 numbers below 1"),
        ("UPDATE billing_collective SET number = 'COL' || substr(number, 4) || '7'", "1 numbers below 2"),
    ],
)
def test_a_gap_in_the_numbers_is_named_with_its_issuer(made: Collective, statement: str, counted: str) -> None:
    plant(statement)
    [line] = found(NUMBERS)
    assert line.startswith(f"{made.issuer.slug}: {counted}")
