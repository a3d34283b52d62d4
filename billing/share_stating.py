"""Stating what no meter knows of a token share: tokens that a tenant paid back, and what a provider's audit found.

Each is on record for good: a mistake of one is settled by another. Refunds are the tenant's own to give; what an audit
found is a claim, which its tenant answers. What is stated under a reference a second
time changes nothing, and is refused where it says something else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from billing.bases import Grain, read_basis, window_of
from billing.models import BillingPeriod, Contract, PeriodState, Term, TermFact
from billing.rating.kinds import write_fact
from billing.rating.rated import TermKind
from billing.rating.share_facts import AuditFinding, RefundedCounts
from billing.rating.share_settling import settle_by
from billing.rating.share_wording import TokenShareWording
from billing.rating.share_words import ExclusionRule
from billing.stated_facts import AUDIT_CLAIM
from billing.telling import tell_audit
from tenants.ids import new_id
from tenants.models import AuditEntry, Organization
from tenants.problems import Problem
from tenants.sentences import Listed, sentence

REFERENCE_CHARS_MAX = 100
AMOUNT_MAX = Decimal(10) ** 15
AMOUNT_DECIMALS_MAX = 4
WHOLE_CLASSES = ("input", "output")
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class By:
    """Who states something: a party, and the person's e-mail or the prefix of the program's key."""

    organization: Organization
    name: str


class WrongFact(Problem):
    """What was stated does not fit the share: which field, why, and what a right one looks like."""

    status = 422
    code = "wrong_fact"
    title = "This cannot be stated of the share"

    def __init__(self, field: str, reason: str, example: str = "") -> None:
        super().__init__(f"{field}: {reason}" + (f" Example: {example}" if example else ""), said=reason, field=field)
        self.example = example


class FactTooLate(Problem):
    """No open period is left in which it could count."""

    status = 409
    code = "fact_too_late"
    title = "No open billing period is left for it"


class AlreadySettled(Problem):
    """Both parties have settled it otherwise."""

    status = 409
    code = "already_settled"
    title = "It is settled"


class NotTheParty(Problem):
    """Refunds are the tenant's to state, findings of audits the provider's."""

    status = 403
    code = "not_the_party"
    title = "Only the other party can state this"


@transaction.atomic
def state_refund(
    *,
    contract: Contract,
    term_ref: str,
    refund: str,
    period_from_at: datetime,
    deployment: UUID,
    model: str,
    token_class: str,
    tokens: int,
    by: By,
    now: datetime,
) -> tuple[TermFact, bool]:
    """State tokens whose price the tenant has paid back to its buyers in an open period; return it, and if it is new.

    They are excluded at the price and share that they were counted at. A closed period takes none: what is paid back
    later is stated in the period in which it is. Raises `NotTheParty`, `WrongFact` and `FactTooLate`.
    """
    if by.organization.pk != contract.tenant_id:
        raise NotTheParty(sentence("%(number)s's tenant states refunds.", number=contract.number))
    contract, term = locked_term(contract, term_ref)
    refund = _reference("refund", refund, "R-2026-0042")
    period = _period(contract, period_from_at)
    start, end = _refundable(term, period)
    fact = RefundedCounts(
        deployment=str(deployment),
        model=model,
        token_class=token_class,
        from_at=start,
        to_at=end,
        tokens=tokens,
        refund=refund,
    )
    document = write_fact(fact)
    before = _stated(term, "refund", refund, "refunded_counts")
    if before is not None:
        return _same(before, "refund", refund, document, before.document), False
    if period.state != PeriodState.OPEN:
        raise FactTooLate(
            sentence(
                "The period from %(from_at)s is closed; state it in the one it is paid in.",
                from_at=period.from_at.isoformat(),
            )
        )
    if now < period.from_at:
        raise WrongFact(
            "period_from", sentence("The period begins at %(from_at)s.", from_at=period.from_at.isoformat())
        )
    _check_tokens(term, period, fact, now)
    return _keep(term, document, f"{term.ref} {refund}", at=period.from_at, by=by, now=now), True


@transaction.atomic
def state_audit(
    *,
    contract: Contract,
    term_ref: str,
    audit: str,
    period_from_at: datetime,
    reported_share_amount: Decimal,
    found_share_amount: Decimal,
    cost_amount: Decimal,
    by: By,
    now: datetime,
) -> tuple[TermFact, bool]:
    """State what an audit found to be owed for a closed period; return it, and whether it is new.

    It bills once the tenant has accepted it, or has let the share's days to dispute it pass (`billing.audit_claims`).
    Raises `NotTheParty` and `WrongFact`.
    """
    if by.organization.pk != contract.provider_id:
        raise NotTheParty(sentence("%(number)s's provider states what audits found.", number=contract.number))
    contract, term = locked_term(contract, term_ref)
    audit = _reference("audit", audit, "A-2026-01")
    _check_amount("reported_share_amount", reported_share_amount)
    _check_amount("found_share_amount", found_share_amount)
    _check_amount("cost_amount", cost_amount)
    period = _period(contract, period_from_at)
    fact = AuditFinding(
        audit=audit,
        from_at=period.from_at,
        to_at=period.to_at,
        found_at=now,
        reported_share_amount=reported_share_amount,
        found_share_amount=found_share_amount,
        cost_amount=cost_amount,
    )
    document = {**write_fact(fact), "fact": AUDIT_CLAIM}
    before = _stated(term, "audit", audit, AUDIT_CLAIM)
    if before is not None:
        said = {name: before.document[name] for name in document}
        return _same(before, "audit", audit, {**document, "found_at": said["found_at"]}, said), False
    if period.state != PeriodState.CLOSED:
        raise WrongFact("period_from", sentence("The period is open: what is found of it still changes its own bill."))
    if reported_share_amount == found_share_amount:
        raise WrongFact("found_share_amount", sentence("It is what was reported: there is nothing to settle."))
    until = _disputed_until(term, period, now)
    document |= {"answer_by": None if until is None else until.isoformat()}
    stated = _keep(term, document, f"{term.ref} {audit}", at=now, by=by, now=now)
    tell_audit(stated, "audit.stated", at=now)
    return stated, True


def _disputed_until(term: Term, period: BillingPeriod, now: datetime) -> datetime | None:
    """Return until when a finding can be disputed; None where the share agrees no days for it."""
    said = settle_by([term.stretches(period.from_at, period.to_at)], due_days=0, grace_hours=0)
    return said.disputed_until(now.astimezone(UTC).replace(microsecond=0))


def locked_term(contract: Contract, term_ref: str) -> tuple[Contract, Term]:
    """Lock a contract and return it with its share; raises `WrongFact`."""
    contract = Contract.objects.select_for_update(no_key=True).get(pk=contract.pk)
    term = Term.objects.filter(contract=contract, ref=term_ref, kind=TermKind.TOKEN_SHARE).first()
    if term is None:
        raise WrongFact(
            "term",
            sentence(
                "%(number)s has no token share %(term_ref)s.", number=contract.number, term_ref=repr(term_ref[:40])
            ),
            "S-0001",
        )
    return contract, term


def _reference(field: str, given: str, example: str) -> str:
    found = given.strip()
    if not 0 < len(found) <= REFERENCE_CHARS_MAX or not found.isprintable():
        raise WrongFact(
            field, sentence("1 to %(most)s characters are your reference of it.", most=REFERENCE_CHARS_MAX), example
        )
    return found


def _period(contract: Contract, from_at: datetime) -> BillingPeriod:
    period = BillingPeriod.objects.select_related("contract").filter(contract=contract, from_at=from_at).first()
    if period is None:
        reason = sentence(
            "No billing period of %(number)s begins at %(from_at)s.",
            number=contract.number,
            from_at=from_at.isoformat(),
        )
        raise WrongFact("period_from", reason, contract.from_at.isoformat())
    return period


def refundable(term: Term, period: BillingPeriod) -> tuple[datetime, datetime] | None:
    """Return the time of a period in which a share's wording leaves refunds out; None where it never does."""
    excluding = [
        stretch
        for stretch in term.stretches(period.from_at, period.to_at)
        if isinstance(stretch.wording, TokenShareWording) and stretch.wording.excludes(ExclusionRule.REFUNDS)
    ]
    return (excluding[0].from_at, excluding[-1].to_at) if excluding else None


