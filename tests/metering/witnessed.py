"""A made floor with both witnesses, alerts, silences and gaps: what the pages of witnesses and gaps show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from clusters.models import Node
from metering.alerts import Misfit, write_alerts
from metering.comparison import agree_comparison
from metering.control_models import AlertKind, GatewaySource, NodeHour, Silence
from metering.models import Meter, Witness
from metering.usage_rows import UsageRow, add_usage
from tests.factories import make_deployment, make_endpoint
from tests.metering.floor import Floor, make_floor

if TYPE_CHECKING:
    from clusters.models import Deployment
    from tenants.models import Organization
    from tests.factories import Cast

HOUR = timedelta(hours=1)
MODELS = ("sample-235b", "sample-70b")


@dataclass(frozen=True)
class Witnessed:
    """The floor, and the deployments of its two engines."""

    floor: Floor
    deployments: tuple[Deployment, ...]


def witnessed_now(cast: Cast) -> Witnessed:
    """The same as of now, for a world that is kept."""
    return make_witnessed(cast.provider, cast.tenant, datetime.now(UTC))


def make_witnessed(provider: Organization, tenant: Organization, now: datetime) -> Witnessed:
    """Store the floor, two days of both witnesses for two deployments, and something of everything that is watched."""
    floor = make_floor(provider, now)
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    deployments = []
    for place, (node, model) in enumerate(zip((floor.busy, floor.mixed), MODELS, strict=True)):
        deployment = make_deployment(
            provider, tenant, make_endpoint(node, model, f"http://127.0.0.1:90{place}0"), model
        )
        deployment.slug = f"{model}-shared"
        deployment.save(update_fields=["slug"])
        agree_comparison(
            deployments=[deployment], billed_by=("gateway", "engine")[place], tolerance_percent=Decimal(1 + place)
        )
        deployments.append(deployment)
        _count(deployment, node, model, this_hour, short=place)
    _watch(floor, this_hour, now)
    _alert(floor, deployments, this_hour, now)
    GatewaySource.objects.create(
        reporter=tenant, source="gateway-eu", complete_to_at=now - timedelta(minutes=3), told_at=now
    )
    GatewaySource.objects.create(reporter=tenant, source="gateway-us", complete_to_at=now - 5 * HOUR, told_at=now)
    return Witnessed(floor, tuple(deployments))


def _count(deployment: Deployment, node: Node, model: str, this_hour: datetime, *, short: int) -> None:
    rows = []
    for quantity, rate in (("input", 4_000_000), ("cached_input", 1_500_000), ("output", 700_000), ("requests", 900)):
        engine = Meter.objects.create(witness=Witness.ENGINE, node=node, model=model, quantity=quantity)
        gateway = Meter.objects.create(
            witness=Witness.GATEWAY, reporter=deployment.tenant, source="gateway-eu", model=model, quantity=quantity
        )
        finished = (
            Meter.objects.create(witness=Witness.ENGINE, node=node, model=model, quantity=f"finished_{quantity}")
            if quantity in ("input", "output")
            else None
        )
        for back in range(1, 49):
            at = this_hour - back * HOUR
            counted = rate + (back * 7_919) % (rate // 3)
            edge = (back % 2 * 2 - 1) * (rate // 100)
            rows.append(_row(engine, at, counted + rate // 200, deployment))
            rows.append(_row(gateway, at, counted + edge - short * rate // 20, deployment))
            if finished is not None:
                rows.append(_row(finished, at, counted, deployment))
    add_usage(rows, this_hour)


def _row(meter: Meter, at: datetime, value: int, deployment: Deployment) -> UsageRow:
    return UsageRow(
        meter.id,
        meter.witness,
        meter.quantity,
        meter.model,
        at,
        at,
        at + HOUR,
        deployment.id,
        deployment.tenant_id,
        "A",
        "same_epoch_rise",
        1,
        value,
        360,
    )


def _watch(floor: Floor, this_hour: datetime, now: datetime) -> None:
    Node.objects.filter(id__in=[floor.busy.id, floor.mixed.id, floor.silent.id]).update(enrolled_at=now - 90 * HOUR)
    hours = []
    for node, observed in ((floor.busy, 3_600_000), (floor.mixed, 3_590_000), (floor.silent, 3_600_000)):
        for back in range(1, 49):
            known = {(floor.mixed, 6): 2_400_000, (floor.mixed, 13): 0}.get((node, back), observed)
            known = 0 if node == floor.silent and back <= 3 else known
            hours.append(
                NodeHour(
                    node=node,
                    hour_at=this_hour - back * HOUR,
                    expected_ms=3_600_000,
                    observed_ms=known,
                    looks=known // 10_000,
                    updated_at=now,
                )
            )
    NodeHour.objects.bulk_create(hours)
    Silence.objects.create(node=floor.silent, from_at=now - 3 * HOUR, found_at=now - 2 * HOUR)
    Silence.objects.create(
        node=floor.mixed, from_at=now - 13 * HOUR, to_at=now - 12 * HOUR, end="missed", found_at=now - 12 * HOUR
    )
    Silence.objects.create(
        node=floor.busy, from_at=now - 30 * HOUR, to_at=now - 27 * HOUR, end="filled", found_at=now - 29 * HOUR
    )


def _alert(floor: Floor, deployments: list[Deployment], this_hour: datetime, now: datetime) -> None:
    second = deployments[1]
    parties = {"provider_id": second.provider_id, "tenant_id": second.tenant_id, "deployment_id": second.id}
    day = this_hour - 30 * HOUR
    misfits = [
        Misfit(
            kind=AlertKind.RESIDUAL,
            subject=f"{second.id}:output:{MODELS[1]}",
            from_at=day,
            to_at=day + 24 * HOUR,
            measured=840_000,
            bound=336_000,
            rule="tolerance 2 %",
            model=MODELS[1],
            quantity="output",
            **parties,
        ),
        Misfit(
            kind=AlertKind.OUTPUT_ABOVE_ENERGY,
            subject=f"node:{floor.busy.id}",
            from_at=this_hour - 4 * HOUR,
            to_at=this_hour - 3 * HOUR,
            measured=9_000_000_000,
            bound=7_200_000_000,
            rule="ML.ENERGY leaderboard 0cd52da: Llama 3.1 70B bf16, 4 x H100, largest batch (6,827 tokens/s)",
            provider_id=second.provider_id,
            node_id=floor.busy.id,
        ),
        Misfit(
            kind=AlertKind.ENERGY_WITHOUT_TOKENS,
            subject=f"node:{floor.mixed.id}",
            from_at=this_hour - 9 * HOUR,
            to_at=this_hour - 8 * HOUR,
            measured=4_100_000,
            bound=1_616_000,
            rule="Acme A100-SXM power trace: 25th percentile of all samples",
            provider_id=second.provider_id,
            node_id=floor.mixed.id,
        ),
    ]
    misfits.append(
        Misfit(
            kind=AlertKind.UNPRICED,
            subject="unpriced:sample",
            from_at=this_hour - 9 * HOUR,
            to_at=this_hour,
            measured=12_345,
            bound=0,
            rule="C-0001 · S-0001",
            provider_id=second.provider_id,
            tenant_id=second.tenant_id,
            model="unheard-of",
            quantity="output",
        )
    )
    kinds = list(AlertKind)
    write_alerts(misfits=misfits, kinds=kinds, from_at=day, to_at=now, now=now)
