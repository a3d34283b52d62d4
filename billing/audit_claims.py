"""What a provider's audit found, and what its tenant says of it: a finding bills once it is settled, never before.

It is settled as the tenant accepts it, or, where the share agrees days to dispute it, as those pass without a word.
What is disputed waits until it is accepted after all. Claims and answers are facts that never change and that nothing
is rated from; what is settled is an `AuditFinding`, which is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import transaction

from billing.models import BillingPeriod, Contract, TermFact
from billing.rating.kinds import write_fact
from billing.rating.share_facts import AuditFinding
from billing.share_stating import AlreadySettled, By, NotTheParty, WrongFact, counts_at, locked_term
from billing.stated_facts import AUDIT_ANSWER, AUDIT_CLAIM
from billing.telling import tell_audit
from tenants.models import AuditEntry
from tenants.sentences import sentence

NOTE_CHARS_MAX = 1_000
UNANSWERED = "no answer in time"
"""Who settled what the tenant let pass."""
LAPSING_MAX = 500


class ClaimState(StrEnum):
    """Where a finding stands: `open` waits for the tenant, `settled` bills."""

    OPEN = "open"
    DISPUTED = "disputed"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Claim:
    """A finding as it was stated, and what became of it; `note` is the tenant's latest."""

    stated: TermFact
    state: ClaimState
    answer_by: datetime | None
    counts_from: datetime | None = None
    settled_by: str = ""
    answered_by: str = ""
    note: str = ""


def claims_of(stated: Sequence[TermFact]) -> list[Claim]:
    """Return findings with what became of each, in the order given; one query, whatever their number."""
    said: dict[tuple[UUID, str], list[TermFact]] = {}
    about = TermFact.objects.filter(
        term__in={each.term_id for each in stated}, document__fact__in=(AUDIT_ANSWER, "audit_finding")
    )
    for fact in about.order_by("recorded_at", "pk"):
        said.setdefault((fact.term_id, fact.document["audit"]), []).append(fact)
    return [_claim(each, said.get((each.term_id, each.document["audit"]), [])) for each in stated]


def _claim(stated: TermFact, said: Sequence[TermFact]) -> Claim:
    until = stated.document["answer_by"]
    by = None if until is None else datetime.fromisoformat(until)
    answers = [fact for fact in said if fact.document["fact"] == AUDIT_ANSWER]
    settled = next((fact for fact in said if fact.document["fact"] == "audit_finding"), None)
    last = answers[-1] if answers else None
    person, note = (last.recorded_by, str(last.document["note"])) if last else ("", "")
    if settled is not None:
        return Claim(stated, ClaimState.SETTLED, by, settled.at, settled.recorded_by, person, note)
    state = ClaimState.DISPUTED if last else ClaimState.OPEN
    return Claim(stated, state, by, answered_by=person, note=note)


@transaction.atomic
def answer_audit(
    *, contract: Contract, term_ref: str, audit: str, accepts: bool, note: str, by: By, now: datetime
) -> Claim:
    """State the tenant's word on a finding: accepted it bills, disputed it does not until it is accepted after all.

    The same word again changes nothing. Raises `NotTheParty`, `WrongFact`, and `AlreadySettled` where what is disputed
    was settled before, by a word or by letting its time pass.
    """
    if by.organization.pk != contract.tenant_id:
        raise NotTheParty(sentence("%(number)s's tenant answers what audits found.", number=contract.number))
    if len(note) > NOTE_CHARS_MAX:
        raise WrongFact("note", sentence("A note has at most %(most)s characters.", most=NOTE_CHARS_MAX))
    contract, term = locked_term(contract, term_ref)
    stated = TermFact.objects.filter(term=term, document__fact=AUDIT_CLAIM, document__audit=audit).first()
    if stated is None:
        raise WrongFact(
            "audit",
            sentence("No audit %(audit)s of %(ref)s was stated.", audit=repr(audit[:40]), ref=term.ref),
            "A-2026-01",
        )
    [claim] = claims_of([stated])
    if _is_over(claim, now):
        claim = _settle(claim, UNANSWERED, now)
    if claim.state is ClaimState.SETTLED:
        if not accepts:
            raise AlreadySettled(
                sentence(
                    "What %(audit)s found was settled by %(settled_by)s.", audit=audit, settled_by=claim.settled_by
                )
            )
        return claim
    if accepts or claim.state is ClaimState.OPEN:
        _answer(claim, accepts=accepts, note=note, by=by, now=now)
    return _settle(claim, by.name, now) if accepts else claims_of([stated])[0]


def _is_over(claim: Claim, now: datetime) -> bool:
    """Whether the tenant let the time pass in which it could be disputed."""
    return claim.state is ClaimState.OPEN and claim.answer_by is not None and now >= claim.answer_by


@transaction.atomic
def settle_unanswered(*, now: datetime) -> int:
    """Settle every finding whose time to dispute it passed without a word; return how many."""
    lapsed = TermFact.objects.filter(document__fact=AUDIT_CLAIM, document__answer_by__lte=_text(now))
    claims = claims_of(list(lapsed.exclude(document__answer_by=None).select_related("term__contract")))
    over = [claim.stated for claim in claims if _is_over(claim, now)]
    for stated in over[:LAPSING_MAX]:
        locked_term(stated.term.contract, stated.term.ref)
        [claim] = claims_of([stated])
        if _is_over(claim, now):
            _settle(claim, UNANSWERED, now)
    return len(over)


def _answer(claim: Claim, *, accepts: bool, note: str, by: By, now: datetime) -> None:
    term, audit = claim.stated.term, claim.stated.document["audit"]
    document = {"fact": AUDIT_ANSWER, "audit": audit, "accepts": accepts, "note": note}
    TermFact.objects.create(term=term, at=now, document=document, recorded_by=by.name, recorded_at=now)
    AuditEntry.objects.create(
        organization=by.organization,
        actor=by.name,
        action="audit.accepted" if accepts else "audit.disputed",
        subject=f"{term.ref} {audit}",
        before={},
        after=document,
        at=now,
    )
    if not accepts:
        tell_audit(claim.stated, "audit.disputed", at=now)


def _settle(claim: Claim, settled_by: str, now: datetime) -> Claim:
    """Store what bills: in the open period, in the first open one of the share, or as a correction of its own."""
    stated = claim.stated
    said: Mapping[str, Any] = stated.document
    from_at = datetime.fromisoformat(said["from_at"])
    period = BillingPeriod.objects.get(contract=stated.term.contract_id, from_at=from_at)
    at = counts_at(stated.term, period, now)
    fact = AuditFinding(
        audit=said["audit"],
        from_at=from_at,
        to_at=datetime.fromisoformat(said["to_at"]),
        found_at=at,
        reported_share_amount=Decimal(said["reported_share_amount"]),
        found_share_amount=Decimal(said["found_share_amount"]),
        cost_amount=Decimal(said["cost_amount"]),
    )
    settled = TermFact.objects.create(
        term=stated.term, at=at, document=write_fact(fact), recorded_by=settled_by, recorded_at=now
    )
    tell_audit(stated, "audit.settled", at=now, settled_by=settled_by)
    return Claim(stated, ClaimState.SETTLED, claim.answer_by, settled.at, settled_by)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).replace(microsecond=0).isoformat()
