"""The API of enrolment: what an agent and a provider's program are answered."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from clusters.enrolment import issue_token
from clusters.models import Cluster, EnrolmentToken, Node
from tenants.api_keys import issue_key
from tests.factories import make_cluster
from tests.kept import kept

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

KEY = base64.b64encode(b"\1" * 32).decode()


@kept
def cluster(cast: Cast) -> Cluster:
    return make_cluster(cast.provider)


def body(cluster: Cluster, **fields: object) -> dict[str, object]:
    issued = issue_token(cluster=cluster, now=timezone.now(), valid_for=timedelta(hours=1))
    made: dict[str, object] = {
        "token": issued.secret,
        "public_key": KEY,
        "node_name": "gpu-1",
        "agent_version": "0.1.0",
        "boot_id": "boot-1",
    }
    return {name: value for name, value in {**made, **fields}.items() if value is not ...}


def post(path: str, document: object, key: str = "") -> Any:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    text = document if isinstance(document, bytes) else json.dumps(document)
    return Client(raise_request_exception=True).post(path, text, content_type="application/json", headers=headers)


def program(organization: Organization, *scopes: str) -> str:
    issued = issue_key(organization=organization, name="sample", scopes=scopes, actor="test", now=timezone.now())
    return issued.secret


def test_an_agent_enrols_and_asks_again(cluster: Cluster) -> None:
    sent = body(cluster)
    first, again = post("/api/v1/enrol", sent), post("/api/v1/enrol", sent)
    assert (first.status_code, again.status_code) == (201, 200)
    node = Node.objects.get()
    assert first.json()["node"] == again.json()["node"] == str(node.id)
    assert first.json()["cluster"] == cluster.slug
    assert first.json()["server_time"].endswith("Z")


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"token": "fe_unknown"}, 403, "token_unknown"),
        ({"token": ...}, 400, "bad_request"),
        ({"token": 7.5}, 403, "token_unknown"),
        ({"public_key": "?"}, 400, "bad_request"),
        ({"public_key": "QUJD"}, 400, "bad_request"),
        ({"node_name": ""}, 400, "bad_request"),
        ({"node_name": "n\0"}, 400, "bad_request"),
        ({"agent_version": None}, 400, "bad_request"),
    ],
)
def test_a_wrong_enrolment_is_answered_with_its_code(
    cluster: Cluster, fields: dict[str, object], status: int, code: str
) -> None:
    response = post("/api/v1/enrol", body(cluster, **fields))
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert response["Content-Type"] == "application/problem+json"
    assert not Node.objects.exists()


def test_which_field_is_wrong_is_said(cluster: Cluster) -> None:
    response = post("/api/v1/enrol", body(cluster, node_name=..., public_key=...))
    assert {one["field"] for one in response.json()["errors"]} == {"node_name", "public_key"}


@pytest.mark.parametrize("text", [b"", b"[]", b"7", b"{", b"\xff", b"[" * 10_000])
def test_what_is_no_json_object_is_a_bad_request(cluster: Cluster, text: bytes) -> None:
    response = post("/api/v1/enrol", text)
    assert (response.status_code, response.json()["code"]) == (400, "bad_request")


def test_a_large_body_is_not_read(cluster: Cluster) -> None:
    response = post("/api/v1/enrol", b" " * 100_000)
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


def test_a_used_and_an_expired_token_are_forbidden(cluster: Cluster) -> None:
    sent = body(cluster)
    post("/api/v1/enrol", sent)
    other = base64.b64encode(b"\2" * 32).decode()
    assert post("/api/v1/enrol", {**sent, "public_key": other}).json()["code"] == "token_used"
    late = body(cluster, public_key=other, node_name="gpu-2")
    EnrolmentToken.objects.filter(used_at=None).update(expires_at=timezone.now())
    response = post("/api/v1/enrol", late)
    assert (response.status_code, response.json()["code"]) == (403, "token_expired")


def test_a_taken_name_is_a_conflict(cluster: Cluster) -> None:
    post("/api/v1/enrol", body(cluster))
    other = base64.b64encode(b"\2" * 32).decode()
    response = post("/api/v1/enrol", body(cluster, public_key=other))
    assert (response.status_code, response.json()["code"]) == (409, "node_name_taken")


def test_a_providers_program_makes_a_token_that_enrols(cast: Cast, cluster: Cluster) -> None:
    key = program(cast.provider, "fleet:write")
    response = post("/api/v1/enrolment-tokens", {"cluster": cluster.slug, "valid_for_hours": 2}, key)
    assert response.status_code == 201
    made = response.json()
    assert made["cluster"] == cluster.slug
    assert post("/api/v1/enrol", body(cluster, token=made["token"])).status_code == 201


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({}, 400),
        ({"cluster": "no such"}, 400),
        ({"cluster": "none"}, 404),
        ({"cluster": "x", "valid_for_hours": 0}, 400),
    ],
)
def test_a_wrong_request_for_a_token_makes_none(cast: Cast, document: dict[str, object], status: int) -> None:
    assert post("/api/v1/enrolment-tokens", document, program(cast.provider, "fleet:write")).status_code == status
    assert not EnrolmentToken.objects.exists()


def test_charlie_makes_no_token_for_a_cluster_that_is_not_his(cast: Cast, cluster: Cluster) -> None:
    response = post("/api/v1/enrolment-tokens", {"cluster": cluster.slug}, program(cast.outsider, "fleet:write"))
    assert response.status_code == 404
    assert not EnrolmentToken.objects.exists()


def test_a_key_without_the_scope_or_no_key_makes_no_token(cast: Cast, cluster: Cluster) -> None:
    document = {"cluster": cluster.slug}
    assert post("/api/v1/enrolment-tokens", document, program(cast.provider, "fleet:read")).status_code == 403
    assert post("/api/v1/enrolment-tokens", document, "fk_wrong").status_code == 401
    assert post("/api/v1/enrolment-tokens", document).status_code in {401, 403}


def test_a_known_node_is_enrolled_again_and_its_keys_can_be_read(cast: Cast, cluster: Cluster) -> None:
    post("/api/v1/enrol", body(cluster))
    key = program(cast.provider, "fleet:write", "fleet:read")
    made = post("/api/v1/enrolment-tokens", {"cluster": cluster.slug, "node": "gpu-1"}, key).json()
    other = base64.b64encode(b"\2" * 32).decode()
    again = post("/api/v1/enrol", body(cluster, token=made["token"], public_key=other))
    assert (again.status_code, again.json()["continued"]) == (201, True)
    node = Node.objects.get()
    answer = Client().get(f"/api/v1/nodes/{node.id}/keys", headers={"Authorization": f"Bearer {key}"})
    told = answer.json()
    assert [(one["version"], one["public_key"], one["first_seq"]) for one in told["keys"]] == [
        (1, KEY, 1),
        (2, other, None),
    ]
    assert told["revoked_at"] is None
    missing = post("/api/v1/enrolment-tokens", {"cluster": cluster.slug, "node": "gpu-9"}, key)
    assert missing.status_code == 404


def test_a_node_is_revoked_by_its_provider_alone(cast: Cast, cluster: Cluster) -> None:
    post("/api/v1/enrol", body(cluster))
    path = f"/api/v1/nodes/{Node.objects.get().id}/revoke"
    assert post(path, {}, program(cast.outsider, "fleet:write")).status_code == 404
    assert Node.objects.get().revoked_at is None
    key = program(cast.provider, "fleet:write")
    first, again = post(path, {"reason": "sold"}, key), post(path, {}, key)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["revoked_at"] == again.json()["revoked_at"] is not None
