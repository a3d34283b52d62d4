"""What the package raises, told as failures of ours that say what to do next."""

from collections.abc import Iterator
from contextlib import contextmanager

import stripe

from billing.stripe_answers import (
    RETRY_AFTER_DEFAULT_S,
    BalanceInsufficient,
    StripeCardDeclined,
    StripeRefused,
    StripeUnavailable,
)

RETRY_AFTER_MAX_S = 3600
_FUNDS_MISSING = frozenset({"balance_insufficient", "insufficient_funds"})


@contextmanager
def our_errors() -> Iterator[None]:
    """Turn failures of the calls within into StripeUnavailable, StripeCardDeclined and StripeRefused."""
    try:
        yield
    except stripe.CardError as error:
        decline_code = error.error.decline_code if error.error else None
        raise StripeCardDeclined(error.code or "card_declined", _message(error), decline_code) from error
    except stripe.StripeError as error:
        status = error.http_status or 0
        # 409 is another request under the same key that is still running.
        if status in (0, 409, 429) or status >= 500:
            raise _unavailable(error) from error
        kind = error.error.type if error.error else type(error).__name__
        refused = BalanceInsufficient if error.code in _FUNDS_MISSING else StripeRefused
        raise refused(error.code or kind, _message(error), getattr(error, "param", None)) from error


def _unavailable(error: stripe.StripeError) -> StripeUnavailable:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    told = headers.get("retry-after", "")
    wait_s = int(told) if told.isdecimal() else RETRY_AFTER_DEFAULT_S
    return StripeUnavailable(
        _message(error),
        retry_after_s=max(1, min(wait_s, RETRY_AFTER_MAX_S)),
        is_kept=headers.get("idempotent-replayed") == "true",
    )


def _message(error: stripe.StripeError) -> str:
    return error.user_message or type(error).__name__
