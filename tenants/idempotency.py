"""Calls that make something, made once: the same `Idempotency-Key` again is answered as it was the first time."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from tenants.models import IdempotentCall, Organization
from tenants.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_CHARACTERS_MAX: Final = 200
KEPT: Final = timedelta(days=7)
"""How long a key is remembered: whoever tries again after that makes it again."""
FORGOTTEN_MAX: Final = 10_000

Answered = tuple[int, dict[str, Any]]
"""An HTTP status and a JSON body."""


class KeyReused(Problem):
    """The key came with another call before."""

    status = 409
    code = "idempotency_key_reused"
    title = "The idempotency key belongs to another call"


class WrongKey(Problem):
    """The key is too long or not printable."""

    status = 400
    code = "wrong_idempotency_key"
    title = "The idempotency key cannot be used"


@transaction.atomic
def answer_once(
    *, organization: Organization, key: str, address: str, body: bytes, now: datetime, make: Callable[[], Answered]
) -> Answered:
    """Make what a call asks for unless this key did already, in one transaction with the note that it did.

    Without a key it is just made. Two calls at once with one key wait for each other. What `make` raises is stored
    nowhere, so the same key may try again.
    """
    if not key:
        return make()
    if len(key) > KEY_CHARACTERS_MAX or not key.isprintable():
        expected = f"at most {KEY_CHARACTERS_MAX} printable characters"
        raise WrongKey(f"Idempotency-Key: expected {expected}.", field="Idempotency-Key", example="order-2026-11-0042")
    digest = hashlib.sha256(address.encode() + b"\0" + body).hexdigest()
    IdempotentCall.objects.bulk_create(
        [IdempotentCall(organization=organization, key=key, sha256=digest, at=now)], ignore_conflicts=True
    )
    call = IdempotentCall.objects.select_for_update().get(organization=organization, key=key)
    if call.sha256 != digest:
        raise KeyReused(f"{key!r} came with another address or body at {call.at.isoformat()}.", field="Idempotency-Key")
    if call.status is None:
        call.status, call.answer = make()
        call.save(update_fields=["status", "answer"])
    return call.status, dict(call.answer or {})


@transaction.atomic
def forget_calls(*, now: datetime, limit: int = FORGOTTEN_MAX) -> int:
    """Delete keys that came longer ago than they are kept, the oldest first; return how many.

    A key that a call is at just now is left to the next sweep.
    """
    old = IdempotentCall.objects.filter(at__lt=now - KEPT).order_by("at")
    ids = list(old.select_for_update(skip_locked=True).values_list("pk", flat=True)[:limit])
    IdempotentCall.objects.filter(pk__in=ids).delete()
    return len(ids)
