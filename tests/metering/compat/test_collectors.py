"""A collector goes on under a rotated key, and ends with its last key or with its node."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from clusters.enrolment import revoke
from clusters.models import Endpoint, Node, NodeKey
from metering.compat.collectors import CollectorRevoked, retire_collectors
from metering.compat.models import Collector, CollectorEndpoint
from metering.compat.tasks import retire_collectors as sweep
from metering.models import Batch, UsageHour
from tenants.actors import Actor
from tenants.keys.managing import end_key, rotate_key
from tenants.models import ApiKey, AuditEntry, Role
from tests.factories import make_cluster, make_deployment
from tests.kept import kept
from tests.metering.compat.test_collecting import NOW, collect, key_for
from tests.metering.compat.written import PROMPT, series
from tests.metering.fleet import roll_up

if TYPE_CHECKING:
    from datetime import datetime

    from pytest_django import Settings

    from tests.factories import Cast

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@kept
def key(cast: Cast) -> ApiKey:
    make_cluster(cast.provider)
    return key_for(cast.provider, NOW - HOUR)


@kept
def owner(cast: Cast) -> Actor:
    return Actor(cast.provider, cast.petra.email, Role.OWNER)


def read(key: ApiKey, value: int, at: datetime) -> int:
    return collect(key, series(PROMPT, (value, int(at.timestamp() * 1_000))), now=at).accepted


def test_a_successor_goes_on_with_the_same_targets_and_both_may_send(key: ApiKey, owner: Actor, cast: Cast) -> None:
    read(key, 100, NOW)
    make_deployment(cast.provider, cast.tenant, Endpoint.objects.get())
    middle = rotate_key(actor=owner, key_id=key.id, now=NOW).key
    last = rotate_key(actor=owner, key_id=middle.id, now=NOW).key
    for step, caller in enumerate([middle, key, last, middle], 1):
        assert read(caller, 100 + 10 * step, NOW + step * SECOND) == 1
    assert (Node.objects.count(), Collector.objects.count(), CollectorEndpoint.objects.count()) == (1, 1, 1)
    assert list(Batch.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3, 4, 5]
    roll_up(Node.objects.get(), now=NOW + HOUR)
    assert sum(UsageHour.objects.filter(tenant=cast.tenant).values_list("value", flat=True)) == 40


def test_a_key_of_its_own_is_another_collector(key: ApiKey, cast: Cast) -> None:
    read(key, 1, NOW)
    read(key_for(cast.provider, NOW), 1, NOW)
    assert Collector.objects.count() == 2


def test_it_ends_with_the_last_key_and_nothing_is_expected_of_it(key: ApiKey, owner: Actor, cast: Cast) -> None:
    read(key, 1, NOW)
    successor = rotate_key(actor=owner, key_id=key.id, now=NOW).key
    end_key(actor=owner, key_id=key.id, now=NOW)
    assert retire_collectors(now=NOW + SECOND) == 0
    end_key(actor=owner, key_id=successor.id, now=NOW + 2 * SECOND)
    assert retire_collectors(now=NOW + 3 * SECOND) == 1
    assert retire_collectors(now=NOW + 4 * SECOND) == 0
    assert Node.objects.get().revoked_at == NOW + 3 * SECOND
    entry = AuditEntry.objects.get(organization=cast.provider, action="node.revoked")
    assert entry.after is not None
    assert (entry.actor, entry.after["reason"]) == ("collector", "Its API keys are revoked or expired.")


def test_a_key_that_expires_ends_it_when_it_does(key: ApiKey) -> None:
    read(key, 1, NOW)
    ApiKey.objects.filter(pk=key.pk).update(expires_at=NOW + HOUR)
    assert retire_collectors(now=NOW + HOUR - SECOND) == 0
    assert retire_collectors(now=NOW + HOUR) == 1


def test_the_sweep_leaves_alone_what_is_in_use(key: ApiKey) -> None:
    read(key, 1, NOW)
    assert sweep(hint="ignored") == 0
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=NOW)
    assert sweep() == 1


def test_a_revoked_node_is_told_with_what_helps(key: ApiKey) -> None:
    read(key, 1, NOW)
    revoke(node=Node.objects.get(), now=NOW, actor="petra", reason="Sent somebody else's figures.")
    with pytest.raises(CollectorRevoked, match="Make another API key"):
        read(key, 2, NOW + SECOND)
    assert Batch.objects.count() == 1


def test_a_key_that_was_in_force_before_never_comes_back(key: ApiKey, settings: Settings) -> None:
    """The server's secret was changed, and changed back: the node's keys go forward only."""
    first = settings.SECRET_KEY
    read(key, 1, NOW)
    settings.SECRET_KEY = "another secret of the server, as long as one should be"
    assert read(key, 2, NOW + SECOND) == 1
    settings.SECRET_KEY = first
    with pytest.raises(CollectorRevoked, match="another key in force"):
        read(key, 3, NOW + 2 * SECOND)
    assert NodeKey.objects.count() == 2
