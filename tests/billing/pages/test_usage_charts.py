"""Columns of usage, their layers and their states."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.pages.periods import Period, read_period
from billing.pages.usage_charts import (
    LABELS_MAX,
    MODEL_TONES,
    OTHER,
    OTHER_TONE,
    Bucket,
    added,
    axis_label,
    buckets,
    by_model,
    class_series,
    class_values,
    cost_columns,
    is_daily,
    label_step,
    legend,
    model_series,
    model_tones,
    model_values,
    state_of,
    title_of,
    token_columns,
    with_forecast,
)
from billing.queries.sheet_rows import SheetRow
from billing.queries.usage import UsageOverview
from billing.queries.usage_sheet import EVERYTHING, UsageSheet
from billing.token_counts import TokenCounts

NOW = datetime(2026, 3, 18, 12, tzinfo=UTC)
MARCH = read_period({"month": "2026-03"}, "UTC", NOW)
YEAR = read_period({"from": "2025-04-01", "to": "2026-03-31"}, "UTC", NOW)
SIX = ("a", "b", "c", "d", "e", "f")
counts = st.builds(
    lambda fresh, cached, write, output: TokenCounts(fresh + cached, cached, write, output, output // 2),
    *(st.integers(0, 10**12) for _ in range(4)),
)


def row(day: int, model: str = "a", tokens: int = 100, amount: str = "1.00", exact: str | None = None) -> SheetRow:
    return SheetRow(
        date(2026, 3, day), "C-1", "L-1", "tokens", model, TokenCounts(tokens), Decimal(0),
        Decimal(exact or amount), Decimal(amount),
    )  # fmt: skip


def sheet(*rows: SheetRow, models: tuple[str, ...] = ("a",)) -> UsageSheet:
    tokens = added([each.tokens for each in rows])
    total = sum((each.amount for each in rows), Decimal("0.00"))
    overview = UsageOverview(
        from_at=MARCH.from_at, to_at=MARCH.to_at, zone="UTC", currency="USD", currencies=("USD",), total=total,
        token_amount=total, lease_amount=Decimal(0), gpu_seconds=Decimal(0), tokens=tokens, days=(), models=(),
        leases=(), unpriced=(),
    )  # fmt: skip
    return UsageSheet(overview, EVERYTHING, models, tuple(rows), total, None)


@given(counts)
def test_layers_by_class_hold_every_token_once(tokens: TokenCounts) -> None:
    values = class_values(tokens)
    assert sum(values.values()) == tokens.total
    assert {layer.key for layer in class_series(tokens)} == set(values) - (
        set() if tokens.cache_write else {"cache_write"}
    )


@given(st.lists(counts, max_size=5))
def test_a_sum_of_counts_is_that_of_its_totals(several: list[TokenCounts]) -> None:
    whole = added(several)
    assert whole.total == sum(each.total for each in several)
    assert whole.uncached_input == sum(each.uncached_input for each in several)
    assert whole.reasoning == sum(each.reasoning for each in several)


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 10**9)), st.integers(0, 8))
def test_layers_by_model_hold_every_token_of_a_known_model_once(used: dict[str, int], known: int) -> None:
    models = tuple("abcdefgh"[:known])
    values = model_values(used, models)
    assert sum(values.values()) == sum(used.get(model, 0) for model in models)
    assert set(values) == {layer.key for layer in model_series(models)}


def test_the_sixth_model_and_all_after_it_share_a_layer_and_a_colour() -> None:
    assert [layer.key for layer in model_series(SIX)] == [*SIX[:5], OTHER]
    assert [layer.key for layer in model_series(SIX[:5])] == list(SIX[:5])
    tones = model_tones((*SIX, "g"))
    assert [tones[model] for model in SIX[:5]] == list(MODEL_TONES)
    assert tones["f"] == tones["g"] == OTHER_TONE
    assert model_values({"a": 1, "f": 2, "g": 3}, (*SIX, "g"))[OTHER] == 5


def test_a_legend_names_the_top_of_the_stack_first() -> None:
    assert [entry.name for entry in legend(class_series(TokenCounts(1, 0, 0, 1)))] == [
        "Output",
        "Input",
        "Cached input",
    ]


def test_every_day_of_a_month_is_a_column_and_every_row_is_in_its_own() -> None:
    found = buckets(MARCH, [row(31), row(1), row(1, "b")])
    assert [bucket.first for bucket in found] == MARCH.days()
    assert [len(bucket.rows) for bucket in (found[0], found[1], found[30])] == [2, 0, 1]
    assert (found[0].tokens.total, found[0].amount) == (200, Decimal("2.00"))


def test_a_year_is_columns_of_months_that_hold_all_its_days() -> None:
    found = buckets(YEAR, [row(1), row(31)])
    assert [(bucket.first.month, bucket.last.day) for bucket in found][:3] == [(4, 30), (5, 31), (6, 30)]
    assert len(found) == 12
    assert [len(bucket.rows) for bucket in found] == [0] * 11 + [2]


@pytest.mark.parametrize(("last", "daily"), [("2026-04-02", True), ("2026-04-03", False)])
def test_at_most_ninety_two_days_are_drawn_by_day(last: str, *, daily: bool) -> None:
    period = read_period({"from": "2026-01-01", "to": last}, "UTC", NOW)
    assert is_daily(period) is daily
    assert (len(buckets(period, [])) == len(period.days())) is daily


@pytest.mark.parametrize(
    ("day", "metered_to", "used", "state"),
    [
        (19, None, False, "ahead"),
        (18, None, False, "partial"),
        (18, 17, False, "gap"),
        (18, 17, True, "partial"),
        (17, 17, False, "measured"),
        (17, 16, False, "gap"),
        (17, 16, True, "measured"),
        (17, None, False, "measured"),
    ],
)
def test_a_column_is_known_only_where_it_was_metered(
    day: int, metered_to: int | None, state: str, *, used: bool
) -> None:
    at = date(2026, 3, day)
    bucket = Bucket(at, at, [row(day)] if used else [])
    known = None if metered_to is None else date(2026, 3, metered_to)
    assert state_of(bucket, MARCH, known) == state


def test_a_day_is_that_of_the_zone_of_the_page() -> None:
    east = Period(MARCH.first, MARCH.last, "Asia/Tokyo", datetime(2026, 3, 18, 16, tzinfo=UTC), is_month=True)
    at = date(2026, 3, 19)
    assert state_of(Bucket(at, at), east, None) == "partial"
    assert state_of(Bucket(at, at), MARCH, None) == "ahead"


@given(st.integers(1, 400))
def test_labels_under_an_axis_are_few_and_none_too_few(columns: int) -> None:
    step = label_step(columns)
    shown = len(range(0, columns, step))
    assert 1 <= shown <= LABELS_MAX
    assert step == 1 or len(range(0, columns, step - 1)) > LABELS_MAX


def test_labels_say_a_day_of_the_month_a_date_or_a_month() -> None:
    at = Bucket(date(2026, 3, 5), date(2026, 3, 5))
    week = read_period({"from": "2026-03-02", "to": "2026-03-08"}, "UTC", NOW)
    assert [axis_label(at, period, "en") for period in (MARCH, week, YEAR)] == ["5", "Mar 5", "Mar"]
    assert title_of(at, YEAR, "en") == "March 2026"
    assert "Thu" in title_of(at, MARCH, "en")


def test_unknown_days_have_no_value_and_lead_nowhere() -> None:
    shown = sheet(row(2, "a", 70), row(2, "b", 30), models=("a", "b"))
    made, series = token_columns(
        MARCH,
        shown,
        grouping=by_model(shown),
        locale="en",
        day_url=lambda day: f"/{day.isoformat()}/",
        metered_to=date(2026, 3, 10),
    )
    assert [layer.key for layer in series] == ["a", "b"]
    assert (dict(made[1].values), made[1].url) == ({"a": 70, "b": 30}, "/2026-03-02/")
    assert dict(made[2].values) == {"a": 0, "b": 0}
    for unknown, state in ((made[10], "gap"), (made[30], "ahead")):
        assert (dict(unknown.values), unknown.facts, unknown.url, unknown.state) == ({}, (), "", state)
    assert next(column.title for column in made if column.weekend).startswith("Sun")
    assert sum(column.weekend for column in made) == 9


def test_the_layers_by_class_of_a_day_tell_their_cost_last() -> None:
    made, _series = token_columns(
        MARCH, sheet(row(2, exact="1.004")), grouping=None, locale="en", day_url=str, metered_to=None
    )
    assert [fact.name for fact in made[1].facts] == ["Output", "Input", "Cached input", "Cost"]
    assert made[1].facts[-1].value == "$1.00"


def test_a_months_column_of_a_year_leads_to_no_day() -> None:
    made, _series = token_columns(YEAR, sheet(row(2)), grouping=None, locale="en", day_url=str, metered_to=None)
    assert {column.url for column in made} == {""}
    assert not any(column.weekend for column in made)


def test_the_line_of_cost_never_falls_and_ends_at_the_total_of_the_page() -> None:
    shown = sheet(row(1, amount="0.10"), row(2, amount="0.20"), row(18, amount="0.30"))
    made, _series = cost_columns(MARCH, shown, locale="en", metered_to=None)
    known = [Decimal(str(column.values["cost"])) for column in made if column.values]
    assert known == sorted(known)
    assert (known[-1], len(known)) == (shown.total, 18)
    assert made[17].facts[0].value == "$0.60"


def test_a_forecast_goes_straight_on_from_the_last_total_and_says_an_amount_only_at_the_end() -> None:
    made, series = cost_columns(MARCH, sheet(row(1, amount="10"), row(18, amount="26")), locale="en", metered_to=None)
    drawn, layers = with_forecast(made, series, Decimal(62), currency="USD", locale="en")
    assert [(layer.key, layer.dashed) for layer in layers] == [("cost", False), ("ahead", True)]
    ahead = [column.values.get("ahead") for column in drawn]
    assert ahead[:17] == [None] * 17
    assert (ahead[17], ahead[18], ahead[30]) == (Decimal(36), Decimal(38), Decimal(62))
    assert [column.values.get("cost") for column in drawn] == [column.values.get("cost") for column in made]
    assert [column.facts for column in drawn[18:30]] == [()] * 12
    assert [(fact.name, fact.value) for fact in drawn[30].facts] == [("Forecast", "$62.00")]


def test_where_all_days_or_none_are_known_nothing_is_foretold() -> None:
    ended = read_period({"month": "2026-02"}, "UTC", NOW)
    for period in (ended, read_period({"month": "2026-04"}, "UTC", NOW)):
        made, series = cost_columns(period, sheet(), locale="en", metered_to=None)
        assert with_forecast(made, series, Decimal(5), currency="USD", locale="en") == (made, series)
