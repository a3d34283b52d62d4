"""Taking in a tenant's certified revenue statement: checked, kept as it came, and stated to rating as a fact."""

import hashlib
from datetime import datetime

from django.db import transaction

from billing.models import BillingPeriod, Contract, PeriodState, RevenueStatement, Term, TermFact
from billing.rating.kinds import write_fact
from billing.rating.rated import TermKind
from billing.rating.share_facts import CertifiedRevenue
from billing.rating.share_later import STATED_PERIODS_MAX
from billing.rating.wording import WrongWording
from billing.revenue_csv import net_revenue, read_statement
from billing.revenue_dues import certified_wording
from tenants.ids import new_id
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

NAME_CHARS_MAX = 200


class WrongStatement(Problem):
    """A statement is not what the contract asks for: which field, why, and what a right one looks like."""

    status = 422
    code = "wrong_statement"
    title = "The revenue statement cannot be taken"

    def __init__(self, field: str, reason: str, example: str = "") -> None:
        super().__init__(f"{field}: {reason}" + (f" Example: {example}" if example else ""), said=reason, field=field)
        self.example = example


class StatementTooLate(Problem):
    """The period is closed and no open one is left in which a difference could be trued up."""

    status = 409
    code = "statement_too_late"
    title = "The period can no longer be trued up"


@transaction.atomic
def state_revenue(
    *,
    contract: Contract,
    term_ref: str,
    period_from_at: datetime,
    document: bytes,
    certified_by: str,
    by: str,
    now: datetime,
) -> tuple[RevenueStatement, bool]:
    """Keep what a tenant certifies for a billing period that is over; return it, and whether it is new.

    The same file again, as the latest of its term and period, changes nothing. Of an open period it is the base of the
    share; of a closed one the difference is trued up in the contract's first open period. Raises `WrongStatement` and
    `StatementTooLate`.
    """
    contract = Contract.objects.select_for_update(no_key=True).get(pk=contract.pk)
    certified_by = certified_by.strip()
    if not 0 < len(certified_by) <= NAME_CHARS_MAX:
        reason = sentence("1 to %(most)s characters name who certifies it.", most=NAME_CHARS_MAX)
        raise WrongStatement("certified_by", reason, "Ada Example")
    term = Term.objects.filter(contract=contract, ref=term_ref, kind=TermKind.TOKEN_SHARE).first()
    if term is None:
        reason = sentence(
            "%(number)s has no token share %(term_ref)s.", number=contract.number, term_ref=repr(term_ref[:40])
        )
        raise WrongStatement("term", reason, "S-0001")
    period = _period(contract, term, period_from_at, now)
    try:
        rows = read_statement(document, contract.currency)
    except WrongWording as wrong:
        raise WrongStatement(wrong.field, wrong.reason, wrong.example) from wrong
    sha256 = hashlib.sha256(document).hexdigest()
    latest = RevenueStatement.objects.filter(term=term, period=period).order_by("-created_at", "-pk").first()
    if latest is not None and (latest.sha256, latest.certified_by) == (sha256, certified_by):
        return latest, False
    at = _counts_at(contract, term, period)
    key = new_id()
    fact = CertifiedRevenue(
        statement=str(key), from_at=period.from_at, to_at=period.to_at, net_revenue_amount=net_revenue(rows)
    )
    stated = TermFact.objects.create(term=term, at=at, document=write_fact(fact), recorded_by=by, recorded_at=now)
    statement = RevenueStatement.objects.create(
        id=key,
        term=term,
        period=period,
        fact=stated,
        currency=contract.currency,
        net_revenue_amount=fact.net_revenue_amount,
        document=document,
        sha256=sha256,
        certified_by=certified_by,
        uploaded_by=by,
        created_at=now,
    )
    _note(statement, latest, now)
    return statement, True


def _note(statement: RevenueStatement, latest: RevenueStatement | None, now: datetime) -> None:
    AuditEntry.objects.create(
        organization_id=statement.term.contract.tenant_id,
        actor=statement.uploaded_by,
        action="revenue.stated",
        subject=f"{statement.term.ref} {statement.period.from_at.isoformat()}",
        before={"sha256": latest.sha256} if latest else {},
        after={
            "sha256": statement.sha256,
            "net_revenue_amount": str(statement.net_revenue_amount),
            "certified_by": statement.certified_by,
        },
        at=now,
    )


def _period(contract: Contract, term: Term, from_at: datetime, now: datetime) -> BillingPeriod:
    period = BillingPeriod.objects.filter(contract=contract, from_at=from_at).first()
    if period is None:
        reason = sentence(
            "No billing period of %(number)s begins at %(from_at)s.",
            number=contract.number,
            from_at=from_at.isoformat(),
        )
        raise WrongStatement("period_from", reason, contract.from_at.isoformat())
    if now < period.to_at:
        raise WrongStatement(
            "period_from", sentence("The period ends at %(to_at)s: it is not over.", to_at=period.to_at.isoformat())
        )
    if certified_wording(term, period) is None:
        raise WrongStatement(
            "term", sentence("The share of %(ref)s was not taken of certified revenue in that period.", ref=term.ref)
        )
    return period


def _counts_at(contract: Contract, term: Term, period: BillingPeriod) -> datetime:
    """Return the instant whose period the statement counts in: its own while that is open, else the first open one."""
    if period.state == PeriodState.OPEN:
        return period.from_at
    periods = BillingPeriod.objects.filter(contract=contract, from_at__gt=period.from_at).order_by("from_at")
    first = next(
        # A share that is over by then is rated no more.
        (one for one in periods.filter(state=PeriodState.OPEN) if term.stretches(one.from_at, one.to_at)),
        None,
    )
    closed_since = periods.filter(state=PeriodState.CLOSED).count()
    if first is None or closed_since >= STATED_PERIODS_MAX:
        reason = sentence(
            "The period from %(from_at)s is closed; statements can come or change for %(most)s "
            "periods, while the share has an open one.",
            from_at=period.from_at.isoformat(),
            most=STATED_PERIODS_MAX,
        )
        raise StatementTooLate(reason)
    return first.from_at
