"""The strip of figures, the notices and the table of the usage page, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.money import exact_sum
from billing.pages.periods import Period
from billing.pages.usage_charts import added, buckets, class_series, class_values, model_tones
from billing.queries.usage import LeaseRow, ModelRow, UnpricedRow, UsageOverview
from billing.queries.usage_sheet import METERED, UsageSheet
from billing.queries.witnesses import WitnessRow
from billing.rating.rated import UnpricedReason
from billing.token_counts import TokenCounts
from metering.models import Witness
from portal.charts import Part, bar, sparkline
from portal.figures import change, compact, gpu_hours, money, number, share, span, unit_price
from portal.parts import Check, Kpi, Notice
from portal.punctuation import joined
from portal.templatetags.figures_tags import money_big

PERCENT = 100
TIMES_SHOWN_MAX = 10
"""Beyond ten times what was spent before, the sum before says more than the change."""


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model's row in the table of a page."""

    name: str
    url: str
    tone: str
    input: int
    cached: int
    output: int
    prices: str
    tiers: tuple[str, ...]
    trend: str
    cost: Decimal
    share_bar: str
    share: str


def kpis(sheet: UsageSheet, period: Period, before: Decimal | None, locale: str) -> list[Kpi]:
    """Return the key figures: only what is metered, none that is guessed."""
    tokens = shown_tokens(sheet)
    figures = [_cost_kpi(sheet, period, before, locale), _token_kpi(tokens, locale)]
    if sheet.chosen.is_all and sheet.overview.leases:
        figures.append(_lease_kpi(sheet.overview, locale))
    if tokens.input:
        figures.append(_cache_kpi(sheet, tokens, locale))
    return figures


def shown_tokens(sheet: UsageSheet) -> TokenCounts:
    """Return the tokens of all rows that the page shows."""
    return added([row.tokens for row in sheet.rows])


def _cost_kpi(sheet: UsageSheet, period: Period, before: Decimal | None, locale: str) -> Kpi:
    currency = sheet.overview.currency
    foot = strong = ""
    compared = period.before()
    if before and compared is not None:
        days = {"days": span(compared.first, compared.shown_last, locale)}
        if sheet.total < before * TIMES_SHOWN_MAX:
            strong, foot = change((sheet.total - before) / before), _("against %(days)s") % days
        else:
            # Thousands of per cent tell nobody anything; the figure itself does.
            strong, foot = money(before, currency, locale=locale), _("was spent in %(days)s") % days
    spent = [bucket.exact_amount for bucket in buckets(period, sheet.rows) if bucket.first <= period.today]
    return Kpi(
        _("Month to date") if period.is_month and period.runs else _("Cost"),
        money_big(sheet.total, currency),
        chart=sparkline(spent, filled=True),
        foot=foot,
        foot_strong=strong,
        lead=True,
    )


def _token_kpi(tokens: TokenCounts, locale: str) -> Kpi:
    values = class_values(tokens)
    layers = class_series(tokens)
    parts = [Part(layer.tone, values[layer.key]) for layer in layers]
    words = [
        _("%(count)s out") % {"count": compact(tokens.output, locale=locale)},
        _("%(count)s in") % {"count": compact(tokens.uncached_input, locale=locale)},
        _("%(count)s cached") % {"count": compact(tokens.cached_input, locale=locale)},
    ]
    if tokens.cache_write:
        words.append(_("%(count)s written to cache") % {"count": compact(tokens.cache_write, locale=locale)})
    return Kpi(
        _("Tokens"), compact(tokens.total, locale=locale), chart=bar(parts, whole=tokens.total), foot=" · ".join(words)
    )


def _lease_kpi(overview: UsageOverview, locale: str) -> Kpi:
    cost = money(overview.lease_amount, overview.currency, locale=locale)
    count = len(overview.leases)
    return Kpi(
        _("GPU-hours"),
        number(overview.gpu_seconds / 3600),
        "h",
        foot=ngettext("%(count)s lease, %(cost)s", "%(count)s leases, %(cost)s", count)
        % {"count": count, "cost": cost},
    )


def _cache_kpi(sheet: UsageSheet, tokens: TokenCounts, locale: str) -> Kpi:
    hit = tokens.cache_hit_percent or Decimal(0)
    foot = ""
    if sheet.saved is not None and sheet.saved > 0:
        foot = _("saved %(amount)s") % {"amount": money(sheet.saved, sheet.overview.currency, locale=locale)}
    return Kpi(
        _("Cache hit rate"),
        number(hit, digits=1),
        "%",
        chart=bar([Part("u-hi", tokens.cached_input)], whole=tokens.input),
        foot=foot or _("of input tokens"),
    )


def day_kpis(sheet: UsageSheet, locale: str) -> list[Kpi]:
    """Return the key figures of a day, or of an hour of it."""
    cost = Kpi(_("Cost"), money_big(sheet.total, sheet.overview.currency), lead=True)
    figures = [cost, _token_kpi(shown_tokens(sheet), locale)]
    if sheet.chosen.is_all and sheet.overview.leases:
        figures.append(_lease_kpi(sheet.overview, locale))
    return figures


