"""The Beancount file, read by Beancount's own loader: it finds nothing wrong, and finds what is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from beancount import loader
from beancount.core.data import Balance, Open, Transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.bookkeeping.beancount import OPENING, Side, account_name, write_file
from billing.bookkeeping.beancount import Transaction as Written
from billing.bookkeeping.files import beancount_file
from billing.bookkeeping.reading import Book
from billing.models import LedgerPosting
from tests.billing.bookkeeping.kept import DAY, MAY, Kept, make_kept
from tests.billing.world import APRIL, MARCH
from tests.examples import examples
from tests.kept import kept


def load(text: str) -> tuple[list[Any], list[str]]:
    entries, errors, _options = loader.load_string(text)
    return entries, [error.message for error in errors]


def file_of(*amounts: str, closing: str, currency: str = "USD", words: str = "sold") -> str:
    sides = [
        Side("tenant_receivable", "acme", currency, sum(map(Decimal, amounts), Decimal(0))),
        *(Side("provider_payable", "house", currency, -Decimal(amount)) for amount in amounts),
    ]
    stands = Side("tenant_receivable", "acme", currency, Decimal(closing))
    other = Side("provider_payable", "house", currency, -Decimal(closing))
    sold = Written(date(2026, 3, 5), "12:00", "invoice:1:issued", words, sides)
    first, after = date(2026, 3, 1), date(2026, 4, 1)
    return "".join(write_file("Books", [sold], first=first, opening=[], closing=[stands, other], after=after))


kept = kept(make_kept)


@pytest.mark.django_db
def test_the_books_of_a_month_load_without_an_error(kept: Kept) -> None:
    for book in (Book(kept.world.provider), Book(None)):
        entries, errors = load("".join(beancount_file(book, from_at=MARCH, to_at=MAY)))
        assert errors == []
        booked = [one for one in entries if isinstance(one, Transaction)]
        assert [one.meta["key"] for one in booked] == list(
            LedgerPosting.objects.order_by("at", "pk").values_list("key", flat=True)
        )
        assert sum(isinstance(one, Balance) for one in entries) == 5
        assert sum(isinstance(one, Open) for one in entries) == 5


@pytest.mark.django_db
def test_a_later_span_opens_with_what_stood_before(kept: Kept) -> None:
    entries, errors = load("".join(beancount_file(Book(kept.world.provider), from_at=APRIL + DAY, to_at=MAY)))
    assert errors == []
    assert [one.narration for one in entries if isinstance(one, Transaction)] == [
        OPENING,
        LedgerPosting.objects.get(cause="payment").memo,
    ]


def test_a_cent_that_is_missing_is_an_error_there() -> None:
    assert load(file_of("10.00", "0.01", closing="10.01"))[1] == []
    wrong = load(file_of("10.00", closing="10.01"))[1]
    assert len(wrong) == 2
    lopsided = file_of("10.00", closing="10.00").replace("-10.00 USD\n", "-9.99 USD\n", 1)
    assert any("does not balance" in message for message in load(lopsided)[1])
    assert all(message.startswith("Balance failed") for message in wrong)


@pytest.mark.parametrize("words", ['a "quoted" name', "back\\slash", "two\nlines", "账单"])
def test_words_are_written_so_that_they_are_read_back(words: str) -> None:
    entries, errors = load(file_of("1.00", closing="1.00", words=words))
    assert errors == []
    (sold,) = [one for one in entries if isinstance(one, Transaction)]
    assert sold.narration == words.replace("\n", " ")


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "1200"), ("BHD", "1.234"), ("USD", "0.3333")])
def test_amounts_keep_every_decimal_of_the_books(currency: str, amount: str) -> None:
    entries, errors = load(file_of(amount, closing=amount, currency=currency))
    assert errors == []
    (sold,) = [one for one in entries if isinstance(one, Transaction)]
    assert sold.postings[0].units is not None
    assert sold.postings[0].units.number == Decimal(amount)
    assert f"{amount} {currency}" in file_of(amount, closing=amount, currency=currency)


@settings(max_examples=examples(25))
@given(st.lists(st.from_regex(r"\A[a-zA-Z0-9_-]{1,12}\Z"), min_size=2, max_size=2, unique=True))
def test_no_two_slugs_share_a_name(slugs: list[str]) -> None:
    first, second = (account_name("tenant_receivable", slug) for slug in slugs)
    assert first != second


def test_roots_and_names() -> None:
    assert account_name("tenant_receivable", "acme-gpu") == "Assets:TenantReceivable:Acme-gpu"
    assert account_name("provider_payable", "7th") == "Liabilities:ProviderPayable:7th"
    assert account_name("operator_fee", "_x") == "Income:OperatorFee:XX5f78"
