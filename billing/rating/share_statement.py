"""A token share's rows as its statement shows them: in fixed sections, each with its sum.

The sections follow each other as the waterfall is computed. Every rule id of a share is in exactly one of them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType

from billing.money import exact_sum
from billing.rating.late import RULE_LATE
from billing.rating.rated import Price, RatedLine, TermKind, Unit
from billing.rating.share_base import RULE_CERTIFIED, RULE_ESTIMATED
from billing.rating.share_cap import RULE_CAP
from billing.rating.share_guarantee import RULE_RECOUPED, RULE_SHORTFALL
from billing.rating.share_held import RULE_SETTLED
from billing.rating.share_hybrid import RULE_AGREED, RULE_CREDITED, RULE_NATURAL, RULE_RENT
from billing.rating.share_later import RULE_AUDIT, RULE_AUDIT_COST, RULE_HELD, RULE_RELEASED, RULE_TRUE_UP
from billing.rating.share_lines import ADDED, EXCLUDED, RULE_LIST_PRICE, RULE_TRANSFER_PRICE
from billing.rating.share_tiers import RULE_FLAT, RULE_MARGINAL, RULE_WHOLE
from billing.rating.share_witness import RULE_AGREED as RULE_AGREED_COUNT
from billing.rating.share_witness import (
    RULE_ENGINE,
    RULE_INTERRUPTED_ADDED,
    RULE_LOWER,
    RULE_NOT_BILLED,
    RULE_NOT_DELIVERED,
)
from billing.rating.share_witness import RULE_HELD as RULE_HELD_FOR_ANSWER
from billing.rating.share_words import ExclusionRule


class Section(StrEnum):
    """A part of a share's statement, in the order in which they stand."""

    GROSS = "gross"
    EXCLUDED = "excluded"
    BASE = "base"
    SHARE = "share"
    RENT = "rent"
    GUARANTEE = "guarantee"
    CAP = "cap"
    ADJUSTMENTS = "adjustments"
    RESERVE = "reserve"


_NOT_SHARED = (
    *ExclusionRule,
    RULE_NOT_BILLED,
    RULE_NOT_DELIVERED,
    RULE_LOWER,
    RULE_ENGINE,
    RULE_HELD_FOR_ANSWER,
    RULE_AGREED_COUNT,
)
_RULES = {
    Section.GROSS: (RULE_LIST_PRICE, RULE_TRANSFER_PRICE),
    Section.EXCLUDED: (
        *(EXCLUDED + rule for rule in _NOT_SHARED),
        ADDED + RULE_INTERRUPTED_ADDED,
        ADDED + RULE_ENGINE,
        ADDED + RULE_AGREED_COUNT,
    ),
    Section.BASE: (RULE_CERTIFIED, RULE_ESTIMATED),
    Section.SHARE: (RULE_FLAT, RULE_MARGINAL, RULE_WHOLE),
    Section.RENT: (RULE_RENT, RULE_NATURAL, RULE_AGREED, RULE_CREDITED),
    Section.GUARANTEE: (RULE_SHORTFALL, RULE_RECOUPED),
    Section.CAP: (RULE_CAP,),
    Section.ADJUSTMENTS: (RULE_TRUE_UP, RULE_SETTLED, RULE_AUDIT, RULE_AUDIT_COST),
    Section.RESERVE: (RULE_RELEASED, RULE_HELD),
}
SECTION_OF: Mapping[str, Section] = MappingProxyType(
    {str(rule): section for section, rules in _RULES.items() for rule in rules}
)
"""The section of every rule of a token share."""


@dataclass(frozen=True, slots=True)
class StatementRow:
    """One row: the days and deployments of what has one rule, model, class, tier, price and share, together."""

    section: Section
    rule: str
    model: str
    token_class: str
    context_over: int
    unit: Unit
    price: Price | None
    share_percent: Decimal
    quantity: Decimal
    base: Fraction
    owed: Fraction


@dataclass(frozen=True, slots=True)
class ShareStatement:
    """The rows of one term, and the figures that the sections come to; amounts are exact.

    `gross` less `excluded` (which is negative) is `base`, certified or metered; `owed` is the sum of all rows.
    """

    term_ref: str
    rows: tuple[StatementRow, ...]

    def of(self, section: Section) -> tuple[StatementRow, ...]:
        """Return the rows of one section."""
        return tuple(row for row in self.rows if row.section is section)

    @property
    def gross(self) -> Fraction:
        """What all counted tokens are worth."""
        return self._base(Section.GROSS)

    @property
    def excluded(self) -> Fraction:
        """What is no revenue of it, as a negative amount."""
        return self._base(Section.EXCLUDED)

    @property
    def base(self) -> Fraction:
        """What the share is taken of."""
        return self.gross + self.excluded + self._base(Section.BASE)

    @property
    def share(self) -> Fraction:
        """What the share comes to, before rent, guarantee and cap."""
        tokens = (Section.GROSS, Section.EXCLUDED, Section.SHARE)
        return sum((row.owed for row in self.rows if row.section in tokens), Fraction(0))

    @property
    def owed(self) -> Fraction:
        """What is owed by all rows."""
        return sum((row.owed for row in self.rows), Fraction(0))

    def _base(self, section: Section) -> Fraction:
        return sum((row.base for row in self.of(section)), Fraction(0))


def share_statements(lines: Iterable[RatedLine]) -> tuple[ShareStatement, ...]:
    """Return the statement of each share term among rated lines, by term; lines of other kinds are left out,
    and what came late for closed periods, which belongs to theirs."""
    terms: dict[str, dict[tuple[object, ...], list[RatedLine]]] = {}
    for line in lines:
        if line.term_kind is TermKind.TOKEN_SHARE and line.rule != RULE_LATE:
            same = (line.rule, line.model, line.token_class, line.context_over, line.unit, line.share_percent)
            key = (*same, line.price if line.unit is not Unit.AMOUNT else None)
            terms.setdefault(line.term_ref, {}).setdefault(key, []).append(line)
    return tuple(
        ShareStatement(ref, tuple(sorted((_row(same) for same in rows.values()), key=_place)))
        for ref, rows in sorted(terms.items())
    )


def _row(same: list[RatedLine]) -> StatementRow:
    first = same[0]
    return StatementRow(
        section=SECTION_OF[first.rule],
        rule=first.rule,
        model=first.model,
        token_class=first.token_class,
        context_over=first.context_over,
        unit=first.unit,
        price=None if first.unit is Unit.AMOUNT else first.price,
        share_percent=first.share_percent,
        quantity=exact_sum(line.quantity for line in same),
        base=sum((line.exact_base for line in same), Fraction(0)),
        owed=sum((line.exact for line in same), Fraction(0)),
    )


_SECTIONS = list(Section)
_ORDER = {rule: place for place, rule in enumerate(SECTION_OF)}


def _place(row: StatementRow) -> tuple[object, ...]:
    about = (row.model, row.token_class, row.context_over, -row.share_percent)
    price = row.price.amount if row.price else Decimal(0)
    return (_SECTIONS.index(row.section), _ORDER[row.rule], *about, price)