def model_lines(sheet: UsageSheet, urls: dict[str, str], locale: str) -> list[ModelLine]:
    """Return the rows of the table by model, the dearest first."""
    overview = sheet.overview
    tones = model_tones(sheet.models)
    models = shown_models(sheet)
    highest = max((row.amount for row in models), default=Decimal(0))
    return [
        ModelLine(
            name=row.model,
            url=urls[row.model],
            tone=tones[row.model],
            input=row.tokens.uncached_input,
            cached=row.tokens.cached_input,
            output=row.tokens.output,
            prices=model_prices(row.prices, overview.currency, locale),
            tiers=tier_prices(row.tiers, overview.currency, locale),
            trend=sparkline(row.tokens_by_day, small=True, height_px=22),
            cost=row.amount,
            share_bar=bar([Part("m0", row.amount)], whole=highest),
            share=share(row.amount / overview.total) if overview.total else "",
        )
        for row in models
    ]


def shown_models(sheet: UsageSheet) -> list[ModelRow]:
    """Return the models of the rows that the page shows, with what these rows add up to."""
    if sheet.chosen.is_all:
        return list(sheet.overview.models)
    found = []
    for row in sheet.overview.models:
        mine = [one for one in sheet.rows if one.model == row.model and one.kind in METERED]
        if mine:
            by_day = [sum(one.tokens.total for one in mine if one.day == day.day) for day in sheet.overview.days]
            amount = exact_sum(one.amount for one in mine)
            tokens = added([one.tokens for one in mine])
            found.append(replace(row, tokens=tokens, tokens_by_day=tuple(by_day), amount=amount))
    return sorted(found, key=lambda row: (-row.amount, row.model))


def model_prices(prices: Mapping[str, Decimal], currency: str, locale: str) -> str:
    """Input, cached input and output per 1M tokens; a dash where the price list has none."""
    return " / ".join(
        unit_price(prices.get(name), currency, locale=locale) for name in ("input", "cached_input", "output")
    )


def tier_prices(tiers: Mapping[int, Mapping[str, Decimal]], currency: str, locale: str) -> tuple[str, ...]:
    """The same for requests that exceed a number of input tokens, the lowest first."""
    return tuple(
        _("over %(count)s: %(prices)s") % {"count": number(over), "prices": model_prices(prices, currency, locale)}
        for over, prices in sorted(tiers.items())
    )


def lease_hours(lease: LeaseRow) -> str:
    """Return a lease's held time in GPU-hours."""
    return gpu_hours(int(lease.gpu_seconds), digits=2)


def part_notice(overview: UsageOverview) -> Notice | None:
    """Return what says that a time shown is only a part of a billing period, where that moves amounts."""
    if not overview.is_part:
        return None
    return Notice(
        _("This is a part of a billing period."),
        _(
            "Amounts agreed per period are shown by the seconds of this part; tiers, minimums and allowances count "
            "over the whole period. The invoice of the period decides."
        ),
    )


def unpriced_notice(unpriced: Sequence[UnpricedRow], locale: str) -> Notice | None:
    """Return what shouts that usage has no price; None where all has one."""
    waiting = [row for row in unpriced if row.reason != UnpricedReason.PART_EXCEEDS_WHOLE]
    if not waiting:
        return None
    tokens = exact_sum(row.quantity for row in waiting if row.unit == "tokens")
    seconds = exact_sum(row.quantity for row in waiting if row.unit == "gpu_seconds")
    amounts = []
    if tokens:
        amounts.append(_("%(count)s tokens") % {"count": compact(tokens, locale=locale)})
    if seconds:
        amounts.append(_("%(count)s GPU-hours") % {"count": gpu_hours(int(seconds), digits=2)})
    about = sorted({f"{row.model} ({row.contract})" for row in waiting})
    return Notice(
        _("%(amount)s without a price.") % {"amount": joined(amounts)},
        _("%(models)s: metered and kept, not in the cost yet. It is charged once its provider sets a price.")
        % {"models": joined(about)},
        "bad",
    )


def witness_checks(rows: Sequence[WitnessRow]) -> list[Check]:
    """Return a line in words for every deployment that has two counts, or should have."""
    return [_witness_check(row) for row in rows]


def _witness_check(row: WitnessRow) -> Check:
    billed, control = _witness_names(row)
    title = f"{row.deployment} · {row.term_ref}"
    if row.billed is None or row.control is None:
        counted, missing = (billed, control) if row.control is None else (control, billed)
        text = _("Only the %(counted)s counted (%(tokens)s tokens); the %(missing)s has nothing to compare with.")
        known = row.billed if row.control is None else row.control
        return Check("unknown", title, text % {"counted": counted, "tokens": number(known), "missing": missing})
    said = {
        "billed": billed,
        "billed_tokens": number(row.billed),
        "control": control,
        "control_tokens": number(row.control),
        "difference": number(abs(row.billed - row.control)),
        "share": share(abs(row.share), digits=2) if row.share is not None else "–",
        "tolerance": share(row.tolerance_percent / PERCENT, digits=2),
    }
    if row.billed == row.control:
        return Check(
            "good", title, _("The %(billed)s and the %(control)s both counted %(billed_tokens)s tokens.") % said
        )
    text = (
        _(
            "The %(billed)s, which bills, counted %(billed_tokens)s tokens, the %(control)s %(control_tokens)s: "
            "%(difference)s more (%(share)s; %(tolerance)s is allowed)."
        )
        if row.billed > row.control
        else _(
            "The %(billed)s, which bills, counted %(billed_tokens)s tokens, the %(control)s %(control_tokens)s: "
            "%(difference)s fewer (%(share)s; %(tolerance)s is allowed)."
        )
    )
    return Check("good" if row.within_tolerance else "bad", title, text % said)


def _witness_names(row: WitnessRow) -> tuple[str, str]:
    gateway, engine = _("gateway"), _("engine")
    return (gateway, engine) if row.billed_by == Witness.GATEWAY else (engine, gateway)
