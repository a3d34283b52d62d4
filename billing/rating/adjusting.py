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
from billing.rating.late import RULE_LATE
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
    return line.term_kind in SECOND_STAGE and bool(line.about_ref) and line.rule != RULE_LATE


About = tuple[str, str, str]
"""What a discount is about: a term, a model and a quantity; "" where the discount names none of that."""


def net_by_about(
    lines: Collection[RatedLine], scope: Scope, from_at: datetime, to_at: datetime
) -> dict[About, Fraction]:
    """Return what is left to pay of lines in a scope that begin in `[from_at, to_at)`, where that is more than 0.

    It is told apart by term, and by model and quantity where the scope names some: so a line that is taken off says
    what it was taken off, and the next discount finds exactly what is left of that. Deposits and what is billed in
    advance of its period are nothing to take a discount off.
    """
    net: dict[About, Fraction] = {}
    for line, amount in _left(lines):
        if scope.holds(line) and from_at <= line.from_at < to_at:
            about = (line.term_ref, line.model if scope.models else "", line.token_class if scope.quantities else "")
            net[about] = net.get(about, Fraction(0)) + amount
    return {about: amount for about, amount in sorted(net.items()) if amount > 0}


def _left(lines: Collection[RatedLine]) -> list[tuple[RatedLine, Fraction]]:
    """Return the lines of the first stage, each with what is left of it after the adjustments, one after the other.

    An adjustment lies on the lines that it was made of, in proportion to what was left of them: those of its term,
    model and quantity that begin in its time.
    """
    first = [each for each in lines if each.term_kind not in SECOND_STAGE and each.rule not in NOT_CREDITED]
    left = [line.exact for line in first]
    for adjustment in filter(is_adjustment, lines):
        covered = [place for place, line in enumerate(first) if _lies_on(adjustment, line)]
        whole = sum((left[place] for place in covered), Fraction(0))
        if whole:
            part = max(Fraction(0), 1 + adjustment.exact / whole)
            for place in covered:
                left[place] *= part
    return list(zip(first, left, strict=True))


def _lies_on(adjustment: RatedLine, line: RatedLine) -> bool:
    return (
        adjustment.about_ref == line.term_ref
        and adjustment.model in ("", line.model)
        and adjustment.token_class in ("", line.token_class)
        and adjustment.from_at <= line.from_at < adjustment.to_at
    )


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
    model: str = "",
    token_class: str = "",
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
        model=model,
        token_class=token_class,
        quantity=quantity,
        unit=Unit.AMOUNT,
        price=whole_amount(abs(Fraction(amount))),
        about_ref=about_ref,
        quality_mix={QUALITY_ACTUAL: quantity},
        from_at=from_at,
        to_at=to_at,
    )
