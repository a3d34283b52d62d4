"""A provider's floor read as a whole: no row of it is asked whose it is, where the provider itself reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clusters.models import Accelerator, Cluster
from clusters.own_floor import own_floor
from tenants.limits.reader import limited, read_for
from tests.factories import make_accelerator, make_cluster, make_node

if TYPE_CHECKING:
    from tenants.models import Organization
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def seen(reader: Organization, floor: Organization) -> tuple[int, int]:
    """How many cards a reader sees of a floor, and how many after it."""
    with limited(changes=False):
        read_for(organization_id=reader.pk)
        with own_floor(floor):
            within = Accelerator.objects.count()
        return within, Accelerator.objects.count()


def test_the_limit_is_put_aside_for_the_provider_alone(cast: Cast) -> None:
    mine, others = make_cluster(cast.provider, "mine"), make_cluster(cast.outsider, "others")
    for cluster in (mine, others):
        node = make_node(cluster)
        for place in range(2):
            make_accelerator(node, place)
    assert Cluster.objects.count() == 2
    assert seen(cast.provider, cast.provider) == (4, 2)
    assert seen(cast.outsider, cast.provider) == (2, 2)
    assert seen(cast.provider, cast.outsider) == (2, 2)
    assert seen(cast.tenant, cast.provider) == (0, 0)
    with own_floor(cast.provider):
        assert Accelerator.objects.count() == 4
