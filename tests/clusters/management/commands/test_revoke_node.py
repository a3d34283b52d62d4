"""`revoke_node`: one node, named without doubt, is no longer trusted."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from clusters.models import Node
from tenants.models import AuditEntry
from tests.factories import make_cluster, make_node

if TYPE_CHECKING:
    from tests.factories import Cast


def revoke(*words: str) -> str:
    out = StringIO()
    call_command("revoke_node", *words, stdout=out)
    return out.getvalue()


def test_the_key_is_revoked_with_the_reason_on_record(cast: Cast) -> None:
    make_node(make_cluster(cast.provider), "gpu-1", b"\1" * 32)
    assert "Enrol the node again" in revoke("gpu-1", "--cluster", "sample-1", "--reason", "the server was sold")
    assert Node.objects.get().revoked_at is not None
    entry = AuditEntry.objects.get(action="node.revoked")
    assert (entry.organization, entry.actor) == (cast.provider, "revoke_node")
    assert entry.after is not None
    assert entry.after["reason"] == "the server was sold"
    with pytest.raises(CommandError, match="no key in force"):
        revoke("gpu-1", "--cluster", "sample-1")


def test_a_node_must_be_named_without_doubt(cast: Cast) -> None:
    with pytest.raises(CommandError, match="There is no node"):
        revoke("gpu-1", "--cluster", "sample-1")
    for number, provider in enumerate((cast.provider, cast.outsider)):
        make_node(make_cluster(provider), "gpu-1", bytes([number]) * 32)
    with pytest.raises(CommandError, match="say --provider"):
        revoke("gpu-1", "--cluster", "sample-1")
    revoke("gpu-1", "--cluster", "sample-1", "--provider", "outsider")
    assert Node.objects.get(revoked_at__isnull=False).cluster.provider == cast.outsider
