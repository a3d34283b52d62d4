"""What terms of the second stage look at: the lines before them, and what is left of those after other adjustments.

Adjusters come in the order availability, discount, commitment, credit, and by reference within a kind. Each sees the
lines of all before it and adds lines of its own; `about_ref` on such a line names the term that it is about.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from billing.rating.availability import NOT_CREDITED
from billing.rating.rated import RatedLine, TermKind, Unit, line_key, whole_amount

QUALITY_ACTUAL = "A"
SECOND_STAGE = frozenset({TermKind.AVAILABILITY, TermKind.DISCOUNT, TermKind.COMMITMENT, TermKind.CREDIT})


@dataclass(frozen=True, slots=True)
class Scope:
    """What an adjuster is about: terms, models and quantities by name; everything where none is named."""

    terms: Collection[str] = ()
    models: Collection[str] = ()
    quantities: Collection[str] = ()

    def holds(self, line: RatedLine) -> bool:
        """Whether a line of the first stage is in the scope."""
        return (
            (not self.terms or line.term_ref in self.terms)
            and (not self.models or line.model in self.models)
            and (not self.quantities or line.token_class in self.quantities)
        )


def is_adjustment(line: RatedLine) -> bool:
    """Whether a line was made by a term of the second stage and takes from, or adds to, another term's amounts."""
    return line.term_kind in SECOND_STAGE and bool(line.about_ref)


def net_by_term(lines: Collection[RatedLine], scope: Scope, from_at: datetime, to_at: datetime) -> dict[str, Fraction]:
    """Return what is left to pay, by term, of lines in a scope that begin in `[from_at, to_at)`; at least 0.

    What was adjusted on a term before is spread over all its lines in proportion. Deposits and what is billed in
    advance of its period are nothing to take a discount off.
    """
    gross: dict[str, Fraction] = {}
    inside: dict[str, Fraction] = {}
    adjusted: dict[str, Fraction] = {}
    for line in lines:
        if is_adjustment(line):
            adjusted[line.about_ref] = adjusted.get(line.about_ref, Fraction(0)) + line.exact
        elif line.term_kind not in SECOND_STAGE and line.rule not in NOT_CREDITED:
            amount = line.exact
            gross[line.term_ref] = gross.get(line.term_ref, Fraction(0)) + amount
            if scope.holds(line) and from_at <= line.from_at < to_at:
                inside[line.term_ref] = inside.get(line.term_ref, Fraction(0)) + amount
    return {
        ref: amount * max(Fraction(0), 1 + adjusted.get(ref, Fraction(0)) / gross[ref])
        for ref, amount in sorted(inside.items())
        if amount > 0
    }


def amount_line(
    kind: TermKind,
    term_ref: str,
    contract_version: int,
    *,
    about: Iterable[str | int],
    rule: str,
    amount: Decimal | Fraction,
    from_at: datetime,
    to_at: datetime,
    about_ref: str = "",
) -> RatedLine:
    """Return a line that is an amount: owed where it is positive, taken off where it is negative."""
    quantity = Decimal(-1 if amount < 0 else 1)
    return RatedLine(
        line_key=line_key(kind, term_ref, contract_version, *about),
        term_kind=kind,
        term_ref=term_ref,
        contract_version=contract_version,
        price_version_id=None,
        rule=rule,
        model="",
        token_class="",
        quantity=quantity,
        unit=Unit.AMOUNT,
        price=whole_amount(abs(Fraction(amount))),
        about_ref=about_ref,
        quality_mix={QUALITY_ACTUAL: quantity},
        from_at=from_at,
        to_at=to_at,
    )
