"""The page of the card that pays: shown, left, taken off, by those who may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.collecting.notices import write_notice
from billing.models import CardOnFile, CardVisit, CollectionNotice, NoticeKind, Settlement, SettlementState
from tenants.models import Role
from tests.billing.issued import ISSUED_AT, make_issued
from tests.billing.pages.reading import text_of
from tests.factories import make_user

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import Settings

    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble

PAGE = "/t/card/"


def use(settings: Settings, double: StripeDouble) -> None:
    settings.STRIPE_SECRET_KEY = double.SECRET_KEY
    settings.STRIPE_API_BASE = double.base_url


@pytest.mark.django_db(transaction=True)
def test_a_card_is_left_and_taken_off(cast: Cast, client: Client, double: StripeDouble, settings: Settings) -> None:
    use(settings, double)
    client.force_login(cast.alice)
    assert "No card is on file" in text_of(client.get(PAGE))
    assert client.post(PAGE, {"do": "leave"}).status_code == 302
    visit = CardVisit.objects.get()
    page = client.get(PAGE)
    assert f'href="{visit.url}"' in page.content.decode()
    double.complete_checkout(visit.session_id)
    shown = text_of(client.get(PAGE))
    assert "Visa •••• 4242" in shown
    assert "Good until 12/2040" in shown
    assert f"Left by {cast.alice.email}" in shown
    client.post(PAGE, {"do": "forget"})
    assert "No card is on file" in text_of(client.get(PAGE))
    assert not CardOnFile.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_silent_stripe_is_told_and_loses_nothing(
    cast: Cast, client: Client, double: StripeDouble, settings: Settings
) -> None:
    use(settings, double)
    client.force_login(cast.alice)
    double.faults({"status": 503, "times": 30})
    client.post(PAGE, {"do": "leave"})
    assert "Stripe could not be reached" in text_of(client.get(PAGE))
    double.clear_faults()
    client.post(PAGE, {"do": "leave"})
    assert CardVisit.objects.exclude(url="").count() == 1


@pytest.mark.django_db
def test_without_stripe_the_page_says_so(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    page = text_of(client.get(PAGE))
    assert "This installation takes no cards. Invoices are paid by bank transfer" in page
    assert "Stripe's page" not in page, "there is none"
    client.post(PAGE, {"do": "leave"})
    assert not CardVisit.objects.exists()


@pytest.mark.django_db
def test_a_reader_sees_the_card_and_changes_nothing(cast: Cast, client: Client) -> None:
    client.force_login(make_user("viewer", cast.tenant, Role.VIEWER))
    page = client.get(PAGE)
    assert page.status_code == 200
    assert 'name="do"' not in page.content.decode()
    assert client.post(PAGE, {"do": "leave"}).status_code == 403


@pytest.mark.django_db
def test_what_could_not_be_charged_stands_above_with_a_way_to_pay(cast: Cast, client: Client) -> None:
    invoice = make_issued(parties=(cast.provider, cast.tenant))
    Settlement.objects.create(
        invoice=invoice,
        state=SettlementState.ACTION,
        hosted_url="https://pay.example/1",
        next_try_at=ISSUED_AT,
        updated_at=ISSUED_AT,
    )
    write_notice(invoice=invoice, kind=NoticeKind.CONSENT_NEEDED, attempt=1, reason="asks", now=ISSUED_AT)
    client.force_login(cast.alice)
    page = client.get(PAGE)
    assert f"Invoice {invoice.number} over $123.45 is not paid. Your bank asks you" in text_of(page)
    assert 'href="https://pay.example/1"' in page.content.decode()
    client.force_login(cast.charlie)
    assert str(invoice.number) not in client.get(PAGE).content.decode()
    assert CollectionNotice.objects.count() == 1
