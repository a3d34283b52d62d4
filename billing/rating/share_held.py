"""Witness differences that are held for an answer: what parties agreed on, and what a period hands on of the rest.

While its period is open an agreed count bills as the tokens themselves do. Of a closed period, whose bill left the
surplus off, it is billed at the average share that the period had, as the part of the surplus that was agreed on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from billing.rating.inputs import Carried, RatingWindow, TermInput, facts_of
from billing.rating.rated import line_key
from billing.rating.share_base import Cell
from billing.rating.share_facts import AgreedCounts, WitnessCounts
from billing.rating.share_lines import Written, write_amount
from billing.rating.share_pieces import Piece
from billing.rating.share_time import Segment, tiers_of
from billing.rating.share_words import ExclusionRule, ShareBase

RULE_SETTLED = "share_witness_settled"
CARRY_LOWER = "held_from_tokens"
CARRY_TOKENS = "held_tokens"
CARRY_OWED = "held_share_amount"
_CARRIES = (CARRY_LOWER, CARRY_TOKENS, CARRY_OWED)

Key = tuple[str, str, str, datetime]


@dataclass(frozen=True, slots=True)
class Held:
    """A difference that is held: `tokens` above the lower count, as `pieces` at the prices that they would bill at."""

    fact: WitnessCounts
    lower: int
    tokens: int
    pieces: tuple[Piece, ...]


def key_of(fact: WitnessCounts | AgreedCounts) -> Key:
    """Return what a count is of: deployment, model, class, and where its time begins."""
    return (fact.deployment, fact.model, fact.token_class, fact.from_at)


def agreed_counts(term: TermInput) -> Mapping[Key, int]:
    """Return the counts that were agreed on."""
    return {key_of(fact): fact.tokens for fact in facts_of(term.facts, AgreedCounts)}


def settle_held(
    written: Written,
    term: TermInput,
    window: RatingWindow,
    parts: Sequence[Segment],
    *,
    held: Sequence[Held],
    cells: Sequence[Cell],
    shares: Mapping[int, Fraction],
) -> None:
    """Write what was agreed on of closed periods, and hand on what is held still while the term goes on."""
    carried = {fact.name: fact.value for fact in facts_of(term.facts, Carried)}
    settled = _settle(written, parts[0], term, carried)
    ends = term.to_at is not None and term.to_at <= window.period_to_at
    if not window.is_whole or ends:
        return
    for name, value in carried.items():
        if name.split("|")[0] in _CARRIES and name not in settled:
            written.carry(name, value)
    for each in held:
        owed = sum((_owed(parts[piece.segment], piece, cells, shares) for piece in each.pieces), Fraction(0))
        if owed > 0:
            for carry, number in zip(_CARRIES, (Fraction(each.lower), Fraction(each.tokens), owed), strict=True):
                written.carry(_name(carry, each.fact), number)


def _settle(written: Written, part: Segment, term: TermInput, carried: Mapping[str, Decimal]) -> set[str]:
    """Write a row for each count that was agreed on late; return the names of what is carried no more."""
    settled: set[str] = set()
    for fact in facts_of(term.facts, AgreedCounts):
        lower, tokens, owed = (Fraction(carried.get(_name(carry, fact), 0)) for carry in _CARRIES)
        if not tokens or _name(CARRY_TOKENS, fact) in settled:
            continue
        settled |= {_name(carry, fact) for carry in _CARRIES}
        write_amount(
            written,
            part,
            rule=RULE_SETTLED,
            about=(_name(CARRY_TOKENS, fact),),
            amount=owed * min(max((fact.tokens - lower) / tokens, Fraction(0)), Fraction(1)),
            model=fact.model,
            token_class=fact.token_class,
            from_at=fact.from_at,
            to_at=fact.to_at,
        )
    return settled


def _name(carry: str, fact: WitnessCounts | AgreedCounts) -> str:
    return line_key(carry, fact.deployment, fact.model, fact.token_class, fact.from_at.isoformat())


def _owed(segment: Segment, piece: Piece, cells: Sequence[Cell], shares: Mapping[int, Fraction]) -> Fraction:
    """Return what held tokens would have owed: their worth less percentages, at the one or the average share."""
    if segment.wording.base is ShareBase.CERTIFIED_REVENUE:
        # What is owed follows from the statement, whatever was counted.
        return Fraction(0)
    tiers = tiers_of(segment.table.row_of(piece.model, piece.token_class))
    same = [cell for cell in cells if cell.segment.whole == segment.whole]
    base = sum((cell.base for cell in same), Fraction(0))
    share = sum((shares.get(number, Fraction(0)) for number in {cell.segment.number for cell in same}), Fraction(0))
    percent = 100 * share / base if len(tiers) > 1 and base else Fraction(tiers[0].share_percent)
    return Fraction(piece.amount) * _left(segment) * percent / 100


def _left(segment: Segment) -> Fraction:
    """Return the part of an amount that taxes and fees leave."""
    left = Fraction(1)
    for exclusion in segment.wording.exclusions:
        rate = Fraction(exclusion.percent or 0)
        if exclusion.rule is ExclusionRule.TAXES:
            left *= 100 / (100 + rate)
        elif exclusion.rule is ExclusionRule.GATEWAY_FEES:
            left *= 1 - rate / 100
    return left
