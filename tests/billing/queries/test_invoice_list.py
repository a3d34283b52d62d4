from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import QuerySet
from pytest_django import DjangoAssertNumQueries

from billing.models import Invoice
from billing.queries.invoice_list import PAGE_ROWS, Shown, all_invoices, find_invoice, invoice_list, latest_invoices
from tests.billing.issued import ISSUED_AT, Line, make_issued
from tests.factories import Cast

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def issue(cast: Cast, count: int) -> None:
    for index in range(count):
        at = ISSUED_AT + index * DAY
        make_issued((Line("1.00"),), parties=(cast.provider, cast.tenant), number=f"N-{index:03d}", issued_at=at)


def test_a_page_knows_its_place(cast: Cast, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    issue(cast, PAGE_ROWS + 2)
    with django_assert_num_queries(3):
        first = invoice_list(cast.tenant, now=ISSUED_AT)
    last = invoice_list(cast.tenant, now=ISSUED_AT, page=50)
    assert (first.page, first.found, first.has_more, len(first.rows)) == (1, PAGE_ROWS + 2, False, PAGE_ROWS)
    assert (last.page, last.found, [row.number for row in last.rows]) == (2, PAGE_ROWS + 2, ["N-001", "N-000"])
    assert first.rows[0].number == f"N-{PAGE_ROWS + 1:03d}"


def test_overdue_begins_with_the_due_instant(cast: Cast) -> None:
    issue(cast, 1)
    due_at = ISSUED_AT + 14 * DAY
    early = invoice_list(cast.tenant, now=due_at - timedelta(microseconds=1), shown=Shown.OVERDUE)
    assert early.rows == ()
    assert invoice_list(cast.tenant, now=due_at, shown=Shown.OVERDUE).found == 1


def test_an_export_holds_what_all_pages_hold(cast: Cast) -> None:
    issue(cast, PAGE_ROWS + 3)
    exported = [row.number for row in all_invoices(cast.tenant, now=ISSUED_AT)]
    pages = [row.number for page in (1, 2) for row in invoice_list(cast.tenant, now=ISSUED_AT, page=page).rows]
    assert exported == pages


def test_every_word_of_a_search_must_be_found(cast: Cast) -> None:
    issue(cast, 3)
    contract = invoice_list(cast.tenant, now=ISSUED_AT, search="n-001").rows[0].contract
    assert invoice_list(cast.tenant, now=ISSUED_AT, search=f"n-001 {contract}").found == 1
    assert invoice_list(cast.tenant, now=ISSUED_AT, search=f"n-002 {contract}").found == 0
    assert invoice_list(cast.tenant, now=ISSUED_AT, search="%").found == 0


def test_a_provider_searches_tenants_by_name_too(cast: Cast) -> None:
    issue(cast, 1)
    word = cast.tenant.name[1:4].upper()
    assert invoice_list(cast.provider, now=ISSUED_AT, search=word, issued=True).found == 1
    assert invoice_list(cast.tenant, now=ISSUED_AT, search=word).found == 0


@pytest.mark.parametrize(
    ("found", "index"),
    [
        (Invoice.objects.filter(number__icontains="n-001"), "invoice_number_parts"),
        (Invoice.objects.filter(state="issued", issuer=UUID(int=1)).order_by("-issued_at"), "invoice_open_by_issuer"),
        (Invoice.objects.filter(state="issued", tenant=UUID(int=1)).order_by("-issued_at"), "invoice_open_by_tenant"),
    ],
)
def test_what_is_searched_and_what_is_open_is_found_by_an_index(found: QuerySet[Invoice], index: str) -> None:
    # In a table of few rows an index of all of them costs the same, and what an earlier test left decides.
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX invoice_by_tenant, invoice_by_issuer")
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
    assert index in found.explain()


def test_a_number_is_found_by_who_owes_it_only(cast: Cast) -> None:
    issue(cast, 1)
    assert find_invoice(cast.tenant, "N-000") is not None
    assert find_invoice(cast.provider, "N-000") is None
    assert find_invoice(cast.outsider, "N-000") is None


def test_of_very_many_only_so_many_are_counted(cast: Cast) -> None:
    issue(cast, PAGE_ROWS + 2)
    whole = invoice_list(cast.tenant, now=ISSUED_AT)
    assert not whole.has_more
    first = invoice_list(cast.tenant, now=ISSUED_AT, page=9, counted_max=PAGE_ROWS)
    assert (first.page, first.found, first.has_more) == (1, PAGE_ROWS, True)
    assert first.rows == whole.rows
    assert len(list(all_invoices(cast.tenant, now=ISSUED_AT))) == PAGE_ROWS + 2


def test_a_list_goes_on_behind_what_is_counted_and_back_again(cast: Cast) -> None:
    """Stretches of 10 invoices instead of 10,000: 24 of them are three stretches, whose invoices are all of them."""
    issue(cast, 24)
    numbers = [row.number for row in all_invoices(cast.tenant, now=ISSUED_AT)]
    starts: list[UUID | None] = [None]
    seen: list[str] = []
    while True:
        found = invoice_list(cast.tenant, now=ISSUED_AT, after=starts[-1], counted_max=10)
        seen += [row.number for row in found.rows]
        assert found.after == starts[-1]
        assert found.previous_after == (starts[-2] if len(starts) > 1 else None)
        if found.next_after is None:
            break
        starts.append(found.next_after)
    assert (seen, len(starts)) == (numbers, 3)
    assert (found.found, found.has_more) == (4, False)


def test_only_the_last_page_of_a_stretch_leads_to_the_next(cast: Cast) -> None:
    issue(cast, 2 * PAGE_ROWS + 1)
    first, second = (invoice_list(cast.tenant, now=ISSUED_AT, page=page, counted_max=2 * PAGE_ROWS) for page in (1, 2))
    assert (first.next_after, second.next_after) == (None, second.rows[-1].id)
    behind = invoice_list(cast.tenant, now=ISSUED_AT, after=second.next_after, counted_max=2 * PAGE_ROWS)
    assert ([row.number for row in behind.rows], behind.previous_after) == (["N-000"], None)


def test_a_stretch_behind_an_invoice_of_somebody_else_begins_with_the_latest(cast: Cast) -> None:
    issue(cast, 2)
    foreign = make_issued((Line("1.00"),))
    found = invoice_list(cast.tenant, now=ISSUED_AT, after=foreign.pk)
    assert (found.after, len(found.rows)) == (None, 2)


def test_the_latest_are_the_first_of_the_list(cast: Cast, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    issue(cast, 3)
    with django_assert_num_queries(1):
        latest = latest_invoices(cast.tenant, count=2)
    assert [row.number for row in latest] == ["N-002", "N-001"]
    assert latest == invoice_list(cast.tenant, now=ISSUED_AT).rows[:2]
    assert latest_invoices(cast.provider, count=2) == ()
