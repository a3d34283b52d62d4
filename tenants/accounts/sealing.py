"""Seals the few secrets that must be read again (keys of authenticator apps, of sign-on providers) at rest."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings


class SealBroken(Exception):
    """What is stored was sealed under another key than the installation's, or changed since."""


def seal(text: str) -> str:
    """Return `text` sealed (AES-128-CBC and HMAC-SHA-256) under a key that is made of the installation's secret key."""
    return _box(settings.SECRET_KEY).encrypt(text.encode()).decode("ascii")


def unseal(sealed: str) -> str:
    """Return what was sealed. Raises SealBroken, which says nothing of what was in it."""
    try:
        return _box(settings.SECRET_KEY).decrypt(sealed.encode("ascii")).decode()
    except (InvalidToken, UnicodeEncodeError) as error:
        raise SealBroken("sealed under another FORECOURT_SECRET_KEY than this installation's") from error


@lru_cache(maxsize=4)
def _box(secret_key: str) -> Fernet:
    key = hashlib.sha256(b"forecourt sealing 1\0" + secret_key.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
