"""The Stripe account of this installation, as its settings name it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from django.conf import settings

from billing.stripe_answers import StripeSettings
from billing.stripe_pacing import endpoint_of, pace
from tenants.problems import Problem

if TYPE_CHECKING:
    from billing.stripe_gateway import StripeGateway


class StripeSilent(Problem):
    """Stripe did not do what was asked, or gave no answer."""

    status = 503
    code = "stripe_unavailable"
    title = "Stripe did not answer as hoped; try again later"


def gateway() -> StripeGateway | None:
    """Return the gateway of the account in the settings; None without a key, and invoices are then paid by hand."""
    if not settings.STRIPE_SECRET_KEY:
        return None
    return _gateway(settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET, settings.STRIPE_API_BASE)


@lru_cache(maxsize=1)
def _gateway(secret_key: str, webhook_secret: str, api_base: str) -> StripeGateway:
    """One per process, so that connections are kept open between sweeps.

    The `stripe` package comes with it: a tenth of a start, for nothing where invoices are paid by hand.
    """
    from billing.stripe_gateway import StripeGateway

    given = StripeSettings(secret_key=secret_key, webhook_secret=webhook_secret, api_base=api_base)
    # The limits are the account's; its key is not to be read off the table that keeps them.
    account = hashlib.sha256(secret_key.encode()).hexdigest()[:8]
    return StripeGateway(given, pace=lambda method, url: pace(f"{account} {endpoint_of(method, url)}"))
