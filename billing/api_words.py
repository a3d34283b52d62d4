"""How the API writes instants and amounts, and what is told to programs outside."""

from datetime import UTC, datetime
from decimal import Decimal

from billing.money import round_to_minor


def instant(at: datetime) -> str:
    """Return an instant as RFC 3339 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def money(amount: Decimal, currency: str) -> str:
    """Return an amount with the decimals of its currency."""
    return f"{round_to_minor(amount, currency):f}"
