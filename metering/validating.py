"""Checking usage hours when they are over, and again when they change; what is found is stored, nothing is edited.

1. A node's validation row is claimed with SKIP LOCKED.
2. Hours that ended since, and earlier ones whose rows were written since, are checked meter by meter against the rules.
3. Findings are stored, one per meter, hour and rule; those of the same hours that are not found again are settled.
4. At the end of a day every meter's hours are summed and compared with its register.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Count, F, Q, Sum

from metering.finding_models import FindingState, NodeValidation, UsageFinding
from metering.models import Meter, MeterState, Quality, RollupCursor, UsageGap, UsageHour
from metering.rebuild import derived
from metering.validation import PROFILE_DAYS, RULES, Check, Found, MeterHour, Part, check_hour, check_sums

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

    from clusters.models import Node

HOUR: Final = timedelta(hours=1)
HOURS_A_CALL: Final = 48
LOOKED_BACK: Final = timedelta(days=62)
WRITTEN_WITHIN: Final = timedelta(minutes=2)
"""Rows are stamped when a transaction begins, and seen when it ends: longer than a sweep may take."""
COUNTED: Final = ("requests",)
"""Classes without a usual rate worth comparing: they follow the tokens."""

Place = tuple["UUID", "datetime"]


def nodes_to_validate() -> list[UUID]:
    """Return the nodes that were rolled up past the end of an hour that is not checked yet."""
    rows = RollupCursor.objects.filter(rolled_to_at__isnull=False).values_list(
        "node_id", "rolled_to_at", F("node__validation__validated_to_at")
    )
    return [
        node for node, rolled, checked in rows if checked is None or (rolled is not None and rolled >= checked + HOUR)
    ]


def validate_node(*, node_id: UUID, now: datetime) -> int | None:
    """Check a node's next hours; return how many hours, None if another worker is at this node."""
    cursor = RollupCursor.objects.select_related("node").get(node_id=node_id)
    if cursor.rolled_to_at is None:
        return 0
    with transaction.atomic():
        first = UsageHour.objects.filter(meter__node_id=node_id).order_by("hour_at").values_list("hour_at", flat=True)
        begins = first.first() or _hour(cursor.rolled_to_at)
        NodeValidation.objects.get_or_create(node_id=node_id, defaults={"validated_to_at": begins, "looked_at": now})
        claimed = NodeValidation.objects.select_for_update(skip_locked=True).filter(node_id=node_id).first()
        if claimed is None:
            return None
        to_at = min(_hour(cursor.rolled_to_at), claimed.validated_to_at + HOURS_A_CALL * HOUR)
        hours = set(_hours(claimed.validated_to_at, to_at)) | _changed(cursor.node, claimed)
        _store(cursor.node, _check(cursor.node, hours), now)
        _settle(UsageFinding.objects.filter(node=cursor.node, hour_at__in=hours).exclude(rule=Check.SUM), now)
        if to_at.date() != claimed.validated_to_at.date():
            _store(cursor.node, _sums(cursor.node, to_at - HOUR), now)
            _settle(UsageFinding.objects.filter(node=cursor.node, rule=Check.SUM), now)
        claimed.validated_to_at, claimed.looked_at = max(to_at, claimed.validated_to_at), now
        claimed.save(update_fields=["validated_to_at", "looked_at"])
    return len(hours)


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _hours(from_at: datetime, to_at: datetime) -> Iterable[datetime]:
    while from_at < to_at:
        yield from_at
        from_at += HOUR


def _changed(node: Node, claimed: NodeValidation) -> set[datetime]:
    """Return the checked hours whose rows were written since they were checked."""
    rows = UsageHour.objects.filter(
        meter__node=node,
        hour_at__gte=claimed.validated_to_at - LOOKED_BACK,
        hour_at__lt=claimed.validated_to_at,
        updated_at__gt=claimed.looked_at - WRITTEN_WITHIN,
    )
    return set(rows.values_list("hour_at", flat=True).distinct())


