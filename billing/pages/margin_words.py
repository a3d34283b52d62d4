"""The words and drawings of the margin pages: a line per model, tenant, cluster or day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.economics.cost import MILLIJOULES_PER_KWH, MS_PER_HOUR
from billing.economics.revenue import UNPLACED
from billing.economics.uses import UseKind
from billing.money import minor_digits, to_decimals
from billing.pages.periods import with_query
from billing.queries.inversions import Inverted
from billing.queries.margin import Figures, Margin, MarginLine
from portal.charts import Part, Tone, bar, sparkline
from portal.figures import DASH, change, compact, day, energy, money, number, share
from portal.parts import Action, Kpi, LegendEntry, Notice, Pill, PillTone

THIN_MARGIN: Final = Fraction(5, 100)
TIMES_SHOWN_FROM: Final = 10
SPARK_DAYS: Final = 14
DIGITS: Final = 18
G_PER_KG: Final = 1000
WH_PER_KWH: Final = 1000


@dataclass(frozen=True, slots=True)
class CostLine:
    """A model's cost against its price per unit, drawn and in words."""

    name: str
    url: str
    bar: SafeString
    price: str
    cost: str
    spark: SafeString
    pill: Pill
    profit: str
    tone: str


@dataclass(frozen=True, slots=True)
class SumLine:
    """A line of the sums: what it earned, what it cost and what is left."""

    name: str
    url: str
    earned: str
    gpu: str
    energy: str
    overhead: str
    profit: str
    pill: Pill


@dataclass(frozen=True, slots=True)
class YieldLine:
    """What a unit of money, time and energy makes of a model."""

    name: str
    per_unit: str
    per_gpu_hour: str
    per_kwh: str
    energy: str
    carbon: str


def decimal_of(value: Fraction | None, digits: int = DIGITS) -> Decimal | None:
    """Return a fraction as a decimal to show; an unknown stays one."""
    return None if value is None else to_decimals(value, digits)


def rate_words(value: Fraction | None, currency: str, locale: str) -> str:
    """Write an amount per unit with three digits that count, at least the currency's own."""
    if value is None:
        return DASH
    digits = minor_digits(currency)
    exact = abs(value)
    while digits < 8 and 0 < exact * 10**digits < 100:
        digits += 1
    return money(to_decimals(value, digits), currency, locale=locale, digits=digits)


def margin_pill(figures: Figures) -> Pill:
    """Say the margin; without a wholly known cost there is none to say."""
    if not figures.revenue:
        return Pill(_("no income"), small=True)
    return pill_of(figures.margin)


def pill_of(left: Fraction | None) -> Pill:
    """Say what is left of each unit of money; where it cost ten times as much or more, how many times."""
    if left is None:
        return Pill(DASH, small=True)
    if (times := 1 - left) >= TIMES_SHOWN_FROM:
        return Pill(_("cost is %(times)s× income") % {"times": number(decimal_of(times))}, "bad", small=True)
    tone: PillTone = "bad" if left < 0 else "warn" if left < THIN_MARGIN else "good"
    return Pill(change(decimal_of(left)), tone, small=True)


def line_name(line: MarginLine, currency: str) -> str:
    """Name a line for people."""
    if line.kind == UseKind.IDLE:
        return _("Idle")
    if line.kind == UNPLACED:
        return _("Without a place")
    return line.name or currency


def cost_lines(
    lines: Sequence[MarginLine],
    days: Mapping[str, Mapping[date, Figures]],
    last: date,
    currency: str,
    locale: str,
    *,
    by_token: bool,
    query: Mapping[str, str],
) -> tuple[list[CostLine], str]:
    """Return a line per model with its bar, all to one scale, and what the full width is.

    `query` is what the lines are of, as an address says it: a model's link leads to the same days and cluster.
    """
    rates = [
        (line, _rate(line.figures, line.figures.revenue, by_token), _rate(line.figures, line.figures.cost, by_token))
        for line in lines
    ]
    whole = max((value for _line, *both in rates for value in both if value is not None), default=Fraction(1))
    whole = whole * 21 / 20 or Fraction(1)
    made = []
    for line, price, cost in rates:
        figures = line.figures
        pill = margin_pill(figures)
        parts = [
            Part(tone, decimal_of(_rate(figures, amount, by_token)) or Decimal(0))
            for tone, amount in _components(figures)
        ]
        past = days.get(line.key, {})
        trend = [
            _rate(past[at], past[at].cost, by_token)
            for back in reversed(range(SPARK_DAYS))
            if (at := last - timedelta(days=back)) in past and past[at].cost_known
        ]
        made.append(
            CostLine(
                name=line.name,
                url=with_query(reverse("provider-margin-model", args=[line.key]), query),
                bar=bar(
                    parts,
                    whole=decimal_of(whole) or Decimal(1),
                    mark=decimal_of(price),
                    mark_tone="k-price",
                    tall_mark=True,
                    height_px=10,
                ),
                price=rate_words(price, currency, locale),
                cost=rate_words(cost if figures.cost_known else None, currency, locale),
                spark=sparkline(
                    [value for each in trend if (value := decimal_of(each)) is not None],
                    small=True,
                    height_px=22,
                    tone=pill.tone if pill.tone in ("warn", "bad") else "k-line",
                ),
                pill=pill,
                profit=money(figures.profit, currency, locale=locale),
                tone=f"is-{pill.tone}" if pill.tone in ("warn", "bad") else "",
            )
        )
    return made, rate_words(whole, currency, locale)


