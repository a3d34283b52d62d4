"""A new series of numbers after a restore: nothing is numbered twice, and neither series has a gap unseen."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.books import check_books
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.models import CollectiveSequence, CreditNoteSequence, Invoice, IssuerSequence
from billing.number_series import CREDIT_NOTES, INVOICES, WrongSeries, begin_series, former_series, prefixes_before
from tenants.models import AuditEntry
from tests.billing.corrections.corrected import NOW, credit
from tests.billing.test_credits import prepaid_world
from tests.billing.world import APRIL, HOUR, MARCH
from tests.factories import make_organization
from tests.kept import kept

if TYPE_CHECKING:
    from tests.billing.world import World

pytestmark = pytest.mark.django_db
BY = "manage begin_numbers"


@kept
def world() -> World:
    """A month is issued and credited in part; the next has usage too."""
    world, term, _ = prepaid_world(None)
    term.use({"output": 30_000}, at=MARCH)
    term.use({"output": 20_000}, at=APRIL)
    credit(issued(world, 0), amount="5")
    return world


def issued(world: World, month: int) -> Invoice:
    ensure_periods(contract=world.contract, now=APRIL + timedelta(days=40))
    period = world.contract.periods.order_by("from_at")[month]
    closed = close_period(period_id=period.pk, now=period.to_at + timedelta(days=3))
    assert closed.invoice is not None
    return closed.invoice


def gaps() -> list[str]:
    return [each for check in check_books() if "have no gap" in check.name for each in check.wrong]


def test_what_is_issued_next_has_no_number_that_was_given_before(world: World) -> None:
    assert begin_series(letter="B", by=BY, now=NOW) == [(INVOICES, "INV-", "INV-B-"), (CREDIT_NOTES, "CN-", "CN-B-")]
    second = issued(world, 1)
    assert (second.number, credit(second, amount="1").number) == ("INV-B-0001", "CN-B-0001")
    assert gaps() == []
    assert [(each.prefix, each.next_number) for each in former_series(INVOICES)] == [("INV-", 2)]
    kept_word = AuditEntry.objects.get(action="numbers.begun", subject=INVOICES)
    assert (kept_word.organization, kept_word.actor, kept_word.after) == (world.provider, BY, {"prefix": "INV-B-"})


def test_the_next_time_has_another_letter_beside_the_first_series(world: World) -> None:
    begin_series(letter="B", by=BY, now=NOW)
    with pytest.raises(WrongSeries, match="INV-B- was used before"):
        begin_series(letter="B", by=BY, now=NOW + HOUR)
    begin_series(letter="C", by=BY, now=NOW + HOUR)
    assert IssuerSequence.objects.get().prefix == "INV-C-"
    with pytest.raises(WrongSeries, match="INV-B- was used before"):
        begin_series(letter="B", by=BY, now=NOW + 2 * HOUR)
    assert CreditNoteSequence.objects.get().prefix == "CN-C-"
    assert issued(world, 1).number == "INV-C-0001"
    assert gaps() == []


@pytest.mark.parametrize("letter", ["", "b", "BB", "-", "Ä", "2"])
def test_a_letter_is_one(letter: str) -> None:
    with pytest.raises(WrongSeries, match="one letter"):
        begin_series(letter=letter, by=BY, now=NOW)


def test_a_number_that_is_missing_of_the_former_series_is_found(world: World) -> None:
    IssuerSequence.objects.update(next_number=3)
    CreditNoteSequence.objects.update(next_number=3)
    begin_series(letter="B", by=BY, now=NOW)
    assert [each.partition(": ")[2] for each in gaps()] == ["1 numbers below 3, [1] …"] * 2
    assert all(each.startswith(world.provider.slug) for each in gaps())


def test_a_provider_that_has_issued_nothing_here_gets_the_letter_too() -> None:
    provider = make_organization("long-name-of-a-provider", is_provider=True, is_tenant=False)
    CollectiveSequence.objects.create(issuer=provider, prefix="COL-")
    assert begin_series(letter="Q", by=BY, now=NOW) == [
        ("collective invoices", "COL-", "COL-Q-"),
        (INVOICES, "", "LONG-NAME-O-Q-"),
    ]
    assert former_series(INVOICES) == []
    assert [each.prefix for each in former_series("collective invoices")] == ["COL-"]
    assert gaps() == []


def test_a_payer_may_name_a_number_of_any_series() -> None:
    assert prefixes_before("INV-") == prefixes_before("ACME-") == ()
    assert prefixes_before("INV-C-")[:3] == ("INV-", "INV-A-", "INV-B-")
