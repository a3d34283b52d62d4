"""Fitting names that come from outside into columns of bounded length."""

import hashlib
from typing import Final

DIGEST_CHARS: Final = 16


def fitted(text: str, limit: int) -> str:
    """Return `text` if it has at most `limit` characters, else its start and a digest of the whole.

    Two different long names stay different, so that a fitted name may still serve as a key.
    """
    assert limit > DIGEST_CHARS
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_CHARS]
    return f"{text[: limit - DIGEST_CHARS - 1]}~{digest}"
