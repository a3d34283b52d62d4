"""Leases as both of their parties see them, and quotes that still stand."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, Subquery, Sum

from billing.models import Charge, LeaseEvent, Quote, Term, TermAllocation
from billing.rating.rated import TermKind
from billing.rating.wording import Wording
from billing.terms import said_in_order
from clusters.occupancy import Hold, held_gpu_ms, standing_holds
from clusters.part_names import Part
from tenants.limits.reader import within_own
from tenants.listing.paging import Page, Paged, page_rows
from tenants.models import Organization

LEASES_MAX = 500
OWN_LEASES = "what is held and charged under a contract is both of its parties'"
Party = Literal["tenant", "provider"]
LeaseState = Literal["reserved", "running", "ended"]


@dataclass(frozen=True, slots=True)
class StepRow:
    """One thing that happened to a lease."""

    step: str
    at: datetime
    to_at: datetime | None
    recorded_at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A lease up to an instant: what is held, what it cost so far, what happened to it.

    `price_per_gpu_hour` is the agreed one at the instant, None where the book's counts or the lease is flat.
    `parts` name each slice that it holds; `gpu_ms_held` is what was held by then; `charged` what is booked for it.
    """

    id: UUID
    ref: str
    title: str
    contract_id: UUID
    contract: str
    provider: str
    provider_slug: str
    tenant: str
    tenant_slug: str
    time_zone: str
    currency: str
    accelerator_model: str
    slices: int
    share_permille: int
    price_per_gpu_hour: Decimal | None
    renews: bool
    from_at: datetime
    to_at: datetime | None
    state: LeaseState
    gpu_ms_held: int
    steps: tuple[StepRow, ...]
    parts: tuple[Part, ...] = ()
    charged: Decimal = Decimal(0)


def lease_rows(
    organization: Organization,
    now: datetime,
    *,
    party: Party | None = None,
    ref: str = "",
    from_at: datetime | None = None,
    to_at: datetime | None = None,
    among: Collection[UUID] | None = None,
) -> list[LeaseRow]:
    """Return the leases an organization gives or takes, the next to end first, at most `LEASES_MAX`; five queries.

    With `from_at` and `to_at` only those that share an instant with the span; with `among` only these terms. A list of
    which few are shown asks for these (`billing.queries.lease_places`).
    """
    leases = chosen_leases(organization, party, ref)
    if among is not None:
        leases = leases.filter(pk__in=among)
    if from_at is not None:
        leases = leases.filter(Q(to_at__isnull=True) | Q(to_at__gt=from_at))
    if to_at is not None:
        leases = leases.filter(from_at__lt=to_at)
    related = leases.select_related("contract__provider", "contract__tenant").prefetch_related(
        said_in_order(),
        Prefetch("lease_events", LeaseEvent.objects.order_by("recorded_at", "at")),
    )
    with within_own(organization.pk, OWN_LEASES):
        found = sorted(
            related.order_by("-from_at", "-pk")[:LEASES_MAX],
            key=lambda one: _order(_state(one.from_at, one.to_at, now), one.from_at, one.to_at, one.ref),
        )
        (held, parts), charged = _holds(found), _charged(found)
    return [_row(lease, held[lease.pk], parts, charged.get(lease.pk, Decimal(0)), now) for lease in found]


def _charged(leases: Sequence[Term]) -> dict[UUID, Decimal]:
    """What is booked for each; one query."""
    booked = Charge.objects.filter(
        period__contract=OuterRef("contract_id"), term_kind=TermKind.LEASE, term_ref=OuterRef("ref")
    )
    # Lease by lease: all charges of their contracts together would be many times what is asked for.
    owed = Subquery(booked.order_by().values("term_ref").annotate(owed=Sum("amount")).values("owed"))
    sums = Term.objects.filter(pk__in=[lease.pk for lease in leases]).values_list("pk").annotate(owed=owed)
    return {pk: owed for pk, owed in sums if owed is not None}


def _holds(leases: Sequence[Term]) -> tuple[dict[UUID, list[Hold]], dict[str, Part]]:
    """What each holds or held, in the order of their making, and what each slice is; one query."""
    rows = TermAllocation.objects.filter(term__in=leases).order_by("pk")
    found: dict[UUID, list[Hold]] = defaultdict(list)
    parts: dict[str, Part] = {}
    of = ("slice_id", "slice__kind", "slice__profile", "slice__share_permille", "from_at", "to_at")
    for term_id, slice_id, kind, profile, *rest in rows.values_list("term_id", *(f"allocation__{name}" for name in of)):
        found[term_id].append(Hold(str(slice_id), *rest))
        parts[str(slice_id)] = Part(kind, profile, rest[0])
    return found, parts