def _rate(figures: Figures, amount: Decimal | None, by_token: bool) -> Fraction | None:
    return figures.per_mtok(amount) if by_token else figures.per_gpu_hour(amount)


def _components(figures: Figures) -> tuple[tuple[Tone, Decimal | None], ...]:
    return ("c-gpu", figures.gpu_cost), ("c-energy", figures.energy_cost), ("c-ovh", figures.overhead_cost)


def sum_line(line: MarginLine, currency: str, locale: str, *, name: str = "", url: str = "") -> SumLine:
    """Put a line of the sums in words."""
    figures = line.figures
    return SumLine(
        name=name or line_name(line, currency),
        url=url,
        earned=money(figures.revenue, currency, locale=locale),
        gpu=money(figures.known_gpu_cost, currency, locale=locale),
        energy=money(figures.energy_cost, currency, locale=locale),
        overhead=money(figures.known_overhead_cost, currency, locale=locale),
        profit=money(figures.profit, currency, locale=locale),
        pill=margin_pill(figures),
    )


def yield_line(line: MarginLine, locale: str) -> YieldLine:
    """Put in words what a unit of money, of time and of energy makes."""
    figures = line.figures
    mj, grams = per_mtok_of(figures, figures.energy_mj), per_mtok_of(figures, figures.carbon_g)
    return YieldLine(
        name=line.name,
        per_unit=_tokens(figures.tokens_per_unit, locale),
        per_gpu_hour=_tokens(figures.tokens_per_gpu_hour, locale),
        per_kwh=_tokens(figures.tokens_per_kwh, locale),
        energy=DASH if mj is None else small_energy(mj),
        carbon=DASH if grams is None else _("%(grams)s g") % {"grams": number(decimal_of(grams), digits=1)},
    )


def small_energy(energy_mj: Fraction) -> str:
    """Write an amount of energy in kWh, or in Wh below one."""
    if energy_mj >= MILLIJOULES_PER_KWH:
        return energy(int(energy_mj))
    watt_hours = to_decimals(energy_mj * WH_PER_KWH / MILLIJOULES_PER_KWH, 1)
    return _("%(amount)s Wh") % {"amount": number(watt_hours, digits=1)}


def per_mtok_of(figures: Figures, amount: Decimal | int | None) -> Fraction | None:
    """Return energy or carbon per 1M tokens, None unless all the GPU time behind the tokens was metered."""
    if amount is None or not figures.metered_ms or figures.metered_ms < figures.gpu_ms:
        return None
    return figures.per_mtok(Decimal(amount))


def _tokens(value: Fraction | None, locale: str) -> str:
    return DASH if value is None else compact(decimal_of(value), locale=locale, digits=2)


def legend() -> tuple[LegendEntry, ...]:
    """Name the parts of the bars."""
    return (
        LegendEntry(_("GPU and rent"), "c-gpu"),
        LegendEntry(_("Energy"), "c-energy"),
        LegendEntry(_("Overhead"), "c-ovh"),
        LegendEntry(_("Price"), "k-price"),
    )


