"""An invoice shows every kind of line: packages, images and seconds, what is taken off, what is made up."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from billing.agreeing import add_adjustment
from billing.charging import ensure_periods
from billing.closing import close_period
from billing.rating.commitment import CommitmentWording
from billing.rating.credit import CreditWording
from billing.rating.discount import DiscountWording
from metering.models import Witness
from tests import factories
from tests.billing.pages.reading import text_of
from tests.billing.sharing import share
from tests.billing.test_agreeing import priced
from tests.billing.test_credits import grant
from tests.billing.world import APRIL, MARCH, MODEL, make_world

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db

PRICES = [
    {"model": MODEL, "quantity": "images", "price": "0.04", "price_unit": "per_image"},
    {"model": MODEL, "quantity": "audio_seconds", "price": "0.01", "price_unit": "per_second"},
    {"model": MODEL, "quantity": "requests", "price": "0.001", "price_unit": "per_request"},
    {"model": MODEL, "quantity": "steps", "price": "0.002", "price_unit": "per_step"},
]
PACKAGE = {"name": "mega", "quantities": ["output"], "units": 1_000_000, "amount_per_package": "5.00"}


def test_what_a_guarantee_is_short_of_is_no_share_of_a_list_price(client: Client) -> None:
    world = make_world(tokens={(MODEL, "output"): "1"})
    guarantee = {"amount_per_span": "15", "shortfall": "owed", "prorated_by_availability": False}
    share(world, Witness.GATEWAY, guarantee=guarantee).use({"output": 10_000_000}, at=MARCH)
    world.rolled(world.nodes[0], APRIL)
    ensure_periods(contract=world.contract, now=MARCH)
    invoice = close_period(period_id=world.period().id, now=APRIL).invoice
    assert invoice is not None
    client.force_login(factories.make_user("units@example.com", world.tenant))
    page = text_of(client.get(f"/t/invoices/{invoice.number}/"))
    assert page.count("at list price") == 1
    short = invoice.lines.get(rule="share_guarantee_shortfall")
    assert short.description in page


def test_a_bill_of_everything_is_shown_and_exported(client: Client) -> None:
    world = make_world(tokens={(MODEL, "input"): "1"})
    term = priced(world, prices=PRICES, packages=[PACKAGE])
    term.use({"input": 2_000_000, "output": 1_200_000, "images": 100, "requests": 500, "steps": 50}, at=MARCH)
    term.use({"audio_seconds": 60}, at=MARCH + timedelta(days=9))
    wordings = (
        DiscountWording(percent=Decimal(10), terms=(term.term.ref,)),
        CommitmentWording(amount_per_period=Decimal(30)),
        CreditWording(grants=(grant("welcome", 7),)),
    )
    for wording in wordings:
        add_adjustment(contract=world.contract, wording=wording, from_at=MARCH, to_at=None, now=MARCH, title="Sample")
    client.force_login(factories.make_user("units@example.com", world.tenant))
    assert client.get("/t/usage/?month=2026-03").status_code == 200
    assert client.get("/t/usage.csv?month=2026-03").status_code == 200
    invoice = close_period(period_id=world.period().id, now=APRIL).invoice
    assert invoice is not None
    assert invoice.total == 23
    page = client.get(f"/t/invoices/{invoice.number}/")
    assert page.status_code == 200
    assert client.get(f"/t/invoices/{invoice.number}/lines.csv").status_code == 200
    for words in (
        "per image",
        "per package",
        "Steps",
        "rounded once to",
        "discount",
        "made up to the commitment",
        "paid from credit",
    ):
        assert words in page.content.decode()
