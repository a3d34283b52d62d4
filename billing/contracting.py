"""Making contracts and their terms."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from billing.contract_headers import Header, full_second
from billing.cuts import ensure_cuts
from billing.holding import Hold, SliceTaken, WrongTerms, hold_slices
from billing.models import (
    Collection,
    Contract,
    ContractState,
    PeriodKind,
    PriceBook,
    Term,
)
from billing.numbering import next_number
from billing.rating.kinds import KINDS, kind_of_wording
from billing.rating.lease_wording import LeaseWording
from billing.rating.share_wording import TokenShareWording
from billing.rating.share_words import CollectedBy
from billing.rating.wording import Wording, WrongWording
from billing.term_binding import DeploymentTaken, bind_deployments
from billing.term_versions import TermChange, add_version, said_over
from clusters.models import Allocation, Deployment, Slice
from metering.comparison import agree_comparison
from metering.models import Witness
from tenants.models import Organization
from tenants.problems import Problem
from tenants.sentences import sentence

__all__ = [
    "ContractNotActive",
    "DeploymentTaken",
    "Hold",
    "SliceTaken",
    "WrongTerms",
    "add_lease",
    "add_lease_allocations",
    "add_term",
    "add_token_share",
    "checked",
    "is_after",
    "locked_active",
    "open_contract",
    "open_lease",
]


class ContractNotActive(Problem):
    """The contract has ended."""

    status = 409
    code = "contract_not_active"
    title = "The contract is not active"


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
    header = Header(
        provider=provider,
        tenant=tenant,
        currency=currency,
        time_zone=time_zone,
        from_at=from_at,
        to_at=to_at,
        price_book=price_book,
        period_kind=period_kind,
        period_length_s=period_length_s,
        collection=collection,
        due_days=due_days,
        grace_hours=grace_hours,
        event_grace_minutes=event_grace_minutes,
        operator_fee_percent=operator_fee_percent,
    )
    header.check()
    contract = Contract.objects.create(
        number=number or next_number(model=Contract, field="number", prefix="C"),
        state=ContractState.ACTIVE,
        created_at=now,
        **header.values(),
    )
    add_version(contract=contract, changes=(), effective_at=contract.from_at, now=now)
    return contract


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
) -> Term:
    """Lease `slices`, all of one accelerator model, to the contract's tenant over `[from_at, to_at)`.

    Without `price_per_gpu_hour` the price book's price in force counts. Instants are taken at the full second.
    Raises `SliceTaken` where somebody holds one of the slices in that time: then nothing is stored.
    """
    if not slices:
        raise WrongTerms(sentence("A lease needs at least one slice."), field="slices", example='["<id of a slice>"]')
    model = slices[0].accelerator.model
    contract, from_at, to_at = checked(contract, from_at, to_at)
    lease = add_term(
        contract=contract,
        wording=LeaseWording(accelerator_model=model, price_per_gpu_hour=price_per_gpu_hour),
        from_at=from_at,
        to_at=to_at,
        now=now,
        ref=ref,
        title=title or f"{len(slices)} × {model}",
        bound={"slices": [str(held.id) for held in slices]},
    )
    hold_slices(lease, contract, [Hold(held, from_at, to_at) for held in slices], now, accelerator_model=model)
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
) -> Term:
    """Store a lease that holds nothing yet; slices join it by `add_lease_allocations`, as jobs come and go."""
    contract, from_at, to_at = checked(contract, from_at, to_at)
    return add_term(
        contract=contract,
        wording=LeaseWording(accelerator_model=accelerator_model, price_per_gpu_hour=price_per_gpu_hour),
        from_at=from_at,
        to_at=to_at,
        now=now,
        ref=ref,
        title=title,
    )


@transaction.atomic
def add_lease_allocations(*, lease: Term, holds: Sequence[Hold], now: datetime) -> list[Allocation]:
    """Hold thousands of slices, or one slice over many spans, under a lease that exists.

    Raises `SliceTaken` like `add_lease`; then none of them is stored.
    """
    contract = locked_active(lease.contract)
    full = [
        Hold(hold.slice, full_second(hold.from_at), full_second(hold.to_at) if hold.to_at else lease.to_at)
        for hold in holds
    ]
    for hold in full:
        _require_span(hold.from_at, hold.to_at)
        if hold.from_at < lease.from_at or is_after(hold.to_at, lease.to_at):
            raise WrongTerms(
                sentence("%(at)s is outside the lease %(ref)s.", at=hold.from_at.isoformat(), ref=lease.ref),
                field="from_at",
                example=lease.from_at.isoformat(),
            )
    wording = lease.wording_at(lease.from_at)
    assert isinstance(wording, LeaseWording), lease.ref
    return hold_slices(lease, contract, full, now, accelerator_model=wording.accelerator_model)


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
) -> Term:
    """Make the contract's tenant owe `share_percent` of the list price of the deployments' tokens.

    Where the operator collects from the buyers it is the operator who owes, so the contract's tenant must be the
    operator then. Raises `DeploymentTaken` where a deployment is under another term.
    """
    contract, from_at, to_at = checked(contract, from_at, to_at)
    if contract.price_book_id is None:
        raise WrongTerms(
            sentence("%(number)s has no price book, so tokens have no list price.", number=contract.number),
            field="price_book",
        )
    if witness not in (Witness.ENGINE, Witness.GATEWAY):
        raise WrongTerms(
            sentence("Engine or gateway is the witness that bills."), field="witness", example=str(Witness.GATEWAY)
        )
    if collected_by == CollectedBy.OPERATOR and not contract.tenant.is_operator:
        raise WrongTerms(
            sentence("The operator owes a share of what it collects, so it must be the contract's tenant."),
            field="collected_by",
            example=str(CollectedBy.TENANT),
        )
    wording: dict[str, Any] = {"witness": str(witness), "collected_by": collected_by}
    term = add_term(
        contract=contract,
        wording=TokenShareWording(share_percent=share_percent, tolerance_percent=tolerance_percent, **wording),
        from_at=from_at,
        to_at=to_at,
        now=now,
        ref=ref,
        title=title or ", ".join(deployment.name for deployment in deployments)[:200],
        bound={"deployments": [str(deployment.id) for deployment in deployments]},
    )
    bind_deployments(term, contract, deployments, from_at, to_at)
    agree_comparison(deployments=deployments, billed_by=witness, tolerance_percent=tolerance_percent)
    ensure_cuts(contract=contract)
    return term


def add_term(
    *,
    contract: Contract,
    wording: Wording,
    from_at: datetime,
    to_at: datetime | None,
    now: datetime,
    title: str,
    ref: str | None = None,
    bound: Mapping[str, Sequence[str]] | None = None,
) -> Term:
    """Store a term and the version of its contract that says it first; the caller has checked and locked the contract.

    Raises `WrongTerms` where the wording contradicts itself.
    """
    try:
        wording.check()
    except WrongWording as error:
        raise WrongTerms(str(error), said=error.reason) from error
    kind = kind_of_wording(wording)
    term = Term(
        contract=contract,
        kind=kind,
        ref=ref or next_number(model=Term, field="ref", prefix=KINDS[kind].ref_prefix),
        title=title,
        from_at=from_at,
        to_at=to_at,
        created_at=now,
    )
    change = TermChange(term, said_over(wording, from_at, to_at), bound or {})
    add_version(contract=contract, changes=[change], effective_at=from_at, now=now)
    return term


def checked(
    contract: Contract, from_at: datetime, to_at: datetime | None
) -> tuple[Contract, datetime, datetime | None]:
    """Lock a contract that is active; return it and the time of a term at the full second."""
    contract = locked_active(contract)
    from_at, to_at = full_second(from_at), to_at and full_second(to_at)
    _require_within(contract, from_at, to_at)
    return contract, from_at, to_at


def locked_with_parties(contract: Contract) -> Contract:
    """Lock a contract, with what the text of a version says of it."""
    read = Contract.objects.select_related("provider", "tenant", "price_book")
    return read.select_for_update(no_key=True, of=("self",)).get(pk=contract.pk)


def locked_active(contract: Contract) -> Contract:
    """Lock a contract that is active, with what the text of a version says of it. Raises `ContractNotActive`."""
    locked = locked_with_parties(contract)
    if locked.state != ContractState.ACTIVE:
        raise ContractNotActive(sentence("%(number)s is not in force.", number=locked.number))
    return locked


def _require_span(from_at: datetime, to_at: datetime | None) -> None:
    if to_at is not None and full_second(to_at) <= full_second(from_at):
        raise WrongTerms(
            sentence(
                "The end %(to_at)s must lie after the start %(from_at)s.",
                to_at=to_at.isoformat(),
                from_at=from_at.isoformat(),
            ),
            field="to_at",
            example=(from_at + timedelta(days=30)).isoformat(),
        )


def _require_within(contract: Contract, from_at: datetime, to_at: datetime | None) -> None:
    _require_span(from_at, to_at)
    if from_at < contract.from_at or is_after(to_at, contract.to_at):
        raise WrongTerms(
            sentence("A term of %(number)s must lie within the contract.", number=contract.number),
            field="from_at",
            example=contract.from_at.isoformat(),
        )


def is_after(at: datetime | None, end: datetime | None) -> bool:
    """Whether an end, open (None) or not, lies after another."""
    return end is not None and (at is None or at > end)
