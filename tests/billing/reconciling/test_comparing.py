"""What our books and Stripe say differently: each difference by its kind, and none where both say the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.reconciling.comparing import Found, Moved, OurInvoice, Side, compare_amounts, compare_invoices
from billing.stripe_answers import StripeInvoice
from tests.examples import examples

AT = datetime(2026, 4, 3, tzinfo=UTC)
OURS = UUID(int=1)


def our(**other: Any) -> OurInvoice:
    known: dict[str, Any] = {
        "invoice_id": OURS,
        "number": "S-1",
        "state": "issued",
        "currency": "USD",
        "paid_by_stripe_minor": 0,
        "stripe_id": "in_1",
        "issued_at": AT,
    }
    return OurInvoice(**{**known, **other})


def their(**other: Any) -> StripeInvoice:
    seen: dict[str, Any] = {
        "id": "in_1",
        "status": "open",
        "number": "S-1",
        "customer_id": "cus_1",
        "currency": "USD",
        "subtotal_minor": 1_000,
        "tax_minor": 0,
        "total_minor": 1_000,
        "amount_due_minor": 1_000,
        "amount_paid_minor": 0,
        "amount_remaining_minor": 1_000,
        "line_count": 1,
        "hosted_url": None,
        "metadata": {},
        "payments": (),
    }
    return StripeInvoice(**{**seen, **other})


def kinds(known: OurInvoice | None, seen: StripeInvoice) -> list[str]:
    ours = {} if known is None else {known.stripe_id: known}
    return [one.kind for one in compare_invoices(ours, [(seen, AT)])]


@pytest.mark.parametrize(
    ("state", "status", "found"),
    [
        ("issued", "draft", []),
        ("issued", "open", []),
        ("issued", "uncollectible", []),
        ("issued", "void", []),
        ("issued", "paid", ["invoice_paid"]),
        ("uncollectible", "paid", ["invoice_paid"]),
        ("uncollectible", "open", []),
        ("paid", "paid", []),
        ("paid", "void", []),
        ("paid", "open", ["invoice_open"]),
        ("paid", "draft", ["invoice_open"]),
        ("void", "uncollectible", ["invoice_open"]),
        ("void", "void", []),
        ("void", "paid", []),
    ],
)
def test_each_pair_of_states_differs_or_does_not(state: str, status: str, found: list[str]) -> None:
    assert kinds(our(state=state), their(status=status, amount_paid_minor=1_000 if status == "paid" else 0)) == found


@pytest.mark.parametrize("other", [{"number": "S-2"}, {"number": None}, {"currency": "EUR"}])
@pytest.mark.parametrize("status", ["open", "paid", "void"])
def test_another_number_or_currency_is_the_difference_whatever_the_states(other: dict[str, Any], status: str) -> None:
    assert kinds(our(), their(status=status, **other)) == ["invoice_amount"]


@pytest.mark.parametrize(
    ("booked", "paid", "found"),
    [(0, 1_000, ["invoice_paid"]), (999, 1_000, ["invoice_paid"]), (1_000, 1_000, []), (1_200, 1_000, [])],
)
def test_what_was_charged_back_is_owed_here_and_stays_paid_there(booked: int, paid: int, found: list[str]) -> None:
    assert kinds(our(paid_by_stripe_minor=booked), their(status="paid", amount_paid_minor=paid)) == found


def test_paid_by_nothing_is_paid_although_we_ask_for_it() -> None:
    assert kinds(our(), their(status="paid", amount_paid_minor=0)) == ["invoice_paid"]


@pytest.mark.parametrize("status", ["open", "paid", "uncollectible"])
def test_one_that_asks_somebody_and_is_not_ours_is_told(status: str) -> None:
    (found,) = compare_invoices({}, [(their(status=status), AT)])
    assert (found.kind, found.stripe_id, found.invoice_id, found.ours) == ("invoice_unknown", "in_1", None, None)
    assert found.object_at == AT


@pytest.mark.parametrize("status", ["draft", "void"])
def test_one_that_asks_nobody_is_not(status: str) -> None:
    assert kinds(None, their(status=status)) == []


def test_both_are_told_with_their_amounts_and_in_words() -> None:
    (found,) = compare_invoices({"in_1": our(state="paid", paid_by_stripe_minor=7)}, [(their(), AT)])
    assert found.ours == Side("S-1", "paid", 7, None, "USD")
    assert found.theirs == Side("S-1", "open", 0, 1_000, "USD")
    assert (str(found.ours), str(found.theirs)) == ("S-1, paid, 0.07 USD paid", "S-1, open, 0.00 of 10.00 USD paid")
    (unnamed,) = compare_invoices({}, [(their(number=None), AT)])
    assert str(unnamed.theirs).startswith("open, 0.00 of")


@pytest.mark.parametrize(
    ("side", "words"),
    [
        (Side(amount_minor=-700, currency="USD"), "-7.00 USD"),
        (Side(amount_minor=700, currency="JPY"), "700 JPY"),
        (Side(amount_minor=700, currency="UGX"), "7 UGX"),
        (Side(amount_minor=5_120, currency="KWD"), "5.120 KWD"),
        (Side(amount_minor=-700), "-700 minor units"),
        (Side("S-1", amount_minor=5, currency="EUR"), "S-1, 0.05 EUR"),
        (Side("S-1", "void"), "S-1, void"),
    ],
)
def test_amounts_are_written_in_the_digits_of_their_currency(side: Side, words: str) -> None:
    assert str(side) == words


def compared(booked: dict[str, tuple[int, UUID | None]], *moved: Moved) -> list[Found]:
    return list(compare_amounts(booked, moved, unbooked="charge_unbooked", differs="charge_amount"))


def move(source: str, amount: int, hours: int = 0) -> Moved:
    return Moved(source, amount, "USD", AT + timedelta(hours=hours))


def test_parts_of_one_source_count_together() -> None:
    assert compared({"ch_1": (300, OURS)}, move("ch_1", 500), move("ch_1", -200, 1)) == []
    (found,) = compared({"ch_1": (300, OURS)}, move("ch_1", 200), move("ch_1", 101, 1))
    assert (found.kind, found.invoice_id, found.object_at) == ("charge_amount", OURS, AT)
    assert (str(found.ours), str(found.theirs)) == ("3.00 USD", "3.01 USD")


def test_what_nobody_booked_is_told_even_where_it_sums_to_nothing() -> None:
    (found,) = compared({}, move("ch_1", 5), move("ch_1", -5))
    assert (found.kind, found.ours, str(found.theirs)) == ("charge_unbooked", None, "0.00 USD")


@settings(max_examples=examples(25))
@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(-50, 50), max_size=4),
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-50, 50)), max_size=12),
)
def test_each_source_that_moved_is_told_once_or_fits(booked: dict[str, int], moved: list[tuple[str, int]]) -> None:
    found = compared({name: (amount, None) for name, amount in booked.items()}, *(move(*one) for one in moved))
    sums: dict[str, int] = {}
    for name, amount in moved:
        sums[name] = sums.get(name, 0) + amount
    expected = {name for name, total in sums.items() if booked.get(name) != total}
    assert {one.stripe_id for one in found} == expected
    assert len(found) == len(expected)
    assert {one.stripe_id for one in found if one.kind == "charge_unbooked"} == sums.keys() - booked.keys()


@settings(max_examples=examples(25))
@given(st.permutations(list("aabbcd")))
def test_the_order_in_which_parts_come_does_not_count(names: list[str]) -> None:
    moved = [move(name, ord(name)) for name in names]
    told = {(one.kind, one.stripe_id, str(one.theirs)) for one in compared({"a": (2 * ord("a"), None)}, *moved)}
    assert told == {
        ("charge_unbooked", "b", "1.96 USD"),
        ("charge_unbooked", "c", "0.99 USD"),
        ("charge_unbooked", "d", "1.00 USD"),
    }
