"""Lists of movements as pages and programs read them: what is left, which page, whose, and how many queries."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.banking.accounts import close_account
from billing.banking.deciding import match_by_hand, match_line, unmatch
from billing.banking.lists import (
    PAGE_ROWS,
    Shown,
    accounts_of,
    counts_of,
    find_line,
    imports_of,
    line_list,
    lines_of,
    unmatched_of,
)
from billing.banking.matching import Part
from billing.models import BankLine, BankLineState, BankMatch
from tests.billing.banking.statements import BY, DAY, NOW, Movement, make_account, take, take_one
from tests.billing.issued import Line, make_issued
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

    from billing.models import BankAccount
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
OTHER_IBAN = "GB29NWBK60161331926819"


@kept
def account(cast: Cast) -> BankAccount:
    return make_account(cast.provider)


def left_of(cast: Cast, line: BankLine) -> Decimal:
    found = lines_of(cast.provider).get(pk=line.pk)
    left: Decimal = getattr(found, "left_amount")  # noqa: B009  an annotation, which the type does not know
    return left


def shown(cast: Cast, which: Shown = Shown.ALL, search: str = "") -> list[str]:
    return [line.text for line in line_list(cast.provider, shown=which, search=search).lines]


def test_what_is_left_is_what_no_match_has_and_comes_back_with_it(cast: Cast, account: BankAccount) -> None:
    invoice = make_issued([Line("30.00")], parties=(cast.provider, cast.tenant), number="S-0001")
    line = take_one(cast.provider, Movement("100.00", "two things", "A1"))
    assert left_of(cast, line) == 100
    match_by_hand(
        provider=cast.provider, line_id=line.pk, parts=[Part(invoice.pk, Decimal(30))], note="by phone", by=BY, now=NOW
    )
    assert left_of(cast, line) == 70
    match = BankMatch.objects.get()
    unmatch(provider=cast.provider, match_id=match.pk, reason="wrong one", by=BY, now=NOW)
    assert left_of(cast, line) == 100


def test_of_money_that_went_out_nothing_is_left(cast: Cast, account: BankAccount) -> None:
    line = take_one(cast.provider, Movement("-12.00", "fee", "A1"))
    assert left_of(cast, line) == 0
    assert shown(cast, Shown.OUTGOING) == ["fee"]
    assert (shown(cast, Shown.TO_DECIDE), unmatched_of(cast.provider)) == ([], {})


def test_each_list_shows_the_states_that_it_is_of(cast: Cast, account: BankAccount) -> None:
    make_issued([Line("30.00")], parties=(cast.provider, cast.tenant), number="S-0001")
    paid = take_one(cast.provider, Movement("30.00", "S-0001", "A1"))
    take(cast.provider, Movement("5.00", "tip", "A2"), Movement("-1.00", "fee", "A3"))
    match_line(line_id=paid.pk, now=NOW)
    assert shown(cast, Shown.MATCHED) == ["S-0001"]
    assert shown(cast, Shown.TO_DECIDE) == ["tip"]
    assert sorted(shown(cast, Shown.ALL)) == ["S-0001", "fee", "tip"]
    assert counts_of(cast.provider) == {
        BankLineState.MATCHED: 1,
        BankLineState.NEW: 1,
        BankLineState.OUTGOING: 1,
    }


def test_the_latest_day_comes_first_and_every_row_stands_on_one_page(cast: Cast, account: BankAccount) -> None:
    count = 2 * PAGE_ROWS + 1
    take(cast.provider, *(Movement("1.00", f"{place}", f"A{place}") for place in range(count - 1)))
    take(cast.provider, Movement("1.00", "latest", "Z", day=DAY + timedelta(days=1)))
    pages = [line_list(cast.provider, shown=Shown.ALL, page=page) for page in (1, 2, 3)]
    assert [(one.page, len(one.lines), one.found) for one in pages] == [(1, 50, count), (2, 50, count), (3, 1, count)]
    assert pages[0].lines[0].text == "latest"
    assert len({line.pk for one in pages for line in one.lines}) == count


@pytest.mark.parametrize(("page", "answered"), [(-5, 1), (0, 1), (1, 1), (2, 1), (10**9, 1)])
def test_a_page_beyond_the_end_is_the_last_one_even_of_an_empty_list(cast: Cast, page: int, answered: int) -> None:
    found = line_list(cast.provider, shown=Shown.ALL, page=page)
    assert (found.page, found.found, found.lines) == (answered, 0, ())


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", ["alpha", "beta"]),
        ("  ", ["alpha", "beta"]),
        ("ALPHA", ["alpha"]),
        ("payer alpha", ["alpha"]),
        ("alpha beta", []),
        ("RF40", ["beta"]),
        ("100%", []),
        ("_", []),
        ("' OR 1=1 --", []),
    ],
)
def test_every_word_of_a_search_is_found_in_one_of_the_fields(
    cast: Cast, account: BankAccount, search: str, found: list[str]
) -> None:
    take(
        cast.provider,
        Movement("1.00", "alpha", "A1"),
        Movement("2.00", "beta", "A2", structured="RF40INV0001"),
    )
    assert sorted(shown(cast, Shown.ALL, search)) == found


def test_a_movement_that_pays_two_invoices_is_found_by_each_and_listed_once(cast: Cast, account: BankAccount) -> None:
    parts = [
        Part(make_issued([Line("30.00")], parties=(cast.provider, cast.tenant), number=number).pk, Decimal(30))
        for number in ("S-0001", "S-0002")
    ]
    line = take_one(cast.provider, Movement("60.00", "both", "A1"))
    match_by_hand(provider=cast.provider, line_id=line.pk, parts=parts, note="by phone", by=BY, now=NOW)
    for search in ("S-0001", "S-0002", "S-000"):
        listed = line_list(cast.provider, shown=Shown.ALL, search=search)
        assert (shown(cast, Shown.ALL, search), listed.found) == (["both"], 1)


def test_what_waits_is_summed_by_currency(cast: Cast, account: BankAccount) -> None:
    make_account(cast.provider, currency="EUR", number=OTHER_IBAN)
    take(cast.provider, Movement("5.00", "tip", "A1"), Movement("7.25", "tip", "A2"))
    assert unmatched_of(cast.provider) == {"USD": Decimal("12.25")}
    assert unmatched_of(cast.outsider) == {}


def test_the_movements_files_and_accounts_of_another_are_not_there(cast: Cast, account: BankAccount) -> None:
    line = take_one(cast.provider, Movement("5.00", "tip", "A1"))
    for stranger in (cast.outsider, cast.tenant, cast.operator):
        assert find_line(stranger, line.pk) is None
        assert line_list(stranger, shown=Shown.ALL).found == 0
        assert (counts_of(stranger), list(imports_of(stranger)), list(accounts_of(stranger))) == ({}, [], [])
    assert find_line(cast.provider, line.pk) == line


def test_open_accounts_stand_before_closed_ones(cast: Cast, account: BankAccount) -> None:
    other = make_account(cast.provider, currency="EUR", number=OTHER_IBAN)
    close_account(provider=cast.provider, account_id=account.pk, by=BY, now=NOW)
    assert list(accounts_of(cast.provider)) == [other, account]


def test_the_number_of_queries_does_not_grow_with_the_movements(
    cast: Cast, account: BankAccount, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for count in (1, 20):
        take(cast.provider, *(Movement("1.00", f"{count} {place}", f"{count}/{place}") for place in range(count)))
        with django_assert_num_queries(2):
            rows = line_list(cast.provider, shown=Shown.ALL).lines
            assert {row.account.provider.slug for row in rows} == {"provider"}


@pytest.mark.parametrize("query", ["q=%00", "q=a%00b", "page=%00", "show=%00", "page=99999999999999999999999", "q=%FF"])
def test_nonsense_in_the_address_is_no_failure(cast: Cast, account: BankAccount, client: Client, query: str) -> None:
    take(cast.provider, Movement("5.00", "tip", "A1", day=date(2026, 4, 14)))
    client.force_login(cast.petra)
    assert client.get(f"/p/bank/?{query}").status_code in {200, 404}
