"""Storage is billed by the gigabyte and month, part months by their seconds."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.inputs import RatingWindow, TermInput
from billing.rating.storage import StorageWording, Stored, rate_storage
from billing.rating.wording import Stretch, WrongWording, read_wording
from tests.examples import examples

JANUARY, APRIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
WORDING = StorageWording(price_per_gb_month=Decimal("0.07"))


def term(*stored: Stored) -> TermInput:
    return TermInput("B-1", "", JANUARY, None, (Stretch(1, JANUARY, APRIL, WORDING),), facts=stored)


def window(from_at: datetime, to_at: datetime, zone: str = "UTC") -> RatingWindow:
    return RatingWindow("USD", zone, from_at, to_at, to_at)


@settings(max_examples=examples(25))
@given(st.integers(1, 90 * 86_400 - 1), st.integers(0, 10**9))
def test_two_windows_sum_to_the_whole(second: int, gigabytes: int) -> None:
    held = term(Stored(volume="a", gigabytes=gigabytes, from_at=JANUARY))
    middle = JANUARY + timedelta(seconds=second)
    parts = [rate_storage(held, window(JANUARY, middle)), rate_storage(held, window(middle, APRIL))]
    assert sum((part.exact_total for part in parts), Fraction(0)) == 3 * gigabytes * Fraction("0.07")


def test_a_month_is_that_of_the_contracts_zone() -> None:
    held = term(Stored(volume="a", gigabytes=100, from_at=JANUARY))
    march = datetime(2026, 3, 1, 5, tzinfo=UTC), datetime(2026, 4, 1, 4, tzinfo=UTC)
    later = TermInput("B-1", "", JANUARY, None, (Stretch(1, JANUARY, march[1], WORDING),), facts=held.facts)
    (line,) = rate_storage(later, window(*march, "America/New_York")).lines
    assert line.amount == 7
    assert line.price.units == 31 * 86_400 - 3_600


def test_volumes_of_one_size_that_follow_each_other_are_one_row() -> None:
    middle = datetime(2026, 1, 10, tzinfo=UTC)
    february = datetime(2026, 2, 1, tzinfo=UTC)
    held = term(
        Stored(volume="a", gigabytes=5, from_at=JANUARY, to_at=middle), Stored(volume="b", gigabytes=5, from_at=middle)
    )
    assert len(rate_storage(held, window(JANUARY, february)).lines) == 1


def test_nothing_stored_or_agreed_is_nothing_owed() -> None:
    assert rate_storage(term(), window(JANUARY, APRIL)).lines == ()
    late = datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC)
    assert rate_storage(term(Stored(volume="a", gigabytes=5, from_at=JANUARY)), window(*late)).lines == ()


def test_a_negative_price_is_refused() -> None:
    with pytest.raises(WrongWording, match="price_per_gb_month"):
        read_wording(StorageWording, {"kind": "storage", "price_per_gb_month": "-0.07"})
