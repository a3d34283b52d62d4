"""What a movement without an id is known by: the same text for the same words, another for any other."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.banking.entries import StatementEntry
from billing.banking.fingerprints import DIGITS, fingerprint
from tests.examples import examples

ENTRY = StatementEntry(
    place="line 2",
    reference="",
    booked_on=date(2026, 4, 14),
    value_on=date(2026, 4, 15),
    amount=Decimal("10.50"),
    currency="EUR",
    payer="Payer Ltd",
    payer_account="DE89370400440532013000",
    structured="RF40INV0001",
    end_to_end="E2E-1",
    text="thanks",
)


@pytest.mark.parametrize(
    "changes",
    [
        {"booked_on": date(2026, 4, 15)},
        {"value_on": None},
        {"value_on": date(2026, 4, 14)},
        {"amount": Decimal("10.51")},
        {"amount": Decimal("-10.50")},
        {"amount": Decimal(1050)},
        {"currency": "USD"},
        {"payer": "Payer"},
        {"payer_account": ""},
        {"structured": ""},
        {"end_to_end": ""},
        {"text": "thanks."},
        {"text": "", "end_to_end": "E2E-1thanks"},
    ],
)
def test_whatever_a_movement_says_otherwise_makes_it_another(changes: dict[str, object]) -> None:
    assert fingerprint(replace(ENTRY, **changes)) != fingerprint(ENTRY)  # type: ignore[arg-type]  # named above


@pytest.mark.parametrize(
    "changes",
    [{"place": "line 900"}, {"reference": "A1"}, {"is_return": True}, {"amount": Decimal("10.5")},
     {"amount": Decimal("10.500000")}],
)  # fmt: skip
def test_where_it_stands_and_how_its_amount_is_written_does_not_matter(changes: dict[str, object]) -> None:
    assert fingerprint(replace(ENTRY, **changes)) == fingerprint(ENTRY)  # type: ignore[arg-type]  # named above


def test_words_do_not_move_from_one_field_into_the_next() -> None:
    one = replace(ENTRY, payer="a", payer_account="bc")
    other = replace(ENTRY, payer="ab", payer_account="c")
    assert fingerprint(one) != fingerprint(other)


@settings(max_examples=examples(25))
@given(amount=st.decimals(min_value="-1e17", max_value="1e17", places=5).filter(bool), zeros=st.integers(0, 4))
def test_amounts_are_told_apart_by_value_and_not_by_zeros(amount: Decimal, zeros: int) -> None:
    longer = amount.quantize(Decimal(1).scaleb(-5 - zeros))
    assert fingerprint(replace(ENTRY, amount=amount)) == fingerprint(replace(ENTRY, amount=longer))
    assert len(fingerprint(replace(ENTRY, amount=amount))) == DIGITS
    assert fingerprint(replace(ENTRY, amount=-amount)) != fingerprint(replace(ENTRY, amount=amount))
