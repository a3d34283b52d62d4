"""A header that contradicts itself is refused by its field; what is stored is at the full second."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.contract_headers import Header, full_second
from billing.holding import WrongTerms
from billing.models import Collection, PeriodKind, PriceBook
from tenants.models import Organization
from tests.billing.world import MARCH

PROVIDER = Organization(slug="owner", name="Owner", is_provider=True, is_tenant=False)
TENANT = Organization(slug="user", name="User", is_provider=False, is_tenant=True)
BOOK = PriceBook(provider=PROVIDER, name="Sample", currency="USD")
HEADER = Header(
    provider=PROVIDER, tenant=TENANT, currency="USD", time_zone="Europe/Berlin", from_at=MARCH, price_book=BOOK
)


def refused(**changed: Any) -> dict[str, Any]:
    with pytest.raises(WrongTerms) as caught:
        replace(HEADER, **changed).check()
    return caught.value.extra


def test_a_header_that_fits_is_taken() -> None:
    HEADER.check()
    replace(HEADER, price_book=None, to_at=MARCH + timedelta(seconds=1)).check()
    replace(HEADER, period_kind=PeriodKind.FIXED_LENGTH, period_length_s=604_800).check()
    for percent in (Decimal(0), Decimal(100)):
        replace(HEADER, operator_fee_percent=percent).check()


@pytest.mark.parametrize(
    ("changed", "field", "example"),
    [
        ({"currency": "XQX"}, "currency", "USD"),
        ({"currency": ""}, "currency", "USD"),
        ({"time_zone": "Mars/Base"}, "time_zone", "Europe/Berlin"),
        ({"time_zone": "../etc/passwd"}, "time_zone", "Europe/Berlin"),
        ({"time_zone": ""}, "time_zone", "Europe/Berlin"),
        ({"to_at": MARCH}, "to_at", "leave it out: no end is set"),
        ({"to_at": MARCH - timedelta(days=1)}, "to_at", "leave it out: no end is set"),
        ({"to_at": MARCH + timedelta(microseconds=999_999)}, "to_at", "leave it out: no end is set"),
        ({"provider": TENANT}, "tenant", "another party"),
        ({"tenant": PROVIDER}, "tenant", "another party"),
        ({"price_book": PriceBook(provider=TENANT, name="Other", currency="USD")}, "price_book", None),
        ({"price_book": PriceBook(provider=PROVIDER, name="Euro", currency="EUR")}, "price_book", "a book in USD"),
        ({"period_kind": PeriodKind.FIXED_LENGTH}, "period_length_s", "604800"),
        ({"period_length_s": 604_800}, "period_length_s", "604800"),
        ({"operator_fee_percent": Decimal("100.1")}, "operator_fee_percent", "2.5"),
        ({"operator_fee_percent": Decimal("-0.1")}, "operator_fee_percent", "2.5"),
    ],
)
def test_what_contradicts_itself_is_refused_by_its_field(
    changed: dict[str, Any], field: str, example: str | None
) -> None:
    told = refused(**changed)
    assert told["field"] == field
    assert told["reason"]
    assert told["example"] == (example or "one of the provider's books")


def test_a_contract_has_two_parties() -> None:
    both = Organization(slug="both", name="Both", is_provider=True, is_tenant=True)
    told = refused(provider=both, tenant=both, price_book=None)
    assert (told["field"], told["reason"]) == ("tenant", "A contract has two parties.")


def test_the_values_are_the_row_s_at_the_full_second() -> None:
    late = MARCH + timedelta(microseconds=7)
    values = replace(HEADER, from_at=late, to_at=late + timedelta(days=1), collection=Collection.SEND_INVOICE).values()
    assert (values["from_at"], values["to_at"]) == (MARCH, MARCH + timedelta(days=1))
    assert (values["due_days"], values["grace_hours"], values["price_book"]) == (14, 48, BOOK)
    assert HEADER.values()["to_at"] is None
    assert full_second(datetime(2026, 1, 1, 0, 0, 1, 999_999, tzinfo=UTC)) == datetime(2026, 1, 1, 0, 0, 1, tzinfo=UTC)
