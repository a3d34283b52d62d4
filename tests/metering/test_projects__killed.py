"""Changes to projects and keys killed before any write, or made by two at once: whole, once, and in one project."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from metering.key_models import Project, ProjectKey, UsageKey
from metering.projects import ProjectRefused, make_project, mark_key, put_key, rename_project
from tenants.models import AuditEntry
from tests.billing.agreements.test_accepting__at_once import run_at_once
from tests.billing.killed import killed_everywhere
from tests.kept import kept
from tests.metering.fleet import NOON
from tests.metering.test_key_queries import HOUR, make, make_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.factories import Cast

TABLES = (Project, ProjectKey, UsageKey, AuditEntry)
BY: dict[str, Any] = {"actor": "alice@example.com", "now": NOON}


def moved(cast: Cast) -> UsageKey:
    """A key that was in one project since noon, and is to go into another later."""
    key = make_key(cast.tenant, "web")
    for slug in ("one", "two", "three"):
        make(cast.tenant, slug)
    put_key(tenant=cast.tenant, key_id=key.id, project="one", from_at=NOON, **BY)
    put_key(tenant=cast.tenant, key_id=key.id, project="two", from_at=NOON + 2 * HOUR, **BY)
    return key


key = kept(moved)


@pytest.mark.unmeasured
@pytest.mark.django_db
@pytest.mark.parametrize("act", ["make", "rename", "put", "mark"])
def test_a_change_is_made_whole_with_its_entry_or_not_at_all(cast: Cast, act: str, key: UsageKey) -> None:
    acts: dict[str, tuple[Callable[[], object], int]] = {
        "make": (partial(make_project, tenant=cast.tenant, name="New", **BY), 2),
        "rename": (partial(rename_project, tenant=cast.tenant, slug="one", name="First", **BY), 2),
        "put": (
            partial(put_key, tenant=cast.tenant, key_id=key.id, project="three", from_at=NOON + HOUR, **BY),
            4,
        ),
        "mark": (partial(mark_key, tenant=cast.tenant, key_id=key.id, deleted=True, **BY), 2),
    }
    entries = AuditEntry.objects.count()
    change, least = acts[act]
    killed_everywhere(change, TABLES, least=least)
    assert AuditEntry.objects.count() == entries + 1
    if act == "put":
        stays = ProjectKey.objects.order_by("from_at").values_list("project__slug", "from_at", "to_at")
        assert list(stays) == [("one", NOON, NOON + HOUR), ("three", NOON + HOUR, None)]


@pytest.mark.django_db(transaction=True)
def test_two_who_put_one_key_at_once_leave_it_in_one_project(cast: Cast) -> None:
    key = make_key(cast.tenant, "web")
    for slug in ("one", "two"):
        make(cast.tenant, slug)
    acts = [
        partial(put_key, tenant=cast.tenant, key_id=key.id, project=slug, from_at=NOON, **BY)
        for slug in ("one", "two", "one", "two")
    ]
    assert run_at_once(*acts) == []
    stay = ProjectKey.objects.get()
    assert (stay.from_at, stay.to_at) == (NOON, None)
    last = AuditEntry.objects.filter(action="project.key_put").order_by("pk").last()
    assert last is not None
    assert AuditEntry.objects.filter(action="project.key_put").count() in (2, 3, 4)


@pytest.mark.django_db(transaction=True)
def test_projects_of_one_name_made_at_once_are_several_or_refused(cast: Cast) -> None:
    refused = run_at_once(*(partial(make_project, tenant=cast.tenant, name="Search", **BY) for _ in range(3)))
    assert {type(one) for one in refused} <= {ProjectRefused}
    slugs = sorted(Project.objects.values_list("slug", flat=True))
    assert len(slugs) == 3 - len(refused)
    assert slugs == ["search", "search-2", "search-3"][: len(slugs)]
    assert AuditEntry.objects.filter(action="project.made").count() == len(slugs)
