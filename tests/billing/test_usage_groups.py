"""Usage told apart by caller: what bills is divided, never more nor less than it is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.bases import Grain, read_bases
from billing.queries.usage_windows import windows_of
from billing.usage_groups import SHARED, Stretches, caller_of, told_apart
from metering.key_models import KeyHour, Project, ProjectKey, UsageKey
from metering.models import Witness
from tests.billing.world import APRIL, MARCH, World, make_world
from tests.examples import examples
from tests.kept import kept

if TYPE_CHECKING:
    from tests.billing.world import Shared

BY_HOUR = Stretches()
GROUP = dict.fromkeys((*SHARED, *BY_HOUR.names), "same")
MODEL = "sample-model"


def key_hours(shared: Shared, label: str, **counts: Any) -> UsageKey:
    """What rollup leaves of one key beside the usage hours of 9 o'clock."""
    key, _ = UsageKey.objects.get_or_create(tenant=shared.tenant, label=label, defaults={"first_counted_at": MARCH})
    at = counts.pop("at", MARCH + timedelta(hours=9))
    nothing = dict.fromkeys(
        ("cached_input", "cache_write", "output", "reasoning", "images", "audio_seconds", "video_seconds", "steps"), 0
    )
    KeyHour.objects.create(
        tenant=shared.tenant,
        key=key,
        deployment=shared.deployment,
        model=counts.pop("model", MODEL),
        hour_at=at,
        from_at=at,
        to_at=at + timedelta(hours=1),
        quality=counts.pop("quality", "A"),
        context_over=counts.pop("context_over", 0),
        marks=counts.pop("marks", ""),
        **{**nothing, "input": 0, "requests": 1, **counts},
    )
    return key


@kept
def world() -> World:
    return make_world(tokens={(MODEL, "input"): "1.00"})


@settings(max_examples=examples(40))
@given(st.integers(0, 10**12), st.dictionaries(st.sampled_from("abc"), st.integers(-5, 10**12)))
def test_what_bills_is_divided_and_no_part_is_below_nothing(counted: int, parts: dict[str, int]) -> None:
    group = tuple(GROUP[name] for name in (*SHARED, *BY_HOUR.names))
    callers = {group: {caller: {"input": count} for caller, count in parts.items()}}
    found = told_apart({**GROUP, "quantity": "input", "count": counted}, BY_HOUR, callers)
    assert sum(count for _, count in found) == counted
    assert all(count >= 0 for _, count in found)
    known = {caller: count for caller, count in parts.items() if count > 0}
    if sum(known.values()) <= counted:
        assert {caller: count for caller, count in found if caller} == known


@pytest.mark.django_db
def test_keys_of_a_deployment_that_gateways_bill_are_told_apart_with_their_projects(world: World) -> None:
    shared = world.share(model=MODEL)
    shared.use({"input": 100, "output": 7}, at=MARCH + timedelta(hours=9), model=MODEL)
    web = key_hours(shared, "web", input=60, output=7)
    key_hours(shared, "other-party", input=30, quality="C")
    project = Project.objects.create(tenant=world.tenant, slug="search", name="Search", created_at=MARCH)
    ProjectKey.objects.create(tenant=world.tenant, project=project, key=web, from_at=MARCH)
    for grain in (Grain.HOUR, Grain.DAY):
        (basis,) = read_bases(windows_of(world.contract, MARCH, APRIL), grain=grain, by_caller=True)
        found = {(used.quantity, used.caller): used.count for _, used in basis.tokens()}
        assert found == {
            ("input", caller_of(web.id, "search")): 60,
            ("input", ""): 40,
            ("output", caller_of(web.id, "search")): 7,
        }
    (plain,) = read_bases(windows_of(world.contract, MARCH, APRIL))
    assert {used.caller for _, used in plain.tokens()} == {""}


@pytest.mark.django_db
def test_what_engines_bill_has_no_keys(world: World) -> None:
    shared = world.share(model=MODEL, witness=Witness.ENGINE)
    shared.use({"input": 100}, at=MARCH + timedelta(hours=9), model=MODEL)
    key_hours(shared, "web", input=60)
    (basis,) = read_bases(windows_of(world.contract, MARCH, APRIL), by_caller=True)
    assert [(used.caller, used.count) for _, used in basis.tokens()] == [("", 100)]
