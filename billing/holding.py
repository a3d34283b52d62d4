"""Holding slices under a term: the exclusion constraint of the database decides who gets a slice."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from psycopg.errors import ExclusionViolation

from billing.models import Contract, Term, TermAllocation
from billing.suspensions import require_not_suspended, require_within_budgets
from clusters.models import Allocation, Slice
from tenants.problems import Problem
from tenants.sentences import sentence

ALLOCATION_BATCH_ROWS = 2_000


class WrongTerms(Problem):
    """What was asked for contradicts the contract or itself."""

    status = 422
    code = "wrong_terms"
    title = "The terms do not fit"


class SliceTaken(Problem):
    """A slice is held by somebody over a part of the time asked for."""

    status = 409
    code = "slice_taken"
    title = "A slice is already held"


@dataclass(frozen=True, slots=True)
class Hold:
    """A slice to be held over `[from_at, to_at)`; without `to_at` until the term ends."""

    slice: Slice
    from_at: datetime
    to_at: datetime | None = None


def hold_slices(
    term: Term, contract: Contract, holds: Sequence[Hold], now: datetime, *, accelerator_model: str
) -> list[Allocation]:
    """Allocate every hold, of slices of one model, to the contract's tenant under a term, all or none.

    Raises `SliceTaken`, `WrongTerms` for slices of another model or provider, `ContractSuspended` and
    `StoppedByBudget`.

    Must run in the transaction of the use case that leases.
    """
    require_not_suspended(contract.pk, contract.number)
    require_within_budgets(contract, now)
    _require_slices(term, contract, [hold.slice for hold in holds], accelerator_model)
    ordered = sorted(holds, key=lambda hold: (hold.slice.id, hold.from_at))
    # Two who lease the same slices wait for each other here, in one order; the exclusion constraint decides.
    ids = {hold.slice.id for hold in ordered}
    list(Slice.objects.select_for_update(no_key=True).filter(id__in=ids).order_by("id").values_list("id"))
    allocations = [
        Allocation(
            slice=hold.slice, tenant_id=contract.tenant_id, from_at=hold.from_at, to_at=hold.to_at, created_at=now
        )
        for hold in ordered
    ]
    try:
        with transaction.atomic():
            Allocation.objects.bulk_create(allocations, batch_size=ALLOCATION_BATCH_ROWS)
    except IntegrityError as error:
        if not isinstance(error.__cause__, ExclusionViolation):
            raise
        raise _taken(ordered) from error
    TermAllocation.objects.bulk_create(
        [TermAllocation(term=term, allocation=allocation) for allocation in allocations],
        batch_size=ALLOCATION_BATCH_ROWS,
    )
    return allocations


def _taken(holds: Sequence[Hold]) -> SliceTaken:
    """Say which slice is held when; without a holder in the books the request holds one slice twice itself."""
    by_slice: dict[UUID, list[Hold]] = {}
    for hold in holds:
        by_slice.setdefault(hold.slice.id, []).append(hold)
    rows = Allocation.objects.filter(slice_id__in=list(by_slice)).order_by("slice_id", "from_at")
    names = ("slice_id", "from_at", "to_at", "slice__accelerator__uuid", "slice__accelerator__node__name")
    for slice_id, from_at, to_at, card, node in rows.values_list(*names):
        if any(_overlaps(hold, from_at, to_at) for hold in by_slice[slice_id]):
            until = to_at.isoformat() if to_at else sentence("further notice")
            return SliceTaken(
                sentence(
                    "%(card)s on %(node)s is held from %(from_at)s to %(until)s.",
                    card=card,
                    node=node,
                    from_at=from_at.isoformat(),
                    until=until,
                ),
                slice=str(slice_id),
                held_from=from_at.isoformat(),
                held_to=to_at.isoformat() if to_at else None,
            )
    return _card_taken(holds) or SliceTaken(
        sentence("The request holds one slice, or one card whole and in parts, twice at once.")
    )


def _card_taken(holds: Sequence[Hold]) -> SliceTaken | None:
    """Say which card is held in another way over a part of the time asked for: in parts, or whole."""
    by_card = {hold.slice.accelerator_id: hold for hold in holds}
    others = Allocation.objects.filter(slice__accelerator_id__in=list(by_card)).exclude(
        slice_id__in=[hold.slice.id for hold in holds]
    )
    names = ("slice__accelerator_id", "from_at", "to_at", "slice__accelerator__uuid", "slice__accelerator__node__name")
    for card_id, from_at, to_at, card, node in others.order_by("from_at").values_list(*names):
        if _overlaps(by_card[card_id], from_at, to_at):
            until = to_at.isoformat() if to_at else sentence("further notice")
            return SliceTaken(
                sentence(
                    "%(card)s on %(node)s is held in another way from %(from_at)s to %(until)s.",
                    card=card,
                    node=node,
                    from_at=from_at.isoformat(),
                    until=until,
                )
            )
    return None


def _require_slices(term: Term, contract: Contract, slices: Sequence[Slice], accelerator_model: str) -> None:
    wanted = {held.id for held in slices}
    fitting = Slice.objects.filter(
        Q(retired_at__isnull=True) | Q(retired_at__gt=term.from_at),
        id__in=wanted,
        accelerator__node__cluster__provider_id=contract.provider_id,
        accelerator__model=accelerator_model,
    )
    if missing := len(wanted) - fitting.count():
        raise WrongTerms(
            sentence(
                "%(missing)s of %(count)s slices are no %(accelerator_model)s in service at the provider.",
                missing=missing,
                count=len(wanted),
                accelerator_model=accelerator_model,
            )
        )


def _overlaps(hold: Hold, from_at: datetime, to_at: datetime | None) -> bool:
    return (to_at is None or hold.from_at < to_at) and (hold.to_at is None or from_at < hold.to_at)
