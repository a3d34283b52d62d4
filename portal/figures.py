"""Numbers, money and dates as people read them, in English and in Chinese; pure and exact.

A ``locale`` is a CLDR name: ``en_GB`` or ``zh_Hans_CN``. Values are ``int`` or ``Decimal`` and are rounded
once, half to even, to what is shown. A missing value (``None``) is a dash, never a zero. Sources: Unicode
CLDR by way of babel for dates, digit groups and currency digits; Chinese readers count in 万 (10⁴) and 亿
(10⁸), by language and not by currency.
"""

from collections.abc import Iterable
from datetime import date, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache

from babel.dates import format_date, format_skeleton, format_time
from babel.numbers import get_currency_precision, get_currency_symbol

Number = int | Decimal

EN = "en_GB"
ZH = "zh_Hans_CN"
DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
SECONDS_PER_HOUR = 3600
MILLIJOULES_PER_KWH = 3_600_000_000
PRICE_DIGITS_MAX = 8

UNITS: dict[str, tuple[tuple[Decimal, str], ...]] = {
    "en": (
        (Decimal(10) ** 12, "T"),
        (Decimal(10) ** 9, "B"),
        (Decimal(10) ** 6, "M"),
        (Decimal(10) ** 3, "K"),
    ),
    "zh": ((Decimal(10) ** 12, "万亿"), (Decimal(10) ** 8, "亿"), (Decimal(10) ** 4, "万")),
}

MARKS: dict[str, dict[str, str]] = {
    "en": {"colon": ": ", "comma": ", ", "list": ", ", "semicolon": "; ", "sentence": " "},
    "zh": {
        "colon": "\N{FULLWIDTH COLON}",
        "comma": "\N{FULLWIDTH COMMA}",
        "list": "\N{IDEOGRAPHIC COMMA}",
        "semicolon": "\N{FULLWIDTH SEMICOLON}",
        "sentence": "",
    },
}
"""What stands between parts of a line that no one message holds; full-width marks bring their own room."""


def locale_for(language: str) -> str:
    """The locale of a Django language code: every Chinese reads ``zh_Hans_CN``, everyone else ``en_GB``."""
    return ZH if language.lower().startswith("zh") else EN


def listed(words: Iterable[str], locale: str) -> str:
    """Words one after another, with the mark between them that the language lists by."""
    return mark("list", locale).join(words)


def mark(name: str, locale: str) -> str:
    """The ``colon``, ``comma``, ``semicolon``, mark of a ``list`` or room after a ``sentence``.

    A KeyError says that there is no mark of that name.
    """
    return MARKS[locale[:2]][name]


def _rounded(value: Number, digits: int) -> Decimal:
    exact = Decimal(value)
    # Precision follows the number, so that a count of any length keeps every digit.
    return Decimal(format(exact, f".{digits}f")) if exact else Decimal(0)


def _shows(text: str) -> bool:
    """Whether a written number differs from zero, so that a rounded nothing has no sign."""
    return any(letter in "123456789" for letter in text)


def _signed(value: Number, text: str) -> str:
    return f"{MINUS}{text}" if value < 0 and _shows(text) else text


def _unit(value: Decimal, digits: int, locale: str) -> tuple[Decimal, str, int]:
    """The value in the largest unit that it reaches once it is rounded: 999,950 is 1.0M, not 1,000.0K."""
    units = UNITS[locale[:2]]
    for place, (size, unit) in enumerate(units):
        if value >= size:
            scaled = _rounded(value / size, digits)
            if place and scaled * size >= units[place - 1][0]:
                larger, larger_unit = units[place - 1]
                return _rounded(value / larger, digits), larger_unit, digits
            return scaled, unit, digits
    whole = _rounded(value, 0)
    if whole >= units[-1][0]:
        return _rounded(value / units[-1][0], digits), units[-1][1], digits
    return whole, "", 0


def compact(value: Number | None, *, locale: str, digits: int = 1) -> str:
    """A short number in the units that readers use: 1.3B or 12.5亿. Below the first unit it is whole: 940."""
    if value is None:
        return DASH
    scaled, unit, shown = _unit(abs(Decimal(value)), digits, locale)
    return _signed(value, f"{scaled:,.{shown}f}{unit}")


def axis(value: Number, *, locale: str, currency: str = "") -> str:
    """A tick of an axis: as short as it can be said exactly, up to three digits: 2.5B, $10K, 0.25."""
    magnitude = abs(Decimal(value))
    scaled, unit = magnitude, ""
    for size, name in UNITS[locale[:2]]:
        if magnitude >= size:
            scaled, unit = magnitude / size, name
            break
    digits = 3 if unit or magnitude >= 1 or not magnitude else min(-magnitude.adjusted() + 2, PRICE_DIGITS_MAX)
    text = f"{scaled:,.{digits}f}".rstrip("0").rstrip(".")
    return _signed(value, f"{currency_symbol(currency, locale=locale)}{text}{unit}")


def number(value: Number | None, *, digits: int = 0) -> str:
    """A number with digit groups and a fixed count of decimals: 18,402,118,330. Both languages write it alike."""
    if value is None:
        return DASH
    return _signed(value, f"{_rounded(value, digits).copy_abs():,.{digits}f}")


@lru_cache(maxsize=512)
def currency_symbol(currency: str, *, locale: str) -> str:
    """$ for USD, € for EUR, ¥ for CNY in Chinese; another dollar keeps its letters: CA$; "" for none."""
    if not currency:
        return ""
    symbol = str(get_currency_symbol(currency, locale=locale)).replace("US$", "$")
    return f"{symbol}\N{NO-BREAK SPACE}" if symbol[-1].isalpha() else symbol


