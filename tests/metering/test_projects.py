"""Projects of keys: dated, so that what was used before a move stays where it was."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction

import metering.projects
from metering.key_models import ProjectKey, UsageKey
from metering.key_queries import known_keys, projects_of, usage_by_key
from metering.projects import ProjectRefused, UnknownKey, make_project, mark_key, put_key, rename_project
from metering.rollup_events import roll_up_events
from tenants.models import AuditEntry
from tests.metering.fleet import NOON
from tests.metering.test_events import NOW, event, send

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.models import Organization
    from tests.factories import Cast

HOUR = timedelta(hours=1)
ACTOR: dict[str, Any] = {"actor": "alice@example.com", "now": NOW}
DAY: dict[str, Any] = {"from_at": NOON - 12 * HOUR, "to_at": NOON + 12 * HOUR}


def used(tenant: Organization) -> dict[str, UsageKey]:
    """An hour's events at 9, 10 and 11 of two keys."""
    for hour in ("09", "10", "11"):
        at = f"2026-03-10T{hour}:15:00Z"
        send(tenant, event(f"w-{hour}", key="web", occurred_at=at), event(f"n-{hour}", key="night", occurred_at=at))
    while roll_up_events(now=NOW):
        pass
    return {one.label: one for one in UsageKey.objects.filter(tenant=tenant)}


def put(tenant: Organization, key: UsageKey, project: str, from_at: datetime) -> None:
    put_key(tenant=tenant, key_id=key.id, project=project, from_at=from_at, **ACTOR)


def by_project(tenant: Organization) -> dict[tuple[str, str | None], int]:
    return {(one.label, one.project): one.tokens for one in usage_by_key(organization=tenant, **DAY)}


def test_a_key_counts_in_the_project_that_it_was_in(cast: Cast) -> None:
    keys = used(cast.tenant)
    for name in ("Search", "Night jobs"):
        make_project(tenant=cast.tenant, name=name, **ACTOR)
    assert [one.slug for one in projects_of(cast.tenant)] == ["night-jobs", "search"]
    put(cast.tenant, keys["web"], "search", NOON - 2 * HOUR)
    put(cast.tenant, keys["web"], "night-jobs", NOON - HOUR)
    assert by_project(cast.tenant) == {
        ("night", None): 360,
        ("web", None): 120,
        ("web", "search"): 120,
        ("web", "night-jobs"): 120,
    }
    (found,) = usage_by_key(organization=cast.tenant, **DAY, project="search")
    assert (found.key_id, found.label, found.counts["input"], found.counts["requests"]) == (
        keys["web"].id,
        "web",
        100,
        1,
    )
    assert usage_by_key(organization=cast.tenant, **DAY, model="other") == []
    assert {one.label for one in usage_by_key(organization=cast.tenant, **DAY, key_ids=[keys["night"].id])} == {"night"}


def test_an_earlier_instant_replaces_what_was_decided_for_later(cast: Cast) -> None:
    web = used(cast.tenant)["web"]
    for name in ("One", "Two"):
        make_project(tenant=cast.tenant, name=name, **ACTOR)
    put(cast.tenant, web, "one", NOON)
    put(cast.tenant, web, "two", NOON - 3 * HOUR)
    assert by_project(cast.tenant)["web", "two"] == 360
    put(cast.tenant, web, "one", NOON - 3 * HOUR)
    assert by_project(cast.tenant)["web", "one"] == 360
    put(cast.tenant, web, "", NOON - HOUR)
    assert by_project(cast.tenant)["web", None] == 120
    assert ProjectKey.objects.count() == 1


def test_the_same_again_changes_nothing_and_is_not_audited_twice(cast: Cast) -> None:
    web = used(cast.tenant)["web"]
    make_project(tenant=cast.tenant, name="One", **ACTOR)
    for _ in range(2):
        put(cast.tenant, web, "one", NOON)
    assert [one.action for one in AuditEntry.objects.order_by("id")] == ["project.made", "project.key_put"]
    entry = AuditEntry.objects.get(action="project.key_put")
    assert (entry.subject, entry.before, entry.after) == (
        "web",
        {"project": ""},
        {"project": "one", "from_at": NOON.isoformat()},
    )


