"""What of a share's tokens is billed where answers were interrupted, and where the two witnesses differ.

Interrupted streams come first, then the tolerance between witnesses. Tokens move between what is shared and what is
not, or are added; none is invented: both figures of a rule were counted by a witness.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec

from billing.rating.inputs import TermInput, facts_of
from billing.rating.rated import TermKind, Unit, Unpriced, UnpricedReason
from billing.rating.share_facts import InterruptedCounts, RefundedCounts, WitnessCounts
from billing.rating.share_held import Held, agreed_counts, key_of
from billing.rating.share_pieces import MARK_INTERRUPTED, Piece, add, rule_of_class, take, whole_class
from billing.rating.share_time import Segment
from billing.rating.share_words import ExclusionRule, InterruptedStreams, OutsideTolerance
from metering.checks import Cause, Explained, residual

ENGINE = "engine"
Counts = WitnessCounts | InterruptedCounts | RefundedCounts
RULE_NOT_BILLED = "interrupted_not_billed"
RULE_NOT_DELIVERED = "interrupted_not_delivered"
RULE_INTERRUPTED_ADDED = "interrupted_added"
RULE_LOWER = "witness_lower"
RULE_ENGINE = "witness_engine"
RULE_HELD = "witness_held"
RULE_AGREED = "witness_agreed"
RULES = {OutsideTolerance.BILL_ENGINE: RULE_ENGINE, OutsideTolerance.HOLD_AND_ASK: RULE_HELD}


def settle_interrupted(term: TermInput, parts: Sequence[Segment], pieces: Sequence[Piece]) -> list[Piece]:
    """Apply the rule of interrupted streams. Without a count of what was delivered, marked tokens are what it was."""
    result = list(pieces)
    for fact in facts_of(term.facts, InterruptedCounts):
        segment = _segment_of(parts, fact)
        if segment is None:
            continue
        marked = _which(result, fact, MARK_INTERRUPTED)
        counted = sum(result[index].tokens for index in marked)
        by_engine = segment.wording.witness == ENGINE
        rule = segment.wording.interrupted_streams
        if by_engine and not counted:
            # A register knows no single requests: what it made of interrupted ones is inside the rest.
            marked, counted = _which(result, fact, ""), fact.measured
        target = _target(rule, fact, counted)
        if target > counted:
            result = add(result, marked or _which(result, fact, ""), target - counted, RULE_INTERRUPTED_ADDED)
        elif target < counted:
            nothing = rule is InterruptedStreams.NOT_BILLED
            result = take(result, marked, counted - target, RULE_NOT_BILLED if nothing else RULE_NOT_DELIVERED)
    return [_settled(parts, piece) for piece in result if piece.tokens]


def settle_refunds(term: TermInput, parts: Sequence[Segment], pieces: Sequence[Piece]) -> list[Piece]:
    """Exclude tokens that were paid back, where refunds are excluded; never more than are shared."""
    result = list(pieces)
    for fact in facts_of(term.facts, RefundedCounts):
        segment = _segment_of(parts, fact)
        if segment is not None and segment.wording.excludes(ExclusionRule.REFUNDS):
            result = take(result, _which(result, fact, ""), fact.tokens, ExclusionRule.REFUNDS.value)
    return [piece for piece in result if piece.tokens]


def settle_witnesses(
    term: TermInput, parts: Sequence[Segment], pieces: Sequence[Piece]
) -> tuple[list[Piece], list[Held]]:
    """Apply what is agreed for differences beyond the tolerance; within it the billing witness bills.

    What is held for an answer is returned beside the pieces; where both parties have agreed on a count, that bills.
    """
    result, held = list(pieces), []
    agreed = agreed_counts(term)
    for fact in facts_of(term.facts, WitnessCounts):
        segment = _segment_of(parts, fact)
        if segment is None:
            continue
        rule = segment.wording.outside_tolerance
        count = agreed.get(key_of(fact)) if rule is OutsideTolerance.HOLD_AND_ASK else None
        if count is None and _within(segment, fact):
            continue
        billed = fact.engine if segment.wording.witness == ENGINE else fact.gateway
        lower, higher = sorted((fact.engine, fact.gateway))
        target = count if count is not None else _billed_at(rule, fact, billed)
        name = RULE_AGREED if count is not None else RULES.get(rule, RULE_LOWER)
        shared = _which(result, fact, "")
        before = len(result)
        if count is None and rule is OutsideTolerance.HOLD_AND_ASK:
            surplus = (
                take(result, shared, billed - lower, name)
                if billed > lower
                else add(result, shared, higher - lower, name)
            )
            held.append(Held(fact, lower, higher - lower, tuple(surplus[before:])))
        moved = take if target < billed else add
        result = moved(result, shared, abs(target - billed), name)
    return [piece for piece in result if piece.tokens], held


def questions(term: TermInput, parts: Sequence[Segment], held: Iterable[Held]) -> list[Unpriced]:
    """Return what is held as usage that waits."""
    found = []
    for each in held:
        segment = _segment_of(parts, each.fact)
        assert segment is not None
        found.append(_question(term, segment, each.fact, each.tokens))
    return found


def _billed_at(rule: OutsideTolerance, fact: WitnessCounts, billed: int) -> int:
    match rule:
        case OutsideTolerance.BILL_WITNESS:
            return billed
        case OutsideTolerance.BILL_ENGINE:
            return fact.engine
        case _:
            return min(fact.engine, fact.gateway)


def _target(rule: InterruptedStreams, fact: InterruptedCounts, counted: int) -> int:
    match rule:
        case InterruptedStreams.AS_MEASURED:
            return fact.measured
        case InterruptedStreams.AS_DELIVERED:
            return min(fact.delivered, max(counted, fact.measured))
        case InterruptedStreams.NOT_BILLED:
            return 0


def _settled(parts: Sequence[Segment], piece: Piece) -> Piece:
    """Let what is left of marked tokens be shared like others, or exclude it where such streams are not billed."""
    if piece.rule != MARK_INTERRUPTED:
        return piece
    segment = parts[piece.segment]
    none = segment.wording.interrupted_streams is InterruptedStreams.NOT_BILLED
    return msgspec.structs.replace(
        piece, rule=RULE_NOT_BILLED if none else rule_of_class(segment, piece.token_class, "")
    )


def _within(segment: Segment, fact: WitnessCounts) -> bool:
    explained = [Explained(Cause.ABORTED, fact.explained)] if fact.explained else []
    compared = residual(engine=fact.engine, gateway=fact.gateway, explained=explained)
    return compared.within(Fraction(segment.wording.tolerance_percent) / 100)


def _segment_of(parts: Sequence[Segment], fact: Counts) -> Segment | None:
    """Return the segment whose wording a count goes by: the one in which it begins, else the first it reaches."""
    reached = [part for part in parts if part.from_at < fact.to_at and part.to_at > fact.from_at]
    return reached[0] if reached else None


def _which(pieces: Sequence[Piece], fact: Counts, rule: str) -> list[int]:
    about = (fact.deployment, fact.model, fact.token_class, rule, False)
    return [
        index
        for index, piece in enumerate(pieces)
        if (piece.deployment, piece.model, whole_class(piece.token_class), piece.rule, piece.added) == about
        and fact.from_at <= piece.from_at < fact.to_at
    ]


def _question(term: TermInput, segment: Segment, fact: WitnessCounts, tokens: int) -> Unpriced:
    return Unpriced(
        term_kind=TermKind.TOKEN_SHARE,
        term_ref=term.ref,
        contract_version=segment.stretch.contract_version,
        model=fact.model,
        token_class=fact.token_class,
        quantity=Decimal(tokens),
        unit=Unit.TOKENS,
        reason=UnpricedReason.WITNESSES_DIFFER,
        from_at=fact.from_at,
        to_at=fact.to_at,
    )
