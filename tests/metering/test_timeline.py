"""Owners and parts of hours."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from metering.hours import HOUR_MS, hour_of
from metering.timeline import NOBODY, Claim, Owner, Timeline
from tests.examples import examples
from tests.metering.fleet import NOON_MS

ALICE, BOB = Owner(UUID(int=1), UUID(int=11)), Owner(UUID(int=2), UUID(int=12))
MINUTE_MS = 60_000


def test_without_claims_an_hour_is_nobodys_and_whole() -> None:
    slot = Timeline().slot_at(NOON_MS + 5)
    assert (slot.hour_ms, slot.from_ms, slot.to_ms, slot.owner) == (NOON_MS, NOON_MS, NOON_MS + HOUR_MS, NOBODY)


def test_an_edge_parts_the_hour_and_the_owner() -> None:
    edge = NOON_MS + 10 * MINUTE_MS
    timeline = Timeline([Claim(ALICE, 0, edge), Claim(BOB, edge)])
    before, after = timeline.slot_at(edge - 1), timeline.slot_at(edge)
    assert (before.from_ms, before.to_ms, before.owner) == (NOON_MS, edge, ALICE)
    assert (after.from_ms, after.to_ms, after.owner) == (edge, NOON_MS + HOUR_MS, BOB)
    assert timeline.slot_at(edge - 1) == before


def test_two_claims_at_once_are_nobodys() -> None:
    assert Timeline([Claim(ALICE, 0), Claim(BOB, 0)]).owner_at(NOON_MS) is NOBODY
    assert Timeline([Claim(ALICE, 0), Claim(ALICE, 0)]).owner_at(NOON_MS) == ALICE


def test_cuts_count_only_where_their_deployment_holds() -> None:
    cut = NOON_MS + 30 * MINUTE_MS
    assert ALICE.deployment_id
    held = Timeline([Claim(ALICE, NOON_MS)], {ALICE.deployment_id: [cut]})
    assert held.slot_at(cut).from_ms == cut
    other = Timeline([Claim(BOB, NOON_MS)], {ALICE.deployment_id: [cut]})
    assert other.slot_at(cut).from_ms == NOON_MS
    ended = Timeline([Claim(ALICE, NOON_MS - HOUR_MS, NOON_MS)], {ALICE.deployment_id: [cut]})
    assert ended.slot_at(cut).from_ms == NOON_MS


@settings(max_examples=examples(25))
@given(
    st.lists(st.integers(NOON_MS - 3 * HOUR_MS, NOON_MS + 3 * HOUR_MS), max_size=6),
    st.lists(st.integers(NOON_MS - 3 * HOUR_MS, NOON_MS + 3 * HOUR_MS), min_size=1, max_size=20),
)
def test_slots_tile_time_whatever_is_asked_first(edges: list[int], asked: list[int]) -> None:
    bounds = sorted(set(edges))
    claims = [Claim(ALICE if index % 2 else BOB, start, end) for index, (start, end) in enumerate(pairwise(bounds))]
    timeline, fresh = Timeline(claims), [Timeline(claims) for _ in asked]
    for at_ms, other in zip(asked, fresh, strict=True):
        slot = timeline.slot_at(at_ms)
        assert slot.from_ms <= at_ms < slot.to_ms
        assert slot.hour_ms == hour_of(at_ms) == hour_of(slot.to_ms - 1)
        assert slot.owner == timeline.owner_at(at_ms) == timeline.owner_at(slot.to_ms - 1)
        assert slot == other.slot_at(at_ms)


@settings(max_examples=examples(25))
@given(st.integers(0, 10 * HOUR_MS), st.integers(0, 10 * HOUR_MS))
def test_edges_between_are_strictly_inside_and_ascend(start: int, length: int) -> None:
    timeline = Timeline([Claim(ALICE, HOUR_MS + 7, 5 * HOUR_MS)])
    edges = timeline.edges_between(start, start + length)
    assert edges == sorted(set(edges))
    assert all(start < edge < start + length for edge in edges)
    assert (start < HOUR_MS + 7 < start + length) == (HOUR_MS + 7 in edges)
