"""Use by key and project as it is read: exact at the borders of windows and stays, whatever was put where and when."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from pytest_django import DjangoAssertNumQueries

from metering.key_models import KeyHour, Project, ProjectKey, UsageKey
from metering.key_queries import KeyUsage, known_keys, projects_of, usage_by_key
from metering.key_sums import COUNTED
from metering.projects import put_key
from tests.kept import kept
from tests.metering.fleet import NOON

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
DAY: dict[str, Any] = {"from_at": NOON - 12 * HOUR, "to_at": NOON + 12 * HOUR}


def make_key(tenant: Organization, label: str) -> UsageKey:
    return UsageKey.objects.create(tenant=tenant, label=label, first_counted_at=NOON)


def make(tenant: Organization, slug: str) -> Project:
    return Project.objects.create(tenant=tenant, slug=slug, name=slug.title(), created_at=NOON)


def used(key: UsageKey, at: datetime, *, model: str = "small", quality: str = "A", **counts: int) -> KeyHour:
    """An hour of a key, from `at` to the end of its hour."""
    hour_at = at.replace(minute=0)
    said = {**dict.fromkeys(COUNTED, 0), "input": 100, "requests": 1, **counts}
    return KeyHour.objects.create(
        tenant=key.tenant, key=key, model=model, quality=quality, hour_at=hour_at, from_at=at, to_at=hour_at + HOUR,
        context_over=0, marks="", **said,
    )  # fmt: skip


def put(key: UsageKey, project: str, from_at: datetime) -> None:
    put_key(tenant=key.tenant, key_id=key.id, project=project, from_at=from_at, actor="alice", now=NOON)


def inputs(tenant: Organization, **more: Any) -> dict[tuple[str, str | None], int]:
    found = usage_by_key(organization=tenant, **{**DAY, **more})
    return {(one.label, one.project): one.counts["input"] for one in found}


@kept
def key(cast: Cast) -> UsageKey:
    return make_key(cast.tenant, "web")


@pytest.mark.parametrize(
    ("from_at", "to_at", "tokens"),
    [
        (NOON, NOON + HOUR, 100),
        (NOON - HOUR, NOON, 0),
        (NOON - HOUR, NOON + MINUTE, 100),
        (NOON + MINUTE, NOON + HOUR, 0),
        (NOON, NOON, 0),
    ],
)
def test_a_part_of_an_hour_is_in_the_window_that_it_begins_in(
    cast: Cast, from_at: datetime, to_at: datetime, tokens: int
) -> None:
    used(make_key(cast.tenant, "web"), NOON)
    assert sum(inputs(cast.tenant, from_at=from_at, to_at=to_at).values()) == tokens


@pytest.mark.parametrize(
    ("from_at", "project"),
    [(NOON - MINUTE, "one"), (NOON, "one"), (NOON + MINUTE, None)],
)
def test_a_stay_counts_from_its_first_instant(
    cast: Cast, from_at: datetime, project: str | None, key: UsageKey
) -> None:
    make(cast.tenant, "one")
    put(key, "one", from_at)
    used(key, NOON)
    assert inputs(cast.tenant) == {("web", project): 100}


@pytest.mark.parametrize(("to_at", "project"), [(NOON, None), (NOON + MINUTE, "one")])
def test_a_stay_counts_to_before_its_last_instant(
    cast: Cast, to_at: datetime, project: str | None, key: UsageKey
) -> None:
    make(cast.tenant, "one")
    put(key, "one", NOON - HOUR)
    put(key, "", to_at)
    used(key, NOON)
    assert inputs(cast.tenant) == {("web", project): 100}


def test_an_hour_that_a_cut_parts_may_be_in_two_projects(cast: Cast, key: UsageKey) -> None:
    make(cast.tenant, "one"), make(cast.tenant, "two")
    put(key, "one", NOON)
    put(key, "two", NOON + 30 * MINUTE)
    used(key, NOON, input=60), used(key, NOON + 30 * MINUTE, input=40)
    assert inputs(cast.tenant) == {("web", "one"): 60, ("web", "two"): 40}


@pytest.mark.parametrize("seed", range(4))
def test_however_keys_move_the_sums_of_projects_are_the_sum_of_keys(cast: Cast, seed: int) -> None:
    random = Random(seed)
    keys = [make_key(cast.tenant, label) for label in ("a", "b")]
    slugs = ["", *(make(cast.tenant, slug).slug for slug in ("one", "two"))]
    whole = dict.fromkeys("ab", 0)
    for hour in range(-6, 6):
        for key in keys:
            tokens = random.randrange(1, 1000)
            used(key, NOON + hour * HOUR, input=tokens)
            whole[key.label] += tokens
    for _move in range(8):
        put(
            random.choice(keys),
            random.choice(slugs),
            NOON + random.randrange(-7, 7) * HOUR + random.choice((0, 30)) * MINUTE,
        )
        found = inputs(cast.tenant)
        for label in "ab":
            assert sum(tokens for (name, _project), tokens in found.items() if name == label) == whole[label]
        for slug in slugs[1:]:
            by_filter = inputs(cast.tenant, project=slug)
            assert by_filter == {about: tokens for about, tokens in found.items() if about[1] == slug}
    stays = list(ProjectKey.objects.order_by("key", "from_at"))
    for one, after in pairwise(stays):
        if one.key_id == after.key_id:
            assert one.to_at is not None
            assert one.to_at <= after.from_at


def test_only_what_bills_is_counted_and_every_token_once(cast: Cast, key: UsageKey) -> None:
    used(key, NOON, input=100, cached_input=60, cache_write=7, output=30, reasoning=20)
    used(key, NOON, quality="C", input=10**6)
    (found,) = usage_by_key(organization=cast.tenant, **DAY)
    assert found.tokens == 137
    assert found.counts["cached_input"] == 60
    assert set(found.counts) == set(COUNTED)
    assert all(isinstance(count, int) for count in found.counts.values())


def test_models_and_keys_are_told_apart_in_order_by_one_query(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    web, batch = make_key(cast.tenant, "web"), make_key(cast.tenant, "batch")
    for key in (web, batch):
        for model in ("small", "large"):
            used(key, NOON, model=model), used(key, NOON + HOUR, model=model)
    with django_assert_num_queries(1):
        found = usage_by_key(organization=cast.tenant, **DAY)
    assert [(one.label, one.model, one.counts["input"]) for one in found] == [
        ("batch", "large", 200),
        ("batch", "small", 200),
        ("web", "large", 200),
        ("web", "small", 200),
    ]
    assert [one.label for one in usage_by_key(organization=cast.tenant, **DAY, model="small", key_ids=[web.id])] == [
        "web"
    ]
    assert usage_by_key(organization=cast.tenant, **DAY, key_ids=[]) == []
    assert isinstance(found[0], KeyUsage)


def test_keys_of_one_label_of_two_tenants_are_two(cast: Cast) -> None:
    used(make_key(cast.tenant, "web"), NOON)
    used(make_key(cast.outsider, "web"), NOON, input=7)
    assert inputs(cast.tenant) == {("web", None): 100}
    assert inputs(cast.outsider) == {("web", None): 7}
    assert inputs(cast.provider) == {}


@pytest.mark.parametrize(
    ("now", "project"), [(NOON - MINUTE, ""), (NOON, "one"), (NOON + HOUR - MINUTE, "one"), (NOON + HOUR, "two")]
)
def test_a_known_key_is_in_the_project_of_that_instant(cast: Cast, now: datetime, project: str, key: UsageKey) -> None:
    make(cast.tenant, "one"), make(cast.tenant, "two")
    put(key, "one", NOON)
    put(key, "two", NOON + HOUR)
    (found,) = known_keys(cast.tenant, now=now)
    assert (found.project, found.project_name) == (project, project.title())


def test_known_keys_stand_by_label_with_their_last_use_by_one_query(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries, key: UsageKey
) -> None:
    web = key
    make_key(cast.tenant, "Web-2"), make_key(cast.tenant, "batch"), make_key(cast.outsider, "webs")
    used(web, NOON - 3 * HOUR), used(web, NOON)
    with django_assert_num_queries(1):
        found = known_keys(cast.tenant, now=NOON)
    assert sorted(one.label for one in found) == ["Web-2", "batch", "web"]
    # The hour of it runs: no use to come.
    assert {one.label: one.last_used_at for one in found} == {"batch": None, "web": NOON, "Web-2": None}
    later = known_keys(cast.tenant, now=NOON + 2 * HOUR)
    assert {one.label: one.last_used_at for one in later}["web"] == NOON + HOUR
    assert {one.label for one in known_keys(cast.tenant, now=NOON, text="WEB")} == {"web", "Web-2"}
    assert known_keys(cast.tenant, now=NOON, text="%") == []


def test_projects_stand_by_name_and_are_the_tenants_own(cast: Cast) -> None:
    for slug in ("zeta", "alpha"):
        make(cast.tenant, slug)
    make(cast.outsider, "other")
    assert [one.slug for one in projects_of(cast.tenant)] == ["alpha", "zeta"]
    assert projects_of(cast.provider) == []
