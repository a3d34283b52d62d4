"""The tax step of a draft: shown where it waits or fails, tried again by the provider, gone when the bill is issued."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing.adjusting.rules import set_issuing_rule
from billing.closing import CloseState, close_period
from billing.models import TaxQuestion
from billing.tax.retrying import TaxNotRetryable, TaxStepState, retry_tax, tax_step
from billing.tax.service import ask, open_questions
from billing.tax_rules.deciding import Method
from tenants.models import AuditEntry, Membership, Role
from tests.billing.collected import gateway_of
from tests.billing.pages.reading import text_of
from tests.billing.tax.taxed import charges_tax, closed, own_rate, stands, two_leases
from tests.billing.test_closing_api import client_of
from tests.billing.world import APRIL
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tenants.models import Organization
    from tests.billing.world import World
    from tests.factories import Cast
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db
LATER = APRIL + timedelta(hours=1)


@pytest.fixture
def refused(cast: Cast, double: StripeDouble) -> World:
    """A bill whose question Stripe Tax refuses: it cannot place a buyer in the US without a postal code."""
    charges_tax(cast.provider, Method.STRIPE, stripe_tax_code="txcd_10010001")
    stands(cast.provider, "DE")
    stands(cast.tenant, "US")
    world = two_leases(cast)
    assert closed(world).state is CloseState.WAITING
    asked(double)
    return world


@kept
def rateless(cast: Cast) -> World:
    """A bill to a country that has no rate: both parties are in Japan."""
    charges_tax(cast.provider)
    stands(cast.provider, "JP")
    stands(cast.tenant, "JP")
    world = two_leases(cast)
    assert closed(world).state is CloseState.WAITING
    return world


def asked(double: StripeDouble) -> None:
    for question_id in open_questions(now=LATER, limit=10):
        assert ask(question_id=question_id, gateway=gateway_of(double), now=LATER)


def test_a_refusal_is_seen_and_asked_once_more_under_a_key_of_its_own(refused: World, double: StripeDouble) -> None:
    step = tax_step(refused.period())
    assert (step.state, step.attempts, step.next_try_at) == (TaxStepState.FAILED, 0, None)
    assert "customer_tax_location_invalid" in step.error
    again = retry_tax(period_id=refused.period().pk, actor="petra", now=LATER)
    assert (again.state, again.attempts, again.next_try_at) == (TaxStepState.WAITING, 1, LATER)
    assert open_questions(now=LATER, limit=10) == [TaxQuestion.objects.get().pk]
    asked(double)
    assert tax_step(refused.period()).state is TaxStepState.FAILED
    audit = AuditEntry.objects.get(action="tax.retried")
    assert (audit.actor, audit.organization_id) == ("petra", refused.provider.pk)


def test_what_was_put_right_is_issued_and_the_step_is_gone(cast: Cast, refused: World, double: StripeDouble) -> None:
    stands(cast.tenant, "DE")
    assert close_period(period_id=refused.period().pk, now=LATER).state is CloseState.WAITING
    assert tax_step(refused.period()).state is TaxStepState.WAITING
    asked(double)
    closing = close_period(period_id=refused.period().pk, now=LATER + timedelta(minutes=1))
    assert closing.invoice is not None
    assert tax_step(refused.period()).state is TaxStepState.NOT_DUE
    with pytest.raises(TaxNotRetryable):
        retry_tax(period_id=refused.period().pk, actor="petra", now=LATER)


def test_a_missing_rate_is_named_and_the_bill_is_issued_once_it_is_there(cast: Cast, rateless: World) -> None:
    step = tax_step(rateless.period())
    assert (step.state, step.country, step.on) == (TaxStepState.FAILED, "JP", "2026-03-05")
    assert retry_tax(period_id=rateless.period().pk, actor="petra", now=LATER) == step
    own_rate(cast.provider, "JP", "10", date(2026, 1, 1))
    closing = close_period(period_id=rateless.period().pk, now=LATER)
    assert closing.invoice is not None
    assert not tax_step(rateless.period()).retry


def test_a_bill_that_waits_for_its_approval_waits_for_no_tax_any_more(cast: Cast, rateless: World) -> None:
    set_issuing_rule(provider=cast.provider, back_billing_months=12, approves=True, actor="petra", now=LATER)
    own_rate(cast.provider, "JP", "10", date(2026, 1, 1))
    assert close_period(period_id=rateless.period().pk, now=LATER).state is CloseState.AWAITING_APPROVAL
    assert tax_step(rateless.period()).state is TaxStepState.NOT_DUE


def test_looking_again_writes_nothing_new(rateless: World) -> None:
    before = rateless.period().tax_wait
    assert before == {"kind": "tax_rate", "country": "JP", "on": "2026-03-05"}
    assert close_period(period_id=rateless.period().pk, now=LATER).state is CloseState.WAITING
    assert rateless.period().tax_wait == before


def call(world: World, method: str, path: str, who: Organization) -> Any:
    return getattr(client_of(who), method)(f"/api/v1/drafts/{world.period().pk}{path}")


def test_the_api_says_what_is_missing_and_the_provider_alone_may_try_again(rateless: World) -> None:
    shown = call(rateless, "get", "", rateless.provider).json()
    assert (shown["tax"]["state"], shown["tax"]["missing_rate_country"]) == ("failed", "JP")
    assert [action["name"] for action in shown["actions"]] == ["close", "retry_tax"]
    assert call(rateless, "get", "", rateless.tenant).json()["actions"] == []
    tried = call(rateless, "post", "/steps/tax/retry", rateless.provider)
    assert (tried.status_code, tried.json()["missing_rate_on"]) == (200, "2026-03-05")
    assert call(rateless, "post", "/steps/tax/retry", rateless.tenant).status_code == 404


def test_the_page_says_so_and_tries_again(cast: Cast, client: Client, refused: World) -> None:
    client.force_login(cast.petra)
    address = f"/p/drafts/{refused.period().pk}/"
    assert "Stripe Tax refused to answer. customer_tax_location_invalid" in text_of(client.get(address))
    answer = client.post(f"{address}tax/", follow=True)
    assert "The taxes are tried again." in text_of(answer)
    assert "Stripe Tax is being asked." in text_of(answer)
    client.force_login(cast.alice)
    assert "Try again" not in text_of(client.get(f"/t/drafts/{refused.period().pk}/"))
    Membership.objects.filter(user=cast.petra).update(role=Role.VIEWER)
    client.force_login(cast.petra)
    assert client.post(f"{address}tax/").status_code == 403


def test_a_missing_rate_is_said_with_its_day(cast: Cast, client: Client, rateless: World) -> None:
    client.force_login(cast.petra)
    shown = text_of(client.get(f"/p/drafts/{rateless.period().pk}/"))
    assert "The tax is missing. No rate is known for JP on" in shown
