"""Filters that write figures in the reader's language: ``{% load figures_tags %}``."""

from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal import figures
from portal.figures import Number
from portal.locales import active_locale

register = template.Library()


@register.filter
def compact(value: Number | None, digits: int = 1) -> str:
    """``{{ tokens|compact }}``: 1.3B or 12.5亿."""
    return figures.compact(value, locale=active_locale(), digits=int(digits))


@register.filter
def listed(words: Iterable[object]) -> str:
    """``{{ models|listed }}``: a, b or a、b."""
    return figures.listed(map(str, words), active_locale())


@register.filter
def number(value: Number | None, digits: int = 0) -> str:
    """``{{ tokens|number }}``: 18,402,118,330; ``{{ hours|number:2 }}``: 812.25."""
    return figures.number(value, digits=int(digits))


@register.filter
def money(value: Number | None, currency: str) -> str:
    """``{{ total|money:invoice.currency }}``: $33,309.57."""
    return figures.money(value, currency, locale=active_locale())


@register.filter
def money_whole(value: Number | None, currency: str) -> str:
    """``{{ profit|money_whole:"USD" }}``: $10,223, for overviews only."""
    return figures.money(value, currency, locale=active_locale(), digits=0)


@register.filter
def money_change(value: Number | None, currency: str) -> str:
    """``{{ delta|money_change:"USD" }}``: +$760.00."""
    return figures.money_change(value, currency, locale=active_locale())


@register.filter
def money_compact(value: Number | None, currency: str) -> str:
    """``{{ limit|money_compact:"USD" }}``: $34.2K."""
    return figures.money_compact(value, currency, locale=active_locale())


@register.filter
def money_big(value: Number | None, currency: str) -> SafeString:
    """``{{ total|money_big:"USD" }}``: the same as ``money`` with the decimals greyed."""
    whole, point, decimals = figures.money(value, currency, locale=active_locale()).rpartition(".")
    if not point:
        return format_html("{}", decimals)
    return format_html('{}<span class="cents">.{}</span>', whole, decimals)


@register.filter
def unit_price(value: Number | None, currency: str) -> str:
    """``{{ price|unit_price:"USD" }}``: $0.28, $0.0315, never with an exponent."""
    return figures.unit_price(value, currency, locale=active_locale())


@register.filter
def share(value: Number | None, digits: int = 1) -> str:
    """``{{ ratio|share }}``: 0.373 is 37.3%."""
    return figures.share(value, digits=int(digits))


@register.filter
def change(value: Number | None, digits: int = 1) -> str:
    """``{{ ratio|change }}``: 0.082 is +8.2%."""
    return figures.change(value, digits=int(digits))


@register.filter
def gpu_hours(seconds: int | None, digits: int = 0) -> str:
    """``{{ held_s|gpu_hours }}``: GPU-seconds as GPU-hours."""
    return figures.gpu_hours(seconds, digits=int(digits))


@register.filter
def watts(value: Number | None) -> str:
    """``{{ power_w|watts }}``: 13.5 kW."""
    return figures.watts(value)


@register.filter
def energy(millijoules: int | None) -> str:
    """``{{ energy_mj|energy }}``: millijoules as kWh."""
    return figures.energy(millijoules)


@register.filter
def day(value: date | None, skeleton: str = "MMMd") -> str:
    """``{{ date|day }}``, ``{{ date|day:"yMMMd" }}``: a date by CLDR skeleton."""
    return figures.day(value, skeleton, active_locale())


@register.filter
def moment(value: datetime | None, zone: str = "UTC") -> str:
    """``{{ issued_at|moment }}``, ``{{ issued_at|moment:contract.time_zone }}``: 1 Nov 2026 00:14 UTC."""
    return figures.moment(value, _zone(zone), locale=active_locale())


@register.filter
def clock(value: datetime | None, zone: str = "UTC") -> str:
    """``{{ metered_to|clock }}``: 14:32 UTC."""
    return figures.clock(value, _zone(zone), locale=active_locale())


def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name or "UTC")
