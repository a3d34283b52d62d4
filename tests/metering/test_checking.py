"""Figures that do not fit are found, follow what comes in late, and change nothing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from clusters.models import Deployment
from metering.checking import check_gateways, check_physics, check_residuals, settled_at
from metering.comparison import agree_comparison
from metering.control_models import Alert, GatewaySource, NodeHour
from metering.event_models import WaitingEvents
from metering.models import Meter, RollupCursor, UsageHour, Witness
from metering.usage_rows import UsageRow, add_usage
from tests.factories import make_accelerator, make_cluster, make_deployment, make_endpoint, make_node
from tests.kept import kept
from tests.metering.fleet import MODEL, NOON
from tests.metering.test_queries import store
from tests.metering.test_witness import both

if TYPE_CHECKING:
    from datetime import datetime

    from clusters.models import Node
    from tests.factories import Cast

HOUR = timedelta(hours=1)
LATER = NOON + 3 * HOUR
DAY_AT = NOON.replace(hour=0)
JOULE_MJ = 1_000


def alerts() -> list[tuple[str, str, int, int]]:
    rows = Alert.objects.order_by("kind", "from_at", "subject")
    return list(rows.values_list("kind", "state", "measured", "bound"))


@kept
def deployment(cast: Cast) -> Deployment:
    return make_deployment(cast.provider, cast.tenant)


def test_an_hour_is_compared_once_it_has_settled() -> None:
    assert settled_at(NOON + timedelta(minutes=29)) == NOON - HOUR
    assert settled_at(NOON + timedelta(minutes=30)) == NOON


def test_what_stays_unexplained_beyond_the_tolerance_is_an_alert_and_late_events_clear_it(
    cast: Cast, deployment: Deployment
) -> None:
    agree_comparison(deployments=[deployment], billed_by="gateway", tolerance_percent=Decimal(2))
    both(deployment, 0, 10_000, 9_799)
    both(deployment, 1, 10_000, 9_800)
    assert check_residuals(now=LATER) == 1
    found = Alert.objects.get()
    assert (found.measured, found.bound, found.rule) == (401, 400, "tolerance 2 %")
    assert (found.provider, found.tenant, found.deployment) == (cast.provider, cast.tenant, deployment)
    assert (found.from_at, found.to_at, found.quantity) == (DAY_AT, NOON + 2 * HOUR, "output")
    assert check_residuals(now=LATER + HOUR) == 1
    store(deployment, NOON, 1, witness=Witness.GATEWAY, version=2)
    assert check_residuals(now=LATER + 2 * HOUR) == 0
    assert alerts() == [("residual", "cleared", 401, 400)]
    assert UsageHour.objects.count() == 5
    store(deployment, NOON, 500, version=2)
    assert check_residuals(now=LATER + 3 * HOUR) == 1
    assert alerts() == [("residual", "open", 900, 410)]
    assert Alert.objects.get().found_at == found.found_at


def test_without_a_contract_one_percent_may_stay_and_a_lone_witness_is_not_compared(cast: Cast) -> None:
    within, lone = make_deployment(cast.provider, cast.tenant), make_deployment(cast.provider, cast.tenant)
    both(within, 0, 1_000, 990)
    both(lone, 0, 1_000, None)
    assert check_residuals(now=LATER) == 0
    both(within, 1, 1_000, 989)
    assert check_residuals(now=LATER) == 1


def test_a_witness_that_fell_silent_is_missed(deployment: Deployment) -> None:
    both(deployment, -24, 1_000, 1_000)
    both(deployment, 0, 1_000, None)
    assert check_residuals(now=LATER) == 1
    assert alerts() == [("residual", "open", 1_000, 10)]


def test_what_is_not_rolled_up_is_not_compared_yet(cast: Cast) -> None:
    node = make_node(make_cluster(cast.provider), "behind", b"\1" * 32)
    deployment = make_deployment(cast.provider, cast.tenant, make_endpoint(node))
    both(deployment, 0, 1_000, 2_000)
    RollupCursor.objects.filter(node=node).update(rolled_to_at=NOON + HOUR - timedelta(seconds=1))
    assert check_residuals(now=LATER) == 0
    RollupCursor.objects.filter(node=node).update(rolled_to_at=NOON + HOUR)
    assert check_residuals(now=LATER) == 1


def make_working(cast: Cast, energy_mj: int, tokens: int | None, *, observed_ms: int = 3_600_000) -> Node:
    """A node of one card with an endpoint that serves; what it took and made in the hour from noon."""
    node = make_node(make_cluster(cast.provider), "working", b"\2" * 32)
    card, endpoint = make_accelerator(node), make_endpoint(node)
    make_deployment(cast.provider, cast.tenant, endpoint)
    NodeHour.objects.create(node=node, hour_at=NOON, observed_ms=observed_ms, updated_at=NOON)
    energy = Meter.objects.create(witness=Witness.ENERGY, node=node, accelerator=card, quantity="energy_mj")
    add(energy, energy_mj)
    if tokens is not None:
        engine = Meter.objects.create(
            witness=Witness.ENGINE, node=node, endpoint=endpoint, model=MODEL, quantity="output"
        )
        add(engine, tokens)
    return node


def add(meter: Meter, value: int, at: datetime = NOON, **fields: Any) -> None:
    row = UsageRow(
        meter.id, meter.witness, meter.quantity, meter.model, at, at, at + HOUR, None, None, "A", "r", 1, value, 1
    )
    add_usage([row], NOON)


def test_output_above_the_energy_of_its_node_is_found_and_belongs_to_the_provider(cast: Cast) -> None:
    node = make_working(cast, 9_999 * JOULE_MJ, 1_000_000)
    assert check_physics(now=LATER) == 1
    found = Alert.objects.get()
    assert (found.kind, found.measured, found.bound) == ("output_above_energy", 10_000_000, 9_999_000)
    assert (found.node, found.provider, found.tenant) == (node, cast.provider, None)
    assert check_physics(now=LATER + HOUR) == 1


def test_output_that_the_energy_allows_is_no_alert(cast: Cast) -> None:
    make_working(cast, 10_000 * JOULE_MJ, 1_000_000)
    assert check_physics(now=LATER) == 0


def test_output_faster_than_any_card_is_found(cast: Cast) -> None:
    make_working(cast, 10**12, 2 * 22_203 * 3_600 + 1)
    check_physics(now=LATER)
    assert [row[0] for row in alerts()] == ["output_above_rate"]


def test_a_card_at_work_without_tokens_is_found_where_the_node_was_watched(cast: Cast) -> None:
    make_working(cast, 300_000 * 3_600, None)
    assert check_physics(now=LATER) == 1
    assert alerts() == [("energy_without_tokens", "open", 300_000, 202_000)]
    NodeHour.objects.update(observed_ms=1_800_000)
    assert check_physics(now=LATER) == 0
    assert alerts() == [("energy_without_tokens", "cleared", 300_000, 202_000)]


def test_what_a_gateway_reports_is_tested_by_the_energy_of_the_nodes_that_served(cast: Cast) -> None:
    make_working(cast, 10_000 * JOULE_MJ, 1_000_000)
    deployment = make_deployment(cast.provider, cast.tenant, make_endpoint(make_node(make_cluster(cast.provider, "b"))))
    store(deployment, NOON, 10**9, witness=Witness.GATEWAY)
    assert check_physics(now=LATER) == 0
    [served] = [found for found in Deployment.objects.all() if found != deployment]
    assert isinstance(served, Deployment)
    store(served, NOON, 1_000_001, witness=Witness.GATEWAY)
    assert check_physics(now=LATER) == 1
    found = Alert.objects.get()
    assert (found.kind, found.deployment, found.tenant) == ("output_above_energy", served, cast.tenant)


def test_a_gateway_that_fell_behind_is_found_until_it_goes_on(cast: Cast) -> None:
    source = GatewaySource.objects.create(
        reporter=cast.tenant, source="gateway-1", complete_to_at=NOON - 2 * HOUR, told_at=NOON - HOUR
    )
    GatewaySource.objects.create(
        reporter=cast.tenant, source="retired", complete_to_at=NOON - 99 * HOUR, told_at=NOON - 98 * HOUR
    )
    assert check_gateways(now=NOON) == 1
    assert alerts() == [("gateway_behind", "open", 7_200, 3_600)]
    assert Alert.objects.get().tenant == cast.tenant
    GatewaySource.objects.filter(pk=source.pk).update(complete_to_at=NOON, told_at=NOON)
    assert check_gateways(now=NOON + HOUR) == 0
    assert alerts() == [("gateway_behind", "cleared", 7_200, 3_600)]


def test_while_events_wait_nothing_is_compared(cast: Cast) -> None:
    both(make_deployment(cast.provider, cast.tenant), 0, 1_000, 10)
    WaitingEvents.objects.create(call=cast.tenant.id, received_at=LATER - timedelta(minutes=6), events=1)
    assert check_residuals(now=LATER) == 0
    WaitingEvents.objects.update(received_at=LATER)
    assert check_residuals(now=LATER) == 1
