"""Pushing, and letting go on, when a person asks: the same as the sweep does, and nothing where it was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from billing.models import Settlement, SettlementState, StripeIntent
from billing.pushing import NothingToPush, go_on, push_now, waits_for_push
from billing.settlement import NotRetryable
from billing.stripe_answers import StripeSettings
from billing.stripe_gateway import StripeGateway
from tenants.models import AuditEntry
from tests.billing.collected import WEBHOOK_SECRET, MortalGateway, only_invoice_at
from tests.billing.collected import Killed as Died
from tests.billing.pages.test_collection import pushable

if TYPE_CHECKING:
    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)


def settings_of(double: StripeDouble) -> StripeSettings:
    return StripeSettings(secret_key=double.SECRET_KEY, webhook_secret=WEBHOOK_SECRET, api_base=double.base_url)


def test_who_dies_while_pushing_is_followed_by_one_that_goes_on(cast: Cast, double: StripeDouble) -> None:
    invoice = pushable(cast)
    given = settings_of(double)
    with pytest.raises(Died):
        push_now(
            invoice_id=invoice.pk, actor="petra", gateway=MortalGateway(given, dies_at="add_lines"), now=timezone.now()
        )
    assert waits_for_push(invoice.pk)
    done = push_now(invoice_id=invoice.pk, actor="petra", gateway=StripeGateway(given), now=timezone.now())
    assert done.state == SettlementState.WAIT
    assert only_invoice_at(double, invoice)["status"] == "open"
    assert StripeIntent.objects.filter(subject_id=invoice.pk).exists()


def test_what_is_at_stripe_or_never_goes_there_is_refused(cast: Cast, double: StripeDouble) -> None:
    invoice = pushable(cast)
    for state in (SettlementState.WAIT, SettlementState.BY_HAND, SettlementState.FAILED):
        Settlement.objects.update(state=state)
        with pytest.raises(NothingToPush):
            push_now(
                invoice_id=invoice.pk, actor="petra", gateway=StripeGateway(settings_of(double)), now=timezone.now()
            )
    assert double.state()["invoice"] == []


def test_one_that_stopped_goes_on_and_is_handed_over_at_once(cast: Cast, double: StripeDouble) -> None:
    invoice = pushable(cast)
    gateway = StripeGateway(settings_of(double))
    Settlement.objects.update(state=SettlementState.FAILED, last_error="Stripe made something else")
    assert go_on(invoice_id=invoice.pk, actor="petra", gateway=gateway, now=timezone.now()).state == "wait"
    assert only_invoice_at(double, invoice)["status"] == "open"
    asked = AuditEntry.objects.filter(actor="petra").order_by("at", "pk").values_list("action", flat=True)
    assert set(asked) == {"settlement.retried", "settlement.pushed"}


def test_without_an_account_at_stripe_what_stopped_goes_on_and_nothing_is_called(cast: Cast) -> None:
    invoice = pushable(cast)
    with pytest.raises(NotRetryable):
        go_on(invoice_id=invoice.pk, actor="petra", gateway=None, now=timezone.now())
    Settlement.objects.update(state=SettlementState.FAILED)
    assert go_on(invoice_id=invoice.pk, actor="petra", gateway=None, now=timezone.now()).state == "customer"


def test_a_card_that_was_declined_is_left_to_the_sweep_to_charge(cast: Cast, double: StripeDouble) -> None:
    invoice = pushable(cast)
    Settlement.objects.update(state=SettlementState.WAIT, last_error="Your card was declined.")
    done = go_on(invoice_id=invoice.pk, actor="petra", gateway=StripeGateway(settings_of(double)), now=timezone.now())
    assert done.state == SettlementState.WAIT
    assert double.state()["requests"] == []