def _check(node: Node, hours: set[datetime]) -> dict[Place, list[Found]]:
    if not hours:
        return {}
    first, last = min(hours), max(hours)
    parts: dict[Place, list[Part]] = defaultdict(list)
    rows = (
        UsageHour.objects.filter(meter__node=node, hour_at__gte=first - timedelta(days=PROFILE_DAYS), hour_at__lte=last)
        .values_list("meter_id", "hour_at", "quality", "rule")
        .annotate(Sum("value"), Sum("records"))
        .order_by()
    )
    for meter, hour_at, quality, rule, value, records in rows:
        parts[meter, hour_at].append(Part(quality, rule, int(value), int(records)))
    kinds = dict(Meter.objects.filter(node=node).values_list("id", "quantity"))
    others, beside = _others_cards(node, first, last), _beside_substituted(node, first, last)
    values = {place: sum(part.value for part in found) for place, found in parts.items()}
    found: dict[Place, list[Found]] = {}
    for (meter, hour_at), own in parts.items():
        if hour_at in hours:
            profile, like = _profile(values, meter, hour_at)
            checked = MeterHour(
                own,
                profile,
                like,
                rates=kinds[meter] not in COUNTED,
                others_cards=others.get((meter, hour_at), 0),
                beside_substituted=beside.get((meter, hour_at), 0),
            )
            found[meter, hour_at] = check_hour(checked)
    return found


def _profile(values: Mapping[Place, int], meter: UUID, hour_at: datetime) -> tuple[list[int], list[int]]:
    """Return the meter's values of the 7 days before, and those of the same hour of each day."""
    before = [hour_at - number * HOUR for number in range(1, 24 * PROFILE_DAYS + 1)]
    profile = [values[meter, at] for at in before if (meter, at) in values]
    like = [values[meter, at] for at in before[23::24] if (meter, at) in values]
    return profile, like


def _others_cards(node: Node, first: datetime, last: datetime) -> dict[Place, int]:
    """Return how often the node read a card of its own past that another node holds, by that card's meter and hour."""
    gaps = UsageGap.objects.filter(
        node=node, reason="held_by_another_node", from_at__gte=first, from_at__lt=last + HOUR
    ).values_list("subject_id", "from_at", "occurrences")
    meters = dict(Meter.objects.filter(node=node, accelerator__isnull=False).values_list("accelerator__uuid", "id"))
    return {(meters[uuid], _hour(at)): count for uuid, at, count in gaps if uuid in meters}


def _beside_substituted(node: Node, first: datetime, last: datetime) -> dict[Place, int]:
    """Return what came or went, by meter and hour, after a substitution took away all that stood in its place."""
    put_in = Q(quality=Quality.SUBSTITUTED)
    rows = (
        UsageHour.objects.filter(meter__node=node, hour_at__gte=first, hour_at__lte=last)
        .values_list("meter_id", "hour_at", "from_at", "deployment_id", "tenant_id")
        .annotate(substituted=Count("id", filter=put_in), beside=Sum("value", filter=~put_in, default=0))
        .filter(substituted__gt=0)
        .order_by()
    )
    found: dict[Place, int] = defaultdict(int)
    for meter, hour_at, *_, beside in rows:
        found[meter, hour_at] += abs(int(beside))
    return found


def _sums(node: Node, hour_at: datetime) -> dict[Place, list[Found]]:
    states = list(MeterState.objects.filter(meter__node=node).values_list("meter_id", "value", "base"))
    hours = dict(
        derived(UsageHour.objects.filter(meter__node=node)).values_list("meter_id").annotate(Sum("value")).order_by()
    )
    sums = [(int(hours.get(meter, 0)), value - base) for meter, value, base in states]
    found = zip(states, check_sums(sums), strict=True)
    return {(state[0], hour_at): [wrong] for state, wrong in found if wrong is not None}


def _store(node: Node, found: Mapping[Place, list[Found]], now: datetime) -> None:
    rows = [
        UsageFinding(
            node=node,
            meter_id=meter,
            hour_at=hour_at,
            rule=one.check,
            severity=RULES[one.check].severity,
            observed=one.observed,
            expected=one.expected,
            state=FindingState.OPEN,
            found_at=now,
            updated_at=now,
        )
        for (meter, hour_at), ones in found.items()
        for one in ones
    ]
    UsageFinding.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["meter", "hour_at", "rule"],
        update_fields=["observed", "expected", "state", "updated_at"],
    )


def _settle(checked: QuerySet[UsageFinding], now: datetime) -> None:
    """Close the findings of what was checked that were not found again."""
    checked.filter(state=FindingState.OPEN, updated_at__lt=now).update(state=FindingState.SETTLED, updated_at=now)
