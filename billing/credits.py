"""Prepaid credit: granting and buying it, and keeping what each closed period took from it.

A balance is what was granted less what left it; there is no counter beside these rows that could say something else.
"""

from datetime import datetime

from django.db import transaction

from billing.api_words import money
from billing.basis import PeriodBasis
from billing.credit_books import post_grants, post_movements
from billing.credit_grants import grants_of
from billing.holding import WrongTerms
from billing.models import BillingPeriod, Contract, CreditMovement, MovementKind, PeriodState, Term, TermFact
from billing.money import exact_sum
from billing.rating.credit import RULE_DRAWN, Grant, Granted, balances, check_grant, grant_of
from billing.rating.kinds import write_fact
from billing.rating.rated import Rated, TermKind
from billing.rating.wording import WrongWording
from billing.telling import tell_subject
from tenants.instants import instant_text
from tenants.problems import Problem
from tenants.sentences import sentence


class GrantExists(Problem):
    """A grant of that name was made under the term, with other figures."""

    status = 409
    code = "grant_exists"
    title = "A grant has this name already"


@transaction.atomic
def grant_credit(*, term: Term, grant: Grant, recorded_by: str, now: datetime) -> Grant:
    """Add a balance to a credit term, granted or bought; the same grant again changes nothing.

    Raises `WrongTerms` for a grant that makes no sense or a term that holds no credit, and `GrantExists`.
    """
    Contract.objects.select_for_update(no_key=True).get(pk=term.contract_id)
    if term.kind != TermKind.CREDIT:
        raise WrongTerms(sentence("%(ref)s holds no credit.", ref=term.ref))
    try:
        check_grant("grant", grant)
    except WrongWording as error:
        raise WrongTerms(str(error), said=error.reason) from error
    for known in grants_of([term.pk])[term.pk].values():
        if known == grant:
            return grant
        if known.name == grant.name:
            raise GrantExists(
                sentence(
                    "%(ref)s has a grant %(name)s of %(amount)s.",
                    ref=term.ref,
                    name=repr(grant.name),
                    amount=known.amount,
                )
            )
    TermFact.objects.create(
        term=term,
        at=grant.from_at,
        document=write_fact(Granted(grant=grant)),
        recorded_by=recorded_by,
        recorded_at=now,
    )
    post_grants(term=term, now=now)
    return grant


def keep_movements(*, period: BillingPeriod, basis: PeriodBasis, rated: Rated, now: datetime) -> None:
    """Store and book what a period that closes takes from each grant: what it paid for, and what then expires of it.

    Must run in the closing transaction.
    """
    terms = basis.of_kind(TermKind.CREDIT)
    if not terms:
        return
    drawn = {(line.term_ref, grant_of(line)): -line.amount for line in rated.lines if line.rule == RULE_DRAWN}
    ids = {term.ref: term.id for term in Term.objects.filter(contract=period.contract_id, kind=TermKind.CREDIT)}
    rows: list[CreditMovement] = []
    for term in terms:
        for grant, left in balances(term):
            paid = drawn.get((term.ref, grant.name))
            rest = exact_sum([left, -paid]) if paid else left
            over = grant.expires_at is not None and grant.expires_at <= period.to_at
            expired = rest if over and rest > 0 else None
            for kind, amount in ((MovementKind.DRAWN, paid), (MovementKind.EXPIRED, expired)):
                if amount:
                    rows.append(
                        CreditMovement(
                            term_id=ids[term.ref],
                            grant=grant.name,
                            period=period,
                            kind=kind,
                            amount=amount,
                            at=period.to_at,
                        )
                    )
    CreditMovement.objects.bulk_create(rows)
    post_movements(contract=period.contract, movements=rows, now=now)
    for row in rows:
        if row.kind == MovementKind.EXPIRED:
            _tell_expired(row, period.contract, now)


def _tell_expired(moved: CreditMovement, contract: Contract, now: datetime) -> None:
    tell_subject(
        (contract.provider_id, contract.tenant_id),
        "credit.expired",
        subject_id=moved.pk,
        at=now,
        contract_id=str(contract.pk),
        contract=contract.number,
        grant=moved.grant,
        currency=contract.currency,
        amount=money(moved.amount, contract.currency),
        expired_at=instant_text(moved.at),
    )


def period_open_for(contract: Contract) -> BillingPeriod:
    """Return the period that what happens between closes belongs to: the first that is open, else the last."""
    periods = BillingPeriod.objects.filter(contract=contract)
    found = periods.filter(state=PeriodState.OPEN).order_by("from_at").first() or periods.order_by("from_at").last()
    assert found is not None, "a contract that holds credit has begun"
    return found
