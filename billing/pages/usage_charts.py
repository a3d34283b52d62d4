"""The charts of usage: columns of tokens and a line of cost, from the rows that the export writes too."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from django.utils.translation import gettext as _

from billing.money import exact_sum, from_minor
from billing.pages.periods import Period, month_of
from billing.queries.sheet_rows import SheetRow
from billing.queries.usage_sheet import UsageSheet
from billing.token_counts import TokenCounts
from portal.charts import Column, ColumnState, Fact, Number, Series, Tone
from portal.figures import compact, day, money
from portal.parts import LegendEntry

DAILY_DAYS_MAX = 92
MODELS_MAX = 5
LABELS_MAX = 11
OTHER = "other"
MODEL_TONES: tuple[Tone, ...] = ("m0", "m1", "m2", "m3", "m4")
OTHER_TONE: Tone = "m5"


@dataclass(frozen=True, slots=True)
class Bucket:
    """One column: a day, or a month where a period is long."""

    first: date
    last: date
    rows: list[SheetRow] = field(default_factory=list)

    @property
    def tokens(self) -> TokenCounts:
        """All tokens by class."""
        return added([row.tokens for row in self.rows])

    @property
    def exact_amount(self) -> Decimal:
        """What it comes to, unrounded."""
        return exact_sum(row.exact_amount for row in self.rows)

    @property
    def amount(self) -> Decimal:
        """Its part of the page's total, to the cent."""
        return exact_sum(row.amount for row in self.rows)


@dataclass(frozen=True, slots=True)
class Grouping:
    """By what columns are stacked: how each row's part is named, and the names, the dearest first."""

    key_of: Callable[[SheetRow], str]
    keys: tuple[str, ...]
    words: Mapping[str, str]

    def series(self) -> tuple[Series, ...]:
        """Return the layers, the dearest at the bottom."""
        return tuple(replace(layer, name=self.words.get(layer.key, layer.name)) for layer in model_series(self.keys))


def by_model(sheet: UsageSheet) -> Grouping:
    """Stack by model."""
    return Grouping(lambda row: row.model, sheet.models, {})


def by_part(sheet: UsageSheet, key_of: Callable[[SheetRow], str], words: Mapping[str, str]) -> Grouping:
    """Stack by what `key_of` says of each row; `words` are what people call it."""
    sums: dict[str, tuple[Decimal, int]] = defaultdict(lambda: (Decimal(0), 0))
    for row in sheet.rows:
        if row.tokens.total:
            amount, tokens = sums[key_of(row)]
            sums[key_of(row)] = (amount + row.exact_amount, tokens + row.tokens.total)
    keys = sorted(sums, key=lambda key: (-sums[key][0], -sums[key][1], key))
    return Grouping(key_of, tuple(keys), words)


def added(counts: Sequence[TokenCounts]) -> TokenCounts:
    """Return the sum of tokens class by class."""
    return TokenCounts(
        input=sum(each.input for each in counts),
        cached_input=sum(each.cached_input for each in counts),
        cache_write=sum(each.cache_write for each in counts),
        output=sum(each.output for each in counts),
        reasoning=sum(each.reasoning for each in counts),
    )


def is_daily(period: Period) -> bool:
    """Whether a column is a day; it is a month where days would be too thin to read."""
    return (period.last - period.first).days < DAILY_DAYS_MAX


def buckets(period: Period, rows: Sequence[SheetRow]) -> list[Bucket]:
    """Return the columns of a period in time order, those without use and those ahead too."""
    by_day: dict[date, list[SheetRow]] = defaultdict(list)
    for row in rows:
        by_day[row.day].append(row)
    days = period.days()
    if is_daily(period):
        return [Bucket(each, each, by_day[each]) for each in days]
    months: dict[tuple[int, int], list[date]] = defaultdict(list)
    for each in days:
        months[month_of(each)].append(each)
    return [Bucket(span[0], span[-1], [row for each in span for row in by_day[each]]) for span in months.values()]


def class_series(tokens: TokenCounts) -> tuple[Series, ...]:
    """Return the layers of a stack by class, the cheapest at the bottom; cache writes only where there are any."""
    writes = (Series("cache_write", _("Cache write"), "s-write"),) if tokens.cache_write else ()
    return (
        Series("cached_input", _("Cached input"), "s-cached"),
        *writes,
        Series("input", _("Input"), "s-in"),
        Series("output", _("Output"), "s-out"),
    )


def class_values(tokens: TokenCounts) -> dict[str, int]:
    """Return tokens by layer such that none is in two."""
    return {
        "cached_input": tokens.cached_input,
        "cache_write": tokens.cache_write,
        "input": tokens.uncached_input,
        "output": tokens.output,
    }


def model_tones(models: Sequence[str]) -> dict[str, Tone]:
    """Return the colour of each model: the first five have their own, the rest share one."""
    tones = dict.fromkeys(models, OTHER_TONE)
    return tones | dict(zip(models, MODEL_TONES, strict=False))


def model_series(models: Sequence[str]) -> tuple[Series, ...]:
    """Return the layers of a stack by model, the dearest model at the bottom."""
    named = [Series(model, model, tone) for model, tone in zip(models, MODEL_TONES, strict=False)]
    return (*named, Series(OTHER, _("Other"), OTHER_TONE)) if len(models) > MODELS_MAX else tuple(named)


