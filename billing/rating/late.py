"""Usage of a closed period that came after its invoice: an amount on a later bill, linked to the line it corrects.

The closed period is rated anew with all that is known of it; what each of its lines comes to now, less what was billed
of it so far, is the adjustment. So however often something comes late, the bills together are what one bill of
everything would have been. Adjustments are not rated again: no discount or minimum of the later period touches them,
but prepaid credit pays for them like for anything else on the bill.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from billing.rating.inputs import Fact, facts_of
from billing.rating.rated import Rated, RatedLine, TermKind, Unit, line_key, whole_amount

RULE_LATE = "late_usage"
QUALITY_ACTUAL = "A"


class Adjusted(Fact, frozen=True, kw_only=True, tag="adjusted"):
    """What is billed, or given back, of one line of a closed period `[from_at, to_at)`.

    `invoice` is the number of its invoice, "" where it had none. `line` is the position of the line on it, 0 where the
    invoice had no such line. `rule` is that of the line, `about` the term that a line of the second stage is about.
    `quantity` counts in `unit` what came beside what was billed; `amount` is in the currency's minor unit, below zero
    where it is given back.
    """

    invoice: str
    line: int
    from_at: datetime
    to_at: datetime
    kind: TermKind
    term: str
    model: str
    rule: str
    about: str
    unit: str
    quantity: Decimal
    amount: Decimal

    @property
    def source(self) -> str:
        """Which line it corrects, in words that are stable: told apart from every other line."""
        about = [str(self.line)] if self.line else [self.term, self.model, self.rule, self.about, self.unit]
        return line_key(self.from_at.isoformat(), *about)


def rate_late(contract_version: int, facts: Iterable[Fact]) -> Rated:
    """Return one line for each adjustment of some amount that goes on the bill."""
    adjusted = facts_of(tuple(facts), Adjusted)
    return Rated(tuple(_line(contract_version, fact) for fact in adjusted if fact.amount))


def _line(contract_version: int, fact: Adjusted) -> RatedLine:
    quantity = Decimal(-1 if fact.amount < 0 else 1)
    return RatedLine(
        line_key=line_key(RULE_LATE, fact.source),
        term_kind=fact.kind,
        term_ref=fact.term,
        contract_version=contract_version,
        price_version_id=None,
        rule=RULE_LATE,
        model=fact.model,
        token_class="",
        quantity=quantity,
        unit=Unit.AMOUNT,
        price=whole_amount(abs(fact.amount)),
        about_ref=fact.source,
        quality_mix={QUALITY_ACTUAL: quantity},
        from_at=fact.from_at,
        to_at=fact.to_at,
    )
