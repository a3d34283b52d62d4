"""Which price version is in force: from its instant on, until the next one's."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.versions import VersionSegment, segments, version_in_force
from tests.billing.rating.made import START, at, version
from tests.examples import examples

OLD, NEW = version("old", from_hours=0), version("new", from_hours=5)


@pytest.mark.parametrize(("hours", "expected"), [(-0.001, None), (0, OLD), (4.999, OLD), (5, NEW), (500, NEW)])
def test_a_version_is_in_force_from_its_instant(hours: float, expected: object) -> None:
    assert version_in_force([NEW, OLD], at(hours)) is expected


def test_an_interval_is_cut_where_the_version_changes() -> None:
    assert segments([NEW, OLD], at(-1), at(6)) == (
        VersionSegment(None, at(-1), at(0)),
        VersionSegment(OLD, at(0), at(5)),
        VersionSegment(NEW, at(5), at(6)),
    )


def test_a_change_at_either_end_cuts_nothing() -> None:
    assert segments([NEW, OLD], at(0), at(5)) == (VersionSegment(OLD, at(0), at(5)),)


def test_nothing_has_no_segments() -> None:
    assert segments([OLD], at(1), at(1)) == ()
    assert segments([], at(1), at(2)) == (VersionSegment(None, at(1), at(2)),)


def test_two_versions_of_one_instant_are_refused() -> None:
    with pytest.raises(AssertionError, match="one instant"):
        segments([version("a", from_hours=1), version("b", from_hours=1)], at(0), at(2))


HOURS = st.integers(0, 200)


@settings(max_examples=examples(25))
@given(st.sets(HOURS), HOURS, HOURS)
def test_segments_join_up_and_agree_with_the_version_in_force(starts: set[int], one: int, two: int) -> None:
    versions = [version(str(hours), from_hours=hours) for hours in starts]
    begin, end = sorted([START + timedelta(hours=one), START + timedelta(hours=two)])
    found = segments(versions, begin, end)
    assert all(left.to_at == right.from_at for left, right in pairwise(found))
    assert all(left.version is not right.version for left, right in pairwise(found))
    assert sum((s.to_at - s.from_at for s in found), timedelta()) == end - begin
    for segment in found:
        last: datetime = segment.to_at - timedelta(microseconds=1)
        assert version_in_force(versions, segment.from_at) is segment.version
        assert version_in_force(versions, last) is segment.version
