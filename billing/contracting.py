"""Making contracts and their terms, and ending them."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import transaction
from django.db.models import Q

from billing.cuts import ensure_cuts, write_cuts
from billing.holding import Hold, SliceTaken, WrongTerms, hold_slices
from billing.models import (
    BillingPeriod,
    CollectedBy,
    Collection,
    Contract,
    ContractState,
    Lease,
    LeaseAllocation,
    PeriodKind,
    PeriodState,
    PriceBook,
    TokenShare,
    TokenShareDeployment,
)
from billing.money import UnknownCurrency, minor_digits
from billing.numbering import next_number
from clusters.models import Allocation, Deployment, Slice
from metering.comparison import agree_comparison
from metering.models import Witness
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem

__all__ = [
    "ContractNotActive",
    "DeploymentTaken",
    "Hold",
    "SliceTaken",
    "TerminationTooEarly",
    "WrongTerms",
    "add_lease",
    "add_lease_allocations",
    "add_token_share",
    "open_contract",
    "open_lease",
    "terminate_contract",
]


class DeploymentTaken(Problem):
    """A deployment's tokens are already shared under another term."""

    status = 409
    code = "deployment_taken"
    title = "A deployment belongs to another term"


class ContractNotActive(Problem):
    """The contract has ended."""

    status = 409
    code = "contract_not_active"
    title = "The contract is not active"


class TerminationTooEarly(Problem):
    """The instant lies in a billing period that is over."""

    status = 409
    code = "termination_too_early"
    title = "The contract cannot end that early"


@transaction.atomic
def open_contract(
    *,
    provider: Organization,
    tenant: Organization,
    currency: str,
    time_zone: str,
    from_at: datetime,
    now: datetime,
    to_at: datetime | None = None,
    price_book: PriceBook | None = None,
    period_kind: PeriodKind = PeriodKind.CALENDAR_MONTH,
    period_length_s: int | None = None,
    collection: Collection = Collection.SEND_INVOICE,
    due_days: int = 14,
    grace_hours: int = 48,
    event_grace_minutes: int = 0,
    operator_fee_percent: Decimal = Decimal(0),
    number: str | None = None,
) -> Contract:
    """Store an active contract without terms; raise `WrongTerms` where it contradicts itself.

    Instants are taken at the full second. Without `number` it gets the next one.
    """
    _require_currency(currency)
    _require_zone(time_zone)
    _require_span(from_at, to_at)
    if not provider.is_provider or not tenant.is_tenant:
        raise WrongTerms(f"{provider.slug} must be a provider and {tenant.slug} a tenant.")
    if price_book is not None and (price_book.provider_id, price_book.currency) != (provider.id, currency):
        raise WrongTerms(f"The price book must be {provider.slug}'s and in {currency}.")
    if (period_kind == PeriodKind.FIXED_LENGTH) != bool(period_length_s):
        raise WrongTerms("period_length_s belongs to periods of fixed length, and to those only.")
    return Contract.objects.create(
        number=number or next_number(model=Contract, field="number", prefix="C"),
        provider=provider,
        tenant=tenant,
        currency=currency,
        time_zone=time_zone,
        state=ContractState.ACTIVE,
        from_at=_full_second(from_at),
        to_at=to_at and _full_second(to_at),
        period_kind=period_kind,
        period_length_s=period_length_s,
        price_book=price_book,
        collection=collection,
        due_days=due_days,
        grace_hours=grace_hours,
        event_grace_minutes=event_grace_minutes,
        operator_fee_percent=operator_fee_percent,
        created_at=now,
    )


@transaction.atomic
def add_lease(
    *,
    contract: Contract,
    slices: Sequence[Slice],
    from_at: datetime,
    to_at: datetime | None,
    price_per_gpu_hour: Decimal | None,
    now: datetime,
    ref: str | None = None,
    title: str = "",
) -> Lease:
    """Lease `slices`, all of one accelerator model, to the contract's tenant over `[from_at, to_at)`.

    Without `price_per_gpu_hour` the price book's price in force counts. Instants are taken at the full second.
    Raises `SliceTaken` where somebody holds one of the slices in that time: then nothing is stored.
    """
    if not slices:
        raise WrongTerms("A lease needs at least one slice.")
    model = slices[0].accelerator.model
    lease = open_lease(
        contract=contract,
        accelerator_model=model,
        from_at=from_at,
        to_at=to_at,
        price_per_gpu_hour=price_per_gpu_hour,
        now=now,
        ref=ref,
        title=title or f"{len(slices)} × {model}",
    )
    hold_slices(lease, lease.contract, [Hold(held, lease.from_at, lease.to_at) for held in slices], now)
    return lease


