"""Utilisation and power hour by hour, as charts with their tables and as small strips."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from portal.charts import Column, Fact, Number, Series, Table, Tone, column_table, line_chart, stacked_columns
from portal.charts.marks import element, percent, pixels
from portal.figures import DASH, day, number, watts

MILLIWATTS = 1000
PERCENT = 100
STRIP_PX = 24
STRIP_FILLED = Decimal("0.72")
LABEL_EVERY = 4


@dataclass(frozen=True, slots=True)
class HourFigures:
    """One UTC hour: mean utilisation 0…1 and mean power in mW, None where not sampled."""

    at: datetime
    utilisation: Decimal | None
    power_mw: int | None


@dataclass(frozen=True, slots=True)
class HourCharts:
    """Both charts with their tables."""

    used: SafeString
    used_table: Table
    power: SafeString
    power_table: Table


def hour_charts(hours: Sequence[HourFigures], locale: str) -> HourCharts:
    """Draw a day of hours, the oldest first; the last one is still filling."""
    used_series = (Series("used", _("Utilisation"), "u-hi"),)
    power_series = (Series("power", _("Power"), "c-energy"),)
    used = [_used_column(hours, place, locale) for place in range(len(hours))]
    power = [_power_column(hours, place, locale) for place in range(len(hours))]
    head = _("Hour (UTC)")
    return HourCharts(
        used=stacked_columns(
            used,
            used_series,
            label=_("Mean utilisation per hour. Use the arrow keys to read one hour at a time."),
            form=lambda value: f"{number(value)}%",
            height_px=150,
        ),
        used_table=column_table(
            used, used_series, caption=_("Utilisation per hour"), head=head, form=_percent_words, unknown=_("unknown")
        ),
        power=line_chart(
            power,
            power_series,
            label=_("Mean power per hour. Use the arrow keys to read one hour at a time."),
            form=watts,
            height_px=150,
        ),
        power_table=column_table(
            power, power_series, caption=_("Power per hour"), head=head, form=watts, unknown=_("unknown")
        ),
    )


def strip(shares: Sequence[Decimal | None], tone: Tone) -> SafeString:
    """Draw small columns of 0…1, one per hour; an hour without samples is a dashed slot, never a zero."""
    slot = Decimal(1) / max(len(shares), 1)
    width = percent(slot * STRIP_FILLED)
    drawn = []
    for place, value in enumerate(shares):
        x = percent(slot * place)
        if value is None:
            drawn.append(element("rect", class_="none", x=x, width=width, y=STRIP_PX - 3, height=2))
        else:
            # Whole pixels: nobody sees more of so small a mark, and a node's page has 24 of them for each card, twice.
            height = max(Decimal(round(min(value, Decimal(1)) * STRIP_PX)), Decimal("1.5"))
            drawn.append(element("rect", x=x, width=width, y=pixels(STRIP_PX - height), height=pixels(height)))
    return SafeString(element("svg", "".join(drawn), class_=f"strip {tone}", height=STRIP_PX, aria_hidden="true"))


def shares_of(values: Sequence[int | None]) -> list[Decimal | None]:
    """Return values as shares of the largest of them, the unknown as they are."""
    top = max((value for value in values if value is not None), default=0)
    return [None if value is None else Decimal(value) / top if top else Decimal(0) for value in values]


def _column(hours: Sequence[HourFigures], place: int, locale: str) -> tuple[str, str]:
    at = hours[place].at.astimezone(UTC)
    shown = (len(hours) - 1 - place) % LABEL_EVERY == 0
    return (f"{at:%H:%M}" if shown else "", f"{day(at.date(), 'EEEd', locale)} {at:%H:%M} UTC")


def _used_column(hours: Sequence[HourFigures], place: int, locale: str) -> Column:
    label, title = _column(hours, place, locale)
    value = hours[place].utilisation
    if value is None:
        return Column(label, title, facts=(Fact(_("Utilisation"), _("unknown")),), state="gap")
    running = place == len(hours) - 1
    percents = (value * PERCENT).quantize(Decimal("0.1"))
    fact = Fact(_("Utilisation"), _percent_words(percents), "u-hi")
    return Column(label, title, {"used": percents}, (fact,), state="partial" if running else "measured")


def _power_column(hours: Sequence[HourFigures], place: int, locale: str) -> Column:
    label, title = _column(hours, place, locale)
    value = hours[place].power_mw
    if value is None:
        return Column(label, title, facts=(Fact(_("Power"), _("unknown")),), state="gap")
    drawn = Decimal(value) / MILLIWATTS
    return Column(label, title, {"power": drawn}, (Fact(_("Power"), watts(drawn), "c-energy"),))


def _percent_words(value: Number) -> str:
    return f"{number(value, digits=1)}%" if value is not None else DASH
