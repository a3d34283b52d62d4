"""Collective invoices in the portal: listed and opened by both sides, switched on by the provider."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.banking.accounts import open_account
from billing.documents.making import make_documents
from billing.models import CarriedDue, Collective, CollectivePart, Settlement, SettlementState
from billing.payment_references import payment_reference, printed_reference
from billing.together import is_together
from portal.paging import ROWS_PER_PAGE
from tenants.models import Membership, Role
from tests.billing.collected import pay_by_hand
from tests.billing.collective.gathered import LATER, gathered, waits
from tests.billing.issued import Line, make_issued
from tests.billing.pages.reading import text_of
from tests.factories import make_contract, make_organization, make_price_book
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

LIST = "/p/collective-invoices/"
pytestmark = pytest.mark.django_db


@kept
def made(cast: Cast) -> Collective:
    waits((cast.provider, cast.tenant), "100.00"), waits((cast.provider, cast.tenant), "23.45", minutes=5)
    return gathered()


def test_both_sides_list_and_open_it(cast: Cast, client: Client, made: Collective) -> None:
    for person, side in ((cast.alice, "t"), (cast.petra, "p")):
        client.force_login(person)
        address = f"/{side}/collective-invoices/"
        assert f"{made.number}" in text_of(client.get(address))
        shown = text_of(client.get(f"{address}{made.number}/"))
        assert "$123.45" in shown
        assert printed_reference(payment_reference(made.number)) in shown
        for part in made.parts.select_related("invoice"):
            assert str(part.invoice.number) in shown
            invoice = text_of(client.get(f"/{side}/invoices/{part.invoice.number}/"))
            assert f"Asked for together with others. Pay {made.number} by" in invoice
        assert client.get(f"{address}{made.number}/document.pdf").status_code == 404
        assert made.number in client.get(f"/{side}/collective-invoices.csv").getvalue().decode()


def test_its_paper_is_there_once_it_is_made(cast: Cast, client: Client, made: Collective) -> None:
    make_documents(subject_id=made.pk, public_url="https://bills.example", now=LATER)
    client.force_login(cast.alice)
    page = client.get(f"/t/collective-invoices/{made.number}/").content.decode()
    assert "document.pdf" in page
    answer = client.get(f"/t/collective-invoices/{made.number}/document.pdf")
    assert answer.content.startswith(b"%PDF-")


def test_its_tenant_sees_where_to_pay_all_of_it(cast: Cast, client: Client, made: Collective) -> None:
    client.force_login(cast.alice)
    address = f"/t/collective-invoices/{made.number}/"
    shown = text_of(client.get(address))
    reference = printed_reference(payment_reference(made.number))
    assert f"Transfer $123.45 to Provider with the reference {reference}; {cast.provider.billing_email}" in shown
    open_account(
        provider=cast.provider,
        number="DE89370400440532013000",
        currency="USD",
        holder="Provider",
        bic="",
        by="petra",
        now=LATER,
    )
    assert f"Transfer $123.45 to Provider, DE89 3704 0044 0532 0130 00, with the reference {reference}." in text_of(
        client.get(address)
    )
    assert "Pay $123.45" not in shown
    carrier, carried = (part.invoice for part in made.parts.select_related("invoice").order_by("-position"))
    CarriedDue.objects.create(invoice=carried, carrier=carrier, amount=carried.total, created_at=LATER)
    Settlement.objects.filter(pk=carrier.pk).update(state=SettlementState.WAIT, hosted_url="https://pay.example/1")
    shown = client.get(address).content.decode()
    assert 'href="https://pay.example/1"' in shown
    assert "Pay $123.45" in shown
    # The page of the one that asks for all says what its payment page asks for.
    assert "Pay $123.45" in text_of(client.get(f"/t/invoices/{carrier.number}/"))
    client.force_login(cast.petra)
    assert "Pay $123.45" not in text_of(client.get(f"/p/collective-invoices/{made.number}/"))


def test_what_was_paid_shows(cast: Cast, client: Client, made: Collective) -> None:
    for part in made.parts.select_related("invoice"):
        pay_by_hand(part.invoice, str(part.amount))
    client.force_login(cast.alice)
    assert "Paid $123.45 $0.00" in text_of(client.get("/t/collective-invoices/"))


def test_the_provider_switches_it_and_a_viewer_does_not(cast: Cast, client: Client, made: Collective) -> None:
    client.force_login(cast.petra)
    pair = {"provider_id": cast.provider.pk, "tenant_id": cast.tenant.pk}
    answer = client.post("/p/collective-invoices/", {"tenant": "tenant", "is_on": "1"}, follow=True)
    assert "This holds from the next invoice on." in text_of(answer)
    assert "asked for together" in text_of(answer)
    assert is_together(**pair)
    answer = client.post("/p/collective-invoices/", {"tenant": "outsider", "is_on": "1"}, follow=True)
    assert "You have no contract with this tenant." in text_of(answer)
    Membership.objects.filter(user=cast.petra).update(role=Role.VIEWER)
    assert client.post("/p/collective-invoices/", {"tenant": "tenant", "is_on": "0"}).status_code == 403
    assert "Ask for each" not in text_of(client.get("/p/collective-invoices/"))


def test_long_lists_stand_in_pages_and_a_switch_leaves_the_reader_where_they_are(
    cast: Cast, client: Client, made: Collective
) -> None:
    book = make_price_book(cast.provider)
    for place in range(ROWS_PER_PAGE):
        make_contract(cast.provider, make_organization(f"further-{place:02}"), book)
    for place in range(ROWS_PER_PAGE):
        part = make_issued([Line("1.00")], parties=(cast.provider, cast.tenant), number=f"PART-{place:02}")
        times = {name: LATER + timedelta(minutes=place + 1) for name in ("issued_at", "due_at")}
        same = {"issuer": cast.provider, "tenant": cast.tenant, "currency": "USD", "total": part.total}
        newer = Collective.objects.create(number=f"NEWER-{place:02}", **same, **times)
        CollectivePart.objects.create(invoice=part, collective=newer, position=1, amount=part.total)
    client.force_login(cast.petra)
    first, last = (text_of(client.get(f"{LIST}?page={page}&rules={page}")) for page in (1, 2))
    assert first.count(f"1 to {ROWS_PER_PAGE} of {ROWS_PER_PAGE + 1}") == 2
    assert f"{made.number} " in last
    assert "NEWER" not in last
    assert ("Further-00" in first, "Further-00" in last) == (True, False)
    assert ("Ask together Tenant" in first, "Ask together Tenant" in last) == (False, True)
    assert text_of(client.get(f"{LIST}?q=further-4")).count("Ask together") == 10
    asked = client.get("/p/collective-invoices.csv?q=further").getvalue().decode()
    assert asked.count("\n") == 1
    assert client.get("/p/collective-invoices.csv").getvalue().decode().count("NEWER-") == ROWS_PER_PAGE
    assert {client.get(f"{LIST}?{beyond}=3").status_code for beyond in ("page", "rules")} == {404}
    switched = client.post(f"{LIST}?rules=2", {"tenant": "tenant", "is_on": "1"})
    assert switched.headers["Location"] == f"{LIST}?rules=2"


def test_without_any_the_page_says_what_to_do(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert "Switch it on for a tenant that has several contracts" in text_of(client.get("/p/collective-invoices/"))
