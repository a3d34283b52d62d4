"""How often signing in may fail: attempts are noted before the password is looked at, so that guesses made side by
side count too, and a right password takes its own back.

Who types is known by the address that the web server saw. Ten failures of one address with one e-mail address stop
that pair; higher limits stop an address that tries many people, and many addresses that try one person, so that a
stranger alone cannot keep a person out.
"""

from __future__ import annotations

import hashlib
import ipaddress
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Count, Min, Q

from tenants.models import SignInAttempt
from tenants.problems import Problem

WINDOW: Final = timedelta(minutes=15)
PAIR_FAILURES_MAX: Final = 10
ADDRESS_FAILURES_MAX: Final = 50
EMAIL_FAILURES_MAX: Final = 50
# Who has one address of the sixth version has a whole network of this length.
IPV6_PREFIX_BITS: Final = 64


class TooManyAttempts(Problem):
    """Signing in failed too often in the last minutes; `retry_after_s` says when it can be tried again."""

    status = 429
    code = "too_many_attempts"
    title = "Too many attempts to sign in"

    def __init__(self, retry_after_s: int) -> None:
        minutes = WINDOW // timedelta(minutes=1)
        super().__init__(f"Signing in failed too often in the last {minutes} minutes.", retry_after_s=retry_after_s)
        self.retry_after_s = retry_after_s


def note_attempt(*, address: str, email: str, now: datetime) -> SignInAttempt:
    """Store that somebody at `address` tries to sign in as `email`, unless it failed too often before.

    Raises TooManyAttempts, which stores nothing, so that waiting as long as it says is enough.
    """
    with transaction.atomic():
        SignInAttempt.objects.filter(at__lte=now - WINDOW).delete()
        attempt = SignInAttempt.objects.create(address=network_of(address), email_sha256=_digest(email), at=now)
    # Counted after the commit: of attempts at the same time each sees those stored before it.
    oldest_at = _oldest_beyond_a_limit(attempt)
    if oldest_at is None:
        return attempt
    attempt.delete()
    raise TooManyAttempts(retry_after_s=max(1, -((now - oldest_at - WINDOW) // timedelta(seconds=1))))


def forget_failures(*, attempt: SignInAttempt) -> None:
    """Take back a successful attempt, and the failures of the same person at the same address before it."""
    SignInAttempt.objects.filter(address=attempt.address, email_sha256=attempt.email_sha256).delete()


def network_of(address: str) -> str:
    """Return what an address counts as: itself, or its network of 64 bits; one that is none counts as one place."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((ip, IPV6_PREFIX_BITS), strict=False).network_address)


def _oldest_beyond_a_limit(attempt: SignInAttempt) -> datetime | None:
    """Return the oldest attempt that counts against a limit that is passed, or None while none is."""
    address, email = Q(address=attempt.address), Q(email_sha256=attempt.email_sha256)
    limits = (
        ("pair", address & email, PAIR_FAILURES_MAX),
        ("address", address, ADDRESS_FAILURES_MAX),
        ("email", email, EMAIL_FAILURES_MAX),
    )
    found = SignInAttempt.objects.filter(address | email).aggregate(
        **{f"{name}_count": Count("id", filter=chosen) for name, chosen, _ in limits},
        **{f"{name}_oldest": Min("at", filter=chosen) for name, chosen, _ in limits},
    )
    passed = [found[f"{name}_oldest"] for name, _, most in limits if found[f"{name}_count"] > most]
    return max(passed, default=None)


def _digest(email: str) -> bytes:
    """People type passwords into the wrong field, so what they typed is not kept.

    Large letters first: the database finds a person by those, and letters such as a dotless i have the same large one.
    """
    return hashlib.sha256(email.strip().upper().casefold().encode()).digest()
