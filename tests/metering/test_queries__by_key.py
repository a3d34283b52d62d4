"""Usage grouped by key or project adds up to the same usage without, and is the tenant's alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from metering.key_models import UsageKey
from metering.projects import make_project, put_key
from metering.queries import usage_in, usage_totals
from metering.rollup_events import roll_up_events
from tests.factories import make_deployment
from tests.metering.fleet import NOON
from tests.metering.test_events import NOW, event, send
from tests.metering.test_queries import store

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

HOUR = timedelta(hours=1)


def grouped(organization: Organization | None, *group_by: Any, **filters: str) -> dict[tuple[object, ...], int]:
    """Tokens by class and group."""
    window = {"from_at": NOON - 24 * HOUR, "to_at": NOON + HOUR}
    usage = usage_in(organization=organization, filters=filters, group_by=group_by, **window)
    found = usage_totals(usage=usage, granularity="total", group_by=group_by)
    return {(one.witness, one.quantity, *(text for _, text in one.groups)): one.value for one in found}


def fill(cast: Cast) -> None:
    deployment = make_deployment(cast.provider, cast.tenant)
    store(deployment, NOON - 2 * HOUR, 999, quantity="input")
    at = "2026-03-10T11:15:00Z"
    send(
        cast.tenant,
        event("a", key="web", occurred_at=at),
        event("b", key="web", cached_input=30),
        event("c", key="night", occurred_at=at),
        event("d", input=5),
    )
    roll_up_events(now=NOW)
    make_project(tenant=cast.tenant, name="Search", actor="alice", now=NOW)
    web = UsageKey.objects.get(label="web")
    put_key(tenant=cast.tenant, key_id=web.id, project="search", from_at=NOON, actor="alice", now=NOW)


def test_keys_and_the_rest_add_up(cast: Cast) -> None:
    fill(cast)
    found = grouped(cast.tenant, "key")
    inputs = {group: value for group, value in found.items() if group[1] == "input"}
    assert inputs == {
        ("engine", "input", None): 999,
        ("gateway", "input", "web"): 200,
        ("gateway", "input", "night"): 100,
        ("gateway", "input", None): 5,
    }
    whole: dict[tuple[object, ...], int] = {}
    for (witness, quantity, _), value in found.items():
        whole[witness, quantity] = whole.get((witness, quantity), 0) + value
    assert whole == grouped(cast.tenant)
    assert grouped(None, "key") == found


def test_projects_hold_what_keys_used_while_in_them(cast: Cast) -> None:
    fill(cast)
    found = grouped(cast.tenant, "project", "key")
    assert {group[2:]: value for group, value in found.items() if group[:2] == ("gateway", "input")} == {
        ("search", "web"): 100,
        (None, "web"): 100,
        (None, "night"): 100,
        (None, None): 5,
    }
    by_filter = grouped(cast.tenant, "model", project="search")
    assert {group[:2]: value for group, value in by_filter.items()} == {
        ("gateway", "input"): 100,
        ("gateway", "cached_input"): 30,
        ("gateway", "output"): 20,
        ("gateway", "requests"): 1,
    }
    assert grouped(cast.tenant, key="night")["gateway", "input"] == 100


def test_where_all_of_it_has_a_key_no_row_is_left_without(cast: Cast) -> None:
    make_deployment(cast.provider, cast.tenant)
    send(cast.tenant, event("a", key="web"))
    roll_up_events(now=NOW)
    assert {group[2] for group in grouped(cast.tenant, "key")} == {"web"}


def test_other_parties_see_the_usage_without_the_tenants_keys(cast: Cast) -> None:
    fill(cast)
    provided = grouped(cast.provider, "key", "project")
    assert {group[2:] for group in provided} == {(None, None)}
    assert {group[:2]: value for group, value in provided.items()} == grouped(cast.provider)
    assert grouped(cast.provider, "model", key="web") == {}
    assert grouped(cast.outsider, "key") == {}
