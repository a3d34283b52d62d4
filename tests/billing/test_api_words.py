"""Instants and amounts as the API writes them."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from billing.api_words import instant, money


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (datetime(2026, 3, 1, tzinfo=UTC), "2026-03-01T00:00:00Z"),
        (datetime(2026, 3, 1, 8, tzinfo=ZoneInfo("Asia/Shanghai")), "2026-03-01T00:00:00Z"),
        (datetime(2026, 3, 1, 0, 0, 0, 5, tzinfo=UTC), "2026-03-01T00:00:00.000005Z"),
    ],
)
def test_an_instant_is_written_in_utc(at: datetime, text: str) -> None:
    assert instant(at) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [("1E+3", "USD", "1000.00"), ("0", "JPY", "0"), ("1.2345", "BHD", "1.234"), ("-0.005", "USD", "0.00")],
)
def test_an_amount_has_the_decimals_of_its_currency(amount: str, currency: str, text: str) -> None:
    assert money(Decimal(amount), currency).lstrip("-") == text
