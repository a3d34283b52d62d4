"""What a list of leases counts, and which of them stand on a page of it: asked of the database, not of every lease."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Case, Count, F, Min, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Collate

from billing.models import Term, TermAllocation
from billing.queries.lease_list import OWN_LEASES, Party, chosen_leases
from tenants.limits.reader import within_own
from tenants.models import Organization

COUNTED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class LeaseSums:
    """How a party's leases stand at an instant; `held_permille` is what running ones hold, in thousandths of cards."""

    running: int
    held_permille: int
    next_end_at: datetime | None
    reserved: int
    next_from_at: datetime | None
    ended: int

    @property
    def count(self) -> int:
        """How many leases there are."""
        return self.running + self.reserved + self.ended


@dataclass(frozen=True, slots=True)
class LeasePlaces:
    """The leases of a page in their order, and how many there are in all, counted to `COUNTED_MAX`."""

    ids: Sequence[UUID]
    count: int


def lease_sums(organization: Organization, now: datetime, *, party: Party) -> LeaseSums:
    """Return what `lease_rows` of all its leases would add up to; two queries."""
    ended = Q(to_at__isnull=False, to_at__lte=now)
    running, reserved = ~ended & Q(from_at__lte=now), ~ended & Q(from_at__gt=now)
    leases = chosen_leases(organization, party)
    with within_own(organization.pk, OWN_LEASES):
        sums = leases.aggregate(
            running=Count("pk", filter=running),
            next_end_at=Min("to_at", filter=running),
            reserved=Count("pk", filter=reserved),
            next_from_at=Min("from_at", filter=reserved),
            ended=Count("pk", filter=ended),
        )
        held_permille = _held_permille(leases.filter(running), now) if sums["running"] else 0
    return LeaseSums(held_permille=held_permille, **sums)


def lease_places(
    organization: Organization,
    now: datetime,
    *,
    party: Party,
    first: int,
    count: int,
    days: tuple[datetime, datetime] | None = None,
) -> LeasePlaces:
    """Return `count` leases after the `first` ones in the order of `lease_rows`: running ones by their end, then
    reserved ones by their start, then ended ones; with `days` those that share an instant with them. Two queries.
    """
    leases = chosen_leases(organization, party)
    if days is not None:
        leases = leases.filter(Q(to_at__isnull=True) | Q(to_at__gt=days[0]), from_at__lt=days[1])
    ended, reserved = When(to_at__lte=now, then=Value(2)), When(from_at__gt=now, then=Value(1))
    ordered = leases.annotate(
        place=Case(ended, reserved, default=Value(0)),
        at=Case(
            When(to_at__isnull=True, then=F("from_at")),
            When(to_at__gt=now, from_at__gt=now, then=F("from_at")),
            default=F("to_at"),
        ),
    ).order_by("place", "at", Collate("ref", "C"), "-from_at", "-pk")
    with within_own(organization.pk, OWN_LEASES):
        ids = list(ordered.values_list("pk", flat=True)[first : first + count])
        return LeasePlaces(ids, leases.order_by()[:COUNTED_MAX].count())


def _held_permille(running: QuerySet[Term], now: datetime) -> int:
    """What leases hold now, as in `LeaseRow`."""
    current = Q(allocation__to_at__isnull=True) | Q(allocation__to_at__gt=now)
    share = "allocation__slice__share_permille"
    held = TermAllocation.objects.filter(current, term__in=running.values("pk"), allocation__from_at__lte=now)
    return int(held.aggregate(held=Sum(share, default=0))["held"])
