"""Keeping below Stripe's rate limits: 20 calls a second to each endpoint of an account, over all workers together.

Stripe allows 25 a second to an endpoint by default. The next free slot of an endpoint is a row that one statement
moves on, so any number of processes share it; who gets a slot in the future waits for it.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.db import connection

from billing.stripe_answers import StripeUnavailable
from tenants.limits.reader import whole

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS_PER_SECOND = 20
BURST_S = 1.0
"""A second's worth of slots may be taken at once."""
WAIT_S_MAX = 10.0
_ID = re.compile(r"(?<=/)[a-z]+(?:_[a-z]+)*_(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{8,}(?=/|\Z)")

_TAKE = """
    INSERT INTO billing_striperate AS rate (endpoint, free_at)
    VALUES (%(endpoint)s, clock_timestamp() + (%(step)s - %(burst)s) * interval '1 second')
    ON CONFLICT (endpoint) DO UPDATE SET free_at =
        greatest(rate.free_at, clock_timestamp() - %(burst)s * interval '1 second') + %(step)s * interval '1 second'
    RETURNING extract(epoch FROM free_at - clock_timestamp())
"""


def endpoint_of(method: str, url: str) -> str:
    """Name the endpoint of a call, whatever object it is about: `POST /v1/invoices/{id}/pay`."""
    return f"{method.upper()} {_ID.sub('{id}', urlsplit(url).path)}"


def pace(endpoint: str, *, sleep: Callable[[float], None] = time.sleep) -> float:
    """Wait for a slot of the endpoint; the seconds waited. Raises StripeUnavailable where the next 10 s are taken."""
    step_s = 1 / CALLS_PER_SECOND
    with whole("all calls of the installation share one rate"), connection.cursor() as cursor:
        cursor.execute(_TAKE, {"endpoint": endpoint[:200], "step": step_s, "burst": BURST_S})
        row = cursor.fetchone()
    assert row is not None
    wait_s = max(float(row[0]) - step_s, 0.0)
    if wait_s > WAIT_S_MAX:
        raise StripeUnavailable(f"{endpoint} is called too often just now", retry_after_s=int(wait_s) + 1)
    if wait_s:
        sleep(wait_s)
    return wait_s
