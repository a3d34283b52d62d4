"""Checks of single fields that wordings of many kinds share."""

from decimal import Decimal

from billing.rating.wording import WrongWording
from tenants.sentences import sentence

PRICE_DECIMALS_MAX = 12
PERCENT_MAX = Decimal(100)


def check_price(field: str, value: Decimal | None, example: str = "2.35") -> None:
    """Raise `WrongWording` unless the value is absent or a price: not negative, at most 12 decimals."""
    if value is None:
        return
    if not value.is_finite():
        raise WrongWording(field, sentence("must be a number."), example)
    if value < 0:
        raise WrongWording(field, sentence("must not be negative, and is %(value)s.", value=value), example)
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > PRICE_DECIMALS_MAX:
        raise WrongWording(
            field,
            sentence("has more than %(most)s decimals: %(value)s.", most=PRICE_DECIMALS_MAX, value=value),
            example,
        )


def check_percent(field: str, value: Decimal | None, example: str = "25", *, most: Decimal = PERCENT_MAX) -> None:
    """Raise `WrongWording` unless the value is absent or lies within 0 and `most` percent."""
    check_price(field, value, example)
    if value is not None and value > most:
        raise WrongWording(
            field, sentence("must be at most %(most)s, and is %(value)s.", most=most, value=value), example
        )


def check_count(field: str, value: int, example: str, *, least: int = 0) -> None:
    """Raise `WrongWording` where a count is less than it may be."""
    if value < least:
        raise WrongWording(
            field, sentence("must be at least %(least)s, and is %(value)s.", least=least, value=value), example
        )
