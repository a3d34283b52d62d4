"""A provider reads all of its own fleet, a tenant what it holds and what it uses, an outsider nothing of either."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from clusters.fleet_reading import (
    accelerators_of,
    allocations_of,
    clusters_of,
    deployments_of,
    endpoints_of,
    fleet_nodes,
    slices_of,
)
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
from tests.kept import kept

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pytest_django import DjangoAssertNumQueries

    from clusters.models import Slice
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
NOW = EPOCH + 10 * DAY
HARDWARE: list[Callable[..., Any]] = [clusters_of, fleet_nodes, accelerators_of, slices_of]


@kept
def held(cast: Cast) -> Slice:
    """A card that the tenant may hold; on another site of the provider is another, which nobody holds."""
    make_slice(make_accelerator(make_node(make_cluster(cast.provider, "other"))))
    return make_slice(make_accelerator(make_node(make_cluster(cast.provider))))


@pytest.mark.parametrize("read", HARDWARE)
def test_a_provider_reads_all_of_its_own_and_an_outsider_nothing(
    cast: Cast, held: Slice, read: Callable[..., Any]
) -> None:
    make_allocation(held, cast.tenant, EPOCH)
    assert read(cast.provider, NOW).count() == 2
    assert read(cast.tenant, NOW).count() == 1
    assert not read(cast.outsider, NOW).exists()


@pytest.mark.parametrize("read", HARDWARE)
@pytest.mark.parametrize(
    "span",
    [
        (0, None, True),
        (0, 11, True),
        (0, 10, False),
        (0, 9, False),
        (20, None, True),
        (20, 21, True),
    ],
)
def test_a_tenant_reads_what_it_holds_or_has_booked_until_it_is_over(
    cast: Cast, held: Slice, read: Callable[..., Any], span: tuple[int, int | None, bool]
) -> None:
    from_day, to_day, sees = span
    to_at = None if to_day is None else EPOCH + to_day * DAY
    make_allocation(held, cast.tenant, EPOCH + from_day * DAY, to_at)
    assert read(cast.tenant, NOW).exists() == sees


@pytest.mark.parametrize("read", HARDWARE)
def test_what_is_held_twice_is_read_once(cast: Cast, held: Slice, read: Callable[..., Any]) -> None:
    make_allocation(held, cast.tenant, EPOCH, EPOCH + 12 * DAY)
    make_allocation(held, cast.tenant, EPOCH + 12 * DAY)
    assert read(cast.tenant, NOW).count() == 1


def test_what_was_held_stays_readable_to_both_and_to_nobody_else(cast: Cast, held: Slice) -> None:
    gone = make_allocation(held, cast.tenant, EPOCH, EPOCH + DAY)
    theirs = make_allocation(held, cast.outsider, EPOCH + DAY)
    assert set(allocations_of(cast.tenant, NOW)) == {gone}
    assert set(allocations_of(cast.outsider, NOW)) == {theirs}
    assert set(allocations_of(cast.provider, NOW)) == {gone, theirs}
    assert not allocations_of(cast.operator, NOW).exists()


def test_servers_are_the_provider_s_and_those_that_a_tenant_s_deployments_use_or_used(cast: Cast) -> None:
    node = make_node(make_cluster(cast.provider))
    used, idle = make_endpoint(node), make_endpoint(node)
    deployment = make_deployment(cast.provider, cast.tenant, used)
    assert set(endpoints_of(cast.provider, NOW)) == {used, idle}
    assert set(endpoints_of(cast.tenant, NOW)) == {used}
    deployment.bindings.update(to_at=EPOCH + DAY)
    assert set(endpoints_of(cast.tenant, NOW)) == {used}
    assert not endpoints_of(cast.outsider, NOW).exists()


def test_deployments_are_read_by_their_two_parties_with_their_bindings(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    node = make_node(make_cluster(cast.provider))
    made = [make_deployment(cast.provider, cast.tenant, make_endpoint(node)) for _ in range(3)]
    for party in (cast.provider, cast.tenant):
        with django_assert_num_queries(2):
            found: list[Any] = list(deployments_of(party, NOW))
            assert [len(one.bindings.all()) for one in found] == [1, 1, 1]
            assert {(one.provider.slug, one.tenant.slug) for one in found} == {("provider", "tenant")}
        assert set(found) == set(made)
    assert not deployments_of(cast.outsider, NOW).exists()


@pytest.mark.parametrize("read", [*HARDWARE, allocations_of, endpoints_of])
def test_rows_come_in_one_query_with_what_they_name(
    cast: Cast, held: Slice, read: Callable[..., Any], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_allocation(held, cast.tenant, EPOCH)
    make_endpoint(held.accelerator.node)
    from clusters import fleet_rows

    rows = {
        clusters_of: fleet_rows.cluster_row,
        fleet_nodes: fleet_rows.node_row,
        accelerators_of: fleet_rows.accelerator_row,
        slices_of: fleet_rows.slice_row,
        allocations_of: fleet_rows.allocation_row,
        endpoints_of: fleet_rows.endpoint_row,
    }
    write: Any = rows[read]
    with django_assert_num_queries(1):
        assert [write(one)["id"] for one in read(cast.provider, NOW)]