def test_slugs_of_one_name_differ_and_stay_when_renamed(cast: Cast) -> None:
    made = [make_project(tenant=cast.tenant, name="研究", **ACTOR).slug for _ in range(2)]
    assert made == ["project", "project-2"]
    assert make_project(tenant=cast.provider, name="研究", **ACTOR).slug == "project"
    renamed = rename_project(tenant=cast.tenant, slug="project", name=" Research ", **ACTOR)
    assert (renamed.slug, renamed.name) == ("project", "Research")
    assert AuditEntry.objects.get(action="project.renamed").before == {"name": "研究"}


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines"])
def test_a_project_without_a_proper_name_is_refused(cast: Cast, name: str) -> None:
    with pytest.raises(ProjectRefused):
        make_project(tenant=cast.tenant, name=name, **ACTOR)
    make_project(tenant=cast.tenant, name="One", **ACTOR)
    with pytest.raises(ProjectRefused):
        rename_project(tenant=cast.tenant, slug="one", name=name, **ACTOR)


def test_too_many_projects_are_refused(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering.projects, "PROJECTS_MAX", 1)
    make_project(tenant=cast.tenant, name="One", **ACTOR)
    with pytest.raises(ProjectRefused, match="expected fewer"):
        make_project(tenant=cast.tenant, name="Two", **ACTOR)


def test_keys_and_projects_of_others_are_not_there(cast: Cast) -> None:
    web = used(cast.tenant)["web"]
    make_project(tenant=cast.tenant, name="One", **ACTOR)
    with pytest.raises(UnknownKey):
        put(cast.outsider, web, "", NOON)
    with pytest.raises(UnknownKey):
        mark_key(tenant=cast.outsider, key_id=web.id, deleted=True, **ACTOR)
    with pytest.raises(UnknownKey):
        put_key(tenant=cast.tenant, key_id=UUID(int=1), project="one", from_at=NOON, **ACTOR)
    with pytest.raises(UnknownKey):
        put(cast.tenant, web, "none", NOON)
    with pytest.raises(UnknownKey):
        rename_project(tenant=cast.outsider, slug="one", name="Two", **ACTOR)
    assert usage_by_key(organization=cast.outsider, **DAY) == []
    assert known_keys(cast.outsider, now=NOW) == []


def test_a_key_is_marked_as_deleted_and_keeps_its_history(cast: Cast) -> None:
    web = used(cast.tenant)["web"]
    make_project(tenant=cast.tenant, name="One", **ACTOR)
    put(cast.tenant, web, "one", NOON - HOUR)
    for _ in range(2):
        mark_key(tenant=cast.tenant, key_id=web.id, deleted=True, **ACTOR)
    (known,) = known_keys(cast.tenant, now=NOW, text="WE")
    assert (known.label, known.project, known.project_name, known.deleted_at) == ("web", "one", "One", NOW)
    assert known.last_used_at == NOON
    assert by_project(cast.tenant)["web", "one"] == 120
    mark_key(tenant=cast.tenant, key_id=web.id, deleted=False, **ACTOR)
    assert known_keys(cast.tenant, now=NOW)[1].deleted_at is None
    assert AuditEntry.objects.filter(subject="web", action__startswith="usage_key").count() == 2


def test_the_database_keeps_a_key_in_one_project_at_a_time(cast: Cast) -> None:
    web = used(cast.tenant)["web"]
    made = [make_project(tenant=cast.tenant, name=name, **ACTOR) for name in ("One", "Two")]
    ProjectKey.objects.create(tenant=cast.tenant, project=made[0], key=web, from_at=NOON, to_at=NOON + HOUR)
    ProjectKey.objects.create(tenant=cast.tenant, project=made[1], key=web, from_at=NOON + HOUR)
    with pytest.raises(IntegrityError), transaction.atomic():
        ProjectKey.objects.create(tenant=cast.tenant, project=made[0], key=web, from_at=NOON + 2 * HOUR)
