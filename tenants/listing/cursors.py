"""The opaque words that say where a page of a list ended."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final, TypeAlias
from uuid import UUID

Scalar: TypeAlias = str | int | bool | None
Place: TypeAlias = tuple[Scalar, ...]
"""The sort key of the last row of a page; instants as RFC 3339 in UTC, ids as text."""

CURSOR_CHARS_MAX: Final = 1_000
INSTANT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


class WrongCursor(Exception):
    """This is no cursor of this list."""


def scalar(value: object) -> Scalar:
    """Return one value of a sort key as a cursor holds it; instants sort as text as they do as instants."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime(INSTANT)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    assert isinstance(value, Decimal), f"{type(value)} has no place in a cursor"
    return f"{value:f}"


def write_cursor(place: Place) -> str:
    """Return a place as one word for an address."""
    plain = json.dumps(place, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def read_cursor(text: str) -> Place:
    """Return the place that a cursor stands for. Raises WrongCursor for anything that `write_cursor` cannot make."""
    if len(text) > CURSOR_CHARS_MAX:
        raise WrongCursor
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
    except (ValueError, binascii.Error, RecursionError) as error:
        raise WrongCursor from error
    if not isinstance(found, list) or not all(_is_scalar(value) for value in found):
        raise WrongCursor
    return tuple(found)


def _is_scalar(value: object) -> bool:
    if isinstance(value, str):
        return "\0" not in value
    return value is None or isinstance(value, int)
