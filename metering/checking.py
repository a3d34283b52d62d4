"""Looking for figures that do not fit: the witnesses with each other, and both with physics. Alerts only, never edits.

Swept over hours that have settled. The same sweep again finds the same; figures that came in late move an alert, and
clear it where they now fit.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import F, Min, Q, Sum
from django.db.models.functions import TruncDay

from clusters.models import Binding
from metering.alerts import Misfit, write_alerts
from metering.comparison import TOLERANCE_PERCENT
from metering.control_models import AlertKind, ComparisonTerms, GatewaySource
from metering.event_models import WaitingEvents
from metering.models import Quality, Quantity, UsageHour, Witness
from metering.physical import HOUR, gateway_outputs, load_table, node_hours, parties_of, providers_of_nodes
from metering.plausibility import Place, above_energy, above_rate, busy_without_tokens
from metering.witness import residual_hours

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from uuid import UUID

    from metering.plausibility import Table, Violation
    from metering.witness import WitnessHour

SETTLES_WITHIN: Final = timedelta(minutes=30)
"""How long after its end an hour is compared."""
ROLLED_WITHIN: Final = timedelta(minutes=5)
"""While events wait for longer than this, gateways' hours are not known, and nothing is compared."""
DAY: Final = timedelta(days=1)
DAYS_COMPARED: Final = 3
HOURS_TESTED: Final = 6
SEEN_WITHIN: Final = timedelta(days=7)
"""A witness that counted a deployment in these days is expected to count it now."""
BEHIND_AFTER: Final = timedelta(hours=1)
RETIRED_AFTER: Final = timedelta(hours=48)
ALERTED: Final = (Quantity.INPUT, Quantity.CACHED_INPUT, Quantity.OUTPUT)
PERCENT: Final = 100
PHYSICAL: Final = (AlertKind.OUTPUT_ABOVE_ENERGY, AlertKind.OUTPUT_ABOVE_RATE, AlertKind.ENERGY_WITHOUT_TOKENS)


def settled_at(now: datetime) -> datetime:
    """Return the end of the last hour that is compared."""
    return (now - SETTLES_WITHIN).replace(minute=0, second=0, microsecond=0)


