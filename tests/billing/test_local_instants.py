"""Local time is taken where it is one instant, and refused with both where it is two or none."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.local_instants import WrongInstant, read_instant
from tests.examples import examples

NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-30T08:00:00Z", datetime(2026, 11, 30, 8, tzinfo=UTC)),
        ("2026-11-30T08:00:00.9+08:00", datetime(2026, 11, 30, 0, tzinfo=UTC)),
        ("2026-11-30T08:00", datetime(2026, 11, 30, 13, tzinfo=UTC)),
        ("2026-11-30", datetime(2026, 11, 30, 5, tzinfo=UTC)),
        # With an offset there is no doubt, whatever the clocks do.
        ("2026-11-01T01:30:00-04:00", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
    ],
)
def test_a_time_that_is_one_instant_is_taken(text: str, instant: datetime) -> None:
    assert read_instant(text, NEW_YORK) == instant


def test_a_time_that_is_twice_is_refused_with_both() -> None:
    with pytest.raises(WrongInstant, match="is twice") as refused:
        read_instant("2026-11-01T01:30", NEW_YORK)
    assert refused.value.examples == ("2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00")
    assert [read_instant(text, NEW_YORK).hour for text in refused.value.examples] == [5, 6]


def test_a_time_that_does_not_exist_is_refused_with_what_can_be_meant() -> None:
    with pytest.raises(WrongInstant, match="does not exist") as refused:
        read_instant("2026-03-08T02:30", NEW_YORK)
    assert refused.value.examples == ("2026-03-08T01:30:00-05:00", "2026-03-08T03:30:00-04:00")


@pytest.mark.parametrize("text", ["", "Monday", "2026-02-30T00:00", "1999-12-31T00:00:00Z", "3000-01-01"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(WrongInstant) as refused:
        read_instant(text, "UTC")
    assert read_instant(refused.value.examples[0], "UTC")


@settings(max_examples=examples(25))
@given(st.integers(0, 10**9), st.sampled_from([NEW_YORK, "Asia/Shanghai", "UTC"]))
def test_what_is_taken_reads_back_as_the_same_local_time(second: int, zone: str) -> None:
    local = (datetime(2001, 1, 1, tzinfo=UTC) + timedelta(seconds=second)).replace(tzinfo=None)
    texts = said(local.isoformat(), zone)
    found = [read_instant(text, zone).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for text in texts]
    assert len(texts) == 2 or found == [local]


def said(text: str, zone: str) -> tuple[str, ...]:
    """The text where it is one instant, else the two that can have been meant."""
    try:
        read_instant(text, zone)
    except WrongInstant as refused:
        return refused.examples
    return (text,)
