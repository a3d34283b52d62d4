"""Whose reports bill, for programs: read by both parties, handed over by one, refused with what is expected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from metering.billing_reporters import EVER
from metering.control_models import BillingReporter
from tenants.models import AuditEntry
from tests.factories import make_deployment
from tests.filled import api_key
from tests.kept import kept
from tests.metering.test_control_api import ask

if TYPE_CHECKING:
    from clusters.models import Deployment
    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
URL = "/api/v1/usage/reporters"


@kept
def deployment(cast: Cast) -> Deployment:
    made = make_deployment(cast.provider, cast.tenant)
    BillingReporter.objects.create(deployment=made, reporter=cast.tenant, from_at=EVER, named_at=EVER)
    return made


def soon() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=3)


def post(who: Organization, body: Any, *scopes: str) -> tuple[int, dict[str, Any]]:
    secret = api_key(who, scopes) if scopes else api_key(who)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    answer = client.post(URL, body, content_type="application/json")
    return answer.status_code, answer.json()


def wish(cast: Cast, deployed: Deployment, **other: object) -> dict[str, object]:
    whole = {
        "tenant": cast.tenant.slug,
        "deployment": deployed.slug,
        "to": cast.provider.slug,
        "from": soon().isoformat(),
    }
    return {**whole, **other}


@kept
def body(cast: Cast, deployment: Deployment) -> dict[str, object]:
    return wish(cast, deployment)


def test_a_hand_over_is_made_once_and_read_by_both(cast: Cast, body: dict[str, object]) -> None:
    status, made = post(cast.tenant, body)
    assert status == 201
    assert made["reporter"] == cast.provider.slug
    assert made["handed_over"] is True
    assert post(cast.tenant, body) == (201, made)
    window = {"to": (soon() + timedelta(hours=1)).isoformat()}
    for party in (cast.tenant, cast.provider):
        rows = ask(party, "api-usage-reporters", **window)["reporters"]
        assert [(row["reporter"], row["handed_over"]) for row in rows] == [
            (cast.tenant.slug, False),
            (cast.provider.slug, True),
        ]
    assert ask(cast.outsider, "api-usage-reporters", **window)["reporters"] == []
    actors = AuditEntry.objects.filter(action="deployment.reporter_named", organization=cast.tenant)
    assert [entry.actor.startswith("key fk_") for entry in actors] == [True]


def test_rows_come_page_by_page(cast: Cast, deployment: Deployment) -> None:
    other = make_deployment(cast.provider, cast.tenant)
    BillingReporter.objects.create(deployment=other, reporter=cast.provider, from_at=EVER, named_at=EVER)
    first = ask(cast.tenant, "api-usage-reporters", limit="1")
    second = ask(cast.tenant, "api-usage-reporters", limit="1", cursor=first["next_cursor"])
    found = [row["deployment"] for page in (first, second) for row in page["reporters"]]
    assert found == sorted([deployment.slug, other.slug])
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"from": "tomorrow"}, "from"),
        ({"from": "0001-01-01T00:00:00+14:00"}, "from"),
        ({"to": "a\0b"}, "to"),
        ({"to": "x" * 300}, "to"),
        ({"deployment": None}, "deployment"),
        ({"tenant": ["tenant"]}, "tenant"),
    ],
)
def test_a_wrong_value_is_named(cast: Cast, deployment: Deployment, other: dict[str, object], field: str) -> None:
    status, problem = post(cast.tenant, wish(cast, deployment, **other))
    assert status == 400
    assert {error["field"] for error in problem["errors"]} == {field}
    assert BillingReporter.objects.count() == 1


@pytest.mark.parametrize("body", [[], "text", 1, None])
def test_a_body_that_is_no_object_is_refused(cast: Cast, deployment: Deployment, body: object) -> None:
    assert post(cast.tenant, body)[0] == 400
    assert BillingReporter.objects.count() == 1


def test_who_may_not_is_told_so_and_a_stranger_finds_nothing(cast: Cast, body: dict[str, object]) -> None:
    assert post(cast.tenant, body, "usage:read", "events:write")[0] == 403
    status, problem = post(cast.provider, body)
    assert (status, problem["code"]) == (409, "hand_over_refused")
    status, problem = post(cast.outsider, body)
    assert (status, problem["code"]) == (404, "deployment_unknown")
    assert BillingReporter.objects.count() == 1
