"""Cards on file: left on Stripe's page, kept once whoever looks first, taken off at Stripe before here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from billing.collecting.cards import (
    FORGOTTEN_AFTER,
    LOOK_EVERY,
    NoCardOnFile,
    forget_card,
    look_at_session,
    look_at_visit,
    open_visit,
    open_visits,
    start_visit,
)
from billing.models import CardOnFile, CardVisit, StripeCustomer, VisitState
from billing.stripe_answers import StripeUnavailable
from tenants.models import AuditEntry, Organization
from tests.billing.collected import dying, gateway_of
from tests.factories import make_organization

if TYPE_CHECKING:
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 4, 3, 9, tzinfo=UTC)
BACK = "http://127.0.0.1:9/t/card/"
BY = "alice@example.com"


@pytest.fixture
def tenant() -> Organization:
    return make_organization("payer")


def visited(tenant: Organization, double: StripeDouble, card: str = "pm_card_visa") -> CardVisit:
    """A visit on whose page a card was left, and nobody has looked yet."""
    visit = start_visit(organization=tenant, currency="EUR", by=BY, now=NOW)
    open_visit(visit_id=visit.pk, return_url=BACK, gateway=gateway_of(double), now=NOW)
    visit.refresh_from_db()
    double.complete_checkout(visit.session_id, card)
    return visit


def test_a_card_that_was_left_is_the_one_that_pays(double: StripeDouble, tenant: Organization) -> None:
    visit = visited(tenant, double, "pm_card_mastercard")
    gateway = gateway_of(double)
    assert look_at_visit(visit_id=visit.pk, gateway=gateway, now=NOW)
    assert look_at_visit(visit_id=visit.pk, gateway=gateway, now=NOW)
    card = CardOnFile.objects.get()
    assert (str(card), card.expires_year, card.expires_month, card.kept_by) == ("mastercard 4444", 2040, 12, BY)
    customer = StripeCustomer.objects.get(pk=tenant.pk).customer_id
    at_stripe = gateway.default_card(customer)
    assert at_stripe is not None
    assert at_stripe.id == card.payment_method_id
    visit.refresh_from_db()
    assert (visit.state, visit.url, visit.finished_at) == (VisitState.COMPLETE, "", NOW)
    assert AuditEntry.objects.filter(action="card.kept").count() == 1


@pytest.mark.parametrize("dies_at", ["create_customer", "create_setup_session"])
@pytest.mark.parametrize("before", [True, False])
def test_a_page_is_made_once_through_any_death(
    double: StripeDouble, tenant: Organization, dies_at: str, before: bool
) -> None:
    visit = start_visit(organization=tenant, currency="EUR", by=BY, now=NOW)
    with dying():
        open_visit(
            visit_id=visit.pk, return_url=BACK, gateway=gateway_of(double, dies_at=dies_at, before=before), now=NOW
        )
    url = open_visit(visit_id=visit.pk, return_url=BACK, gateway=gateway_of(double), now=NOW)
    assert url == open_visit(visit_id=visit.pk, return_url=BACK, gateway=gateway_of(double), now=NOW)
    state = double.state()
    assert len(state["checkout.session"]) == len(state["customer"]) == 1


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("dies_at", ["get_session", "set_default_payment_method"])
def test_a_card_is_kept_through_any_death(
    double: StripeDouble, tenant: Organization, dies_at: str, before: bool
) -> None:
    visit = visited(tenant, double)
    with dying():
        look_at_visit(visit_id=visit.pk, gateway=gateway_of(double, dies_at=dies_at, before=before), now=NOW)
    assert open_visits(now=NOW + LOOK_EVERY, limit=9) == [visit.pk]
    assert look_at_visit(visit_id=visit.pk, gateway=gateway_of(double), now=NOW + LOOK_EVERY)
    assert CardOnFile.objects.count() == 1


def test_an_open_visit_is_taken_up_again_and_looked_at_now_and_then(double: StripeDouble, tenant: Organization) -> None:
    first = start_visit(organization=tenant, currency="EUR", by=BY, now=NOW)
    assert start_visit(organization=tenant, currency="USD", by="bob@example.com", now=NOW) == first
    open_visit(visit_id=first.pk, return_url=BACK, gateway=gateway_of(double), now=NOW)
    assert open_visits(now=NOW, limit=9) == []
    assert not look_at_visit(visit_id=first.pk, gateway=gateway_of(double), now=NOW + LOOK_EVERY)
    assert open_visits(now=NOW + LOOK_EVERY, limit=9) == []
    assert open_visits(now=NOW + 2 * LOOK_EVERY, limit=9) == [first.pk]


def test_visits_that_expired_or_that_stripe_never_heard_of_are_over(double: StripeDouble, tenant: Organization) -> None:
    visit = start_visit(organization=tenant, currency="EUR", by=BY, now=NOW)
    gateway = gateway_of(double)
    assert not look_at_visit(visit_id=visit.pk, gateway=gateway, now=NOW + timedelta(hours=1))
    assert look_at_visit(visit_id=visit.pk, gateway=gateway, now=NOW + FORGOTTEN_AFTER + timedelta(seconds=1))
    second = start_visit(organization=tenant, currency="EUR", by=BY, now=NOW)
    open_visit(visit_id=second.pk, return_url=BACK, gateway=gateway, now=NOW)
    second.refresh_from_db()
    gateway.expire_session(second.session_id)
    assert look_at_visit(visit_id=second.pk, gateway=gateway, now=NOW)
    assert set(CardVisit.objects.values_list("state", flat=True)) == {VisitState.EXPIRED}


def test_a_webhook_faster_than_our_storing_finds_the_visit(double: StripeDouble, tenant: Organization) -> None:
    visit = visited(tenant, double)
    gateway = gateway_of(double)
    session = gateway.get_session(visit.session_id)
    CardVisit.objects.update(session_id="", url="")
    assert look_at_session(session=session, gateway=gateway, now=NOW)
    assert CardOnFile.objects.exists()
    CardVisit.objects.all().delete()
    assert not look_at_session(session=session, gateway=gateway, now=NOW)


def test_a_card_is_taken_off_at_stripe_first(double: StripeDouble, tenant: Organization) -> None:
    visit = visited(tenant, double)
    gateway = gateway_of(double)
    look_at_visit(visit_id=visit.pk, gateway=gateway, now=NOW)
    double.faults({"status": 500, "times": 2})
    with pytest.raises(StripeUnavailable):
        forget_card(organization=tenant, by=BY, gateway=gateway, now=NOW)
    assert CardOnFile.objects.exists()
    double.clear_faults()
    forget_card(organization=tenant, by=BY, gateway=gateway, now=NOW)
    assert not CardOnFile.objects.exists()
    assert gateway.default_card(StripeCustomer.objects.get(pk=tenant.pk).customer_id) is None
    with pytest.raises(NoCardOnFile):
        forget_card(organization=tenant, by=BY, gateway=gateway, now=NOW)


def test_a_second_card_takes_the_place_of_the_first(double: StripeDouble, tenant: Organization) -> None:
    for card in ("pm_card_visa", "pm_card_mastercard"):
        look_at_visit(visit_id=visited(tenant, double, card).pk, gateway=gateway_of(double), now=NOW)
    assert str(CardOnFile.objects.get()) == "mastercard 4444"
    kept = AuditEntry.objects.filter(action="card.kept").order_by("at", "pk")
    assert {(entry.after or {})["card"] for entry in kept} == {"visa 4242", "mastercard 4444"}