def check_residuals(*, now: datetime) -> int:
    """Compare the witnesses of the last days, deployment by deployment and day by day; return how many alerts stand.

    A deployment is compared up to where all of its nodes were rolled up, and only if both witnesses know it.
    """
    to_at = settled_at(now)
    from_at = (now.astimezone(UTC) - (DAYS_COMPARED - 1) * DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    if from_at >= to_at or WaitingEvents.objects.filter(received_at__lt=now - ROLLED_WITHIN).exists():
        return 0
    seen = _witnesses(to_at - SEEN_WITHIN, to_at)
    reach = _rolled_to(seen.keys())
    compared = [
        one
        for one in residual_hours(organization=None, from_at=from_at, to_at=to_at)
        if one.quantity in ALERTED
        and len(seen.get(one.deployment_id, ())) == 2
        and one.hour_at + HOUR <= reach.get(one.deployment_id, to_at)
    ]
    misfits = list(_misfits(compared))
    with transaction.atomic():
        return write_alerts(misfits=misfits, kinds=[AlertKind.RESIDUAL], from_at=from_at, to_at=to_at, now=now)


def _witnesses(from_at: datetime, to_at: datetime) -> dict[UUID, set[str]]:
    rows = (
        UsageHour.objects.filter(
            witness__in=(Witness.ENGINE, Witness.GATEWAY),
            quantity=Quantity.OUTPUT,
            deployment__isnull=False,
            from_at__gte=from_at,
            from_at__lt=to_at,
        )
        .values_list("deployment_id", "witness")
        .distinct()
    )
    found: dict[UUID, set[str]] = defaultdict(set)
    for deployment_id, witness in rows:
        if deployment_id is not None:
            found[deployment_id].add(witness)
    return found


def _rolled_to(deployment_ids: object) -> dict[UUID, datetime]:
    """How far the node that is furthest behind is rolled up, of those that serve a deployment now."""
    rows = (
        Binding.objects.filter(
            deployment_id__in=list(deployment_ids),  # type: ignore[call-overload]  # keys of a dict
            to_at__isnull=True,
            endpoint__node__revoked_at__isnull=True,
        )
        .values_list("deployment_id")
        .annotate(at=Min("endpoint__node__rollup_cursor__rolled_to_at"))
    )
    return {deployment_id: at for deployment_id, at in rows if at is not None}


def _misfits(compared: list[WitnessHour]) -> Iterator[Misfit]:
    """Sum hours to days, and keep what stays unexplained beyond the contract's tolerance."""
    days: dict[tuple[UUID, str, str, datetime], list[WitnessHour]] = defaultdict(list)
    for one in compared:
        day_at = one.hour_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        days[one.deployment_id, one.model, one.quantity, day_at].append(one)
    ids = {key[0] for key in days}
    parties = parties_of(ids)
    agreed = dict(
        ComparisonTerms.objects.filter(deployment_id__in=ids).values_list("deployment_id", "tolerance_percent")
    )
    for (deployment_id, model, quantity, day_at), hours in sorted(days.items(), key=lambda item: str(item[0])):
        engine = sum(one.residual.engine for one in hours)
        gateway = sum(one.residual.gateway for one in hours)
        if quantity == Quantity.CACHED_INPUT and not (engine and gateway):
            continue  # One of them does not tell them apart.
        unexplained = sum(one.residual.unexplained for one in hours)
        tolerance = agreed.get(deployment_id, TOLERANCE_PERCENT)
        allowed = Decimal(max(engine, gateway)) * tolerance / PERCENT
        if abs(unexplained) <= allowed:
            continue
        provider_id, tenant_id = parties[deployment_id]
        yield Misfit(
            kind=AlertKind.RESIDUAL,
            subject=f"{deployment_id}:{quantity}:{model}",
            from_at=day_at,
            to_at=max(one.hour_at for one in hours) + HOUR,
            measured=unexplained,
            bound=int(allowed),
            rule=f"tolerance {tolerance.normalize():f} %",
            provider_id=provider_id,
            tenant_id=tenant_id,
            deployment_id=deployment_id,
            model=model,
            quantity=quantity,
        )


def check_physics(*, now: datetime) -> int:
    """Test the output of the last hours against energy, rates and idle power; return how many alerts stand."""
    to_at = settled_at(now)
    from_at = to_at - HOURS_TESTED * HOUR
    hours = [from_at + place * HOUR for place in range(HOURS_TESTED)]
    known, table = node_hours(from_at=from_at, to_at=to_at), load_table()
    misfits = []
    providers = providers_of_nodes(set(known.cards))
    for node_id in known.cards:
        for hour_at in hours:
            place = known.place(node_id, hour_at)
            idle = (node_id, hour_at) in known.watched and known.serves_whole(node_id, hour_at)
            about = _about(f"node:{node_id}", hour_at, provider_id=providers[node_id], node_id=node_id)
            misfits += [_physical(kind, found, about) for kind, found in _violations(table, place, idle=idle)]
    reported = gateway_outputs(from_at=from_at, to_at=to_at)
    parties = parties_of({deployment_id for deployment_id, _ in reported})
    for (deployment_id, hour_at), outputs in reported.items():
        nodes = known.nodes_of(deployment_id, hour_at)
        cards = [card for node_id in nodes for card in known.cards.get(node_id, ())]
        place = Place(cards, int(HOUR.total_seconds()), outputs, known.energy_of(nodes, hour_at))
        provider_id, tenant_id = parties[deployment_id]
        about = replace(
            _about(f"deployment:{deployment_id}", hour_at, provider_id=provider_id),
            tenant_id=tenant_id,
            deployment_id=deployment_id,
        )
        misfits += [_physical(kind, found, about) for kind, found in _violations(table, place, idle=False)]
    with transaction.atomic():
        return write_alerts(misfits=misfits, kinds=PHYSICAL, from_at=from_at, to_at=to_at, now=now)


def _about(subject: str, hour_at: datetime, *, provider_id: UUID, node_id: UUID | None = None) -> Misfit:
    """What every alert of a place and hour says, before it is known what does not fit."""
    return Misfit(
        AlertKind.OUTPUT_ABOVE_ENERGY, subject, hour_at, hour_at + HOUR, 0, 0, provider_id=provider_id, node_id=node_id
    )


def _violations(table: Table, place: Place, *, idle: bool) -> Iterator[tuple[AlertKind, Violation]]:
    for kind, violation in (
        (AlertKind.OUTPUT_ABOVE_ENERGY, above_energy(table, place)),
        (AlertKind.OUTPUT_ABOVE_RATE, above_rate(table, place) if place.cards else None),
        (AlertKind.ENERGY_WITHOUT_TOKENS, busy_without_tokens(table, place) if idle else None),
    ):
        if violation is not None:
            yield kind, violation


def _physical(kind: AlertKind, violation: Violation, about: Misfit) -> Misfit:
    return replace(about, kind=kind, measured=violation.measured, bound=violation.bound, rule=violation.source)


def check_gateways(*, now: datetime) -> int:
    """Find sources that told how far they have sent and fell behind; return how many alerts stand."""
    behind = GatewaySource.objects.filter(
        Q(told_at__gte=now - RETIRED_AFTER), complete_to_at__lt=now - BEHIND_AFTER
    ).values_list("id", "reporter_id", "source", "complete_to_at")
    misfits = [
        Misfit(
            kind=AlertKind.GATEWAY_BEHIND,
            subject=f"{source_id}",
            from_at=complete_to_at,
            to_at=max(now, complete_to_at + HOUR),
            measured=int((now - complete_to_at).total_seconds()),
            bound=int(BEHIND_AFTER.total_seconds()),
            rule=source,
            tenant_id=reporter_id,
        )
        for source_id, reporter_id, source, complete_to_at in behind
    ]
    with transaction.atomic():
        return write_alerts(
            misfits=misfits, kinds=[AlertKind.GATEWAY_BEHIND], from_at=now - 2 * RETIRED_AFTER, to_at=now, now=now
        )


def check_reporters(*, now: datetime) -> int:
    """Find what others than whose reports bill told of deployments, day by day; return how many alerts stand."""
    from_at = (now.astimezone(UTC) - (DAYS_COMPARED - 1) * DAY).replace(hour=0, minute=0, second=0, microsecond=0)
    told = (
        UsageHour.objects.filter(quality=Quality.CONTROL, quantity=Quantity.REQUESTS, hour_at__gte=from_at)
        .annotate(day=TruncDay("hour_at", tzinfo=UTC))
        .values_list("day", "deployment_id", "deployment__provider_id", "deployment__tenant_id")
        .annotate(Sum("value"), reporter=F("meter__reporter__slug"))
        .order_by()
    )
    misfits = [
        Misfit(
            kind=AlertKind.SECOND_REPORTER,
            subject=f"{deployment_id}/{reporter}",
            from_at=day,
            to_at=day + DAY,
            measured=int(requests),
            bound=0,
            rule=reporter,
            provider_id=provider_id,
            tenant_id=tenant_id,
            deployment_id=deployment_id,
            quantity=Quantity.REQUESTS,
        )
        for day, deployment_id, provider_id, tenant_id, requests, reporter in told
        if requests
    ]
    with transaction.atomic():
        return write_alerts(
            misfits=misfits, kinds=[AlertKind.SECOND_REPORTER], from_at=from_at, to_at=now + DAY, now=now
        )
