"""Changing what a draft of a contract says beside its terms: until it is offered it is its drafter's alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction

from billing.agreements.drafting import Actor, locked_contract, read_for
from billing.contract_headers import Header
from billing.models import Amendment, AmendmentState, Contract, ContractState, PriceBook
from billing.states import in_state
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from datetime import datetime


class NotADraft(Problem):
    """The contract was offered or is agreed on: its header changes no more."""

    status = 409
    code = "contract_not_a_draft"
    title = "The contract is no draft"


@transaction.atomic
def edit_header(*, contract_id: UUID, header: Header, by: Actor, now: datetime) -> Contract:
    """Replace the header of a draft; its parties and the operator's fee stay. The same header changes nothing.

    What its draft of terms proposes must still fit: raises `WrongTerms`, `SliceTaken` or `DeploymentTaken` with the
    field, and `NotADraft`.
    """
    header.check()
    contract = locked_contract(contract_id)
    if contract.state != ContractState.DRAFT or contract.drafted_by_id != by.organization.pk:
        raise NotADraft(
            sentence(
                "%(number)s is %(state)s: only a draft's own party changes its header.",
                number=contract.number,
                state=in_state(contract.state),
            )
        )
    assert (header.provider.pk, header.tenant.pk) == (contract.provider_id, contract.tenant_id)
    values = {name: value for name, value in header.values().items() if name != "operator_fee_percent"}
    before = {name: getattr(contract, name) for name in values}
    changed = [name for name in values if before[name] != values[name]]
    if not changed:
        return contract
    for name in changed:
        setattr(contract, name, values[name])
    contract.save(update_fields=changed)
    for draft in Amendment.objects.filter(contract=contract, state=AmendmentState.DRAFT):
        read_for(contract, draft.changes, draft.ends_at)
    AuditEntry.objects.create(
        organization=by.organization,
        actor=by.person[:200],
        action="contract.header_edited",
        subject=contract.number,
        before={name: _said(before[name]) for name in changed},
        after={name: _said(values[name]) for name in changed},
        at=now,
    )
    return contract


def may_edit_header(contract: Contract, organization: Organization) -> bool:
    """Whether an organization may change what a contract says beside its terms."""
    return contract.state == ContractState.DRAFT and contract.drafted_by_id == organization.pk


def _said(value: Any) -> Any:
    """Return a value of a header as the audit log keeps it."""
    if isinstance(value, PriceBook):
        return value.name
    return value.isoformat() if hasattr(value, "isoformat") else value if isinstance(value, int | None) else str(value)
