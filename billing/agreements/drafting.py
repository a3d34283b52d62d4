"""Drafting contracts and amendments, offering them, and taking them back: until both accept, nothing is agreed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from billing.agreements.checks import check_changes, known_terms, refuse
from billing.agreements.effects import term_changes
from billing.agreements.ending import end_changes, ending_text
from billing.agreements.letters import write_letter
from billing.agreements.proposals import Change, read_changes, write_changes
from billing.canonical import digest
from billing.contract_headers import Header
from billing.models import OPEN_STATES, Amendment, AmendmentState, Contract, ContractState
from billing.numbering import next_number
from billing.rating.wording import WrongWording
from billing.states import in_state
from billing.telling import ACCEPTED, TOLD_OF_TERMS, tell_amendment
from billing.term_versions import next_text
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import sentence

OFFER_DAYS: Final = 14
OFFER_DAYS_MAX: Final = 365
NOTE_CHARACTERS_MAX: Final = 1_000


class AmendmentUnknown(Problem):
    """There is no such proposal, or it is not the caller's to see."""

    status = 404
    code = "amendment_unknown"
    title = "There is no such amendment"


class AmendmentClosed(Problem):
    """The proposal is not in a state in which this can be done."""

    status = 409
    code = "amendment_closed"
    title = "The amendment is not open for this"


class AmendmentOpen(Problem):
    """The contract has a proposal that is not decided yet, or is over itself."""

    status = 409
    code = "amendment_open"
    title = "Another amendment is open"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it: an organization, and the person or key in its name."""

    organization: Organization
    person: str


@transaction.atomic
def draft_contract(*, header: Header, changes: Any, by: Actor, now: datetime, note: str = "") -> Amendment:
    """Store a contract that nobody but its drafter sees, and its first amendment: the terms it is to begin with.

    Raises `WrongTerms`, `SliceTaken` or `DeploymentTaken` with the field, and stores nothing.
    """
    assert by.organization.pk in (header.provider.pk, header.tenant.pk)
    header.check()
    contract = Contract.objects.create(
        number=next_number(model=Contract, field="number", prefix="C"),
        state=ContractState.DRAFT,
        drafted_by=by.organization,
        version=0,
        created_at=now,
        **header.values(),
    )
    return _store(contract, changes, by, now, note=note)


@transaction.atomic
def propose(
    *, contract_id: UUID, changes: Any, by: Actor, now: datetime, note: str = "", ends_at: datetime | None = None
) -> Amendment:
    """Store a draft of an amendment of a contract that both parties see only once it is offered.

    With `ends_at` it proposes the contract's end then, and `changes` are not looked at.
    """
    contract = locked_contract(contract_id)
    if contract.state not in (ContractState.ACTIVE, ContractState.DRAFT):
        raise AmendmentClosed(
            sentence(
                "%(number)s is %(state)s: it cannot be amended.", number=contract.number, state=in_state(contract.state)
            )
        )
    if Amendment.objects.filter(contract=contract, state__in=OPEN_STATES).exists():
        raise AmendmentOpen(
            sentence(
                "%(number)s has an amendment that is not decided yet: decide or withdraw it first.",
                number=contract.number,
            )
        )
    return _store(contract, changes, by, now, note=note, ends_at=ends_at)


@transaction.atomic
def edit_draft(
    *, amendment_id: UUID, changes: Any, by: Actor, note: str = "", ends_at: datetime | None = None
) -> Amendment:
    """Replace what a draft proposes; what is offered changes no more."""
    amendment = locked_amendment(amendment_id, by.organization)
    _require(amendment, by, AmendmentState.DRAFT)
    read = read_for(amendment.contract, changes, ends_at)
    amendment.changes, amendment.effective_at = write_changes(read), ends_at or _effective_at(read)
    amendment.ends_at, amendment.note, amendment.person = ends_at, note[:NOTE_CHARACTERS_MAX], by.person
    amendment.save(update_fields=["changes", "effective_at", "ends_at", "note", "person"])
    return amendment


@transaction.atomic
def offer(*, amendment_id: UUID, by: Actor, now: datetime, days: int = OFFER_DAYS) -> Amendment:
    """Offer a draft to the other party for some days: its text and hash are fixed from now on.

    Its proposer accepts by the same words as the other party. Raises as `draft_contract` where it no longer fits.
    """
    if not 0 < days <= OFFER_DAYS_MAX:
        raise refuse(
            WrongWording("days", sentence("An offer stands for 1 to %(most)s days.", most=OFFER_DAYS_MAX), "14")
        )
    amendment = locked_amendment(amendment_id, by.organization)
    _require(amendment, by, AmendmentState.DRAFT)
    contract = amendment.contract
    changes = read_for(contract, amendment.changes, amendment.ends_at)
    if amendment.ends_at is not None:
        # Terms may have been agreed since it was drafted: they end too.
        amendment.changes = write_changes(changes)
        number, _, text = ending_text(contract, amendment.ends_at)
    else:
        number, _, text = next_text(contract, term_changes(contract, changes, now), amendment.effective_at)
    amendment.state = AmendmentState.OFFERED
    amendment.base_version, amendment.document, amendment.sha256 = number - 1, text, digest(text)
    amendment.offered_at, amendment.expires_at = now, now + timedelta(days=days)
    amendment.save()
    Contract.objects.filter(pk=contract.pk, state=ContractState.DRAFT).update(state=ContractState.OFFERED)
    audit(amendment, by, "amendment.offered", now)
    return amendment


@transaction.atomic
def withdraw(*, amendment_id: UUID, by: Actor, now: datetime) -> Amendment:
    """Take back what oneself drafted or offered and both have not accepted."""
    amendment = locked_amendment(amendment_id, by.organization)
    _require(amendment, by, *OPEN_STATES)
    return close(amendment, AmendmentState.WITHDRAWN, by, now)


@transaction.atomic
def decline(*, amendment_id: UUID, by: Actor, now: datetime) -> Amendment:
    """Refuse what the other party offered."""
    amendment = locked_amendment(amendment_id, by.organization)
    if amendment.state != AmendmentState.OFFERED:
        raise AmendmentClosed(
            sentence("Amendment %(number)s is %(state)s.", number=amendment.number, state=in_state(amendment.state))
        )
    return close(amendment, AmendmentState.DECLINED, by, now)


@transaction.atomic
def expire_offers(*, now: datetime, limit: int = 500) -> int:
    """Close offers whose time is over; return how many. Offers that somebody is at are met by the next sweep."""
    due = Amendment.objects.filter(state=AmendmentState.OFFERED, expires_at__lte=now).order_by("pk")
    # Whoever decides on one locks its contract first, and closing it writes the contract: both are locked, or neither.
    locked = due.select_for_update(of=("self", "contract"), no_key=True, skip_locked=True)
    rows = list(locked.select_related("contract", "proposed_by")[:limit])
    for amendment in rows:
        close(amendment, AmendmentState.EXPIRED, Actor(amendment.proposed_by, "expiry"), now)
    return len(rows)


def close(amendment: Amendment, state: AmendmentState, by: Actor, now: datetime) -> Amendment:
    """End an open amendment without agreement; a contract that was only offered is a draft again."""
    amendment.state, amendment.decided_at, amendment.decided_by = state, now, by.person
    if amendment.offered_at is None:
        # A draft that is thrown away was offered to nobody; the row says when its time was over.
        amendment.offered_at = amendment.expires_at = now
    amendment.save(update_fields=["state", "decided_at", "decided_by", "offered_at", "expires_at"])
    Contract.objects.filter(pk=amendment.contract_id, state=ContractState.OFFERED).update(
        state=ContractState.DRAFT, drafted_by=amendment.proposed_by
    )
    audit(amendment, by, f"amendment.{state.value}", now)
    return amendment


def locked_contract(contract_id: UUID) -> Contract:
    """Lock a contract's row, which whoever changes its terms takes first."""
    rows = Contract.objects.select_for_update(of=("self",), no_key=True)
    return rows.select_related("provider", "tenant", "price_book").get(pk=contract_id)