@transaction.atomic
def open_lease(
    *,
    contract: Contract,
    accelerator_model: str,
    from_at: datetime,
    to_at: datetime | None,
    price_per_gpu_hour: Decimal | None,
    now: datetime,
    title: str,
    ref: str | None = None,
) -> Lease:
    """Store a lease that holds nothing yet; slices join it by `add_lease_allocations`, as jobs come and go."""
    contract = _locked_active(contract)
    from_at, to_at = _full_second(from_at), to_at and _full_second(to_at)
    _require_within(contract, from_at, to_at)
    if price_per_gpu_hour is not None and price_per_gpu_hour < 0:
        raise WrongTerms(f"A price cannot be {price_per_gpu_hour}.")
    return Lease.objects.create(
        contract=contract,
        ref=ref or next_number(model=Lease, field="ref", prefix="L"),
        title=title,
        accelerator_model=accelerator_model,
        price_per_gpu_hour=price_per_gpu_hour,
        from_at=from_at,
        to_at=to_at,
        created_at=now,
    )


@transaction.atomic
def add_lease_allocations(*, lease: Lease, holds: Sequence[Hold], now: datetime) -> list[Allocation]:
    """Hold thousands of slices, or one slice over many spans, under a lease that exists.

    Raises `SliceTaken` like `add_lease`; then none of them is stored.
    """
    contract = _locked_active(lease.contract)
    full = [
        Hold(hold.slice, _full_second(hold.from_at), _full_second(hold.to_at) if hold.to_at else lease.to_at)
        for hold in holds
    ]
    for hold in full:
        _require_span(hold.from_at, hold.to_at)
        if hold.from_at < lease.from_at or _after(hold.to_at, lease.to_at):
            raise WrongTerms(f"{hold.from_at.isoformat()} is outside the lease {lease.ref}.")
    return hold_slices(lease, contract, full, now)


@transaction.atomic
def add_token_share(
    *,
    contract: Contract,
    deployments: Sequence[Deployment],
    share_percent: Decimal,
    witness: Witness,
    from_at: datetime,
    to_at: datetime | None,
    now: datetime,
    collected_by: CollectedBy = CollectedBy.TENANT,
    tolerance_percent: Decimal = Decimal(1),
    ref: str | None = None,
    title: str = "",
) -> TokenShare:
    """Make the contract's tenant owe `share_percent` of the list price of the deployments' tokens.

    Where the operator collects from the buyers it is the operator who owes, so the contract's tenant must be the
    operator then. Raises `DeploymentTaken` where a deployment is under another term.
    """
    contract = _locked_active(contract)
    from_at, to_at = _full_second(from_at), to_at and _full_second(to_at)
    _require_within(contract, from_at, to_at)
    if contract.price_book_id is None:
        raise WrongTerms(f"{contract.number} has no price book, so tokens have no list price.")
    if not 0 < share_percent <= 100 or witness not in (Witness.ENGINE, Witness.GATEWAY):
        raise WrongTerms("The share lies within 0 and 100 percent, and engine or gateway is the witness that bills.")
    if collected_by == CollectedBy.OPERATOR and not contract.tenant.is_operator:
        raise WrongTerms("The operator owes a share of what it collects, so it must be the contract's tenant.")
    _require_deployments(contract, deployments)
    term = TokenShare.objects.create(
        contract=contract,
        ref=ref or next_number(model=TokenShare, field="ref", prefix="S"),
        title=title or ", ".join(deployment.name for deployment in deployments)[:200],
        share_percent=share_percent,
        collected_by=collected_by,
        witness=witness,
        tolerance_percent=tolerance_percent,
        from_at=from_at,
        to_at=to_at,
        created_at=now,
    )
    TokenShareDeployment.objects.bulk_create(
        [TokenShareDeployment(term=term, deployment=deployment) for deployment in deployments]
    )
    agree_comparison(deployments=deployments, billed_by=witness, tolerance_percent=tolerance_percent)
    ensure_cuts(contract=contract)
    return term


