"""How prices are said: what one is of, how it changes, and what a change means for who pays."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from billing.money import to_charge
from billing.queries.price_books import Standing
from billing.queries.price_effects import ContractEffect
from billing.rating.price_lists import FACTOR, Direction, PriceChange, PriceKey, uniform_change
from billing.rating.rated import PriceUnit
from billing.rating.wording import plain
from metering.pages.witness_words import quantity_words
from portal.figures import DASH, change, day, money, money_change, number, share, unit_price
from portal.parts import Pill, PillTone

TONES: Mapping[Standing, PillTone] = {
    Standing.PAST: "",
    Standing.IN_FORCE: "good",
    Standing.ANNOUNCED: "info",
    Standing.DRAFT: "warn",
}


@dataclass(frozen=True, slots=True)
class PriceLine:
    """One price in words: what it is of, its figure in each list shown, and how the last differs."""

    name: str
    what: str
    prices: tuple[str, ...]
    change: str = ""
    tone: PillTone = ""
    effect: str = ""
    first: bool = False


def name_of(key: PriceKey) -> str:
    """Return the model, card or kind of storage that a price is of."""
    return key.model or _("All models")


def what_of(key: PriceKey) -> str:
    """Return what a price is for, with its unit: "Output, per 1M tokens"."""
    if key.unit == FACTOR:
        return _("%(mark)s, times the price") % {"mark": mark_words(key.quantity)}
    unit = unit_words(key.unit)
    if not key.quantity:
        return unit
    words = {"what": counted_words(key.quantity), "unit": unit}
    if not key.context_over:
        return _("%(what)s, %(unit)s") % words
    return _("%(what)s above %(tokens)s tokens, %(unit)s") % {**words, "tokens": number(key.context_over)}


def unit_words(unit: str) -> str:
    """Return the unit of a price."""
    return {
        str(PriceUnit.PER_MTOK): _("per 1M tokens"),
        str(PriceUnit.PER_REQUEST): _("per request"),
        str(PriceUnit.PER_IMAGE): _("per image"),
        str(PriceUnit.PER_SECOND): _("per second"),
        str(PriceUnit.PER_STEP): _("per step"),
        str(PriceUnit.PER_PACKAGE): _("per package"),
        str(PriceUnit.PER_GPU_HOUR): _("per GPU-hour"),
        str(PriceUnit.PER_GB_MONTH): _("per GB-month"),
        FACTOR: _("times the price"),
    }.get(str(unit)) or str(unit).replace("_", " ")


def counted_words(quantity: str) -> str:
    """Return what is counted."""
    return {
        "images": _("Images"),
        "audio_seconds": _("Audio"),
        "video_seconds": _("Video"),
        "steps": _("Steps"),
    }.get(quantity) or quantity_words(quantity)


def mark_words(mark: str) -> str:
    """Return a mark of usage."""
    return {"batch": pgettext("requests", "Batch"), "priority": _("Priority"), "off_peak": _("Off-peak")}.get(
        mark, mark
    )


def price_words(key: PriceKey, price: Decimal | None, currency: str, locale: str) -> str:
    """Return a price without its unit; a factor as it multiplies."""
    if price is None:
        return DASH
    return f"× {plain(price)}" if key.unit == FACTOR else unit_price(price, currency, locale=locale)


def change_words(before: Decimal | None, after: Decimal | None) -> tuple[str, PillTone]:
    """Return how a price changes, and its tone: dearer is marked, cheaper is good."""
    if before == after:
        return "", ""
    found = PriceChange(PriceKey("", ""), before, after)
    if found.relative is not None:
        return change(found.relative), "warn" if found.direction is Direction.RISE else "good"
    words = {Direction.NEW: _("new"), Direction.GONE: _("gone"), Direction.RISE: _("no longer free")}
    return words[found.direction], "warn" if found.direction is not Direction.NEW else "info"


def percent_words(relative: Decimal) -> str:
    """Return a relative change without its sign: 34%, 4.5%."""
    size = abs(relative)
    return share(size, digits=0 if size * 100 == round(size * 100) else 1)


def headline(effect: ContractEffect, at: datetime, zone: str, locale: str) -> str:
    """Return what changes, and when: "Price rise of 34% on 1 December." """
    words = {"day": day(at.astimezone(ZoneInfo(zone)).date(), "MMMMd", locale)}
    found = effect.used or effect.changes
    directions = {each.direction for each in found}
    shared = uniform_change(found)
    biggest = max((abs(each.relative) for each in found if each.relative is not None), default=None)
    words["percent"] = percent_words(biggest) if biggest is not None else ""
    if biggest is not None and directions == {Direction.RISE}:
        text = (
            _("Price rise of %(percent)s on %(day)s.") if shared else _("Price rise of up to %(percent)s on %(day)s.")
        )
    elif biggest is not None and directions == {Direction.FALL}:
        text = (
            _("Price drop of %(percent)s on %(day)s.") if shared else _("Price drop of up to %(percent)s on %(day)s.")
        )
    else:
        text = _("Prices change on %(day)s.")
    return text % words


def effect_words(effect: ContractEffect, locale: str) -> str:
    """Return what the change would have meant: "Your last 30 days would have cost $838.00 more." """
    if effect.unpriced:
        return _("Something that you used would no longer have a price.")
    if not effect.before and not effect.after:
        return _("Nothing of your last 30 days would have cost anything else.")
    amount = {"amount": money(abs(effect.difference), effect.currency, locale=locale)}
    if effect.difference > 0:
        return _("Your last 30 days would have cost %(amount)s more.") % amount
    if effect.difference < 0:
        return _("Your last 30 days would have cost %(amount)s less.") % amount
    return _("Your last 30 days would have cost the same.")


def standing_pill(standing: Standing) -> Pill:
    """Return where a version stands."""
    words = {
        Standing.PAST: _("past"),
        Standing.IN_FORCE: _("in force"),
        Standing.ANNOUNCED: _("announced"),
        Standing.DRAFT: _("draft"),
    }
    return Pill(words[standing], TONES[standing])


def price_lines(
    lists: Sequence[Mapping[PriceKey, Decimal]],
    currency: str,
    locale: str,
    *,
    compared: tuple[int, int] | None = None,
    effects: Iterable[ContractEffect] = (),
) -> list[PriceLine]:
    """Return every price of some lists side by side; `compared` names the two whose difference is said."""
    listed = list(effects)
    lines: list[PriceLine] = []
    for key in sorted({key for prices in lists for key in prices}, key=_order):
        figures = tuple(price_words(key, prices.get(key), currency, locale) for prices in lists)
        before, after = (lists[place].get(key) for place in compared or (0, 0))
        words, tone = change_words(before, after)
        about = (key.model, key.quantity, key.context_over)
        amounts = [effect.by_price[about] for effect in listed if about in effect.by_price]
        exact = sum(amounts, Fraction(0))
        effect = money_change(in_decimals(exact), currency, locale=locale) if exact else ""
        name = name_of(key)
        first = not lines or lines[-1].name != name
        lines.append(PriceLine(name, what_of(key), figures, words, tone, effect, first))
    return lines


def in_decimals(exact: Fraction) -> Decimal:
    """Return an exact amount as a charge stores it, to be rounded where it is shown."""
    return to_charge(exact)


def _order(key: PriceKey) -> tuple[bool, str, int, str, int]:
    places = ("input", "cached_input", "cache_write", "output", "reasoning")
    place = places.index(key.quantity) if key.quantity in places else len(places)
    return (
        key.unit in (PriceUnit.PER_GPU_HOUR, PriceUnit.PER_GB_MONTH),
        key.model,
        place,
        key.quantity,
        key.context_over,
    )
