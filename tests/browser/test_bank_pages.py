"""The pages of the bank and of dunning in a real browser: no complaint, usable on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

from billing.banking.deciding import match_new
from billing.models import BankLine
from tests.billing.banking.statements import NOW, Movement, make_account, take
from tests.billing.dunning.overdue import after, make_overdue, send_all, sweep
from tests.billing.issued import Line, make_issued
from tests.factories import PASSWORD, make_cast

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from pytest_django.live_server_helper import LiveServer

    from tests.plugins.browser import AxeCheck

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def db(lasting_rows: None) -> None:
    """The database of this module's tests, which only read: what is written stays for the next one."""


@pytest.fixture(scope="module")
def paths(db: None) -> list[str]:
    """Movements in every state, and an invoice that went all the way."""
    cast = make_cast()
    make_account(cast.provider)
    overdue = make_overdue(cast)
    for days in (3, 5, 10):
        sweep(after(overdue, days))
    send_all(after(overdue, 10))
    sweep(after(overdue, 17))
    for number in ("S-0002", "S-0003"):
        make_issued([Line("42.00")], parties=(cast.provider, cast.tenant), number=number)
    words = "Payment for the month of March, thank you very much; our order 2026/771-B"
    imported = take(
        cast.provider,
        Movement("50.00", "S-0002", "A1"),
        Movement("42.00", words, "A2", payer="Tenant"),
        Movement("17.31", "?", "A3", payer="Somebody Else International Holdings"),
        Movement("-5.00", "fee", "A4", payer="Bank"),
        Movement("1.00", "", "A5", currency="EUR"),
    )
    match_new(now=NOW, limit=10)
    lines = {line.reference: line.pk for line in BankLine.objects.all()}
    return [
        "/p/bank/",
        "/p/bank/?show=all",
        "/p/bank/accounts/",
        f"/p/bank/files/{imported.pk}/",
        f"/p/bank/{lines['A1']}/",
        f"/p/bank/{lines['A2']}/",
        "/p/dunning/",
        f"/p/dunning/{overdue.pk}/",
    ]


def test_every_page_is_accessible_and_fits_a_phone(
    paths: list[str], lasting_server: LiveServer, still: Page, looked_at: AxeCheck
) -> None:
    client = Client()
    assert client.login(email="petra@example.com", password=PASSWORD)
    cookies = [{"name": name, "value": one.value, "url": lasting_server.url} for name, one in client.cookies.items()]
    still.context.add_cookies(cookies)  # type: ignore[arg-type]  # a typed dict of the same keys
    for path in paths:
        still.goto(lasting_server.url + path)
        assert looked_at(still) == [], path
