"""When something may be recorded of a term: not ahead of the clock, and not where the period was closed."""

from datetime import datetime

from billing.holding import WrongTerms
from billing.lease_steps import require_open
from billing.models import BillingPeriod, Contract, PeriodState, Term
from billing.rating.wording import Wording
from billing.terms import terms_by_id
from tenants.sentences import sentence


def locked_term(term: Term) -> tuple[Term, Contract]:
    """Lock a term's contract, so that what is recorded of one contract is recorded one after the other."""
    contract = Contract.objects.select_for_update(no_key=True).get(pk=term.contract_id)
    return terms_by_id([term.pk])[term.pk], contract


def wording_then(term: Term, contract: Contract, at: datetime, now: datetime) -> Wording:
    """Return what a term says at an instant of which something is to be recorded.

    Its billing period is locked: either it closes before, and this is refused, or with what is recorded here. Raises
    `WrongTerms` with the field, `NotOpen`.
    """
    example = now.replace(microsecond=0).isoformat()
    if at > now:
        raise WrongTerms(
            sentence("%(at)s is to come; now is %(now)s.", at=at.isoformat(), now=now.isoformat()),
            field="at",
            example=example,
        )
    if at < term.from_at or (term.to_at is not None and at >= term.to_at):
        until = term.to_at.isoformat() if term.to_at else sentence("further notice")
        raise WrongTerms(
            sentence(
                "%(ref)s runs from %(from_at)s to %(until)s.",
                ref=term.ref,
                from_at=term.from_at.isoformat(),
                until=until,
            ),
            field="at",
            example=example,
        )
    require_open(contract, at, at)
    period = BillingPeriod.objects.select_for_update(no_key=True).filter(
        contract=contract, from_at__lte=at, to_at__gt=at
    )
    if any(each.state == PeriodState.CLOSED for each in period):
        raise WrongTerms(
            sentence("%(at)s lies in a billing period that is closed.", at=at.isoformat()), field="at", example=example
        )
    return term.wording_at(at)
