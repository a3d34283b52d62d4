"""One lease of a provider: its terms, what is held under it, and what was charged for it so far."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import Max, Sum

from billing.models import Charge, GpuPrice, Term, TermAllocation
from billing.queries.lease_list import OWN_LEASES
from billing.rating.lease_wording import LeaseWording
from billing.rating.rated import TermKind
from billing.terms import with_wordings
from clusters.occupancy import Hold, held_gpu_ms, standing_holds
from clusters.part_names import Part
from tenants.limits.reader import within_own
from tenants.models import Organization

ALLOCATIONS_MAX = 200


@dataclass(frozen=True, slots=True)
class BookPrice:
    """A price book's price of the lease's card model at an instant."""

    book: str
    version: int
    price_per_gpu_hour: Decimal


@dataclass(frozen=True, slots=True)
class AllocationRow:
    """A slice held under the lease over `[from_at, to_at)`."""

    cluster: str
    cluster_name: str
    node: str
    position: int
    accelerator_id: UUID
    uuid: str
    kind: str
    profile: str
    label: str
    share_permille: int
    from_at: datetime
    to_at: datetime | None


@dataclass(frozen=True, slots=True)
class ChargedDay:
    """What was charged for one day of the contract's time zone."""

    day: date
    amount: Decimal
    gpu_seconds: Decimal


@dataclass(frozen=True, slots=True)
class LeaseDetail:
    """A lease up to an instant.

    `held_gpu_ms` follows from what is held, to the second; `charged` and `charged_gpu_seconds` from the charges
    booked, which reach `charged_to_at`. `share_permille` and `parts` are what is held at the instant; before the lease
    what will be held first, after it what was held last. `allocations` are the newest, `allocation_count` all.
    """

    term: Term
    ref: str
    title: str
    contract: str
    currency: str
    time_zone: str
    tenant: str
    tenant_email: str
    accelerator_model: str
    price_per_gpu_hour: Decimal | None
    book_price: BookPrice | None
    from_at: datetime
    to_at: datetime | None
    held_gpu_ms: int
    share_permille: int
    parts: tuple[Part, ...]
    charged: Decimal
    charged_gpu_seconds: Decimal
    charged_to_at: datetime | None
    days: tuple[ChargedDay, ...]
    allocations: tuple[AllocationRow, ...]
    allocation_count: int

    @property
    def accelerator_ids(self) -> frozenset[UUID]:
        """The cards of the allocations shown."""
        return frozenset(row.accelerator_id for row in self.allocations)


def lease_detail(organization: Organization, ref: str, now: datetime) -> LeaseDetail | None:
    """Return a lease that an organization gives, None where it gives no such lease; six queries at most."""
    given = Term.objects.filter(contract__provider=organization, kind=TermKind.LEASE, ref=ref)
    lease = with_wordings(given.select_related("contract__tenant", "contract__price_book")).first()
    if lease is None:
        return None
    contract = lease.contract
    wording = lease.wording_at(now)
    assert isinstance(wording, LeaseWording), ref
    with within_own(organization.pk, OWN_LEASES):
        rows = _allocations(lease)
    holds = [
        Hold(f"{row.accelerator_id}", row.share_permille, row.from_at, row.to_at) for row in rows if row.from_at < now
    ]
    held = standing_holds(rows, lease.from_at, lease.to_at, now)
    days, charged_to_at = _charges(lease)
    return LeaseDetail(
        term=lease,
        ref=lease.ref,
        title=lease.title,
        contract=contract.number,
        currency=contract.currency,
        time_zone=contract.time_zone,
        tenant=contract.tenant.name,
        tenant_email=contract.tenant.billing_email,
        accelerator_model=wording.accelerator_model,
        price_per_gpu_hour=wording.price_per_gpu_hour,
        book_price=_book_price(lease, wording.accelerator_model, now) if wording.price_per_gpu_hour is None else None,
        from_at=lease.from_at,
        to_at=lease.to_at,
        held_gpu_ms=held_gpu_ms(holds, min(lease.from_at, now), now),
        share_permille=sum(row.share_permille for row in held),
        parts=tuple(Part(row.kind, row.profile, row.share_permille) for row in held),
        charged=sum((day.amount for day in days), Decimal(0)),
        charged_gpu_seconds=sum((day.gpu_seconds for day in days), Decimal(0)),
        charged_to_at=charged_to_at,
        days=days,
        allocations=tuple(rows[:ALLOCATIONS_MAX]),
        allocation_count=len(rows),
    )


def _allocations(lease: Term) -> list[AllocationRow]:
    card = "allocation__slice__accelerator"
    rows = (
        TermAllocation.objects.filter(term=lease)
        .order_by("-allocation__from_at", f"{card}__node__name", f"{card}__position", "allocation__slice__label")
        .values_list(
            f"{card}__node__cluster__slug",
            f"{card}__node__cluster__name",
            f"{card}__node__name",
            f"{card}__position",
            f"{card}__id",
            f"{card}__uuid",
            "allocation__slice__kind",
            "allocation__slice__profile",
            "allocation__slice__label",
            "allocation__slice__share_permille",
            "allocation__from_at",
            "allocation__to_at",
        )
    )
    return [AllocationRow(*row) for row in rows]


def _charges(lease: Term) -> tuple[tuple[ChargedDay, ...], datetime | None]:
    charges = Charge.objects.filter(period__contract_id=lease.contract_id, term_kind=TermKind.LEASE, term_ref=lease.ref)
    rows = charges.values("day").annotate(owed=Sum("amount"), seconds=Sum("quantity"), to_at=Max("to_at"))
    ordered = list(rows.order_by("day"))
    days = tuple(ChargedDay(row["day"], row["owed"], row["seconds"]) for row in ordered)
    return days, max((row["to_at"] for row in ordered), default=None)


def _book_price(lease: Term, accelerator_model: str, now: datetime) -> BookPrice | None:
    """The price in force now, or when the lease begins if that is later; None where the book has none."""
    book = lease.contract.price_book
    if book is None:
        return None
    at = max(now, lease.from_at)
    version = book.versions.filter(effective_at__lte=at).order_by("-effective_at").first()
    if version is None:
        return None
    price = GpuPrice.objects.filter(version=version, accelerator_model=accelerator_model).first()
    return BookPrice(book.name, version.number, price.price_per_gpu_hour) if price else None
