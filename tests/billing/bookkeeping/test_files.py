"""The journal as files: half-open spans, both sides of every posting, and what pages and files say is one sum."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.bookkeeping.files import (
    JOURNAL_HEAD,
    TRIAL_HEAD,
    beancount_answer,
    beancount_file,
    journal_rows,
    trial_rows,
)
from billing.bookkeeping.reading import Book, trial_balance
from billing.models import LedgerEntry, LedgerPosting
from tests.billing.bookkeeping.kept import MAY, PAID_AT, Kept, make_kept
from tests.billing.issued import Line, make_issued, make_parties
from tests.billing.world import APRIL, MARCH
from tests.kept import kept as keeping

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)


@keeping
def kept() -> Kept:
    return make_kept()


def rows(book: Book, from_at: datetime = MARCH, to_at: datetime = MAY) -> list[dict[str, Any]]:
    return [dict(zip(JOURNAL_HEAD, row, strict=True)) for row in journal_rows(book, from_at=from_at, to_at=to_at)]


def text(book: Book, from_at: datetime, to_at: datetime) -> str:
    return "".join(beancount_file(book, from_at=from_at, to_at=to_at))


def test_every_entry_is_one_row_with_one_of_both_sides(kept: Kept) -> None:
    found = rows(Book(kept.world.provider))
    assert len(found) == LedgerEntry.objects.count()
    for row in found:
        assert (row["debit"] is None) != (row["credit"] is None)
        assert row["amount"] == (row["debit"] or -row["credit"])
        assert max(row["debit"] or 0, row["credit"] or 0) > 0


def test_each_posting_sums_to_zero_with_its_debits_first(kept: Kept) -> None:
    by_posting: dict[Any, list[Decimal]] = {}
    for row in rows(Book(kept.world.provider)):
        by_posting.setdefault(row["posting_id"], []).append(row["amount"])
    assert len(by_posting) == LedgerPosting.objects.count()
    for amounts in by_posting.values():
        assert sum(amounts) == 0
        assert [amount < 0 for amount in amounts] == sorted(amount < 0 for amount in amounts)


@pytest.mark.parametrize(
    ("from_at", "to_at", "found"),
    [
        (PAID_AT, PAID_AT + MICROSECOND, True),
        (PAID_AT + MICROSECOND, MAY, False),
        (APRIL, PAID_AT, False),
        (APRIL, PAID_AT + MICROSECOND, True),
    ],
)
def test_a_span_begins_with_its_first_instant_and_ends_before_its_last(
    kept: Kept, from_at: datetime, to_at: datetime, *, found: bool
) -> None:
    causes = {row["cause"] for row in rows(Book(kept.world.provider), from_at, to_at)}
    assert ("payment" in causes) == found


def test_instants_are_in_utc_and_in_order(kept: Kept) -> None:
    found = [datetime.fromisoformat(row["at_utc"]) for row in rows(Book(kept.world.provider))]
    assert found == sorted(found)
    assert {at.utcoffset() for at in found} == {timedelta(0)}


def test_the_journal_up_to_an_instant_sums_to_the_trial_balance_of_it(kept: Kept) -> None:
    book = Book(kept.world.provider)
    sums: dict[Any, Decimal] = {}
    for row in rows(book):
        sums[row["account_id"]] = sums.get(row["account_id"], Decimal(0)) + row["amount"]
    told: list[dict[str, Any]] = [
        dict(zip(TRIAL_HEAD, row, strict=True)) for row in trial_rows(trial_balance(book, at=MAY))
    ]
    assert {row["account_id"]: row["balance"] for row in told} == sums
    assert all(row["debit"] - row["credit"] == row["balance"] for row in told)
    assert sum(row["entries"] for row in told) == LedgerEntry.objects.count()


def test_a_file_opens_with_what_stood_before_it_and_asserts_what_stands_after(kept: Kept) -> None:
    book = Book(kept.world.provider)
    slug = kept.world.tenant.slug.capitalize()
    whole, later = text(book, MARCH, MAY), text(book, PAID_AT, MAY)
    owed = f"Assets:TenantReceivable:{slug}"
    asserted = [line for line in later.splitlines() if " balance " in line and owed in line]
    assert [line.split() for line in asserted] == [["2026-05-01", "balance", owed, "44.00", "~", "0", "USD"]]
    assert "744.00 USD" in later
    assert [line for line in whole.splitlines() if " balance " in line] == [
        line for line in later.splitlines() if " balance " in line
    ]


def test_a_span_that_ends_within_a_day_is_asserted_where_the_day_ends(kept: Kept) -> None:
    book = Book(kept.world.provider)
    found = {
        line.split()[0]
        for to_at in (PAID_AT, PAID_AT + timedelta(hours=12))
        for line in text(book, MARCH, to_at).splitlines()
        if " balance " in line
    }
    assert found == {"2026-04-11"}


def test_a_file_is_named_by_its_book_and_span(kept: Kept) -> None:
    answer = beancount_answer(Book(kept.world.provider), from_at=MARCH, to_at=MAY)
    name = f"books-{kept.world.provider.slug}-20260301-20260501-UTC.beancount"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert answer.getvalue().decode() == text(Book(kept.world.provider), MARCH, MAY)


def test_an_empty_book_is_a_file_without_an_entry(cast: Cast) -> None:
    assert rows(Book(cast.provider)) == []
    assert " balance " not in text(Book(cast.provider), MARCH, MAY)


def test_another_provider_reads_nothing_of_it_and_the_operator_all(kept: Kept) -> None:
    other, tenant = make_parties()
    assert rows(Book(other)) == []
    make_issued([Line("5.00")], parties=(other, tenant))
    mine, theirs, both = (rows(book) for book in (Book(kept.world.provider), Book(other), Book(None)))
    assert (len(theirs), len(both)) == (2, len(mine) + 2)


def test_many_postings_take_no_more_queries(cast: Cast) -> None:
    counts = []
    for count in (1, 12):
        for _invoice in range(count):
            make_issued([Line("5.00")], parties=(cast.provider, cast.tenant))
        with CaptureQueriesContext(connection) as queries:
            assert rows(Book(cast.provider), datetime(2026, 1, 1, tzinfo=UTC), MAY)
        counts.append(len(queries))
    assert counts[0] == counts[1]
