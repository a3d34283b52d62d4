"""Codes of authenticator apps, each good for one use."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from allauth.mfa.models import Authenticator
from django.db import transaction

if TYPE_CHECKING:
    from uuid import UUID

KEPT: Final = 3
"""So many codes can be good at one time: the one of now, and one before and after it, for clocks that go wrong."""


def spend(authenticator: Authenticator, code: str) -> bool:
    """Mark a right code of an authenticator app as used; False for one that was used before.

    The row is locked, so of two uses at one time one wins. Other kinds of authenticators keep what was used themselves.
    """
    if authenticator.type != Authenticator.Type.TOTP:
        return True
    mark = _mark(authenticator.user_id, code)
    with transaction.atomic():
        kept = Authenticator.objects.select_for_update().get(pk=authenticator.pk)
        used = list(kept.data.get("used", []))
        if mark in used:
            return False
        kept.data["used"] = [*used, mark][-KEPT:]
        kept.save(update_fields=["data"])
    authenticator.data = kept.data
    return True


def _mark(person_id: UUID, code: str) -> str:
    digits = "".join(letter for letter in code if letter.isdigit())
    return hashlib.sha256(f"{person_id} {digits}".encode()).hexdigest()[:16]
