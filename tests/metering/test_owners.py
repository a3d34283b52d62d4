"""Comparing whose usage it is: from which instant on anything differs."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.hours import HOUR_MS
from metering.owners import OwnerClaim, Owners, first_difference, timelines
from metering.timeline import FOREVER_MS
from tests.examples import examples

ALICE, BOB = str(UUID(int=1)), str(UUID(int=2))
DAY_MS = 24 * HOUR_MS


def claim(from_ms: int, to_ms: int = FOREVER_MS, owner: str = ALICE, subject: str = "card:1") -> OwnerClaim:
    return OwnerClaim(subject, owner, owner, from_ms, to_ms)


@pytest.mark.parametrize(
    ("before", "now", "differs"),
    [
        (Owners(), Owners(), None),
        (Owners(), Owners([claim(5)]), 5),
        (Owners([claim(0)]), Owners([claim(0, 70)]), 70),
        (Owners([claim(0)]), Owners([claim(0, owner=BOB)]), 0),
        (Owners([claim(0)]), Owners([claim(0)], [(ALICE, 90)]), 90),
        (Owners([claim(0)]), Owners([claim(0)], [(ALICE, HOUR_MS)]), None),
        (Owners([claim(0)]), Owners([claim(0)], [(BOB, 90)]), None),
        (Owners([claim(0)]), Owners([claim(0, 50), claim(50)]), 50),
        (Owners([claim(0)]), Owners([claim(0)], [(ALICE, DAY_MS + 5)]), None),
        (Owners([claim(0)]), Owners([claim(0), claim(9, 12, BOB, "card:2")]), 9),
    ],
)
def test_the_first_difference(before: Owners, now: Owners, differs: int | None) -> None:
    assert first_difference(before, now, from_ms=0, to_ms=DAY_MS) == differs
    assert first_difference(now, before, from_ms=0, to_ms=DAY_MS) == differs


claims = st.lists(
    st.builds(
        claim, st.integers(0, 200), st.integers(201, 400), st.sampled_from([ALICE, BOB]), st.sampled_from(["a", "b"])
    ),
    max_size=4,
)


@settings(max_examples=examples(25))
@given(claims, claims)
def test_before_the_first_difference_every_instant_has_the_same_owner(
    old: list[OwnerClaim], new: list[OwnerClaim]
) -> None:
    differs = first_difference(Owners(old), Owners(new), from_ms=0, to_ms=500)
    before, now = timelines(Owners(old)), timelines(Owners(new))
    for subject in before.keys() & now.keys():
        for at_ms in range(0, 500 if differs is None else differs, 7):
            assert before[subject].owner_at(at_ms) == now[subject].owner_at(at_ms)


@settings(max_examples=examples(25))
@given(claims)
def test_what_is_kept_comes_back_the_same(some: list[OwnerClaim]) -> None:
    owners = Owners(some, [(ALICE, 5)])
    assert msgspec.convert(msgspec.to_builtins(owners), Owners) == owners
