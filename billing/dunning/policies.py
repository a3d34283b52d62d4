"""Setting a schedule of dunning, for a provider or one contract; without one nothing is ever sent or suspended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from billing.dunning.schedule import Planned, WrongSchedule, announces_nothing, read_schedule, write_schedule
from billing.models import Contract, DunningCase, DunningPolicy
from tenants.limits.reader import whole
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from tenants.models import Organization


class WrongDunning(Problem):
    """The schedule or the step cannot be."""

    status = 422
    code = "wrong_dunning"
    title = "This cannot be a schedule or step of dunning"


@transaction.atomic
def set_policy(
    *,
    provider: Organization,
    steps: Sequence[Mapping[str, Any]],
    by: str,
    now: datetime,
    contract: Contract | None = None,
) -> DunningPolicy:
    """Store a schedule, which counts from now on for every open case too: steps that were taken stay taken.

    Raises `WrongDunning`.
    """
    try:
        schedule = read_schedule(steps)
    except WrongSchedule as wrong:
        raise WrongDunning(wrong.args[0], field="steps") from wrong
    if announces_nothing(schedule):
        raise WrongDunning(sentence("notice: expected a suspension that it announces."), field="steps")
    policy = DunningPolicy.objects.create(
        provider=provider, contract=contract, steps=write_schedule(schedule), by=by, created_at=now
    )
    DunningCase.objects.filter(invoice__issuer=provider, is_open=True).update(next_at=now)
    AuditEntry.objects.create(
        organization=provider,
        actor=by,
        action="dunning.schedule_set",
        subject=contract.number if contract else provider.slug,
        after={"steps": policy.steps},
        at=now,
    )
    return policy


@transaction.atomic
def follow_provider(*, contract: Contract, by: str, now: datetime) -> DunningPolicy | None:
    """Let a provider's schedule count for a contract again; None where the contract has none of its own."""
    if own_schedule(contract.provider_id, contract.pk) is None:
        return None
    policy = DunningPolicy.objects.create(
        provider_id=contract.provider_id, contract=contract, steps=[], follows_provider=True, by=by, created_at=now
    )
    DunningCase.objects.filter(invoice__contract=contract, is_open=True).update(next_at=now)
    AuditEntry.objects.create(
        organization_id=contract.provider_id,
        actor=by,
        action="dunning.schedule_ended",
        subject=contract.number,
        at=now,
    )
    return policy


@whole("a tenant reads its provider's schedule where its contract has none of its own")
def own_schedule(provider_id: UUID, contract_id: UUID) -> tuple[Planned, ...] | None:
    """Return the schedule that a contract has of its own, or None."""
    found = DunningPolicy.objects.filter(provider_id=provider_id, contract=contract_id)
    policy = found.order_by("-created_at", "-pk").first()
    return None if policy is None or policy.follows_provider else read_schedule(policy.steps)


@whole("a tenant reads its provider's schedule where its contract has none of its own")
def schedule_of(provider_id: UUID, contract_id: UUID | None = None) -> tuple[Planned, ...]:
    """Return the schedule that counts for a contract: its own, else its provider's; empty without one."""
    own = own_schedule(provider_id, contract_id) if contract_id else None
    if own is not None:
        return own
    found = DunningPolicy.objects.filter(provider_id=provider_id, contract__isnull=True)
    policy = found.order_by("-created_at", "-pk").first()
    return read_schedule(policy.steps) if policy else ()


def own_schedules(organization: Organization) -> list[Contract]:
    """Return the contracts of a provider that have a schedule of their own, by number."""
    latest = DunningPolicy.objects.filter(provider=organization, contract__isnull=False)
    rows = latest.order_by("contract", "-created_at", "-pk").distinct("contract").values_list("pk", flat=True)
    standing = DunningPolicy.objects.filter(pk__in=list(rows), follows_provider=False)
    found = Contract.objects.filter(dunning_policies__in=standing).select_related("tenant")
    return list(found.distinct().order_by("number"))