def _refundable(term: Term, period: BillingPeriod) -> tuple[datetime, datetime]:
    found = refundable(term, period)
    if found is None:
        raise WrongFact(
            "term", sentence("%(ref)s does not exclude refunds in that period.", ref=term.ref), '{"rule": "refunds"}'
        )
    return found


def _check_tokens(term: Term, period: BillingPeriod, fact: RefundedCounts, now: datetime) -> None:
    if fact.token_class not in WHOLE_CLASSES:
        raise WrongFact(
            "token_class",
            sentence(
                "%(token_class)s is none of %(whole_classes)s.",
                token_class=repr(fact.token_class[:40]),
                whole_classes=Listed(WHOLE_CLASSES),
            ),
            "output",
        )
    if fact.tokens < 1:
        raise WrongFact("tokens", sentence("At least one token was paid back."), "125000")
    basis = read_basis(window_of(period, to_at=min(now, period.to_at)), grain=Grain.PERIOD)
    (rated,) = (each for each in basis.terms if each.ref == term.ref)
    about = (fact.deployment, fact.model, fact.token_class)
    counted = sum(
        used.count
        for used in rated.usage
        if (used.deployment, used.model, used.quantity) == about and fact.from_at <= used.from_at < fact.to_at
    )
    before = sum(
        each.tokens
        for each in rated.facts
        if isinstance(each, RefundedCounts) and (each.deployment, each.model, each.token_class) == about
    )
    if not counted:
        reason = sentence(
            "No %(token_class)s of %(model)s was counted for that deployment in the period.",
            token_class=fact.token_class,
            model=repr(fact.model[:40]),
        )
        raise WrongFact("model", reason)
    if fact.tokens > counted - before:
        raise WrongFact(
            "tokens",
            sentence("%(counted)s were counted and %(before)s paid back before.", counted=counted, before=before),
            str(counted - before),
        )


