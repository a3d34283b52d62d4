"""The client of one Stripe account, which the parts of the gateway share."""

import stripe

from billing.stripe_answers import StripeSettings

PAGE = 100
"""Objects asked for at once, the most that Stripe gives."""


class Connection:
    """Stripe, for one account. Threads may share it."""

    def __init__(self, settings: StripeSettings) -> None:
        self._webhook_secret = settings.webhook_secret
        base = settings.api_base.rstrip("/")
        self._v1 = stripe.StripeClient(
            settings.secret_key,
            stripe_version=settings.api_version,
            # All four, so that no call can leave for another host than the one that was set.
            base_addresses={"api": base, "connect": base, "files": base, "meter_events": base},
            max_network_retries=settings.network_retries,
            http_client=stripe.RequestsClient(timeout=settings.timeout_s),
        ).v1
