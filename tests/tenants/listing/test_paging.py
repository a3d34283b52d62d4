"""Who walks a list by its cursors gets everything that was there all the time once, whatever arrives meanwhile."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.listing.cursors import WrongCursor, read_cursor
from tenants.listing.paging import Page, Paged, page_of, page_rows
from tenants.models import AuditEntry, Membership

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.factories import Cast

START = datetime(2026, 3, 1, tzinfo=UTC)
Numbered = tuple[int, str]


def walk(read: Callable[[Page], Paged[Numbered]], limit: int, between: Callable[[], None]) -> list[Numbered]:
    """Every row of a list, page by page; what happens `between` happens after each page."""
    found: list[Numbered] = []
    page = Page(limit)
    for _ in range(200):
        paged = read(page)
        assert len(paged.rows) <= limit
        found += paged.rows
        if paged.next_cursor is None:
            return found
        between()
        page = Page(limit, read_cursor(paged.next_cursor))
    raise AssertionError("the walk does not end")


ROWS = st.lists(st.tuples(st.integers(0, 9), st.sampled_from("abcd")), max_size=25, unique=True)


@given(there=ROWS, arriving=ROWS, limit=st.integers(1, 7), falling=st.booleans())
def test_a_walk_neither_misses_nor_repeats(
    there: list[Numbered], arriving: list[Numbered], limit: int, *, falling: bool
) -> None:
    rows, waiting = list(there), [row for row in arriving if row not in there]

    def arrive() -> None:
        if waiting:
            rows.insert(len(rows) // 2, waiting.pop())

    found = walk(lambda page: page_of(rows, page, lambda row: row, falling=falling), limit, arrive)
    assert len(found) == len(set(found))
    assert set(there) <= set(found)
    assert found == sorted(found, reverse=falling)


@pytest.mark.django_db
@pytest.mark.parametrize("order", [("at", "pk"), ("-at", "-pk"), ("-at", "pk"), ("actor", "-at", "pk")])
def test_a_walk_through_a_table_neither_misses_nor_repeats(cast: Cast, order: Sequence[str]) -> None:
    def store(number: int) -> None:
        AuditEntry.objects.create(
            organization=cast.tenant,
            actor="ab"[number % 2],
            action="test",
            subject=str(number),
            at=START + timedelta(hours=number % 5),
        )

    for number in range(23):
        store(number)
    there = set(AuditEntry.objects.values_list("subject", flat=True))
    arriving = iter(range(100, 200))

    def read(page: Page) -> Paged[Numbered]:
        paged = page_rows(AuditEntry.objects.all(), page, order)
        return Paged([(0, one.subject) for one in paged.rows], paged.next_cursor)

    found = [subject for _, subject in walk(read, 4, lambda: store(next(arriving)))]
    assert len(found) == len(set(found))
    assert there <= set(found)
    walked = [subject for _, subject in walk(read, 500, lambda: None)]
    assert [one for one in walked if one in found] == found


@pytest.mark.django_db
def test_an_order_may_lead_through_relations(cast: Cast) -> None:
    order = ("organization__slug", "user__email")
    people = Membership.objects.select_related("organization", "user")
    first = page_rows(people, Page(2), order)
    assert first.next_cursor is not None
    rest = page_rows(people, Page(500, read_cursor(first.next_cursor)), order)
    seen = [(one.organization.slug, one.user.email) for one in (*first.rows, *rest.rows)]
    assert seen == sorted(seen)
    assert len(seen) == Membership.objects.count()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "after", [(), (1,), ("2026-03-01", "x"), ("no instant", str(UUID(int=1))), (None, 1), (True, 1), (2**80, 2**80)]
)
def test_a_place_of_another_list_is_refused(after: tuple[str | int | None, ...]) -> None:
    with pytest.raises(WrongCursor):
        page_rows(AuditEntry.objects.all(), Page(5, after), ("at", "pk"))


@given(st.lists(st.none() | st.integers() | st.text(max_size=3), max_size=3).map(tuple))
@settings(max_examples=50)
def test_no_place_makes_a_small_list_fail(after: tuple[str | int | None, ...]) -> None:
    rows = [(1, "a"), (2, "b")]
    with suppress(WrongCursor):
        assert set(page_of(rows, Page(5, after), lambda row: row).rows) <= set(rows)
