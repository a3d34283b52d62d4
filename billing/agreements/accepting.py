"""Accepting offers: each party by name, time and hash; with the second word the terms are in force, all or nothing."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from billing.agreements.checks import known_terms, refuse
from billing.agreements.drafting import Actor, AmendmentClosed, audit, locked_amendment, read_for
from billing.agreements.effects import take_effect, term_changes
from billing.models import Acceptance, Amendment, AmendmentState, Contract, ContractState, ContractVersion
from billing.rating.wording import WrongWording
from billing.states import in_state
from billing.telling import ACCEPTED, tell_amendment
from billing.term_versions import add_version, latest_version
from billing.terminating import terminate_contract
from tenants.problems import Problem
from tenants.sentences import sentence

NAME_CHARACTERS_MAX: Final = 200


class OfferExpired(Problem):
    """The offer's time is over."""

    status = 409
    code = "offer_expired"
    title = "The offer has expired"


class OtherTerms(Problem):
    """The hash is not that of what is offered: somebody would agree to what they have not seen."""

    status = 409
    code = "other_terms"
    title = "These are not the terms on offer"


@transaction.atomic
def accept(*, amendment_id: UUID, by: Actor, name: str, sha256: str, now: datetime) -> Amendment:
    """Store a party's word for an offer; with both parties' words put it in force.

    `name` is written by the person, `sha256` is the hash of the text that they have seen. Accepting again changes
    nothing. Raises `OfferExpired`, `OtherTerms`, `AmendmentClosed`, and all that a proposal can be refused with, since
    slices may have gone and periods may have closed since it was offered; then the word is not stored either.
    """
    name = name.strip()
    if not 0 < len(name) <= NAME_CHARACTERS_MAX:
        raise refuse(WrongWording("name", sentence("Write your name to accept."), "Alice Sample"))
    amendment = locked_amendment(amendment_id, by.organization)
    given = Acceptance.objects.filter(amendment=amendment)
    if amendment.state == AmendmentState.ACCEPTED and given.filter(organization=by.organization).exists():
        return amendment
    if amendment.state != AmendmentState.OFFERED:
        raise AmendmentClosed(
            sentence("Amendment %(number)s is %(state)s.", number=amendment.number, state=in_state(amendment.state))
        )
    assert amendment.expires_at is not None
    if now >= amendment.expires_at:
        raise OfferExpired(
            sentence("The offer stood until %(expires_at)s.", expires_at=amendment.expires_at.isoformat())
        )
    if sha256 != amendment.sha256:
        raise OtherTerms(
            sentence(
                "On offer is %(sha256)s; you named %(sha256_2)s.", sha256=amendment.sha256, sha256_2=sha256 or "none"
            )
        )
    if not given.filter(organization=by.organization).exists():
        Acceptance.objects.create(
            amendment=amendment,
            organization=by.organization,
            person=by.person,
            name=name,
            sha256=sha256,
            accepted_at=now,
        )
        audit(amendment, by, "amendment.accepted", now)
    parties = {amendment.contract.provider_id, amendment.contract.tenant_id}
    if set(given.values_list("organization_id", flat=True)) == parties:
        _put_in_force(amendment, now)
    return amendment


def _put_in_force(amendment: Amendment, now: datetime) -> None:
    contract = amendment.contract
    version = _end(amendment, now) if amendment.ends_at is not None else _change(amendment, now)
    amendment.state, amendment.version, amendment.decided_at = AmendmentState.ACCEPTED, version, now
    amendment.save(update_fields=["state", "version", "decided_at"])
    tell_amendment(amendment, ACCEPTED, at=now)
    Contract.objects.filter(pk=contract.pk, state=ContractState.OFFERED).update(state=ContractState.ACTIVE)


def _end(amendment: Amendment, now: datetime) -> ContractVersion | None:
    """End the contract: its terms, what it holds, and the period that runs."""
    assert amendment.ends_at is not None
    read_for(amendment.contract, (), amendment.ends_at)
    ended = terminate_contract(
        contract=amendment.contract,
        at=amendment.ends_at,
        now=now,
        actor=f"amendment {amendment.number}",
        agreed_sha256=amendment.sha256,
    )
    return latest_version(ended)


def _change(amendment: Amendment, now: datetime) -> ContractVersion:
    contract = amendment.contract
    changes = read_for(contract, amendment.changes)
    old_ends = {ref: term.to_at for ref, term in known_terms(contract).items()}
    version = add_version(
        contract=contract,
        changes=term_changes(contract, changes, now),
        effective_at=amendment.effective_at,
        now=now,
        agreed_sha256=amendment.sha256,
    )
    take_effect(contract, changes, old_ends, now)
    return version
