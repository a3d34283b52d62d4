"""Cutting tables by time: spans follow each other without gap or overlap, and names and bounds are read back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.partition_plans import BATCHES, PLANS
from metering.partitions import (
    NAME_CHARS_MAX,
    SEALED_AFTER,
    PartitionPlan,
    Span,
    Unit,
    months_after,
    partition_name,
    read_bound,
    span_of,
    spans_ahead,
)
from tests.examples import examples

MARCH = Span(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
INSTANTS = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, tz=UTC))


def plan(**changes: object) -> PartitionPlan:
    fields: dict[str, object] = {
        "table": "facts",
        "column": "received_at",
        "unit": "month",
        "ahead": 2,
        "keep_months": 13,
        "unique": (("id",),),
        "order_by": ("id",),
        **changes,
    }
    return PartitionPlan(**fields)  # type: ignore[arg-type]  # fields by name


@settings(max_examples=examples(25))
@given(INSTANTS, st.sampled_from(["month", "day"]), st.integers(1, 40))
def test_spans_contain_the_instant_and_follow_each_other(at: datetime, unit: Unit, ahead: int) -> None:
    spans = spans_ahead(at, unit, ahead)
    assert len(spans) == ahead + 1
    first = spans[0]
    assert first.from_at is not None
    assert first.to_at is not None
    assert first.from_at <= at < first.to_at
    for before, after in pairwise(spans):
        assert before.to_at == after.from_at
    names = [partition_name(plan(unit=unit), span) for span in spans]
    assert names == sorted(set(names))
    assert all(len(f"{name}_no_truncate") <= NAME_CHARS_MAX for name in names)


def test_a_span_is_of_utc_whatever_the_zone_of_the_instant() -> None:
    east = datetime(2026, 4, 1, 3, tzinfo=timezone(timedelta(hours=8)))
    assert span_of(east, "month") == MARCH
    assert span_of(east, "day").from_at == datetime(2026, 3, 31, tzinfo=UTC)
    assert partition_name(plan(unit="day"), span_of(east, "day")) == "facts_2026_03_31"
    assert partition_name(BATCHES, MARCH) == "metering_batch_2026_03"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DEFAULT", None),
        ("FOR VALUES FROM ('2026-03-01 00:00:00+00') TO ('2026-04-01 00:00:00+00')", MARCH),
        ("FOR VALUES FROM (MINVALUE) TO ('2026-04-01 00:00:00+00')", Span(None, MARCH.to_at)),
        ("FOR VALUES FROM ('2026-03-01 00:00:00+00') TO (MAXVALUE)", Span(MARCH.from_at, None)),
    ],
)
def test_a_bound_is_read_as_postgres_writes_it(text: str, expected: Span | None) -> None:
    assert read_bound(text) == expected


@pytest.mark.parametrize(
    ("at", "months", "expected"),
    [
        ((2026, 1, 31), 1, (2026, 2, 28)),
        ((2028, 1, 31), 1, (2028, 2, 29)),
        ((2026, 12, 1), 1, (2027, 1, 1)),
        ((2026, 1, 1), -1, (2025, 12, 1)),
        ((2026, 4, 1), 13, (2027, 5, 1)),
    ],
)
def test_months_are_those_of_the_calendar(
    at: tuple[int, int, int], months: int, expected: tuple[int, int, int]
) -> None:
    assert months_after(datetime(*at, tzinfo=UTC), months) == datetime(*expected, tzinfo=UTC)


def test_a_part_is_archived_a_month_before_it_may_go_and_never_before_it_is_sealed() -> None:
    for one in PLANS:
        assert one.keeps_until(MARCH) == months_after(datetime(2026, 4, 1, tzinfo=UTC), one.keep_months)
        assert months_after(one.archives_from(MARCH), 1) == one.keeps_until(MARCH)
    ended = datetime(2026, 4, 1, tzinfo=UTC)
    assert not MARCH.sealed(ended + SEALED_AFTER - timedelta(microseconds=1))
    assert MARCH.sealed(ended + SEALED_AFTER)
    assert not Span(ended, None).sealed(ended + timedelta(days=9_999))


@pytest.mark.parametrize("changes", [{"table": "facts; drop"}, {"column": "At"}, {"order_by": ('"x"',)}, {"ahead": 0}])
def test_a_plan_that_is_not_safe_as_sql_text_cannot_be_made(changes: dict[str, object]) -> None:
    with pytest.raises(AssertionError):
        plan(**changes)
