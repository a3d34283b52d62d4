"""The client of one Stripe account, which the parts of the gateway share."""

from collections.abc import Callable
from typing import Any

import stripe

from billing.stripe_answers import StripeSettings

PAGE = 100
"""Objects asked for at once, the most that Stripe gives."""


Pace = Callable[[str, str], object]
"""Waits until a call may be made; takes its method and address."""


class PacedClient(stripe.RequestsClient):
    """The package's HTTP client, which asks before each attempt whether it is time; so repeats are paced as well."""

    def __init__(self, pace: Pace, timeout_s: float) -> None:
        super().__init__(timeout=timeout_s)
        self._pace = pace

    def request(self, method: str, url: str, *given: Any, **named: Any) -> Any:
        """Make one attempt when its time has come."""
        self._pace(method, url)
        return super().request(method, url, *given, **named)


class Connection:
    """Stripe, for one account. Threads may share it.

    `pace` is asked before every attempt; without it nothing waits.
    """

    def __init__(self, settings: StripeSettings, *, pace: Pace | None = None) -> None:
        # One for what happens at our own account and one for what happens at connected ones, or more while they change.
        self._webhook_secrets = tuple(filter(None, map(str.strip, settings.webhook_secret.split(","))))
        base = settings.api_base.rstrip("/")
        self._v1 = stripe.StripeClient(
            settings.secret_key,
            stripe_version=settings.api_version,
            # All four, so that no call can leave for another host than the one that was set.
            base_addresses={"api": base, "connect": base, "files": base, "meter_events": base},
            max_network_retries=settings.network_retries,
            http_client=PacedClient(pace, settings.timeout_s)
            if pace
            else stripe.RequestsClient(timeout=settings.timeout_s),
        ).v1
