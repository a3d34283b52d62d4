"""A check is left out only where its own statements would find nothing to look at and nothing wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from billing.books import CHECKS, check_books
from billing.ledger import Entry, post
from billing.models import AccountKind, LedgerPosting
from billing.proofs.unused import READS, without_work
from tests.billing.adjusting.late import Late, late_world
from tests.billing.adjusting.test_restatements import MILLION
from tests.billing.corrections.test_checks import around_the_guards
from tests.billing.issued import Line, make_issued, make_parties
from tests.filled import fill
from tests.kept import kept

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db
AT = datetime(2026, 4, 3, 9, tzinfo=UTC)


def said() -> dict[str, tuple[int, bool]]:
    return {check.name: (check.looked_at, check.holds) for check in check_books()}


def said_by_all() -> dict[str, tuple[int, bool]]:
    """What every check says, each run for itself."""
    return {
        name: (looked_at, not list(wrong)) for name, (looked_at, wrong) in ((n, run()) for n, run in CHECKS.items())
    }


def book(kind: AccountKind, *, cause: str = "sample") -> None:
    """Book an amount that nothing else knows of."""
    provider, tenant = make_parties()
    cause_id = uuid4()
    entries = (
        Entry(provider.pk, kind, "USD", Decimal("7.00")),
        Entry(tenant.pk, AccountKind.TENANT_RECEIVABLE, "USD", Decimal("-7.00")),
    )
    post(key=f"{cause}:{cause_id}", cause=cause, cause_id=cause_id, memo="Planted", at=AT, entries=entries)


late = kept(late_world)
filled = kept(fill)


def test_only_checks_that_there_are_can_be_left_out() -> None:
    assert READS.keys() < CHECKS.keys()


def test_empty_books_leave_out_all_of_them() -> None:
    assert without_work() == READS.keys()
    assert said() == said_by_all()
    assert set(said().values()) == {(0, True)}


@pytest.mark.usefixtures("filled")
def test_books_with_something_of_everything_are_looked_at_as_ever() -> None:
    assert said() == said_by_all()


def test_a_close_with_late_usage_leaves_out_what_it_does_not_touch(late: Late) -> None:
    late.use(25 * MILLION)
    late.close()
    idle = without_work()
    assert "late lines are adjustments of what they are linked to" in idle
    assert {"payouts are booked, once", "credit notes are booked", "write-offs are booked"} <= idle
    assert said() == said_by_all()
    late.use(MILLION, stored_at=AT)
    late.close(datetime(2026, 4, 1, tzinfo=UTC))
    assert idle - without_work() == {
        "late lines are adjustments of what they are linked to",
        "what was billed of a line before it was adjusted is as stated",
    }
    assert said() == said_by_all()


@pytest.mark.parametrize(
    ("found_by", "kind", "cause"),
    [
        ("prepaid credit is grants less what left them", AccountKind.PREPAID_CREDIT, "sample"),
        ("prepaid credit is grants less what left them", AccountKind.GRANTED_CREDIT, "sample"),
        ("balances of tenants are their movements", AccountKind.TENANT_BALANCE, "sample"),
        ("write-offs are booked", AccountKind.WRITE_OFF, "sample"),
        ("refunds in transit are those on their way", AccountKind.REFUND_IN_TRANSIT, "sample"),
        ("bank movements are payments and what is unmatched", AccountKind.BANK_UNMATCHED, "sample"),
        ("payouts are booked, once", AccountKind.PROVIDER_PAYABLE, "payout"),
        ("what Stripe moved is booked as it moved", AccountKind.STRIPE_CLEARING, "stripe"),
    ],
)
def test_what_is_booked_and_is_not_there_is_found(found_by: str, kind: AccountKind, cause: str) -> None:
    """The other side of a comparison is enough to be looked at."""
    book(kind, cause=cause)
    assert LedgerPosting.objects.count() == 1
    assert said()[found_by][1] is False
    assert said() == said_by_all()


def test_a_tax_without_a_rate_is_found() -> None:
    invoice = make_issued([Line("100.00")])
    around_the_guards("UPDATE billing_invoice SET tax = 19, total = 119")
    assert said()["taxes are those of their rates and lines"] == (0, False)
    assert said() == said_by_all()
    assert invoice.tax == 0


def test_it_is_known_by_one_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        without_work()