def money(value: Number | None, currency: str, *, locale: str, digits: int | None = None) -> str:
    """An amount of money with the currency's own decimals, or with ``digits``: $33,309.57, ¥1,200."""
    if value is None:
        return DASH
    shown = get_currency_precision(currency) if digits is None else digits
    text = f"{currency_symbol(currency, locale=locale)}{_rounded(value, shown).copy_abs():,.{shown}f}"
    return _signed(value, text)


def money_compact(value: Number | None, currency: str, *, locale: str, digits: int = 1) -> str:
    """An amount in the units of ``compact``: $34.2K, ¥3.4万."""
    if value is None:
        return DASH
    text = compact(abs(Decimal(value)), locale=locale, digits=digits)
    return _signed(value, f"{currency_symbol(currency, locale=locale)}{text}")


def money_change(value: Number | None, currency: str, *, locale: str, digits: int | None = None) -> str:
    """A difference of money with its sign: +$760, or -$838 with a true minus; zero has no sign."""
    text = money(value, currency, locale=locale, digits=digits)
    return f"+{text}" if value is not None and value > 0 and _shows(text) else text


def unit_price(value: Number | None, currency: str, *, locale: str) -> str:
    """A price per unit with as many decimals as it has, at least the currency's own and never an exponent."""
    if value is None:
        return DASH
    exact = Decimal(value)
    least = get_currency_precision(currency)
    written = format(exact.normalize(), "f")
    own = len(written.partition(".")[2])
    return money(exact, currency, locale=locale, digits=max(least, min(own, PRICE_DIGITS_MAX)))


def share(value: Number | None, *, digits: int = 1) -> str:
    """A share as percent: 0.373 is 37.3%."""
    if value is None:
        return DASH
    rounded = _rounded(Decimal(value) * 100, digits)
    return _signed(value, f"{abs(rounded):,.{digits}f}%")


def percent(value: Decimal) -> str:
    """A percentage with the decimals it has: 30 is 30%, 8.8750 is 8.875%."""
    return share(value / 100, digits=max(0, -int(value.normalize().as_tuple().exponent)))


def change(value: Number | None, *, digits: int = 1) -> str:
    """A relative change with its sign: 0.082 is +8.2%; nothing changed is 0.0%."""
    text = share(value, digits=digits)
    return f"+{text}" if value is not None and value > 0 and _shows(text) else text


def gpu_hours(seconds: int | None, *, digits: int = 0) -> str:
    """GPU-seconds as GPU-hours, without the unit: 14,360,400 seconds are 3,989."""
    if seconds is None:
        return DASH
    return number(Decimal(seconds) / SECONDS_PER_HOUR, digits=digits)


def watts(value: Number | None) -> str:
    """Power: 640 W, 13.5 kW, 1.2 MW."""
    if value is None:
        return DASH
    exact = Decimal(value)
    for size, unit in ((Decimal(10) ** 6, "MW"), (Decimal(10) ** 3, "kW")):
        if abs(exact) >= size:
            return f"{number(exact / size, digits=1)} {unit}"
    return f"{number(exact)} W"


def energy(millijoules: int | None) -> str:
    """Energy in kilowatt-hours from the millijoules that NVML counts: 1 kWh is 3,600,000,000 mJ."""
    if millijoules is None:
        return DASH
    return f"{number(Decimal(millijoules) / MILLIJOULES_PER_KWH, digits=1)} kWh"


def day(value: date | None, skeleton: str, locale: str) -> str:
    """A date by CLDR skeleton, so that 27 November becomes 11月27日: "MMMd", "yMMMd", "MMMEd", "yMMMM",
    "EEE", "d".
    """
    if value is None:
        return DASH
    if skeleton == "yMMMMd":  # CLDR has no such skeleton, and the nearest one would shorten the month
        return str(format_date(value, "long", locale=locale))
    return _day_words(value, skeleton, locale)


@lru_cache(maxsize=4096)
def _day_words(value: date, skeleton: str, locale: str) -> str:
    """A chart names each of its days several times, and each naming parses CLDR's pattern anew: 0.3 ms."""
    return str(format_skeleton(skeleton, value, locale=locale))


def clock(value: datetime | None, zone: tzinfo, *, locale: str) -> str:
    """The time of day in a zone, with the zone's name: 14:32 UTC."""
    if value is None:
        return DASH
    local = value.astimezone(zone)
    return f"{format_time(local, 'HH:mm', locale=locale)} {local.tzname()}"


def moment(value: datetime | None, zone: tzinfo, *, locale: str, year: bool = True) -> str:
    """A date and the time of day in a zone: 1 Nov 2026 00:14 UTC."""
    if value is None:
        return DASH
    local = value.astimezone(zone)
    written = day(local.date(), "yMMMd" if year else "MMMd", locale)
    return f"{written} {clock(value, zone, locale=locale)}"


def span(from_date: date, last_date: date, locale: str) -> str:
    """Two inclusive dates as short as they can be said: "1 to 18 November 2026" in one month, else
    "28 Oct to 3 Nov 2026", written with an en dash."""
    if from_date == last_date:
        return day(last_date, "yMMMMd", locale)
    if (from_date.year, from_date.month) == (last_date.year, last_date.month):
        end = day(last_date, "yMMMMd", locale)
        first, last = str(from_date.day), str(last_date.day)
        return end.replace(f"月{last}日", f"月{first}{DASH}{last}日") if locale == ZH else f"{first}{DASH}{end}"
    skeleton = "MMMd" if from_date.year == last_date.year and locale != ZH else "yMMMd"
    return f"{day(from_date, skeleton, locale)} {DASH} {day(last_date, 'yMMMd', locale)}"
