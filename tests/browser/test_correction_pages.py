"""Pages of corrections in a real browser, both sides: nothing to complain about, on any screen, in either theme."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.test import Client

from billing.corrections.amounts import Wanted
from billing.corrections.disputes import answer_dispute, open_dispute
from tests.billing.collective.gathered import gathered, waits
from tests.billing.corrections.corrected import NOW, credit, pay
from tests.billing.corrections.kept import keep, refund
from tests.billing.issued import Line, make_issued
from tests.factories import make_cast

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from pytest_django.live_server_helper import LiveServer

    from tenants.models import User
    from tests.plugins.browser import AxeCheck

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def db(lasting_rows: None) -> None:
    """The database of this module's tests, which only read: what is written stays for the next one."""


@pytest.fixture(scope="module")
def addresses(db: None) -> dict[User, list[str]]:
    """An invoice that was paid, credited and questioned, a refund on its way, and who reads which page of it."""
    cast = make_cast()
    parties = (cast.provider, cast.tenant)
    invoice = make_issued([Line("9813.60"), Line("420.00", "quartz-70b")], parties=parties)
    pay(invoice, "10000")
    note = credit(invoice, Wanted(1, amount=Decimal("1250.00")), Wanted(2))
    refund(keep("75.00", parties), "25.00")
    dispute = open_dispute(
        invoice=invoice, position=1, text="We held six cards,\nnot eight.", by=cast.alice.email, now=NOW
    )
    answer_dispute(
        dispute_id=dispute.pk, organization=cast.provider, text="From which day on?", by=cast.petra.email, now=NOW
    )
    for amount in ("744.00", "1250.50"):
        waits(parties, amount)
    collective = gathered()
    return {
        cast.petra: [
            "/p/collective-invoices/",
            f"/p/collective-invoices/{collective.number}/",
            "/p/credit-notes/",
            f"/p/credit-notes/{note.number}/",
            f"/p/invoices/{invoice.number}/correct/",
            "/p/disputes/",
            f"/p/disputes/{dispute.pk}/",
            "/p/balances/",
        ],
        cast.alice: [
            f"/t/collective-invoices/{collective.number}/",
            "/t/credit-notes/",
            f"/t/credit-notes/{note.number}/",
            "/t/disputes/",
            f"/t/disputes/{dispute.pk}/",
            f"/t/invoices/{invoice.number}/question/?line=1",
        ],
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
