"""Usage told apart by caller: what bills is divided, never more nor less than it is."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.bases import Grain, read_bases
from billing.models import TermDeployment
from billing.queries.usage_windows import windows_of
from billing.usage_groups import (
    ABOUT,
    SHARED,
    Group,
    Stretches,
    caller_of,
    days_in,
    grouped,
    hours_of,
    sums_of,
    told_apart,
)
from metering.key_models import KeyHour, Project, ProjectKey, UsageKey
from metering.models import Quality, UsageHour, Witness
from tests.billing.world import APRIL, MARCH, World, make_world
from tests.examples import examples
from tests.kept import kept

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from tests.billing.world import Shared

BY_HOUR = Stretches()
GROUP = Group(UUID(int=1), "same", "input", "A", 0, "", (MARCH,), MARCH, MARCH + timedelta(hours=1), 0)
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


@settings(max_examples=examples(25))
@given(st.integers(0, 10**12), st.dictionaries(st.sampled_from("abc"), st.integers(-5, 10**12)))
def test_what_bills_is_divided_and_no_part_is_below_nothing(counted: int, parts: dict[str, int]) -> None:
    found = told_apart(counted, "input", {caller: {"input": count} for caller, count in parts.items()})
    assert sum(count for _, count in found) == counted
    assert all(count >= 0 for _, count in found)
    known = {caller: count for caller, count in parts.items() if count > 0}
    if sum(known.values()) <= counted:
        assert {caller: count for caller, count in found if caller} == known


def test_callers_are_found_by_what_their_hours_share_with_a_group() -> None:
    assert GROUP.shared == (*(getattr(GROUP, name) for name in SHARED), *GROUP.stretch)


@pytest.mark.django_db
def test_groups_begin_and_end_to_the_microsecond_where_their_hours_do(world: World) -> None:
    shared = world.share(model=MODEL)
    instants = [MARCH + timedelta(hours=9, microseconds=micros) for micros in (0, 1, 123_456, 999_999)]
    for at in instants:
        shared.use({"output": 10**17}, at=at, model=MODEL)
    by_hour = grouped(sums_of(UsageHour.objects.all(), BY_HOUR), BY_HOUR)
    assert [group.start for group in by_hour] == [group.stretch[0] for group in by_hour] == instants
    assert [group.end for group in by_hour] == list(
        UsageHour.objects.order_by("from_at").values_list("to_at", flat=True)
    )
    assert all(group.start.tzinfo is UTC and type(group.count) is int for group in by_hour)
    whole = Stretches(days=days_in("UTC", (), [shared.deployment.id]))
    [together] = grouped(sums_of(UsageHour.objects.all(), whole), whole)
    assert (together.start, together.end, together.count) == (instants[0], by_hour[-1].end, 4 * 10**17)
    assert together.stretch == (None, 0)


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


def hour_by_hour(chosen: QuerySet[UsageHour]) -> list[tuple[Any, ...]]:
    """What sums by the database give for each hour by itself."""
    return [
        (tuple(getattr(group, name) for name in ABOUT), group.start, group.end, group.count)
        for group in grouped(sums_of(chosen, BY_HOUR), BY_HOUR)
    ]


@pytest.mark.django_db
def test_hours_in_arrays_are_the_hours_one_by_one(world: World) -> None:
    """Models, classes, qualities, lengths, marks and deployments apart, each hour once, in one order."""
    for shared in (world.share(model=MODEL), world.share(model="a-model")):
        for hour in (30, 2, 11):
            at = MARCH + timedelta(hours=hour)
            for model in (MODEL, "a-model"):
                shared.use({"output": 5 * hour, "input": 100 + hour}, at=at, model=model)
            shared.use({"input": 9}, at=at, quality=Quality.ESTIMATED)
            shared.use({"input": 4}, at=at, context_over=200_000, marks="batch")
    found = [(about, *hour) for about, hours in hours_of(UsageHour.objects.all()) for hour in hours]
    assert found == hour_by_hour(UsageHour.objects.all())
    assert len(found) == 2 * 3 * 6


@pytest.mark.django_db
def test_an_hour_that_was_corrected_or_counted_in_parts_is_one(world: World) -> None:
    """A correction has a row of its own beside the hour's; an hour cut by a price has two that begin apart."""
    shared = world.share(model=MODEL)
    at, half = MARCH + timedelta(hours=9), timedelta(minutes=30)
    shared.use({"input": 100}, at=at, to_at=at + half)
    shared.use({"input": 1}, at=at + half)
    shared.use({"input": -30}, at=at, to_at=at + timedelta(minutes=40), version=1_000_000)
    shared.use({"input": 7}, at=at + 5 * half)
    [(about, hours)] = hours_of(UsageHour.objects.all())
    assert about == (shared.deployment.pk, MODEL, "input", "A", 0, "")
    assert [(start - at, end - at, count) for start, end, count in hours] == [
        (0 * half, timedelta(minutes=40), 70),
        (half, 2 * half, 1),
        (5 * half, 6 * half, 7),
    ]
    assert [(about, *hour) for hour in hours] == hour_by_hour(UsageHour.objects.all())


@pytest.mark.django_db
def test_each_hour_of_a_deployment_is_billed_under_the_wording_of_its_time(world: World) -> None:
    """A second term takes the deployment over within the month: its hours are told apart, hour by hour as by day."""
    shared = world.share(model=MODEL)
    for hour in range(6):
        shared.use({"input": 1 << hour}, at=MARCH + timedelta(hours=hour))
    later, other = MARCH + timedelta(hours=3), world.share(model=MODEL)
    TermDeployment.objects.filter(term=shared.term).update(to_at=later)
    TermDeployment.objects.create(term=other.term, deployment=shared.deployment, from_at=later)
    for grain in (Grain.HOUR, Grain.DAY):
        (basis,) = read_bases(windows_of(world.contract, MARCH, APRIL), grain=grain)
        counts = [sum(used.count for used in term.usage) for term in basis.terms]
        assert counts == [0b111, 0b111000]