@transaction.atomic
def terminate_contract(*, contract: Contract, at: datetime, now: datetime, actor: str = "contracting") -> Contract:
    """End a contract at an instant: its open leases, allocations and shares end there, and so does its open period.

    What lay wholly after the instant is taken back. Deployments go on (their usage is no longer billed). Raises
    `TerminationTooEarly` for an instant before the latest billing period's start, which may be invoiced already.
    """
    contract = _locked_active(contract)
    at = _full_second(at)
    latest = BillingPeriod.objects.select_for_update().filter(contract=contract).order_by("-from_at").first()
    earliest = latest.from_at if latest else contract.from_at
    if at <= earliest or (latest is not None and latest.state == PeriodState.CLOSED and at < latest.to_at):
        raise TerminationTooEarly(
            f"{contract.number} can end after {earliest.isoformat()} at the earliest; asked for {at.isoformat()}."
        )
    if _after(at, contract.to_at):
        raise WrongTerms(f"{contract.number} ends before {at.isoformat()} by itself.")
    BillingPeriod.objects.filter(contract=contract, state=PeriodState.OPEN, to_at__gt=at).update(to_at=at)
    _end_leases(contract, at)
    shares = TokenShare.objects.filter(contract=contract)
    deployment_ids = list(shares.values_list("deployments__deployment_id", flat=True))
    TokenShareDeployment.objects.filter(term__in=shares.filter(from_at__gte=at)).delete()
    shares.filter(from_at__gte=at).delete()
    shares.filter(_open_at(at)).update(to_at=at)
    write_cuts(deployment_ids=sorted(key for key in deployment_ids if key), instants=[at])
    contract.state = ContractState.TERMINATED
    contract.to_at = at
    contract.save(update_fields=["state", "to_at"])
    AuditEntry.objects.create(
        organization_id=contract.provider_id,
        actor=actor,
        action="contract.terminated",
        subject=contract.number,
        before={"state": ContractState.ACTIVE},
        after={"state": ContractState.TERMINATED, "to_at": at.isoformat()},
        at=now,
    )
    return contract


def _end_leases(contract: Contract, at: datetime) -> None:
    held = LeaseAllocation.objects.filter(lease__contract=contract)
    ids = sorted(held.filter(_open_at(at, "allocation__")).values_list("allocation_id", flat=True))
    list(Allocation.objects.select_for_update().filter(id__in=ids).order_by("id").values_list("id"))
    later = list(held.filter(allocation__from_at__gte=at).values_list("allocation_id", flat=True))
    held.filter(allocation_id__in=later).delete()
    Allocation.objects.filter(id__in=later).delete()
    Allocation.objects.filter(id__in=ids, from_at__lt=at).update(to_at=at)
    leases = Lease.objects.filter(contract=contract)
    leases.filter(from_at__gte=at).delete()
    leases.filter(_open_at(at)).update(to_at=at)


def _require_deployments(contract: Contract, deployments: Sequence[Deployment]) -> None:
    if not deployments:
        raise WrongTerms("A token share needs at least one deployment.")
    parties = (contract.provider_id, contract.tenant_id)
    for deployment in deployments:
        if (deployment.provider_id, deployment.tenant_id) != parties:
            raise WrongTerms(f"{deployment.slug} is not between the contract's provider and tenant.")
    ids = Counter(deployment.id for deployment in deployments)
    taken = TokenShareDeployment.objects.filter(deployment_id__in=ids).select_related("deployment", "term").first()
    if taken is not None:
        raise DeploymentTaken(f"{taken.deployment.slug} is under {taken.term.ref}.")
    if max(ids.values()) > 1:
        raise WrongTerms("A deployment is named twice.")


def _locked_active(contract: Contract) -> Contract:
    locked = Contract.objects.select_for_update(no_key=True).get(pk=contract.pk)
    if locked.state != ContractState.ACTIVE:
        raise ContractNotActive(f"{locked.number} is {locked.state}.")
    return locked


def _require_currency(currency: str) -> None:
    try:
        minor_digits(currency)
    except UnknownCurrency as error:
        raise WrongTerms(str(error)) from error


def _require_zone(time_zone: str) -> None:
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise WrongTerms(f"{time_zone!r} is no IANA time zone.") from error


def _require_span(from_at: datetime, to_at: datetime | None) -> None:
    if to_at is not None and _full_second(to_at) <= _full_second(from_at):
        raise WrongTerms(f"The end {to_at.isoformat()} must lie after the start {from_at.isoformat()}.")


def _require_within(contract: Contract, from_at: datetime, to_at: datetime | None) -> None:
    _require_span(from_at, to_at)
    if from_at < contract.from_at or _after(to_at, contract.to_at):
        raise WrongTerms(f"A term of {contract.number} must lie within the contract.")


def _after(at: datetime | None, end: datetime | None) -> bool:
    """Whether an end, open (None) or not, lies after another."""
    return end is not None and (at is None or at > end)


def _open_at(at: datetime, prefix: str = "") -> Q:
    return Q(**{f"{prefix}to_at__isnull": True}) | Q(**{f"{prefix}to_at__gt": at})


def _full_second(at: datetime) -> datetime:
    return at.replace(microsecond=0)
