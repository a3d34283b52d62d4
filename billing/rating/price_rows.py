"""Prices as documents have them: rows whose fields name the unit, checked with field, reason and example."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from billing.money import PRICE_DECIMALS_MAX
from billing.rating.price_lists import FACTOR, PriceKey, PriceList
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import PriceUnit
from billing.rating.wording import WrongWording, plain, unlike
from metering.context_bands import CONTEXT_BANDS
from tenants.sentences import Listed, Name, Names, sentence

ROW_EXAMPLE: Final = '{"model": "my-model", "quantity": "output", "price_per_mtok": "0.98"}'
MARK_EXAMPLE: Final = '{"mark": "batch", "factor": "0.5"}'
PRICE_EXAMPLE: Final = "0.98"
NAME_CHARS_MAX: Final = 200
CARD_CHARS_MAX: Final = 100
WHOLE_DIGITS_MAX: Final = 12


class PriceRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One price: exactly one of the fields that name a unit is given.

    `model` is a served model, a model of cards or a kind of storage; `quantity` a class of tokens or what is counted;
    `mark` the mark whose `factor` it is. `context_over` makes it a price of long requests.
    """

    model: str = ""
    quantity: str = ""
    context_over: int = 0
    mark: str = ""
    price_per_mtok: Decimal | None = None
    price_per_request: Decimal | None = None
    price_per_image: Decimal | None = None
    price_per_second: Decimal | None = None
    price_per_step: Decimal | None = None
    price_per_gpu_hour: Decimal | None = None
    price_per_gb_month: Decimal | None = None
    factor: Decimal | None = None

    def priced(self, where: str) -> tuple[PriceKey, Decimal]:
        """Return what it is the price of, and the price; raises `WrongWording` about a field below `where`."""
        given = [(name, price) for name in UNIT_OF_FIELD if (price := getattr(self, name)) is not None]
        if len(given) != 1:
            raise WrongWording(where, sentence("exactly one price with its unit belongs to each row."), ROW_EXAMPLE)
        name, price = given[0]
        if bool(self.mark) != (name == FACTOR) or (self.mark and self.quantity):
            raise WrongWording(
                f"{where}.mark", sentence("a mark belongs to a factor, and takes no quantity."), MARK_EXAMPLE
            )
        key = PriceKey(UNIT_OF_FIELD[name], self.model, self.mark or self.quantity, self.context_over)
        check_price(key, price, where=f"{where}.{name}")
        return key, price


UNIT_OF_FIELD: Mapping[str, str] = {
    **{f"price_{unit}": unit for unit in PriceUnit if f"price_{unit}" in PriceRow.__struct_fields__},
    "factor": FACTOR,
}
"""The unit that each field of a price names."""
FIELD_OF_UNIT: Mapping[str, str] = {unit: name for name, unit in UNIT_OF_FIELD.items()}


def read_rows(document: object, *, where: str) -> dict[PriceKey, Decimal]:
    """Return the prices that a document's rows say, of whatever it holds; raises `WrongWording`."""
    try:
        rows = msgspec.convert(document, list[PriceRow])
    except msgspec.ValidationError as error:
        reason, _, at = str(error).partition(" - at `$")
        raise WrongWording(f"{where}{at.rstrip('`')}", unlike(reason), ROW_EXAMPLE) from error
    return prices_in(rows, where=where)


def prices_in(rows: Iterable[PriceRow], *, where: str) -> dict[PriceKey, Decimal]:
    """Return the prices that rows say; raises `WrongWording` about a row below `where`."""
    found: dict[PriceKey, Decimal] = {}
    for place, row in enumerate(rows):
        key, price = row.priced(f"{where}[{place}]")
        if key in found:
            raise WrongWording(f"{where}[{place}]", sentence("this price is given twice."), ROW_EXAMPLE)
        found[key] = price
    return found


