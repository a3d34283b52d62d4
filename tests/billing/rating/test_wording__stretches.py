"""Which wording is in force when, whatever was said in which order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from billing.rating.storage import StorageWording
from billing.rating.wording import FOREVER, Said, stretches_of
from tests.examples import examples

START = datetime(2026, 3, 1, tzinfo=UTC)
A, B = (StorageWording(price_per_gb_month=Decimal(price)) for price in (1, 2))


def at(day: int) -> datetime:
    return START + timedelta(days=day)


def test_a_wording_holds_until_the_next_one_or_for_ever() -> None:
    found = stretches_of([Said(1, at(0), A), Said(2, at(3), B)])
    assert [(each.contract_version, each.from_at, each.to_at, each.wording) for each in found] == [
        (1, at(0), at(3), A),
        (2, at(3), FOREVER, B),
    ]


def test_a_version_replaces_all_that_was_said_of_the_time_after_it() -> None:
    said = [Said(1, at(0), A), Said(1, at(9), None), Said(2, at(4), B), Said(2, at(6), A)]
    assert [(each.contract_version, each.from_at, each.to_at) for each in stretches_of(said)] == [
        (1, at(0), at(4)),
        (2, at(4), at(6)),
        (2, at(6), FOREVER),
    ]


def test_an_end_can_be_taken_back_and_a_gap_is_no_stretch() -> None:
    said = [Said(1, at(0), A), Said(1, at(5), None), Said(2, at(7), B), Said(2, at(8), None)]
    assert [(each.from_at, each.to_at) for each in stretches_of(said)] == [(at(0), at(5)), (at(7), at(8))]


def test_a_window_clips() -> None:
    said = [Said(1, at(0), A), Said(1, at(5), None)]
    [found] = stretches_of(said, at(2), at(9))
    assert (found.from_at, found.to_at) == (at(2), at(5))
    assert stretches_of(said, at(5), at(9)) == ()


said_lists = st.lists(
    st.tuples(st.integers(1, 4), st.integers(0, 12), st.sampled_from([A, B, None])),
    max_size=12,
    unique_by=lambda each: (each[0], each[1]),
)


@settings(max_examples=examples(25))
@given(said_lists, st.integers(0, 13))
def test_at_any_instant_the_latest_version_that_reaches_it_speaks(
    rows: list[tuple[int, int, StorageWording | None]], day: int
) -> None:
    said = [Said(version, at(each), wording) for version, each, wording in rows]
    reaching = [one for one in said if one.from_at <= at(day)]
    speaks = max(reaching, key=lambda one: (one.contract_version, one.from_at), default=None)
    found = [each.wording for each in stretches_of(reversed(said)) if each.from_at <= at(day) < each.to_at]
    assert found == ([] if speaks is None or speaks.wording is None else [speaks.wording])


@settings(max_examples=examples(25))
@given(said_lists, st.integers(0, 13), st.integers(0, 13))
def test_stretches_of_parts_are_those_of_the_whole(
    rows: list[tuple[int, int, StorageWording | None]], one: int, other: int
) -> None:
    said = [Said(version, at(each), wording) for version, each, wording in rows]
    edge = at(min(one, other))
    parts = (*stretches_of(said, None, edge), *stretches_of(said, edge, None))
    whole = stretches_of(said)
    assert sum((each.to_at - each.from_at for each in parts), timedelta()) == sum(
        (each.to_at - each.from_at for each in whole), timedelta()
    )
