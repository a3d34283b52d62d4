"""What an amendment does as it comes into force: slices held or freed, deployments bound or left, usage cut."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from psycopg.errors import ExclusionViolation

from billing.agreements.checks import terms_by_ref
from billing.agreements.proposals import Change
from billing.cuts import ensure_cuts
from billing.holding import Hold, SliceTaken, hold_slices
from billing.models import Contract, Term, TermAllocation, TermDeployment
from billing.rating.kinds import KINDS
from billing.term_binding import bind_deployments
from billing.term_versions import TermChange, said_over
from clusters.models import Allocation, Deployment, Slice
from metering.comparison import agree_comparison
from metering.models import Witness
from tenants.sentences import sentence


def term_changes(contract: Contract, changes: Iterable[Change], now: datetime) -> list[TermChange]:
    """Return proposed changes as a version says them; new terms are not stored yet."""
    stored = terms_by_ref(contract)
    return [
        TermChange(
            stored.get(change.ref)
            or Term(
                contract=contract,
                kind=change.kind,
                ref=change.ref,
                title=change.title or change.kind.replace("_", " "),
                from_at=change.from_at,
                to_at=change.to_at,
                created_at=now,
            ),
            [(change.from_at, None)]
            if change.wording is None
            else said_over(change.wording, change.from_at, change.to_at),
            {
                name: [str(each) for each in ids]
                for name, ids in (("slices", change.slices), ("deployments", change.deployments))
                if ids is not None
            },
        )
        for change in changes
    ]


def take_effect(
    contract: Contract, changes: Sequence[Change], old_ends: Mapping[str, datetime | None], now: datetime
) -> None:
    """Hold, free, bind and cut what the changes say. Must run in the transaction that stores their version.

    `old_ends` are the ends that known terms had before. Raises `SliceTaken` or `DeploymentTaken` where somebody
    else was first.
    """
    terms = terms_by_ref(contract)
    # What ends makes room for what begins.
    for change in sorted(changes, key=lambda each: (each.wording is not None, each.from_at)):
        term = terms[change.ref]
        if KINDS[change.kind].takes_slices:
            _slices(contract, term, change, old_ends.get(change.ref), now)
        if KINDS[change.kind].quantities:
            _deployments(contract, term, change)
    ensure_cuts(contract=contract)


def _slices(contract: Contract, term: Term, change: Change, old_end: datetime | None, now: datetime) -> None:
    lasting = TermAllocation.objects.filter(_lasting(change.from_at, "allocation__"), term=term)
    rows = list(lasting.select_related("allocation"))
    held = {row.allocation.slice_id for row in rows}
    wanted = held if change.slices is None else set(change.slices)
    if change.wording is None:
        wanted = set()
    _free([row for row in rows if row.allocation.slice_id not in wanted], change.from_at)
    kept = [row for row in rows if row.allocation.slice_id in wanted]
    if change.to_at is not None:
        _free([row for row in kept if _ends_after(row.allocation.to_at, change.to_at)], change.to_at)
    if change.to_at is None or (old_end is not None and old_end < change.to_at):
        _hold_on([row.allocation_id for row in kept if row.allocation.to_at == old_end], change)
    added = list(Slice.objects.filter(id__in=wanted - held).select_related("accelerator").order_by("id"))
    if added:
        holds = [Hold(each, change.from_at, change.to_at) for each in added]
        model = getattr(change.wording, "accelerator_model", "") or added[0].accelerator.model
        hold_slices(term, contract, holds, now, accelerator_model=model)


def _ends_after(at: datetime | None, end: datetime) -> bool:
    return at is None or at > end


def _free(rows: Sequence[TermAllocation], at: datetime) -> None:
    ids = sorted(row.allocation_id for row in rows)
    list(Allocation.objects.select_for_update().filter(id__in=ids).order_by("id").values_list("id"))
    later = [row.allocation_id for row in rows if row.allocation.from_at >= at]
    TermAllocation.objects.filter(allocation_id__in=later).delete()
    Allocation.objects.filter(id__in=later).delete()
    Allocation.objects.filter(id__in=ids, from_at__lt=at).update(to_at=at)


def _hold_on(ids: list[UUID], change: Change) -> None:
    """Hold on to the new end what was held to the old one."""
    try:
        with transaction.atomic():
            Allocation.objects.filter(id__in=ids).update(to_at=change.to_at)
    except IntegrityError as error:
        if not isinstance(error.__cause__, ExclusionViolation):
            raise
        raise SliceTaken(
            sentence("A slice of %(ref)s is held by somebody after its present end.", ref=change.ref)
        ) from error


def _deployments(contract: Contract, term: Term, change: Change) -> None:
    rows = {row.deployment_id: row for row in TermDeployment.objects.filter(_lasting(change.from_at), term=term)}
    wanted = set(rows) if change.deployments is None else set(change.deployments)
    if change.wording is None:
        wanted = set()
    for key, row in rows.items():
        if key in wanted:
            TermDeployment.objects.filter(pk=row.pk).update(to_at=change.to_at)
        elif row.from_at >= change.from_at:
            row.delete()
        else:
            TermDeployment.objects.filter(pk=row.pk).update(to_at=change.from_at)
    added = _of(wanted - set(rows))
    if added:
        bind_deployments(term, contract, added, change.from_at, change.to_at)
    if change.wording is not None:
        agree_comparison(
            deployments=_of(wanted),
            billed_by=Witness(str(getattr(change.wording, "witness"))),  # noqa: B009  of any kind that meters
            tolerance_percent=getattr(change.wording, "tolerance_percent", Decimal(1)),
        )


def _of(ids: Iterable[UUID]) -> list[Deployment]:
    return cast("list[Deployment]", list(Deployment.objects.filter(id__in=list(ids)).order_by("id")))


def _lasting(at: datetime, prefix: str = "") -> Q:
    """What is in force at an instant, begins later, or ends just then."""
    condition: dict[str, Any] = {f"{prefix}to_at__gte": at}
    return Q(**{f"{prefix}to_at__isnull": True}) | Q(**condition)
