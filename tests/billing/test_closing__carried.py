"""A period that owes less than the credit it was handed closes at 0.00 and hands the rest on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from billing.books import check_books
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.evidence import differences
from billing.models import InvoiceState, PeriodCarry
from tests.billing.pages.reading import text_of
from tests.billing.world import APRIL, make_world
from tests.factories import Cast

pytestmark = pytest.mark.django_db

MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


def test_a_bill_is_never_below_zero_and_the_rest_goes_on(cast: Cast) -> None:
    """A day at 1.00 an hour in April and in May: 30.00 of credit leave 6.00 after April, and May owes 18.00."""
    world = make_world(parties=(cast.provider, cast.tenant))
    for start in (APRIL, MAY):
        world.lease(1, from_at=start, to_at=start + timedelta(days=1), price="1", rolled_to_at=JUNE)
    ensure_periods(contract=world.contract, now=MAY)
    close_period(period_id=world.period().id, now=APRIL)
    PeriodCarry.objects.create(
        period=world.period(), term_ref=world.contract.number, name="credit_amount", value=Decimal(30)
    )

    april = close_period(period_id=world.period(APRIL).id, now=MAY).invoice
    may = close_period(period_id=world.period(MAY).id, now=JUNE).invoice

    assert april is not None
    assert may is not None
    assert (april.total, april.state) == (Decimal(0), InvoiceState.PAID)
    assert [(line.rule, line.amount) for line in april.lines.order_by("position")] == [
        ("lease_fixed_rate", Decimal(24)),
        ("credit_brought_forward", Decimal(-30)),
        ("credit_carried_forward", Decimal(6)),
    ]
    assert PeriodCarry.objects.get(period=world.period(APRIL)).value == 6
    assert may.total == 18
    assert not PeriodCarry.objects.filter(period=world.period(MAY)).exists()
    for invoice in (april, may):
        assert differences(json.loads(invoice.evidence.document)) == []
    assert [check.name for check in check_books() if not check.holds] == []

    client = Client()
    client.force_login(cast.alice)
    words = text_of(client.get(f"/t/invoices/{april.number}/"))
    for said in ("GPU leases", "24 GPU-h", "Other", "credit brought forward", "-$30.00", "credit carried forward"):
        assert said in words.replace("−", "-").replace("–", "-"), said
