"""Which ends of leases are told by letter: one that is near, of a lease that is longer than its notice, and each end.

Both parties are told, each end once; where it is moved they are told of the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import Exists, F, OuterRef

from billing.models import LeaseNotice, LeaseTold, Term
from billing.rating.rated import TermKind
from billing.telling import LEASE_ENDS_WITHIN

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import LeaseEndReason

NOTED_MAX: Final = 500
"""By one sweep; the next notes more."""


def note_ending(*, now: datetime, limit: int = NOTED_MAX) -> int:
    """Have the parties told of leases that end within a week and last longer than that; return of how many."""
    told = LeaseNotice.objects.filter(term=OuterRef("pk"), kind=LeaseTold.ENDING, ends_at=OuterRef("to_at"))
    ending = Term.objects.filter(
        ~Exists(told),
        kind=TermKind.LEASE,
        to_at__gt=now,
        to_at__lte=now + LEASE_ENDS_WITHIN,
        from_at__lt=F("to_at") - LEASE_ENDS_WITHIN,
    )
    found = list(ending.select_related("contract").order_by("to_at", "pk")[:limit])
    _note(found, LeaseTold.ENDING, "", now)
    return len(found)


def note_ended(lease: Term, reason: LeaseEndReason, *, now: datetime) -> None:
    """Have both parties told that a lease has ended, and why. Joins the caller's transaction."""
    _note([lease], LeaseTold.ENDED, reason, now)


def _note(leases: list[Term], kind: LeaseTold, reason: str, now: datetime) -> None:
    notices = []
    for lease in leases:
        assert lease.to_at is not None, lease.ref
        said = {"kind": kind, "ends_at": lease.to_at, "reason": reason, "created_at": now, "due_at": now}
        parties = dict.fromkeys((lease.contract.provider_id, lease.contract.tenant_id))
        notices += [LeaseNotice(term=lease, organization_id=party, **said) for party in parties]
    LeaseNotice.objects.bulk_create(notices, ignore_conflicts=True)