def locked_amendment(amendment_id: UUID, organization: Organization) -> Amendment:
    """Lock an amendment that an organization may see, its contract first; raises `AmendmentUnknown`."""
    seen = Amendment.objects.for_org(organization).filter(pk=amendment_id)
    contract_id = seen.values_list("contract_id", flat=True).first()
    if contract_id is None:
        raise AmendmentUnknown(sentence("There is no such amendment."))
    contract = locked_contract(contract_id)
    amendment = Amendment.objects.select_for_update(of=("self",)).select_related("proposed_by").get(pk=amendment_id)
    amendment.contract = contract
    return amendment


def read_for(contract: Contract, changes: Any, ends_at: datetime | None = None) -> tuple[Change, ...]:
    """Return proposed changes of a contract, checked; raises `WrongTerms`, `SliceTaken` or `DeploymentTaken`.

    Where the contract is to end they are the ends of all its terms, whatever is given.
    """
    if ends_at is not None:
        return end_changes(contract, ends_at)
    try:
        read = read_changes(
            changes,
            contract=contract.number,
            zone=contract.time_zone,
            currency=contract.currency,
            known=known_terms(contract),
        )
    except WrongWording as error:
        raise refuse(error) from error
    check_changes(contract, read)
    return read


def audit(amendment: Amendment, by: Actor, action: str, now: datetime) -> None:
    """Say who did what to an amendment."""
    after: Mapping[str, Any] = {"state": str(amendment.state), "sha256": amendment.sha256}
    AuditEntry.objects.create(
        organization=by.organization,
        actor=by.person[:200],
        action=action,
        subject=f"{amendment.contract.number} amendment {amendment.number}",
        after=after,
        at=now,
    )
    kind = TOLD_OF_TERMS.get(action)
    if kind is not None:
        # The first word of two changes nothing yet: programs are told by `accepting` of what is agreed.
        if kind != ACCEPTED:
            tell_amendment(amendment, kind, at=now, occasion=by.organization.slug)
        write_letter(amendment=amendment, what=kind.partition(".")[2], by=by.organization, now=now)


def _store(
    contract: Contract, changes: Any, by: Actor, now: datetime, *, note: str, ends_at: datetime | None = None
) -> Amendment:
    read = read_for(contract, changes, ends_at)
    latest = Amendment.objects.filter(contract=contract).aggregate(number=Max("number"))["number"] or 0
    return Amendment.objects.create(
        contract=contract,
        number=latest + 1,
        proposed_by=by.organization,
        person=by.person,
        changes=write_changes(read),
        effective_at=ends_at or _effective_at(read),
        ends_at=ends_at,
        note=note[:NOTE_CHARACTERS_MAX],
        created_at=now,
    )


def _effective_at(changes: tuple[Change, ...]) -> datetime:
    return min(change.from_at for change in changes)


def _require(amendment: Amendment, by: Actor, *states: AmendmentState) -> None:
    if amendment.state not in states:
        raise AmendmentClosed(
            sentence("Amendment %(number)s is %(state)s.", number=amendment.number, state=in_state(amendment.state))
        )
    if amendment.proposed_by_id != by.organization.pk:
        raise AmendmentClosed(
            sentence(
                "Amendment %(number)s is %(name)s's to change.",
                number=amendment.number,
                name=amendment.proposed_by.name,
            )
        )
