"""A node's key is revoked on its page with a reason, which then stands there; viewers cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clusters.models import Node
from tenants.models import AuditEntry, Role
from tests.factories import make_cluster, make_node, make_user

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db
PAGE = "/p/fleet/north/n-1/"


@pytest.fixture
def node(cast: Cast, client: Client) -> Node:
    client.force_login(cast.petra)
    return make_node(make_cluster(cast.provider, slug="north"), "n-1", b"k" * 32)


def test_it_is_revoked_with_a_reason_that_stands_there(cast: Cast, node: Node, client: Client) -> None:
    assert "Revoke the key" in client.get(PAGE).content.decode()
    page = client.post(PAGE, {"reason": "The server was sold <b>."}, follow=True).content.decode()
    node.refresh_from_db()
    assert node.revoked_at is not None
    assert "by petra@example.com." in page
    assert "The server was sold &lt;b&gt;." in page
    assert "Revoke the key" not in page
    entry = AuditEntry.objects.get(organization=cast.provider, action="node.revoked")
    assert (entry.actor, entry.subject) == ("petra@example.com", str(node.id))


@pytest.mark.parametrize("reason", ["", "no", "x" * 201])
def test_without_a_reason_nothing_happens(node: Node, client: Client, reason: str) -> None:
    assert client.post(PAGE, {"reason": reason}).status_code == 422
    assert Node.objects.get().revoked_at is None


def test_a_viewer_reads_and_cannot(cast: Cast, node: Node, client: Client) -> None:
    client.force_login(make_user("vera@example.com", cast.provider, Role.VIEWER))
    assert "Revoke the key" not in client.get(PAGE).content.decode()
    assert client.post(PAGE, {"reason": "The server was sold."}).status_code == 403
    assert Node.objects.get().revoked_at is None


def test_a_node_without_an_agent_has_no_key(cast: Cast, node: Node, client: Client) -> None:
    make_node(node.cluster, "n-2")
    assert "Revoke the key" not in client.get("/p/fleet/north/n-2/").content.decode()
