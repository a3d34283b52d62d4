"""Taxes by rate and by line, as stored."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from billing.queries.invoice_taxes import invoice_rates, line_taxes
from tests.billing.tax.taxed import charges_tax, issued, stands, two_leases

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def test_rates_and_parts_are_read_in_one_query_each(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    charges_tax(cast.provider)
    stands(cast.provider, "DE")
    stands(cast.tenant, "DE")
    invoice = issued(two_leases(cast))
    with django_assert_num_queries(2):
        [rate], parts = invoice_rates(invoice.pk), line_taxes(invoice.pk)
    assert (rate.category, rate.percent, rate.taxable, rate.tax) == (
        "S",
        Decimal(19),
        Decimal("100.66"),
        Decimal("19.13"),
    )
    assert {position: (part.rate, part.tax) for position, part in parts.items()} == {
        1: (1, Decimal("0.13")),
        2: (1, Decimal("19.00")),
    }


def test_an_invoice_from_before_has_none() -> None:
    assert invoice_rates(uuid4()) == ()
    assert line_taxes(uuid4()) == {}
