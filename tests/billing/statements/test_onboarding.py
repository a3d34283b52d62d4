"""A provider's account at Stripe: made once whatever dies, filled in by its owner, looked at until it is ready."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from billing.models import StripePayee
from billing.statements.onboarding import (
    LOOK_EVERY,
    LOOK_EVERY_READY,
    apply_account,
    connect,
    look_at_payee,
    onboarding_url,
    payees_to_look_at,
)
from tenants.models import AuditEntry
from tests.billing.collected import Killed
from tests.billing.statements.test_transfers import Mortal
from tests.billing.world import APRIL
from tests.factories import make_organization

if TYPE_CHECKING:
    from tests.fakes.stripe_double.fixture import StripeDouble

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "https://portal.example.com/p/payouts/"


@pytest.mark.parametrize("dies", ["", "before", "after"])
def test_the_account_is_made_once_whatever_dies(double: StripeDouble, dies: str) -> None:
    provider = make_organization("provider", is_provider=True)
    if dies:
        with pytest.raises(Killed):
            connect(
                provider=provider,
                by="petra",
                gateway=Mortal(double, dies_at="create_account", before=dies == "before"),
                now=APRIL,
            )
    gateway = Mortal(double)
    made = connect(provider=provider, by="petra", gateway=gateway, now=APRIL)
    assert connect(provider=provider, by="petra", gateway=gateway, now=APRIL) == made
    found = gateway.find_account(str(provider.pk))
    assert found is not None
    assert found.id == made.account_id
    assert AuditEntry.objects.filter(action="payee.made").count() == 1


def test_it_can_receive_once_its_owner_filled_it_in(double: StripeDouble) -> None:
    provider, gateway = make_organization("provider", is_provider=True), Mortal(double)
    payee = connect(provider=provider, by="petra", gateway=gateway, now=APRIL)
    seen = look_at_payee(provider_id=provider.pk, gateway=gateway, now=APRIL)
    assert not seen.can_receive
    assert "external_account" in seen.missing
    assert onboarding_url(payee=payee, gateway=gateway, page_url=PAGE, again_url=PAGE).startswith("http")
    double.onboard(payee.account_id)
    seen = look_at_payee(provider_id=provider.pk, gateway=gateway, now=APRIL)
    assert (seen.can_receive, seen.is_submitted, seen.missing) == (True, True, [])
    double.restrict(payee.account_id)
    assert not look_at_payee(provider_id=provider.pk, gateway=gateway, now=APRIL).can_receive
    assert list(AuditEntry.objects.order_by("pk").values_list("action", flat=True)) == [
        "payee.made",
        "payee.ready",
        "payee.stopped",
    ]


def test_it_is_looked_at_often_until_it_is_ready_and_then_seldom(double: StripeDouble) -> None:
    provider, gateway = make_organization("provider", is_provider=True), Mortal(double)
    payee = connect(provider=provider, by="petra", gateway=gateway, now=APRIL)
    assert payees_to_look_at(now=APRIL + LOOK_EVERY - timedelta(seconds=1), limit=9) == []
    assert payees_to_look_at(now=APRIL + LOOK_EVERY, limit=9) == [provider.pk]
    double.onboard(payee.account_id)
    look_at_payee(provider_id=provider.pk, gateway=gateway, now=APRIL)
    assert payees_to_look_at(now=APRIL + LOOK_EVERY, limit=9) == []
    assert payees_to_look_at(now=APRIL + LOOK_EVERY_READY, limit=9) == [provider.pk]


def test_an_account_of_nobody_changes_nothing(double: StripeDouble) -> None:
    gateway = Mortal(double)
    stranger = gateway.create_account(
        organization_id="nobody", country="DE", email="nobody@example.com", idempotency_key="stranger"
    )
    assert apply_account(stranger, now=APRIL) is None
    assert not StripePayee.objects.exists()