def rows_of(prices: PriceList) -> list[dict[str, Any]]:
    """Return prices as rows of a document, in order; `read_rows` reads them back."""
    return [_row(key, price) for key, price in sorted(prices.items())]


def check_list(prices: PriceList, *, where: str) -> None:
    """Raise `WrongWording` where a list that stands by itself cannot be rated by."""
    for key, price in prices.items():
        check_price(key, price, where=where)
        if key.context_over and PriceKey(key.unit, key.model, key.quantity) not in prices:
            reason = sentence(
                "%(model)s: %(quantity)s has a price above %(context_over)s input tokens, and none for shorter "
                "requests.",
                model=key.model,
                quantity=Name("quantity", key.quantity, text=key.quantity),
                context_over=key.context_over,
            )
            raise WrongWording(where, reason, ROW_EXAMPLE)


def check_price(key: PriceKey, price: Decimal, *, where: str) -> None:
    """Raise `WrongWording` where a price cannot be charged or is of nothing that can be."""
    if not price.is_finite() or price < 0 or price != round(price, PRICE_DECIMALS_MAX):
        reason = sentence(
            "%(price)s: a price is at least 0 and has at most %(most)s decimals.", price=price, most=PRICE_DECIMALS_MAX
        )
        raise WrongWording(where, reason, PRICE_EXAMPLE)
    if price >= 10**WHOLE_DIGITS_MAX:
        raise WrongWording(
            where,
            sentence("%(price)s: a price has at most %(most)s digits before it.", price=price, most=WHOLE_DIGITS_MAX),
            PRICE_EXAMPLE,
        )
    _check_names(key, where)
    tiers = CONTEXT_BANDS[1:] if key.unit == PriceUnit.PER_MTOK else ()
    if key.context_over and key.context_over not in tiers:
        known = Listed(map(str, tiers)) or sentence("none for this unit")
        reason = sentence(
            "%(model)s: requests are not told apart at %(context_over)s input tokens, only at %(known)s.",
            model=key.model,
            context_over=key.context_over,
            known=known,
        )
        raise WrongWording(where, reason, "200000")


def _check_names(key: PriceKey, where: str) -> None:
    if not key.model and key.unit != FACTOR:
        raise WrongWording(where, sentence("it names what it is the price of."), ROW_EXAMPLE)
    longest = CARD_CHARS_MAX if key.unit == PriceUnit.PER_GPU_HOUR else NAME_CHARS_MAX
    if len(key.model) > longest or not key.model.isprintable():
        raise WrongWording(
            where,
            sentence("a name has at most %(longest)s characters, all of them printable.", longest=longest),
            ROW_EXAMPLE,
        )
    known = [row.name for row in QUANTITIES.values() if row.price_unit == key.unit]
    if key.unit != FACTOR and key.quantity not in (known or [""]):
        one_of = sentence("it is the price of: %(known)s", known=Names("quantity", known))
        expected = one_of if known else sentence("it takes no quantity")
        raise WrongWording(
            where,
            sentence(
                "%(model)s: %(quantity)s has no price %(unit)s; %(expected)s.",
                model=key.model,
                quantity=Name("quantity", key.quantity, text=repr(key.quantity)),
                unit=Name("price_unit", key.unit, text=key.unit),
                expected=expected,
            ),
            ROW_EXAMPLE,
        )
    if key.unit == FACTOR and not (key.quantity.isidentifier() and key.quantity.islower()):
        raise WrongWording(
            where, sentence("%(quantity)s is no mark of usage.", quantity=repr(key.quantity)), MARK_EXAMPLE
        )


def _row(key: PriceKey, price: Decimal) -> dict[str, Any]:
    what = "mark" if key.unit == FACTOR else "quantity"
    named = {"model": key.model, what: key.quantity, "context_over": key.context_over}
    return {name: value for name, value in named.items() if value} | {FIELD_OF_UNIT[key.unit]: plain(price)}
