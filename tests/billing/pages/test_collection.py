"""Where the money of an invoice is, on its provider's page, and handing it to Stripe by a button."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from billing.collecting.notices import write_notice
from billing.models import NoticeKind, Settlement, SettlementState
from billing.pages.collection import collection_words
from billing.queries.invoice_list import find_invoice
from tenants.models import AuditEntry, Membership, Role
from tests.billing.collected import only_invoice_at
from tests.billing.issued import Line, make_issued
from tests.billing.pages.reading import text_of

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import Settings

    from billing.models import Invoice
    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble


def use(settings: Settings, double: StripeDouble) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = double.SECRET_KEY, double.base_url


def pushable(cast: Cast) -> Invoice:
    """An invoice that the next sweep would hand to Stripe."""
    invoice = make_issued([Line("100.00")], parties=(cast.provider, cast.tenant))
    Settlement.objects.update_or_create(
        pk=invoice.pk,
        defaults={
            "state": SettlementState.CUSTOMER,
            "next_try_at": timezone.now(),
            "updated_at": timezone.now(),
        },
    )
    return invoice


@pytest.mark.django_db(transaction=True)
def test_an_invoice_is_handed_to_stripe_by_its_button(
    cast: Cast, client: Client, double: StripeDouble, settings: Settings
) -> None:
    use(settings, double)
    invoice = pushable(cast)
    Settlement.objects.update(next_try_at=timezone.now() + timedelta(hours=1), attempts=2, last_error="Stripe is gone")
    page = f"/p/invoices/{invoice.number}/"
    client.force_login(cast.petra)
    shown = text_of(client.get(page))
    assert "It is not at Stripe yet." in shown
    assert "Stripe is gone" in shown
    assert "Tried again at" in shown
    answer = client.post(f"{page}collect/", follow=True)
    assert "It is at Stripe." in text_of(answer)
    assert only_invoice_at(double, invoice)["status"] == "open"
    assert AuditEntry.objects.get(action="settlement.pushed").actor == cast.petra.email
    assert "waits for the payment" in text_of(answer)
    assert "Hand it to Stripe now" not in text_of(answer)
    # Once more: it is there, once.
    again = client.post(f"{page}collect/", follow=True)
    assert len(double.state()["invoice"]) == 1
    assert "Stripe did not take it" not in text_of(again)


@pytest.mark.django_db(transaction=True)
def test_a_stripe_that_is_gone_is_said_and_the_invoice_waits_on(cast: Cast, client: Client, settings: Settings) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_nobody", "http://127.0.0.1:9"
    invoice = pushable(cast)
    client.force_login(cast.petra)
    answer = client.post(f"/p/invoices/{invoice.number}/collect/", follow=True)
    assert "Stripe did not take it. The reason is below." in text_of(answer)
    assert "Stripe is unavailable" in text_of(answer)
    assert Settlement.objects.get(pk=invoice.pk).state == SettlementState.CUSTOMER


@pytest.mark.django_db
def test_only_its_provider_sees_where_the_money_is_and_only_who_may_correct_acts(
    cast: Cast, client: Client, settings: Settings
) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_nobody", "http://127.0.0.1:9"
    invoice = pushable(cast)
    client.force_login(cast.alice)
    assert "It is not at Stripe yet." not in text_of(client.get(f"/t/invoices/{invoice.number}/"))
    assert client.post(f"/p/invoices/{invoice.number}/collect/").status_code == 404
    Membership.objects.filter(user=cast.petra).update(role=Role.VIEWER)
    client.force_login(cast.petra)
    assert "Hand it to Stripe now" not in text_of(client.get(f"/p/invoices/{invoice.number}/"))
    assert client.post(f"/p/invoices/{invoice.number}/collect/").status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("kind", NoticeKind)
def test_why_a_card_did_not_pay_is_said_in_words_and_not_as_stripe_wrote_it(cast: Cast, kind: NoticeKind) -> None:
    invoice = find_invoice(cast.provider, str(pushable(cast).number), issued=True)
    assert invoice is not None
    raw = "invalid_request_error: There is no `default_payment_method` set."
    Settlement.objects.update(state=SettlementState.WAIT, last_error=raw)
    other = collection_words(invoice, "en_GB", acts=True)
    write_notice(invoice=invoice, kind=kind, attempt=1, reason=raw, now=timezone.now())
    told = collection_words(invoice, "en_GB", acts=True)
    assert other is not None
    assert told is not None
    assert (other.error, "_" in told.error, told.error.endswith(".")) == (raw, False, True)


@pytest.mark.django_db
def test_a_provider_reads_for_what_the_bank_declined_as_stripe_names_it(cast: Cast) -> None:
    invoice = find_invoice(cast.provider, str(pushable(cast).number), issued=True)
    assert invoice is not None
    Settlement.objects.update(state=SettlementState.WAIT, last_error="declined")
    code, kind = "lost_card", NoticeKind.CARD_DECLINED
    write_notice(invoice=invoice, kind=kind, attempt=1, reason="declined", decline_code=code, now=timezone.now())
    told = collection_words(invoice, "en_GB", acts=True)
    assert told is not None
    assert told.error == "The card was declined: lost_card."


@pytest.mark.django_db
@pytest.mark.parametrize("state", SettlementState)
def test_every_state_has_words_and_a_button_only_where_something_can_be_done(
    cast: Cast, settings: Settings, state: SettlementState
) -> None:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE = "sk_test_nobody", "http://127.0.0.1:9"
    number = pushable(cast).number
    Settlement.objects.update(state=state)
    invoice = find_invoice(cast.provider, str(number), issued=True)
    assert invoice is not None
    found = collection_words(invoice, "en_GB", acts=True)
    assert found is not None
    assert found.words.endswith(".")
    pushes = {SettlementState(one) for one in ("customer", "draft", "lines", "guard", "finalize", "failed")}
    assert bool(found.button) == (state in pushes)
    declined = {SettlementState.WAIT, SettlementState.ACTION}
    Settlement.objects.update(last_error="Your card was declined.")
    told = collection_words(invoice, "en_GB", acts=True)
    assert told is not None
    assert bool(told.button) == (state in pushes | declined)
    settings.STRIPE_SECRET_KEY = ""
    without = collection_words(invoice, "en_GB", acts=True)
    assert without is not None
    assert without.button == ""
