"""Ending contracts before their time: what goes on under them ends at one instant."""

from datetime import datetime

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Extract

from billing.contract_ends import earliest_end
from billing.contract_headers import full_second
from billing.contracting import is_after, locked_active
from billing.cuts import write_cuts
from billing.holding import WrongTerms
from billing.models import (
    BillingPeriod,
    Contract,
    ContractState,
    PeriodState,
    Term,
    TermAllocation,
    TermDeployment,
)
from billing.term_versions import TermChange, add_version
from clusters.models import Allocation
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence


class TerminationTooEarly(Problem):
    """The instant lies in a billing period that is over."""

    status = 409
    code = "termination_too_early"
    title = "The contract cannot end that early"


@transaction.atomic
def terminate_contract(
    *, contract: Contract, at: datetime, now: datetime, actor: str = "contracting", agreed_sha256: str = ""
) -> Contract:
    """End a contract at an instant: its open leases, allocations and shares end there, and so does its open period.

    What lay wholly after the instant is taken back. Deployments go on (their usage is no longer billed). Raises
    `TerminationTooEarly` for an instant before the latest billing period's start, which may be invoiced already, and
    `VersionChanged` where the version that says the end has not the text whose hash was agreed to.
    """
    contract = locked_active(contract)
    at = full_second(at)
    # The rows are locked first, so that nothing closes between looking and cutting.
    list(BillingPeriod.objects.select_for_update().filter(contract=contract, state=PeriodState.OPEN).order_by("pk"))
    earliest = earliest_end(contract)
    if at < earliest:
        raise TerminationTooEarly(
            sentence("%(number)s can end from %(at)s on.", number=contract.number, at=earliest.isoformat())
        )
    if is_after(at, contract.to_at):
        raise WrongTerms(
            sentence("%(number)s ends before %(at)s by itself.", number=contract.number, at=at.isoformat()),
            field="ends_at",
            example=contract.to_at.isoformat() if contract.to_at else "",
        )
    # What is owed per period is owed for the part of it that is left: the length that it had is kept.
    whole = Coalesce("whole_seconds", Extract(F("to_at") - F("from_at"), "epoch"))
    cut = BillingPeriod.objects.filter(contract=contract, state=PeriodState.OPEN, to_at__gt=at)
    cut.update(whole_seconds=whole, to_at=at)
    contract.state = ContractState.TERMINATED
    contract.to_at = at
    contract.save(update_fields=["state", "to_at"])
    _end_allocations(contract, at)
    _end_terms(contract, at, now, agreed_sha256)
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


def ends_of_terms(contract: Contract, at: datetime) -> list[TermChange]:
    """Return what a version says that ends a contract at an instant: the end of every term that goes on after it."""
    terms = Term.objects.filter(_open_at(at), contract=contract).exclude(to_at__lte=F("from_at")).order_by("ref")
    return [TermChange(term, [(max(at, term.from_at), None)], {}) for term in terms]


def _end_allocations(contract: Contract, at: datetime) -> None:
    held = TermAllocation.objects.filter(term__contract=contract)
    ids = sorted(held.filter(_open_at(at, "allocation__")).values_list("allocation_id", flat=True))
    list(Allocation.objects.select_for_update().filter(id__in=ids).order_by("id").values_list("id"))
    later = list(held.filter(allocation__from_at__gte=at).values_list("allocation_id", flat=True))
    held.filter(allocation_id__in=later).delete()
    Allocation.objects.filter(id__in=later).delete()
    Allocation.objects.filter(id__in=ids, from_at__lt=at).update(to_at=at)


def _end_terms(contract: Contract, at: datetime, now: datetime, agreed_sha256: str) -> None:
    bound = TermDeployment.objects.filter(term__contract=contract)
    deployment_ids = set(bound.values_list("deployment_id", flat=True))
    bound.filter(from_at__gte=at).delete()
    bound.filter(_open_at(at)).update(to_at=at)
    write_cuts(deployment_ids=sorted(deployment_ids), instants=[at])
    changes = ends_of_terms(contract, at)
    add_version(contract=contract, changes=changes, effective_at=at, now=now, agreed_sha256=agreed_sha256)


def _open_at(at: datetime, prefix: str = "") -> Q:
    return Q(**{f"{prefix}to_at__isnull": True}) | Q(**{f"{prefix}to_at__gt": at})
