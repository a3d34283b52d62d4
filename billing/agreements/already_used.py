"""What a new balance would pay for that was used before it begins: credit pays whole lines of bills.

A line of tokens is of its whole billing period, so a balance that begins within a period that runs pays also for what
was used of it by then, unless it begins with the next period.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from billing.models import BillingPeriod, Charge, PeriodState, Term
from billing.money import exact_sum
from billing.rating.credit import CreditWording
from billing.rating.lease_term import RULE_DEPOSIT_TAKEN
from billing.rating.rated import TermKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from billing.models import Contract
    from billing.rating.credit import Grant
    from billing.rating.wording import Wording


@dataclass(frozen=True, slots=True)
class AlreadyUsed:
    """What is owed by now since `from_at` and a new balance would pay for; begun at `next_at` it pays later use."""

    from_at: datetime
    next_at: datetime
    amount: Decimal


def already_used(
    contract: Contract, before: Wording | None, after: Wording | None, now: datetime
) -> AlreadyUsed | None:
    """Return what the balances that `after` has and `before` had not pay for of the time before them; None: nothing."""
    if not isinstance(after, CreditWording):
        return None
    known = before.grants if isinstance(before, CreditWording) else ()
    grants = [grant for grant in after.grants if grant not in known]
    found: list[tuple[BillingPeriod, Decimal]] = []
    running = BillingPeriod.objects.filter(contract=contract, from_at__lt=now).exclude(state=PeriodState.CLOSED)
    for period in running.order_by("from_at"):
        reaching = [
            grant
            for grant in grants
            if grant.from_at < period.to_at and (grant.expires_at is None or period.from_at < grant.expires_at)
        ]
        owed = _owed(period, reaching) if reaching else Decimal(0)
        if owed > 0:
            found.append((period, owed))
    if not found:
        return None
    return AlreadyUsed(found[0][0].from_at, found[-1][0].to_at, exact_sum(owed for _period, owed in found))


def _owed(period: BillingPeriod, grants: Sequence[Grant]) -> Decimal:
    """What a period comes to by now of the terms that the grants pay for: without deposits, and before any credit."""
    charges = Charge.objects.filter(period=period).exclude(rule=RULE_DEPOSIT_TAKEN).exclude(term_kind=TermKind.CREDIT)
    # A line that is over before the balance begins is not paid from it.
    over = Term.objects.filter(contract=period.contract_id, to_at__lte=min(grant.from_at for grant in grants))
    charges = charges.exclude(term_ref__in=over.values("ref"))
    if all(grant.terms for grant in grants):
        charges = charges.filter(term_ref__in={ref for grant in grants for ref in grant.terms})
    return exact_sum(charges.values_list("amount", flat=True))
