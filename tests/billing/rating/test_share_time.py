"""Spans, contract years and steps of a schedule lie where the contract's zone has them."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.rating.share_rating import rate_share
from billing.rating.share_time import segments, share_cuts, span_at
from billing.rating.share_words import SpanKind, SpansBegin
from tests.billing.rating.share_made import APRIL, MAY, MTOK, april, by_rule, month, term, used, wording

BERLIN = "Europe/Berlin"


def test_calendar_spans_begin_at_local_midnight() -> None:
    at = datetime(2026, 3, 15, tzinfo=UTC)
    found = span_at(SpanKind.MONTH, SpansBegin.CALENDAR, at, BERLIN, at)
    assert (found.from_at, found.to_at) == (
        datetime(2026, 2, 28, 23, tzinfo=UTC),
        datetime(2026, 3, 31, 22, tzinfo=UTC),
    )
    assert found.seconds == 31 * 86_400 - 3_600


@pytest.mark.parametrize(
    ("kind", "at", "start", "end"),
    [
        (SpanKind.QUARTER, "2026-06-30T23:59:59Z", "2026-04-01T00:00:00Z", "2026-07-01T00:00:00Z"),
        (SpanKind.YEAR, "2024-05-05T00:00:00Z", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
        (SpanKind.MONTH, "2025-12-31T00:00:00Z", "2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ],
)
def test_calendar_spans(kind: SpanKind, at: str, start: str, end: str) -> None:
    found = span_at(kind, SpansBegin.CALENDAR, datetime(2026, 3, 1, tzinfo=UTC), "UTC", datetime.fromisoformat(at))
    assert found.from_at == datetime.fromisoformat(start)
    assert found.to_at == datetime.fromisoformat(end)


def test_spans_of_a_term_begin_on_its_day_or_the_last_of_a_shorter_month() -> None:
    begun = datetime(2026, 1, 31, 8, tzinfo=UTC)
    found = span_at(SpanKind.MONTH, SpansBegin.TERM, begun, "UTC", datetime(2026, 2, 28, 7, tzinfo=UTC))
    assert (found.from_at, found.to_at) == (begun, datetime(2026, 2, 28, 8, tzinfo=UTC))
    found = span_at(SpanKind.MONTH, SpansBegin.TERM, begun, "UTC", found.to_at)
    assert found.to_at == datetime(2026, 3, 31, 8, tzinfo=UTC)


def test_a_window_is_cut_where_anything_changes() -> None:
    words = wording(
        schedule=[{"from_month": 12, "share_percent": "20"}],
        tier_period="contract_year",
        guarantee={"amount_per_span": "5", "span": "quarter"},
        spans_begin="term",
    )
    begun = datetime(2025, 4, 11, tzinfo=UTC)
    changed = {APRIL: words, april(21): words}
    found = term(changed, from_at=begun)
    parts = segments(found, month())
    assert [(part.from_at, part.to_at) for part in parts] == [
        (APRIL, april(11)),
        (april(11), april(21)),
        (april(21), MAY),
    ]
    assert [part.table.step for part in parts] == [0, 1, 1]
    assert share_cuts(words, begun, "UTC", APRIL, MAY) == {april(11)}
    assert sum(part.seconds for part in parts) == (MAY - APRIL) // timedelta(seconds=1)


def test_a_lifetime_has_no_end() -> None:
    (part,) = segments(term(wording(tier_period="lifetime")), month())
    assert part.tier_span is None


def test_tiers_of_an_amendment_go_on_from_the_position_reached_in_their_month() -> None:
    """Months begin on the tenth: 400 used on the tenth at one percentage are below 600 used on the twentieth."""
    later = wording(
        spans_begin="term",
        tiers=[
            {"from_base_amount": "0", "to_base_amount": "500", "share_percent": "40"},
            {"from_base_amount": "500", "share_percent": "10"},
        ],
    )
    words = {APRIL: wording(spans_begin="term"), april(15): later}
    usage = (used(700 * MTOK, at=april(9)), used(400 * MTOK, at=april(10)), used(600 * MTOK, at=april(20)))
    rated = rate_share(term(words, *usage, from_at=datetime(2026, 1, 10, tzinfo=UTC)), month())
    assert by_rule(rated)["token_share_list_price"] == 330
    assert by_rule(rated)["share_tier_marginal"] == 40 + 50
