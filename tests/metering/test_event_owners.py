"""Whose an event is at its own instant, and where two states answer otherwise."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from metering.event_columns import NOBODY, Owned, OwnedColumns
from metering.event_owners import FOREVER_US, Bound, Served, Serving, attributed, changed_span, since
from tests.examples import examples

TENANT, PROVIDER, CHAT, CODE = (UUID(int=number) for number in range(1, 5))


def served(deployment: UUID = CHAT, from_us: int = 0, to_us: int = FOREVER_US, *bindings: Bound) -> Served:
    return Served(deployment, f"d{deployment.int}", PROVIDER, from_us, to_us, bindings)


def owner_at(deployments: list[Served], at_us: int, model: str = "small", slug: str = "") -> UUID:
    ((found, _),) = Serving(deployments).parts(model, slug, np.array([at_us]))
    assert Serving(deployments).whole(model, slug, at_us, at_us) == found
    return found


def test_a_deployment_serves_any_model_until_its_first_binding_begins() -> None:
    one = [served(CHAT, 0, 100, Bound("large", 40, 60))]
    assert [owner_at(one, at_us) for at_us in (0, 39, 40, 59, 60, 99, 100)] == [CHAT, CHAT] + 5 * [NOBODY]
    large = [owner_at(one, at_us, "large") for at_us in (39, 40, 59, 60)]
    assert large == [CHAT, CHAT, CHAT, NOBODY]


def test_who_serves_the_model_goes_before_who_may_serve_any() -> None:
    both = [served(CHAT), served(CODE, 0, FOREVER_US, Bound("small", 10, 20))]
    assert [owner_at(both, at_us) for at_us in (5, 10, 20)] == [NOBODY, CODE, CHAT]


def test_two_that_serve_a_model_are_nobody_unless_one_is_named() -> None:
    both = [served(CHAT, 0, FOREVER_US, Bound("small", 0, 9)), served(CODE, 0, FOREVER_US, Bound("small", 0, 9))]
    assert owner_at(both, 1) == NOBODY
    assert owner_at(both, 1, slug="d4") == CODE
    assert owner_at(both, 1, slug="d9") == NOBODY
    assert Serving(both).has_slug("d4")
    assert not Serving(both).has_slug("d9")


def columns(said: list[tuple[Owned, int]]) -> OwnedColumns:
    owners = tuple({owner for owner, _ in said})
    places = np.array([owners.index(owner) for owner, _ in said])
    at_us = np.array([at for _, at in said])
    nothing = np.zeros(len(said), dtype=np.int64)
    return OwnedColumns((), owners, places, ("",), nothing, at_us, nothing.reshape(-1, 1))


def owners_of(events: OwnedColumns) -> list[UUID]:
    return [events.owners[number].deployment_id for number in events.owner.tolist()]


def test_only_what_named_its_deployment_and_found_it_stays() -> None:
    said = [
        (Owned("g", "small", TENANT, found, named), at_us)
        for found, named in ((CODE, "d4"), (NOBODY, "d4"), (CODE, ""), (NOBODY, ""))
        for at_us in (5, 15)
    ]
    now = Serving([served(CHAT, 0, 10), served(CODE, 10, 20)])
    assert owners_of(attributed(columns(said), lambda _: now)) == [CODE, CODE, NOBODY, CODE, *2 * [CHAT, CODE]]
    assert owners_of(attributed(columns(said[::2]), lambda _: now)) == [CODE, NOBODY, CHAT, CHAT]


def test_one_tenants_events_alone() -> None:
    said = [(Owned("g", "small", UUID(int=100 + number % 3), CHAT, ""), number) for number in range(7)]
    mine = columns(said).of_tenant(UUID(int=101))
    assert mine.occurred_us.tolist() == [1, 4]
    assert [mine.owners[number].tenant_id for number in mine.owner] == 2 * [UUID(int=101)]
    assert len(columns(said).of_tenant(TENANT)) == 0
    assert mine.of_tenant(UUID(int=101)) is mine


INSTANTS = st.integers(0, 12)
MODELS = ("small", "large")


@st.composite
def spans(draw: st.DrawFn) -> tuple[int, int]:
    start = draw(INSTANTS)
    return start, draw(st.integers(start + 1, 14) | st.just(FOREVER_US))


@st.composite
def states(draw: st.DrawFn) -> list[Served]:
    found = []
    for deployment in draw(st.sets(st.sampled_from((CHAT, CODE, UUID(int=5))))):
        bindings = draw(st.lists(st.tuples(st.sampled_from(MODELS), spans()), max_size=2))
        bound = sorted(Bound(model, *span) for model, span in bindings)
        found.append(Served(deployment, f"d{deployment.int}", PROVIDER, *draw(spans()), tuple(bound)))
    return sorted(found)


@settings(max_examples=examples(25))
@given(before=states(), now=states())
def test_outside_the_span_that_changed_every_answer_is_the_same(before: list[Served], now: list[Served]) -> None:
    changed = changed_span(before, now, from_us=2, to_us=12)
    first, end = changed or (2, 2)
    assert 2 <= first <= end <= 12
    for at_us in range(2, 12):
        if not first <= at_us < end:
            asked = [(model, slug) for model in MODELS for slug in ("", "d3", "d4", "d5")]
            assert [owner_at(before, at_us, *one) for one in asked] == [owner_at(now, at_us, *one) for one in asked]
    assert changed_span(now, now, from_us=2, to_us=12) is None


@settings(max_examples=examples(25))
@given(state=states())
def test_what_is_kept_is_read_back(state: list[Served]) -> None:
    kept: Any = msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(state)))
    assert msgspec.convert(kept, list[Served]) == state
    assert since(state, 5) == [one for one in state if one.to_us > 5]


@settings(max_examples=examples(25))
@given(state=states(), instants=st.lists(INSTANTS, min_size=1), model=st.sampled_from(MODELS))
def test_many_at_once_are_as_one_by_one(state: list[Served], instants: list[int], model: str) -> None:
    events = columns([(Owned("g", model, TENANT, NOBODY, ""), at_us) for at_us in instants])
    serving = Serving(state)
    assert owners_of(attributed(events, lambda _: serving)) == [owner_at(state, at_us, model) for at_us in instants]


def test_a_second_binding_of_a_served_model_changes_no_answer() -> None:
    before = [served(CHAT, 0, FOREVER_US, Bound("small", 0, FOREVER_US))]
    now = [served(CHAT, 0, FOREVER_US, Bound("small", 0, FOREVER_US), Bound("small", 5, FOREVER_US))]
    assert changed_span(before, now, from_us=0, to_us=100) is None
    ended = [served(CHAT, 0, 50, *before[0].bindings)]
    assert changed_span(before, ended, from_us=0, to_us=100) == (50, 100)
