"""Price books as pages show them: versions side by side, drafts, who was told, and what a contract pays."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.models import ContractState, PriceDraft, PriceMail, PriceNotice, PriceVersion
from billing.price_agreements import agree_price_rule
from billing.price_drafts import Edit, publish_draft, start_draft
from billing.price_notices import see_notice
from billing.pricing import publish_prices
from billing.queries.price_books import (
    Standing,
    books_of,
    contract_prices,
    draft_rows,
    next_notice,
    notices_of,
    readable_books,
    shown_versions,
    told_rows,
    upcoming_notices,
    version_row,
    version_rows,
)
from billing.rating.price_lists import Direction, PriceKey
from billing.rating.price_rows import PriceRow
from billing.rating.price_rules import PriceRule
from billing.rating.rated import PriceUnit
from billing.unsent import note_sent
from tests.billing.world import APRIL, MARCH, MODEL, World, make_world
from tests.factories import make_contract, make_organization, make_price_book
from tests.kept import kept

if TYPE_CHECKING:
    from billing.models import PriceBook
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
OUTPUT = PriceKey(PriceUnit.PER_MTOK, MODEL, "output")
CARD = PriceKey(PriceUnit.PER_GPU_HOUR, "H100")


def publish(book: PriceBook, days: int, price: str, now_days: int = 0) -> PriceVersion:
    """A version in force so many days after MARCH."""
    return publish_prices(
        book=book, effective_at=MARCH + days * DAY, prices={OUTPUT: Decimal(price)}, now=MARCH + now_days * DAY
    )


def world(cast: Cast) -> tuple[World, PriceBook]:
    made = make_world(tokens={(MODEL, "output"): "1.00"}, parties=(cast.provider, cast.tenant))
    assert made.book is not None
    return made, made.book


def filled(cast: Cast) -> PriceBook:
    """A book with versions of four instants: days 0, 10, 20 and 30."""
    book = make_price_book(cast.provider)
    for days, price in ((0, "1"), (10, "2"), (20, "3"), (30, "4")):
        publish(book, days, price)
    return book


made_and_book = kept(world)
book = kept(filled)


@pytest.mark.parametrize(
    ("days", "standings"),
    [
        (-1, "announced announced announced announced"),
        (0, "in_force announced announced announced"),
        (9.99, "in_force announced announced announced"),
        (10, "past in_force announced announced"),
        (99, "past past past in_force"),
    ],
)
def test_each_version_stands_where_its_instant_puts_it(cast: Cast, days: float, standings: str) -> None:
    rows = version_rows(PriceVersion.objects.filter(book=filled(cast)), MARCH + days * DAY)
    assert " ".join(row.standing for row in rows) == standings
    assert [row.prices[OUTPUT] for row in rows] == [1, 2, 3, 4]


@pytest.mark.parametrize(("days", "shown"), [(-1, [1, 2, 3, 4]), (0, [1, 2, 3, 4]), (20, [2, 3, 4]), (99, [3, 4])])
def test_one_past_version_is_shown_and_all_that_are_announced(
    cast: Cast, days: int, shown: list[int], book: PriceBook
) -> None:
    filled(cast)
    assert [row.number for row in shown_versions(book, MARCH + days * DAY)] == shown


def test_the_versions_of_two_books_do_not_push_each_other_into_the_past(cast: Cast) -> None:
    first, second = make_price_book(cast.provider), make_price_book(cast.provider)
    publish(first, 0, "1")
    publish(second, 5, "2")
    rows = version_rows(PriceVersion.objects.all(), MARCH + 6 * DAY)
    assert [row.standing for row in rows] == [Standing.IN_FORCE, Standing.IN_FORCE]


def test_books_are_a_providers_own_by_name(cast: Cast) -> None:
    late, early = make_price_book(cast.provider, "Zz"), make_price_book(cast.provider, "Aa")
    make_price_book(make_organization("other"), "Mm")
    assert books_of(cast.provider) == [early, late]


@pytest.mark.parametrize(
    ("state", "read"), [(ContractState.ACTIVE, True), (ContractState.OFFERED, True), (ContractState.DRAFT, False)]
)
def test_a_book_is_read_by_its_seller_and_by_who_has_a_contract_on_it(
    cast: Cast, state: ContractState, book: PriceBook, *, read: bool
) -> None:
    contract = make_contract(cast.provider, cast.tenant, book)
    contract.state = state
    contract.save()
    version = book.versions.get(number=1)
    assert list(readable_books(cast.provider)) == [book]
    assert list(readable_books(cast.tenant)) == ([book] if read else [])
    assert (version_row(cast.tenant, version.id, MARCH) is not None) == read
    assert version_row(cast.outsider, version.id, MARCH) is None
    found = version_row(cast.provider, version.id, MARCH)
    assert found is not None
    assert (found.id, found.number, found.book_id, found.currency) == (version.id, 1, book.id, "USD")


def test_a_book_of_two_contracts_is_listed_once(cast: Cast, book: PriceBook) -> None:
    for _ in range(2):
        make_contract(cast.provider, cast.tenant, book)
    assert list(readable_books(cast.tenant)) == [book]


def test_drafts_are_listed_until_they_are_published_the_latest_changed_first(cast: Cast, book: PriceBook) -> None:
    older, newer = (
        start_draft(book=book, effective_at=MARCH + 40 * DAY, by=who, now=MARCH + days * DAY)
        for days, who in ((1, "petra"), (2, "pavel"))
    )
    rows = draft_rows(PriceDraft.objects.all())
    assert [(row.id, row.changed_by, row.revision, row.prices) for row in rows] == [
        (newer.id, "pavel", 1, {OUTPUT: Decimal(4)}),
        (older.id, "petra", 1, {OUTPUT: Decimal(4)}),
    ]
    publish_draft(edit=Edit(cast.provider, newer.id, 1, "pavel", MARCH + 3 * DAY))
    assert [row.id for row in draft_rows(PriceDraft.objects.all())] == [older.id]


def test_who_was_told_is_counted_once_whatever_they_did(cast: Cast, made_and_book: tuple[World, PriceBook]) -> None:
    _, book = made_and_book
    own = make_contract(cast.provider, make_organization("own"), book)
    row = PriceRow(model=MODEL, quantity="output", price_per_mtok=Decimal("0.9"))
    agree_price_rule(contract=own, rule=PriceRule(overrides=(row,)), from_at=MARCH, now=MARCH)
    version = publish(book, 31, "1.34", 1)
    notice = PriceNotice.objects.get(contract__tenant=cast.tenant)
    assert see_notice(notice_id=notice.id, tenant=cast.tenant, by="alice", now=MARCH + 2 * DAY)
    [found] = version_rows(PriceVersion.objects.filter(pk=version.id), MARCH + 2 * DAY)
    assert (found.told, found.opened, found.own_prices) == (2, 1, 1)


def test_each_who_was_told_is_a_row_with_its_own_letters(cast: Cast, made_and_book: tuple[World, PriceBook]) -> None:
    made, book = made_and_book
    other = make_contract(cast.provider, make_organization("other"), book)
    version = publish(book, 31, "1.34", 1)
    letters = PriceMail.objects.filter(tenant=cast.tenant)
    note_sent(letters.order_by("pk")[0], now=MARCH + 2 * DAY)
    rows = {row.contract: row for row in told_rows(version.id)}
    assert set(rows) == {made.contract.number, other.number}
    mine = rows[made.contract.number]
    assert (mine.letters, mine.letters_all) == (1, letters.count())
    assert (mine.takes_effect_at, mine.told_at, mine.seen_at, mine.seen_by) == (APRIL, MARCH + DAY, None, "")
    assert rows[other.number].letters == 0
    assert told_rows(book.versions.get(number=1).id) == []


def test_the_next_notice_is_the_soonest_that_is_still_to_come(
    cast: Cast, made_and_book: tuple[World, PriceBook]
) -> None:
    _, book = made_and_book
    later, sooner = publish(book, 60, "3", 1), publish(book, 40, "2", 1)
    assert [one.version for one in upcoming_notices(cast.tenant.pk, MARCH + 2 * DAY)] == [sooner, later]
    found = [next_notice(cast.tenant, MARCH + days * DAY) for days in (39, 40, 59, 60)]
    assert [one and one.version for one in found] == [sooner, later, later, None]
    assert notices_of(cast.tenant.pk).count() == 2
    assert next_notice(cast.outsider, MARCH) is None


def test_a_contract_pays_its_books_prices_and_sees_what_comes(
    cast: Cast, made_and_book: tuple[World, PriceBook]
) -> None:
    made, book = made_and_book
    publish(book, 31, "1.34", 1)
    [found] = contract_prices(cast.tenant, MARCH + 2 * DAY)
    assert (found.contract, found.book, found.currency) == (made.contract.number, book.name, "USD")
    assert (found.prices, found.adjusted) == ({OUTPUT: Decimal(1)}, False)
    [(at, [change])] = found.upcoming
    assert (at, change.before, change.after, change.direction) == (
        APRIL,
        Decimal(1),
        Decimal("1.34"),
        Direction.RISE,
    )
    [then] = contract_prices(cast.tenant, APRIL)
    assert (then.prices, then.upcoming) == ({OUTPUT: Decimal("1.34")}, ())


def test_a_contract_with_a_price_of_its_own_is_said_to_be_adjusted(
    cast: Cast, made_and_book: tuple[World, PriceBook]
) -> None:
    made, book = made_and_book
    row = PriceRow(model=MODEL, quantity="output", price_per_mtok=Decimal("0.9"))
    agree_price_rule(contract=made.contract, rule=PriceRule(overrides=(row,)), from_at=MARCH, now=MARCH)
    publish(book, 31, "1.34", 1)
    [found] = contract_prices(cast.tenant, MARCH + 2 * DAY)
    assert (found.prices, found.adjusted, found.upcoming) == ({OUTPUT: Decimal("0.9")}, True, ())


def test_what_is_over_or_a_draft_pays_nothing(cast: Cast, made_and_book: tuple[World, PriceBook]) -> None:
    made, _ = made_and_book
    made.contract.to_at = APRIL
    made.contract.save()
    assert len(contract_prices(cast.tenant, APRIL - DAY)) == 1
    assert contract_prices(cast.tenant, APRIL) == []
    made.contract.state = ContractState.DRAFT
    made.contract.save()
    assert contract_prices(cast.tenant, APRIL - DAY) == []


def test_a_contract_without_any_price_is_left_out(cast: Cast) -> None:
    make_contract(cast.provider, cast.tenant, make_price_book(cast.provider))
    make_contract(cast.provider, cast.tenant)
    assert contract_prices(cast.tenant, MARCH) == []