def inversion_notice(found: Sequence[Inverted], locale: str, url: str) -> Notice | None:
    """Say what sells below cost, since when and for how much: the greatest loss in full, the others by number."""
    if not found:
        return None
    worst = found[0]
    said = {
        "days": number(worst.run.days),
        "since": day(worst.run.since, "MMMd", locale),
        "loss": money(worst.run.loss, worst.currency, locale=locale),
        "earned": money(worst.run.revenue, worst.currency, locale=locale),
        "cost": money(worst.run.cost, worst.currency, locale=locale),
        "cluster": worst.cluster,
    }
    text = (
        ngettext(
            "On %(cluster)s it earned %(earned)s and cost %(cost)s on %(since)s: %(loss)s lost.",
            "On %(cluster)s it earned %(earned)s and cost %(cost)s since %(since)s: %(days)s days, %(loss)s lost.",
            worst.run.days,
        )
        % said
    )
    if len(found) > 1:
        text += " " + ngettext("%(more)s more sells below cost.", "%(more)s more sell below cost.", len(found) - 1) % {
            "more": number(len(found) - 1)
        }
    title = _("%(model)s sells below cost.") % {"model": worst.model}
    return Notice(title, text, "bad", Action(_("Try a new price"), url))


def unknown_notice(total: Figures) -> Notice | None:
    """Say that no profit is claimed, and where the costs are entered that it lacks; None where all is known."""
    if total.cost_known or not (total.gpu_ms or total.revenue):
        return None
    text = _("%(known)s of %(hours)s GPU-hours have a cost in this currency. Unknown is not zero.") % {
        "known": number(hours(total.costed_ms), digits=1),
        "hours": number(hours(total.gpu_ms), digits=1),
    }
    return Notice(_("Profit is not known."), text, "warn", Action(_("Enter costs"), reverse("provider-costs")))


def kpis(margins: Margin, locale: str) -> tuple[Kpi, ...]:
    """The strip above the page."""
    total, currency = margins.total, margins.currency
    held = total.gpu_ms - margins.idle.gpu_ms
    drawn, _space, unit = energy(total.energy_mj).partition(" ") if total.metered_ms else (DASH, "", "")
    used = Fraction(held, total.gpu_ms) if total.gpu_ms else None
    return (
        Kpi(
            _("Profit"),
            money(total.profit, currency, locale=locale),
            foot=_profit_foot(total, money(total.revenue, currency, locale=locale)),
            lead=True,
            alert=total.profit is not None and total.profit < 0,
            url="" if total.cost_known else reverse("provider-costs"),
        ),
        Kpi(
            _("Workload"),
            money(margins.workload_cost, currency, locale=locale),
            foot=_("GPUs, rent and energy in use"),
        ),
        Kpi(
            _("Idle"),
            money(margins.idle_cost, currency, locale=locale),
            foot=_("%(share)s of GPU time was used") % {"share": share(decimal_of(used))},
        ),
        Kpi(
            _("Overhead"),
            money(margins.overhead_cost, currency, locale=locale),
            foot=_("%(cost)s is all that it cost") % {"cost": money(margins.cost, currency, locale=locale)}
            if margins.cost is not None
            else _("not known"),
        ),
        Kpi(
            _("Energy"),
            drawn,
            unit=unit,
            foot=_energy_foot(total),
        ),
    )


def _profit_foot(total: Figures, earned: str) -> str:
    if not total.cost_known:
        return _("%(earned)s earned; enter the costs to see what is left") % {"earned": earned}
    said = _("%(margin)s of %(earned)s earned") % {"margin": share(decimal_of(total.margin)), "earned": earned}
    if total.margin is not None and (times := 1 - total.margin) >= TIMES_SHOWN_FROM:
        said = _("%(earned)s earned, %(times)s× that spent") % {"earned": earned, "times": number(decimal_of(times))}
    if total.metered_ms < total.gpu_ms:
        said += ", " + _("without the energy that no GPU told")
    return said


def _energy_foot(total: Figures) -> str:
    if not total.metered_ms:
        return _("no GPU told its energy")
    known = _("of %(share)s of GPU time") % {"share": share(decimal_of(total.metered_share))}
    if total.carbon_g is None:
        return known
    return known + " · " + carbon_words(total.carbon_g)


def carbon_words(grams: Decimal) -> str:
    """Write a mass of CO2e in kilograms, or in grams below one."""
    if grams < G_PER_KG:
        return _("%(grams)s g CO2e") % {"grams": number(grams)}
    return _("%(kilograms)s kg CO2e") % {"kilograms": number(grams / G_PER_KG, digits=1)}


def hours(gpu_ms: int) -> Decimal:
    """Return milliseconds as hours, to a millionth."""
    return to_decimals(Fraction(gpu_ms, MS_PER_HOUR), 6)


def kwh(energy_mj: int) -> Decimal:
    """Return millijoules as kilowatt-hours, to a millionth."""
    return to_decimals(Fraction(energy_mj, MILLIJOULES_PER_KWH), 6)
