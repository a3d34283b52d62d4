"""Ending a contract in a real browser, both sides: nothing to complain about, on any screen, in either theme."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.test import Client

from billing.agreements.drafting import Actor, offer, propose
from billing.charging import ensure_periods
from tests.billing.agreements.agreed import PRICES
from tests.billing.world import make_world
from tests.factories import make_cast

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from pytest_django.live_server_helper import LiveServer

    from tenants.models import User
    from tests.plugins.browser import AxeCheck

pytestmark = pytest.mark.browser

NOW = datetime.now(UTC).replace(microsecond=0)
BEGAN = (NOW.replace(day=1, hour=0, minute=0, second=0) - timedelta(days=1)).replace(day=1)


@pytest.fixture(scope="module")
def db(lasting_rows: None) -> None:
    """The database of this module's tests, which only read: what is written stays for the next one."""


@pytest.fixture(scope="module")
def addresses(db: None) -> dict[User, list[str]]:
    """A contract whose end is on offer, one whose end is still to be proposed, and who reads which page of them."""
    cast = make_cast()
    parties = (cast.provider, cast.tenant)
    ending, running = (make_world(tokens=PRICES, from_at=BEGAN, parties=parties) for _ in range(2))
    for world in (ending, running):
        world.lease(2, from_at=BEGAN, now=BEGAN)
        world.share(now=BEGAN).use({"output": 1_000_000}, at=BEGAN)
        ensure_periods(contract=world.contract, now=NOW)
    by = Actor(cast.provider, cast.petra.email)
    note = "We move to another site and need the cards back."
    end = NOW + timedelta(days=3)
    made = propose(contract_id=ending.contract.id, changes=(), by=by, now=NOW, note=note, ends_at=end)
    offer(amendment_id=made.id, by=by, now=NOW)
    return {
        person: [
            f"/{side}/contracts/{running.contract.id}/",
            f"/{side}/contracts/{running.contract.id}/end/",
            f"/{side}/amendments/{made.id}/",
        ]
        for person, side in ((cast.petra, "p"), (cast.alice, "t"))
    }


def test_pages_are_accessible_and_fit_a_phone(
    still: Page, lasting_server: LiveServer, addresses: dict[User, list[str]], looked_at: AxeCheck
) -> None:
    for person, pages in addresses.items():
        client = Client()
        client.force_login(person)
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        still.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": lasting_server.url}])
        for address in pages:
            still.goto(lasting_server.url + address)
            assert looked_at(still) == [], address