def _check_amount(field: str, amount: Decimal) -> None:
    if not amount.is_finite() or not 0 <= amount < AMOUNT_MAX or amount != round(amount, AMOUNT_DECIMALS_MAX):
        raise WrongFact(
            field,
            sentence("An amount of 0 or more with at most %(most)s decimals.", most=AMOUNT_DECIMALS_MAX),
            "1250.00",
        )


def counts_at(term: Term, about: BillingPeriod, now: datetime) -> datetime:
    """Return the instant that what is settled of a closed period counts at.

    Now, or the start of the first open period of the share; where it has none any more, the start of the period that
    it is about, which is restated on the contract's next or last bill (`billing.adjusting`).
    """
    periods = BillingPeriod.objects.filter(contract=term.contract_id, state=PeriodState.OPEN).order_by("from_at")
    mine = [period for period in periods if term.stretches(period.from_at, period.to_at)]
    if not mine:
        return about.from_at
    return now if any(period.from_at <= now < period.to_at for period in mine) else mine[0].from_at


def _stated(term: Term, name: str, reference: str, kind: str) -> TermFact | None:
    return TermFact.objects.filter(term=term, document__fact=kind, **{f"document__{name}": reference}).first()


def _same(stated: TermFact, name: str, reference: str, wanted: Document, said: Document) -> TermFact:
    if said != wanted:
        raise WrongFact(
            name,
            sentence("%(reference)s was stated already, and otherwise.", reference=reference),
            sentence("another reference"),
        )
    return stated


def _keep(term: Term, document: Document, subject: str, *, at: datetime, by: By, now: datetime) -> TermFact:
    stated = TermFact.objects.create(
        id=new_id(), term=term, at=at, document=document, recorded_by=by.name, recorded_at=now
    )
    AuditEntry.objects.create(
        organization=by.organization,
        actor=by.name,
        action="revenue.audited" if document["fact"] == AUDIT_CLAIM else "revenue.refunded",
        subject=subject,
        before={},
        after=document,
        at=now,
    )
    return stated