def lease_page(organization: Organization, now: datetime, page: Page) -> Paged[LeaseRow]:
    """Return a page of the leases an organization gives or takes, the one that begins last first; six queries.

    Raises WrongCursor.
    """
    chosen = page_rows(chosen_leases(organization, None, ""), page, ("-from_at", "-pk"))
    ids = [lease.pk for lease in chosen.rows]
    rows = {row.id: row for row in lease_rows(organization, now, among=ids)}
    return Paged([rows[pk] for pk in ids], chosen.next_cursor)


def steps_of(lease: Term) -> tuple[StepRow, ...]:
    """Return what happened to a lease, in the order in which it was recorded; one query."""
    return tuple(_step(one) for one in LeaseEvent.objects.filter(term=lease).order_by("recorded_at", "at"))


def _step(one: LeaseEvent) -> StepRow:
    return StepRow(one.step, one.at, one.to_at, one.recorded_at, one.reason)


def lease_of(organization: Organization, ref: str) -> Term | None:
    """Return a lease that an organization is a party of, None where there is none of that reference."""
    return chosen_leases(organization, None, ref).select_related("contract").first()


def quotes_of(organization: Organization, now: datetime, *, party: Party | None = None) -> list[Quote]:
    """Return the quotes that still stand and are not reserved, the next to expire first."""
    quotes = Quote.objects.filter(_party("contract__", organization, party), term__isnull=True, expires_at__gte=now)
    return list(
        quotes.select_related("contract__provider", "contract__tenant").order_by("expires_at", "number")[:LEASES_MAX]
    )


def quote_of(organization: Organization, quote_id: UUID) -> Quote | None:
    """Return a quote between an organization and somebody, None where it has no such quote."""
    quotes = Quote.objects.filter(_party("contract__", organization, None), pk=quote_id)
    return quotes.select_related("contract__provider", "contract__tenant", "term").first()


def chosen_leases(organization: Organization, party: Party | None, ref: str = "") -> QuerySet[Term]:
    """Return the leases an organization gives or takes: what something was held under, or a step is known of."""
    begun = Exists(TermAllocation.objects.filter(term=OuterRef("pk"))) | Exists(
        LeaseEvent.objects.filter(term=OuterRef("pk"))
    )
    leases = Term.objects.filter(begun, _party("contract__", organization, party), kind=TermKind.LEASE)
    return leases.filter(ref=ref) if ref else leases


def _party(path: str, organization: Organization, party: Party | None) -> Q:
    which = {"tenant": Q(**{f"{path}tenant": organization}), "provider": Q(**{f"{path}provider": organization})}
    return which[party] if party else which["tenant"] | which["provider"]


def _order(state: LeaseState, from_at: datetime, to_at: datetime | None, ref: str) -> tuple[int, datetime, str]:
    """Running ones by their end, then reserved ones by their start, then the ended ones."""
    place = {"running": 0, "reserved": 1, "ended": 2}[state]
    return place, from_at if state == "reserved" or to_at is None else to_at, ref


def _state(from_at: datetime, to_at: datetime | None, now: datetime) -> LeaseState:
    if to_at is not None and to_at <= now:
        return "ended"
    return "reserved" if from_at > now else "running"


def _row(lease: Term, held: Sequence[Hold], parts: Mapping[str, Part], charged: Decimal, now: datetime) -> LeaseRow:
    holds = [one for one in held if one.from_at < now]
    current = standing_holds(held, lease.from_at, lease.to_at, now)
    at = max(min(now, lease.to_at) if lease.to_at else now, lease.from_at)
    try:
        wording: Wording | None = lease.wording_at(at)
    except LookupError:  # it was taken back before it began
        wording = None
    contract = lease.contract
    return LeaseRow(
        id=lease.id,
        ref=lease.ref,
        title=lease.title,
        contract_id=contract.pk,
        contract=contract.number,
        provider=contract.provider.name,
        provider_slug=contract.provider.slug,
        tenant=contract.tenant.name,
        tenant_slug=contract.tenant.slug,
        time_zone=contract.time_zone,
        currency=contract.currency,
        accelerator_model=str(getattr(wording, "accelerator_model", "")),
        slices=len({one.slice_ref for one in current}),
        share_permille=sum(one.share_permille for one in current),
        price_per_gpu_hour=getattr(wording, "price_per_gpu_hour", None),
        renews=bool(getattr(wording, "renew_days", 0)),
        from_at=lease.from_at,
        to_at=lease.to_at,
        state=_state(lease.from_at, lease.to_at, now),
        gpu_ms_held=held_gpu_ms(holds, min(lease.from_at, now), now),
        steps=tuple(_step(one) for one in lease.lease_events.all()),
        parts=tuple(parts[ref] for ref in sorted({one.slice_ref for one in current})),
        charged=charged,
    )
