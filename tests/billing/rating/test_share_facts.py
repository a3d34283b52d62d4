"""What decides a share beside usage, as it is stored: each fact by its tag, exactly as it was stated."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from billing.rating.kinds import read_fact, write_fact

SPAN = {"from_at": "2026-04-01T00:00:00Z", "to_at": "2026-04-01T01:00:00Z"}
COUNTED = {"deployment": "d1", "model": "sample", "token_class": "output", **SPAN}
FACTS: dict[str, dict[str, object]] = {
    "witness_counts": {**COUNTED, "engine": 12, "gateway": 10, "explained": 2},
    "agreed_counts": {**COUNTED, "tokens": 11},
    "interrupted_counts": {**COUNTED, "measured": 9, "delivered": 4},
    "refunded_counts": {**COUNTED, "tokens": 7, "refund": "R-1"},
    "certified_revenue": {**SPAN, "statement": "ST-1", "net_revenue_amount": "1000.000000000001"},
    "audit_finding": {
        **SPAN,
        "audit": "AU-1",
        "found_at": "2026-06-01T00:00:00Z",
        "reported_share_amount": "100",
        "found_share_amount": "130.5",
        "cost_amount": "20",
    },
}


@pytest.mark.parametrize("tag", FACTS)
def test_a_fact_that_is_written_and_read_is_the_same(tag: str) -> None:
    fact = read_fact({"fact": tag, **FACTS[tag]})
    assert write_fact(fact)["fact"] == tag
    assert read_fact(write_fact(fact)) == fact


@pytest.mark.parametrize("tag", FACTS)
def test_every_statement_of_a_fact_is_kept(tag: str) -> None:
    changed = {"deployment": "d2", "statement": "ST-2", "audit": "AU-2"}
    other = {name: changed.get(name, value) for name, value in FACTS[tag].items()}
    assert read_fact({"fact": tag, **other}) != read_fact({"fact": tag, **FACTS[tag]})


@pytest.mark.parametrize("tag", FACTS)
def test_a_fact_without_its_time_is_refused(tag: str) -> None:
    document = {name: value for name, value in FACTS[tag].items() if name != "from_at"}
    with pytest.raises(msgspec.ValidationError, match="from_at"):
        read_fact({"fact": tag, **document})


@pytest.mark.parametrize("tag", FACTS)
def test_a_fact_with_something_unknown_is_refused(tag: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="surprise"):
        read_fact({"fact": tag, **FACTS[tag], "surprise": 1})


def test_part_of_a_token_is_no_count() -> None:
    with pytest.raises(msgspec.ValidationError, match="tokens"):
        read_fact({"fact": "agreed_counts", **COUNTED, "tokens": 1.5})


def test_an_instant_is_the_same_in_any_zone() -> None:
    ahead = datetime(2026, 4, 1, tzinfo=UTC).astimezone(timezone(timedelta(hours=2)))
    stated = {"fact": "agreed_counts", **COUNTED, "tokens": 11}
    assert read_fact({**stated, "from_at": ahead.isoformat()}) == read_fact(stated)