def model_values(bucket_tokens: Mapping[str, int], models: Sequence[str]) -> dict[str, int]:
    """Return tokens by layer, all models beyond the first five together."""
    values = {model: bucket_tokens.get(model, 0) for model in models[:MODELS_MAX]}
    if len(models) > MODELS_MAX:
        values[OTHER] = sum(bucket_tokens.get(model, 0) for model in models[MODELS_MAX:])
    return values


def token_columns(
    period: Period,
    sheet: UsageSheet,
    *,
    grouping: Grouping | None,
    locale: str,
    day_url: Callable[[date], str],
    metered_to: date | None,
) -> tuple[list[Column], tuple[Series, ...]]:
    """Return the columns of tokens and their layers, by class without a grouping; a day's column leads to the day."""
    series = grouping.series() if grouping else class_series(sheet.overview.tokens)
    columns = []
    spans = buckets(period, sheet.rows)
    step = label_step(len(spans))
    for index, bucket in enumerate(spans):
        values = _values(bucket, grouping)
        state = state_of(bucket, period, metered_to)
        unknown = state in ("ahead", "gap")
        columns.append(
            Column(
                label=axis_label(bucket, period, locale) if index % step == 0 else "",
                title=title_of(bucket, period, locale),
                values={} if unknown else values,
                facts=() if unknown else _facts(series, values, bucket.exact_amount, sheet, locale),
                url=day_url(bucket.first) if is_daily(period) and not unknown else "",
                state=state,
                weekend=is_daily(period) and bucket.first.weekday() >= 5,
            )
        )
    return columns, series


def _values(bucket: Bucket, grouping: Grouping | None) -> dict[str, int]:
    if grouping is None:
        return class_values(bucket.tokens)
    parts: dict[str, int] = defaultdict(int)
    for row in bucket.rows:
        parts[grouping.key_of(row)] += row.tokens.total
    return model_values(parts, grouping.keys)


def cost_columns(
    period: Period, sheet: UsageSheet, *, locale: str, metered_to: date | None
) -> tuple[list[Column], tuple[Series, ...]]:
    """Return running totals of cost; the last one that is known is the page's total."""
    columns = []
    spans = buckets(period, sheet.rows)
    step = label_step(len(spans))
    running = from_minor(0, sheet.overview.currency)
    for index, bucket in enumerate(spans):
        running = exact_sum((running, bucket.amount))
        state = state_of(bucket, period, metered_to)
        unknown = state in ("ahead", "gap")
        written = money(running, sheet.overview.currency, locale=locale)
        columns.append(
            Column(
                label=axis_label(bucket, period, locale) if index % step == 0 else "",
                title=title_of(bucket, period, locale),
                values={} if unknown else {"cost": running},
                facts=() if unknown else (Fact(_("Cost so far"), written, "k-line"),),
                state=state,
            )
        )
    return columns, (Series("cost", _("Cost so far"), "k-line"),)


def with_forecast(
    columns: Sequence[Column], series: tuple[Series, ...], expected: Decimal, *, currency: str, locale: str
) -> tuple[list[Column], tuple[Series, ...]]:
    """Return the columns of cost with a second line, straight from the last known total to what is expected at the end.

    A forecast is of the whole period: only its last column says an amount. Nothing is added where all are known.
    """
    known = [index for index, column in enumerate(columns) if column.values]
    if not known or known[-1] == len(columns) - 1:
        return list(columns), series
    last, end = known[-1], len(columns) - 1
    begin = Decimal(columns[last].values["cost"])
    made = []
    for index, column in enumerate(columns):
        values, facts = column.values, column.facts
        if index >= last:
            values = {**values, "ahead": begin + (expected - begin) * (index - last) / (end - last)}
        if index == end:
            facts = (Fact(_("Forecast"), money(expected, currency, locale=locale), "k-soft"),)
        made.append(replace(column, values=values, facts=facts))
    return made, (*series, Series("ahead", _("Forecast"), "k-soft", dashed=True))


def legend(series: Sequence[Series]) -> list[LegendEntry]:
    """Return the names of layers, the top of the stack first."""
    return [LegendEntry(layer.name, layer.tone) for layer in reversed(series)]


def state_of(bucket: Bucket, period: Period, metered_to: date | None) -> ColumnState:
    """Say whether a column is complete, still filling, not in yet, or ahead; `metered_to` is the last metered day."""
    if bucket.first > period.today:
        return "ahead"
    if metered_to is not None and bucket.first > metered_to and not bucket.rows:
        return "gap"
    return "partial" if bucket.last >= period.today else "measured"


def label_step(columns: int) -> int:
    """Return how many columns share one label under the axis."""
    return max(1, -(-columns // LABELS_MAX))


def axis_label(bucket: Bucket, period: Period, locale: str) -> str:
    """Return the few letters under a column."""
    if not is_daily(period):
        return day(bucket.first, "MMM", locale)
    return str(bucket.first.day) if period.is_month else day(bucket.first, "MMMd", locale)


def title_of(bucket: Bucket, period: Period, locale: str) -> str:
    """Return what a tooltip and a table row call a column."""
    return day(bucket.first, "MMMEd" if is_daily(period) else "yMMMM", locale)


def _facts(
    series: Sequence[Series], values: Mapping[str, Number], cost: Decimal, sheet: UsageSheet, locale: str
) -> tuple[Fact, ...]:
    tokens = [Fact(layer.name, compact(values[layer.key], locale=locale, digits=2), layer.tone) for layer in series]
    return (*reversed(tokens), Fact(_("Cost"), money(cost, sheet.overview.currency, locale=locale)))
