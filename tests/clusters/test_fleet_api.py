"""The fleet by the API: a provider reads all of its own, a tenant what it holds and uses, an outsider nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from clusters.models import Cluster, Deployment
from tenants.models import AuditEntry, IdempotentCall
from tests.factories import (
    EPOCH,
    make_accelerator,
    make_allocation,
    make_cluster,
    make_deployment,
    make_endpoint,
    make_node,
    make_slice,
)
from tests.filled import api_key
from tests.kept import kept

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
LISTS = ("clusters", "nodes", "accelerators", "slices", "allocations", "endpoints", "deployments")
NEW = {"slug": "berlin-1", "name": "Berlin 1", "country": "DE"}


class Program:
    """Calls in the name of an organization."""

    def __init__(self, organization: Organization) -> None:
        self._client = Client(headers={"Authorization": f"Bearer {api_key(organization)}"})

    def get(self, path: str, **query: str) -> Any:
        answer = self._client.get(f"/api/v1/{path}", query)
        return answer.json() if answer.status_code == 200 else answer.status_code

    def post(self, path: str, body: object, key: str = "") -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        return self._client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


@kept
def fleet(cast: Cast) -> dict[str, str]:
    """Two nodes of the provider; the tenant holds a slice of the first now, and held one of the second."""
    cluster = make_cluster(cast.provider)
    one, other = make_node(cluster), make_node(cluster)
    held, gone = make_slice(make_accelerator(one)), make_slice(make_accelerator(other))
    make_allocation(held, cast.tenant, EPOCH)
    make_allocation(gone, cast.tenant, EPOCH, EPOCH + timedelta(days=1))
    used = make_endpoint(one)
    make_endpoint(other)
    make_deployment(cast.provider, cast.tenant, used)
    return {"cluster": cluster.slug, "node": one.name, "other": other.name, "endpoint": str(used.pk)}


def test_a_provider_reads_all_of_its_own(cast: Cast, fleet: dict[str, str]) -> None:
    provider = Program(cast.provider)
    counts = {name: len(provider.get(name)[name]) for name in LISTS}
    assert counts == {
        "clusters": 1, "nodes": 2, "accelerators": 2, "slices": 2, "allocations": 2, "endpoints": 2, "deployments": 1,
    }  # fmt: skip
    for name in LISTS:
        for row in provider.get(name)[name]:
            assert provider.get(f"{name}/{row['id']}") == row


def test_a_tenant_reads_what_it_holds_and_uses(cast: Cast, fleet: dict[str, str]) -> None:
    tenant = Program(cast.tenant)
    counts = {name: len(tenant.get(name)[name]) for name in LISTS}
    assert counts == {
        "clusters": 1, "nodes": 1, "accelerators": 1, "slices": 1, "allocations": 2, "endpoints": 1, "deployments": 1,
    }  # fmt: skip
    assert [row["name"] for row in tenant.get("nodes")["nodes"]] == [fleet["node"]]
    hidden = next(row for row in Program(cast.provider).get("nodes")["nodes"] if row["name"] == fleet["other"])
    assert tenant.get(f"nodes/{hidden['id']}") == 404


def test_an_outsider_reads_nothing(cast: Cast, fleet: dict[str, str]) -> None:
    outsider, provider = Program(cast.outsider), Program(cast.provider)
    for name in LISTS:
        assert outsider.get(name) == {name: [], "next_cursor": None}
        assert {outsider.get(f"{name}/{row['id']}") for row in provider.get(name)[name]} == {404}


def test_lists_are_narrowed_to_a_cluster_a_node_or_a_tenant(cast: Cast, fleet: dict[str, str]) -> None:
    provider = Program(cast.provider)
    for name in ("accelerators", "slices", "allocations", "endpoints"):
        rows = provider.get(name, node=fleet["node"], cluster=fleet["cluster"])[name]
        assert [row["node"] for row in rows] == [fleet["node"]], name
        assert provider.get(name, cluster="elsewhere")[name] == []
    assert len(provider.get("nodes", cluster=fleet["cluster"])["nodes"]) == 2
    assert len(provider.get("allocations", tenant="tenant")["allocations"]) == 2
    assert provider.get("deployments", tenant="outsider")["deployments"] == []
    assert provider.get("nodes", cluster="x" * 201) == 400


def test_a_cluster_is_made_once(cast: Cast) -> None:
    provider = Program(cast.provider)
    made = provider.post("clusters", NEW, key="c-1")
    assert made.status_code == 201
    assert provider.post("clusters", NEW, key="c-1").json() == made.json()
    assert provider.get(f"clusters/{made.json()['id']}") == made.json()
    again = provider.post("clusters", NEW)
    assert (again.status_code, again.json()["code"]) == (409, "cluster_taken")
    assert provider.post("clusters", {**NEW, "slug": "x"}, key="c-1").json()["code"] == "idempotency_key_reused"
    assert Cluster.objects.filter(slug="berlin-1").count() == 1
    assert AuditEntry.objects.filter(action="cluster.made").count() == 1
    assert Program(cast.tenant).post("clusters", NEW).status_code == 404


def test_what_was_refused_is_not_remembered_under_its_key(cast: Cast) -> None:
    provider = Program(cast.provider)
    refused = provider.post("clusters", {**NEW, "country": "Germany"}, key="c-2")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "country")
    assert not IdempotentCall.objects.exists()
    assert provider.post("clusters", NEW, key="c-2").status_code == 201


def test_a_deployment_is_made_of_own_endpoints(cast: Cast, fleet: dict[str, str]) -> None:
    provider = Program(cast.provider)
    at = datetime(2026, 5, 1, tzinfo=UTC).isoformat().replace("+00:00", "Z")
    body = {
        "tenant": "tenant",
        "slug": "chat",
        "name": "Chat",
        "from_at": at,
        "bindings": [{"endpoint_id": fleet["endpoint"], "model": "another-model"}],
    }
    made = provider.post("deployments", body, key="d-1")
    assert made.status_code == 201, made.json()
    assert made.json()["bindings"] == [
        {"endpoint_id": fleet["endpoint"], "model": "another-model", "from_at": at, "to_at": None}
    ]
    assert Program(cast.tenant).get(f"deployments/{made.json()['id']}") == made.json()
    assert provider.post("deployments", body, key="d-1").json() == made.json()
    codes = {
        "deployment_name_taken": body,
        "model_bound": {**body, "slug": "chat-2"},
        "endpoint_unknown": {**body, "slug": "c", "bindings": [{"endpoint_id": str(cast.alice.pk), "model": "m"}]},
        "not_found": {**body, "tenant": "nobody"},
        "invalid": {**body, "bindings": [{"endpoint_id": "x"}]},
    }
    assert {code: provider.post("deployments", wrong).json()["code"] for code, wrong in codes.items()} == {
        code: code for code in codes
    }
    assert Deployment.objects.filter(tenant=cast.tenant).count() == 2, "what was refused left nothing behind"
