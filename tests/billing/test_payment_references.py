"""References: right by somebody else's reading of ISO 11649, and found again in what payers write."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import iso11649

from billing.payment_references import is_reference, numbers_named, payment_reference, printed_reference
from tests.examples import examples

PREFIXES = ("INV-", "ACME-CLOUD2-", "X", "2026/")


def named(*texts: str, prefix: str = "INV-") -> tuple[str, ...]:
    return numbers_named(prefix=prefix, digits_min=4, texts=texts)


def test_the_reference_of_the_first_invoice() -> None:
    reference = payment_reference("INV-0001")
    assert iso11649.validate(reference) == reference == "RF40INV0001"
    assert printed_reference(reference) == iso11649.format(reference) == "RF40 INV0 001"


@settings(max_examples=examples(25))
@given(prefix=st.sampled_from(PREFIXES), number=st.integers(1, 10**9))
def test_every_number_has_a_valid_reference_that_leads_back_to_it(prefix: str, number: int) -> None:
    shown = f"{prefix}{number:04d}"
    reference = payment_reference(shown)
    assert iso11649.is_valid(reference)
    assert is_reference(reference)
    for text in (reference, printed_reference(reference), f"payment {printed_reference(reference)} thanks"):
        assert shown in named(text, prefix=prefix)


@settings(max_examples=examples(25))
@given(st.text(string.ascii_uppercase + string.digits, min_size=1, max_size=30))
def test_what_is_a_reference_is_what_the_standard_says(body: str) -> None:
    for text in (f"RF{body}", f"RF18{body}"):
        expected = iso11649.is_valid(text) and text[2:4].isdecimal() and len(text) > 4
        assert is_reference(text) == expected


@settings(max_examples=examples(25))
@given(number=st.integers(1, 99_999), wrong=st.integers(7, 10), sign=st.sampled_from("0123456789"))
def test_one_wrong_character_is_found_by_the_check_digits(number: int, wrong: int, sign: str) -> None:
    reference = payment_reference(f"INV-{number:04d}")
    changed = reference[:wrong] + sign + reference[wrong + 1 :]
    assert is_reference(changed) == (changed == reference)


def test_a_number_longer_than_a_reference_is_told_by_its_end() -> None:
    number = "A-VERY-LONG-ISSUER-OF-BILLS-004711"
    reference = payment_reference(number)
    assert len(reference) == 25
    assert iso11649.is_valid(reference)
    assert named(reference, prefix="A-VERY-LONG-ISSUER-OF-BILLS-") == (number,)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Invoice INV-0001", ("INV-0001",)),
        ("inv 1 and INV0002, inv-0003", ("INV-0001", "INV-0002", "INV-0003")),
        ("INV. No. 7", ()),
        ("RF40INV0001", ("INV-0001",)),
        ("RF40 INV0 001 RF40INV0001 INV-0001", ("INV-0001",)),
        ("RF23INV0001", ()),
        ("RF23 INV1 234", ()),
        ("RF23 INV1 234 INV-0005", ("INV-0005",)),
        ("XINV-0001 ACME-0001", ()),
        ("INV-00011234567890123", ()),
        ("", ()),
        ("RF22RF22RF22", ()),
        ("invoice\nINV-0012/2026", ("INV-0012",)),
    ],
)
def test_what_payers_write(text: str, numbers: tuple[str, ...]) -> None:
    assert named(text) == numbers


def test_texts_are_read_in_order_and_no_further_than_they_may_be_long() -> None:
    assert named("INV-0002", "INV-0001 INV-0002") == ("INV-0002", "INV-0001")
    assert named("x" * 2_000 + " INV-0001") == ()
    assert len(named(" ".join(f"INV-{number:04d}" for number in range(1, 100)))) == 50


def test_a_number_without_letters_or_digits_has_none() -> None:
    with pytest.raises(ValueError, match="has no letter"):
        payment_reference("--")
    assert named("1234", prefix="--") == ()
