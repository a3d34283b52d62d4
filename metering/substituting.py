"""Substituting: a person puts a value in the place of what was metered, and a second person approves it.

What was metered stays. Approved, adjusting rows take away what stood in that part of the hour and put the value in with
quality `S`, linked to what they replace; both steps are in the audit log. It is withdrawn only by another substitution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import IntegrityError, transaction
from django.db.models import Min, Sum

from metering.adjustment_models import AdjustmentCause, Substitution, SubstitutionState, UsageAdjustment
from metering.attribution import NodeTimelines
from metering.hours import instant_of, unix_ms_of
from metering.models import Meter, Quality, RollupCursor, UsageHour
from metering.queries import BILLED
from metering.rebuild import UNKNOWN_REQUESTS, Difference, Figure, write_adjustment
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from metering.timeline import Slot
    from tenants.models import Organization, User

RULE: Final = "substitution"
REASON_CHARS_MIN: Final = 10
REASON_CHARS_MAX: Final = 1_000
VALUE_MAX: Final = 2**62


class UsageUnknown(Problem):
    """The provider has no such usage hour or substitution."""

    status = 404
    code = "usage_unknown"
    title = "There is no such usage"


class WrongSubstitution(Problem):
    """A value or reason that cannot be taken."""

    status = 422
    code = "wrong_substitution"
    title = "The substitution cannot be taken"


class AlreadyProposed(Problem):
    """A substitution of this part waits for its second person, or was decided."""

    status = 409
    code = "substitution_decided"
    title = "The substitution is not open"


class SecondPersonNeeded(Problem):
    """Who proposed a substitution cannot approve it."""

    status = 403
    code = "second_person_needed"
    title = "Another person must approve this"


class FiguresChanged(Problem):
    """What would be replaced is no longer what was looked at."""

    status = 409
    code = "figures_changed"
    title = "The usage changed since it was proposed"


@dataclass(frozen=True, slots=True)
class _Standing:
    """What stands in one part of an hour for one owner, by quality and rule."""

    deployment_id: UUID | None
    tenant_id: UUID | None
    hour_at: datetime
    to_at: datetime
    sums: Sequence[tuple[str, str, int]]

    @property
    def billed(self) -> int:
        return sum(value for quality, _, value in self.sums if quality in BILLED)


def propose_substitution(
    *, provider: Organization, by: User, meter_id: UUID, from_at: datetime, value: int, reason: str, now: datetime
) -> Substitution:
    """Propose a value for the part of an hour that begins at `from_at`.

    Raises UsageUnknown, WrongSubstitution, AlreadyProposed.
    """
    reason = reason.strip()
    if not REASON_CHARS_MIN <= len(reason) <= REASON_CHARS_MAX:
        raise WrongSubstitution(
            sentence(
                "A reason of %(least)s to %(most)s characters is needed.", least=REASON_CHARS_MIN, most=REASON_CHARS_MAX
            )
        )
    if not 0 <= value <= VALUE_MAX:
        raise WrongSubstitution(sentence("A value from 0 up is needed."))
    with transaction.atomic():
        meter = Meter.objects.filter(id=meter_id, node__cluster__provider=provider).first()
        if meter is None:
            raise UsageUnknown(sentence("No meter of your nodes has this id."))
        standing = _standing(meter, from_at, now)
        made = Substitution(
            provider=provider,
            tenant_id=standing.tenant_id,
            deployment_id=standing.deployment_id,
            meter=meter,
            hour_at=standing.hour_at,
            from_at=from_at,
            to_at=standing.to_at,
            value_before=standing.billed,
            value=value,
            reason=reason,
            proposed_by=by,
            proposed_at=now,
        )
        try:
            with transaction.atomic():
                made.save(force_insert=True)
        except IntegrityError as twice:
            raise AlreadyProposed(sentence("A substitution of this part waits for its second person.")) from twice
        _log(made, by, "substitution.proposed", now)
    return made


def decide_substitution(
    *, provider: Organization, by: User, substitution_id: UUID, approve: bool, now: datetime
) -> Substitution:
    """Approve a proposed substitution, which changes the usage, or refuse it.

    Raises UsageUnknown, AlreadyProposed, SecondPersonNeeded, FiguresChanged.
    """
    with transaction.atomic():
        found = Substitution.objects.select_related("meter").filter(id=substitution_id, provider=provider).first()
        if found is None:
            raise UsageUnknown(sentence("You have no substitution with this id."))
        # In the order of rollup: the node's cursor first.
        RollupCursor.objects.select_for_update(of=("self",)).filter(node__meters=found.meter).first()
        found = Substitution.objects.select_for_update().get(id=substitution_id)
        if found.state != SubstitutionState.PROPOSED:
            raise AlreadyProposed(sentence("It was %(state)s before.", state=found.state))
        if found.proposed_by_id == by.pk:
            raise SecondPersonNeeded(sentence("Who proposed it cannot decide it."))
        if approve:
            found.adjustment = _put_in(found, by, now)
        found.state = SubstitutionState.APPROVED if approve else SubstitutionState.REFUSED
        found.decided_by, found.decided_at = by, now
        found.save(update_fields=["state", "decided_by", "decided_at", "adjustment"])
        _log(found, by, f"substitution.{found.state}", now)
    return found


def _put_in(found: Substitution, by: User, now: datetime) -> UsageAdjustment:
    standing = _standing(found.meter, found.from_at, now)
    if (standing.billed, standing.deployment_id) != (found.value_before, found.deployment_id):
        raise FiguresChanged(
            sentence(
                "It was %(value_before)s when it was proposed and is %(billed)s now.",
                value_before=found.value_before,
                billed=standing.billed,
            )
        )
    adjustment = UsageAdjustment(
        cause=AdjustmentCause.SUBSTITUTED,
        reason=found.reason,
        node_id=found.meter.node_id,
        from_at=found.from_at,
        to_at=found.to_at,
        made_at=now,
        made_by=by,
    )
    write_adjustment(adjustment, list(_changes(found, standing)))
    return adjustment


def _changes(found: Substitution, standing: _Standing) -> list[Difference]:
    """Take away what stands, held usage too, and put the value in."""

    def figure(value: int) -> Figure:
        meter = found.meter
        return Figure(value, 0, standing.hour_at, standing.to_at, meter.witness, meter.quantity, meter.model)

    own = (Quality.SUBSTITUTED.value, RULE)
    sums = {(quality, rule): value for quality, rule, value in standing.sums if value}
    place = (found.meter_id, found.from_at, standing.deployment_id, standing.tenant_id)
    changes = [
        Difference((*place, *why, *UNKNOWN_REQUESTS), figure(value), None) for why, value in sums.items() if why != own
    ]
    own_key = (*place, *own, *UNKNOWN_REQUESTS)
    return [*changes, Difference(own_key, figure(sums.get(own, 0)), figure(found.value))]


def _standing(meter: Meter, from_at: datetime, now: datetime) -> _Standing:
    """Return what stands in a part, of the one owner that has usage there. Raises UsageUnknown, WrongSubstitution.

    Where nothing was metered, nothing stands for whoever would have had the usage.
    """
    rows = (
        UsageHour.objects.filter(meter=meter, from_at=from_at)
        .values_list("deployment_id", "tenant_id", "hour_at", "quality", "rule")
        .annotate(Sum("value"), Min("to_at"))
        .order_by("deployment_id", "tenant_id", "quality", "rule")
    )
    by_owner: dict[tuple[UUID | None, UUID | None], list[tuple[str, str, int]]] = {}
    ends, hours = [], []
    for deployment_id, tenant_id, hour_at, quality, rule, value, to_at in rows:
        by_owner.setdefault((deployment_id, tenant_id), []).append((quality, rule, int(value)))
        ends.append(to_at)
        hours.append(hour_at)
    if not by_owner:
        return _unmetered(meter, from_at, now)
    having = [owner for owner, sums in by_owner.items() if any(value for *_, value in sums)] or list(by_owner)
    if len(having) > 1:
        raise WrongSubstitution(sentence("More than one owner has usage in this part."))
    return _Standing(*having[0], hours[0], min(ends), by_owner[having[0]])


def _unmetered(meter: Meter, from_at: datetime, now: datetime) -> _Standing:
    """Return that nothing stands in a part that is over, for its owner by the deployments and leases of now.

    Raises UsageUnknown if the part is not over, no part begins then, or something was metered in it after all.
    """
    slot = _slot(meter, from_at)
    to_at = instant_of(slot.to_ms)
    if slot.from_ms != unix_ms_of(from_at) or to_at > now:
        raise UsageUnknown(sentence("No part of an hour that is over begins then."))
    if UsageHour.objects.filter(meter=meter, from_at__lt=to_at, to_at__gt=from_at).exists():
        raise UsageUnknown(sentence("What was metered in this hour begins at another instant."))
    return _Standing(slot.owner.deployment_id, slot.owner.tenant_id, instant_of(slot.hour_ms), to_at, ())


def _slot(meter: Meter, from_at: datetime) -> Slot:
    """Return the part of an hour that an instant is in. Raises UsageUnknown for a meter of no node."""
    subject_id = meter.endpoint_id or meter.accelerator_id
    if meter.node is None or subject_id is None:
        raise UsageUnknown(sentence("Nothing was metered in a part of an hour that begins then."))
    from_ms = unix_ms_of(from_at)
    subject = "endpoint" if meter.endpoint_id else "accelerator"
    return NodeTimelines(meter.node, from_ms).of(subject, subject_id, meter.model).slot_at(from_ms)


def _log(made: Substitution, by: User, action: str, now: datetime) -> None:
    AuditEntry.objects.create(
        organization_id=made.provider_id,
        actor=by.email[:200],
        action=action,
        subject=f"usage {made.meter_id} {made.from_at.isoformat()}",
        before={"value": str(made.value_before)},
        after={"value": str(made.value), "reason": made.reason, "substitution": str(made.id)},
        at=now,
    )
