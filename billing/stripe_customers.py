"""An organization's customer at Stripe: made once, whoever needs it first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.models import StripeCustomer
from billing.stripe_answers import StripeUnavailable
from billing.stripe_intents import Result, carry_out

if TYPE_CHECKING:
    from datetime import datetime

    from billing.stripe_gateway import StripeGateway
    from tenants.models import Organization

SEARCH_LAG_S = 120
"""Stripe's search, by which a customer is found, may not show what was made less than a minute ago."""
STEP = "customer"


def ensure_customer(*, organization: Organization, gateway: StripeGateway, now: datetime) -> str:
    """Return the id of the organization's customer, which is made where there is none. No transaction may be open.

    Raises what the gateway raises.
    """
    known = StripeCustomer.objects.filter(pk=organization.pk).first()
    if known is not None:
        return known.customer_id

    def look_up() -> Result | None:
        found = gateway.find_customer(str(organization.pk))
        return {"id": found} if found else None

    def call(key: str) -> Result:
        return {"id": gateway.create_customer(str(organization.pk), organization.name, organization.billing_email, key)}

    try:
        made = carry_out(
            key_of=lambda generation: f"org:{organization.pk}:cust:{generation}",
            step=STEP,
            subject_id=organization.pk,
            look_up=look_up,
            call=call,
            now=now,
        )
    except StripeUnavailable as error:
        retry_after_s = max(error.retry_after_s, SEARCH_LAG_S) if error.is_kept else error.retry_after_s
        raise StripeUnavailable(str(error), retry_after_s=retry_after_s, is_kept=error.is_kept) from error
    stored, _ = StripeCustomer.objects.get_or_create(
        organization=organization, defaults={"customer_id": made["id"], "created_at": now}
    )
    return stored.customer_id
