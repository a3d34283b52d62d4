"""The rows of a share's waterfall as rated lines: tokens at a price, and amounts that follow from the rows above."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from billing.money import to_charge
from billing.rating.rated import (
    WHOLE_PERCENT,
    Carry,
    RatedLine,
    TermKind,
    Unit,
    Unpriced,
    line_key,
    per_mtok,
    per_period,
    whole_amount,
)
from billing.rating.share_pieces import Piece
from billing.rating.share_time import Segment, tiers_of, undivided
from billing.rating.share_words import ShareBase
from metering.context_bands import tier_id

RULE_LIST_PRICE = "token_share_list_price"
RULE_TRANSFER_PRICE = "token_share_transfer_price"
EXCLUDED = "share_excluded_"
ADDED = "share_added_"
QUALITY_ACTUAL = "A"


@dataclass(slots=True)
class Written:
    """What a rating has written so far; rows are only ever added."""

    term_ref: str
    lines: list[RatedLine] = field(default_factory=list)
    unpriced: list[Unpriced] = field(default_factory=list)
    carries: list[Carry] = field(default_factory=list)

    def carry(self, name: str, value: Fraction | Decimal) -> None:
        """Hand a value on, rounded as a charge is; nothing is handed on as nothing."""
        rounded = to_charge(value)
        if rounded:
            self.carries.append(Carry(self.term_ref, name, rounded))

    @property
    def owed(self) -> Fraction:
        """What is owed for all rows so far, exactly."""
        return sum((line.exact for line in self.lines), Fraction(0))


def percent_on_tokens(segment: Segment, model: str, token_class: str) -> Decimal:
    """Return the share that token rows themselves are owed at: 0 where rows of tiers below them are."""
    tiers = tiers_of(segment.table.row_of(model, token_class))
    certified = segment.wording.base is ShareBase.CERTIFIED_REVENUE
    return Decimal(0) if certified or len(tiers) > 1 else tiers[0].share_percent


def write_tokens(written: Written, parts: Iterable[Segment], pieces: Iterable[Piece]) -> None:
    """Write rows of all counted tokens per day, model, class, price and tier, and rows of what is not shared."""
    by_number = {part.number: part for part in parts}
    rows: dict[tuple[object, ...], list[Piece]] = {}
    for piece in pieces:
        priced = (piece.version_id or "", piece.context_over, piece.marks)
        about = (piece.segment, piece.day, piece.model, piece.token_class, *priced)
        if not piece.added:
            rows.setdefault((0, "", False, *about), []).append(piece)
        if piece.rule:
            rows.setdefault((1, piece.rule, piece.added, *about), []).append(piece)
    percents: dict[tuple[int, str, str], Decimal] = {}
    for (_, rule, *_), same in sorted(rows.items(), key=lambda item: item[0]):
        first = same[0]
        segment, of = by_number[first.segment], (first.segment, first.model, first.token_class)
        if of not in percents:
            percents[of] = percent_on_tokens(segment, first.model, first.token_class)
        written.lines.append(_token_line(written.term_ref, (segment, percents[of]), same, str(rule)))


def write_amount(
    written: Written,
    segment: Segment,
    *,
    rule: str,
    about: Iterable[str],
    amount: Fraction,
    share_percent: Decimal = WHOLE_PERCENT,
    model: str = "",
    token_class: str = "",
    from_at: datetime | None = None,
    to_at: datetime | None = None,
) -> Fraction:
    """Write a row of an amount, owed or taken off, and return what is owed for it; of 0 there is no row."""
    price = whole_amount(abs(amount))
    if not price.amount:
        return Fraction(0)
    quantity = Decimal(1 if amount > 0 else -1)
    line = RatedLine(
        line_key=_key(written.term_ref, segment, rule, *about),
        term_kind=TermKind.TOKEN_SHARE,
        term_ref=written.term_ref,
        contract_version=segment.stretch.contract_version,
        price_version_id=None,
        rule=rule,
        model=model,
        token_class=token_class,
        quantity=quantity,
        unit=Unit.AMOUNT,
        price=price,
        share_percent=share_percent,
        quality_mix={QUALITY_ACTUAL: quantity},
        from_at=from_at or segment.from_at,
        to_at=to_at or segment.to_at,
    )
    written.lines.append(line)
    return line.exact


def write_over(
    written: Written, same: Sequence[Segment], owed: Mapping[int, Fraction], *, rule: str, about: str, amount: Fraction
) -> Fraction:
    """Write a row of an amount over segments, under the version of the last; return what is owed for it.

    Where a percentage off changes among them it is one row for each part, in proportion to what the numbers of `owed`
    say of the segments, or to their seconds where that is nothing: the rows sum to the amount as it is charged.
    """
    runs = undivided(same)
    weights = [sum((max(Fraction(0), owed.get(part.number, Fraction(0))) for part in run), Fraction(0)) for run in runs]
    if not any(weights):
        weights = [Fraction(sum(part.seconds for part in run)) for run in runs]
    return sum(
        (
            write_amount(
                written,
                run[-1],
                rule=rule,
                about=(about, run[0].from_at.isoformat()) if place else (about,),
                amount=part,
                from_at=run[0].from_at,
            )
            for place, (run, part) in enumerate(zip(runs, shared_out(amount, weights), strict=True))
        ),
        Fraction(0),
    )


def shared_out(amount: Fraction, weights: Sequence[Fraction]) -> list[Fraction]:
    """Share an amount out in proportion, each part rounded as a charge is; the last with a weight takes the rest."""
    left, whole = Fraction(to_charge(amount)), sum(weights, Fraction(0))
    last = max((place for place, weight in enumerate(weights) if weight), default=len(weights) - 1)
    parts = []
    for place, weight in enumerate(weights):
        part = left if place == last else Fraction(to_charge(amount * weight / whole)) if weight else Fraction(0)
        parts.append(part)
        left -= part
    return parts


def write_rent(written: Written, segment: Segment, amount_per_span: Decimal, span_seconds: int, rule: str) -> Fraction:
    """Write the rent of a segment by its seconds, and return it."""
    quantity = Decimal(segment.seconds)
    if not quantity:
        return Fraction(0)
    line = RatedLine(
        line_key=_key(written.term_ref, segment, rule, segment.from_at.isoformat()),
        term_kind=TermKind.TOKEN_SHARE,
        term_ref=written.term_ref,
        contract_version=segment.stretch.contract_version,
        price_version_id=None,
        rule=rule,
        model="",
        token_class="",
        quantity=quantity,
        unit=Unit.SECONDS,
        price=per_period(amount_per_span, span_seconds),
        quality_mix={QUALITY_ACTUAL: quantity},
        from_at=segment.from_at,
        to_at=segment.to_at,
    )
    written.lines.append(line)
    return line.exact


def _token_line(term_ref: str, shared: tuple[Segment, Decimal], same: list[Piece], rule: str) -> RatedLine:
    (segment, percent), first = shared, same[0]
    sign = -1 if rule and not first.added else 1
    mix: dict[str, int] = {}
    for piece in same:
        for quality, tokens in piece.mix.items():
            mix[quality] = mix.get(quality, 0) + sign * tokens
    transfer = segment.wording.base is ShareBase.TRANSFER_PRICE
    name = (ADDED if first.added else EXCLUDED) + rule if rule else RULE_TRANSFER_PRICE if transfer else RULE_LIST_PRICE
    about = (first.day, first.model, first.token_class, first.version_id or "transfer")
    tier = filter(None, [tier_id(first.context_over), first.marks])
    return RatedLine(
        line_key=_key(term_ref, segment, *filter(None, [rule and name]), *about, *tier),
        term_kind=TermKind.TOKEN_SHARE,
        term_ref=term_ref,
        contract_version=segment.stretch.contract_version,
        price_version_id=first.version_id,
        rule=name,
        model=first.model,
        token_class=first.token_class,
        quantity=Decimal(sum(mix.values())),
        unit=Unit.TOKENS,
        price=per_mtok(first.price_per_mtok),
        context_over=first.context_over,
        marks=first.marks,
        share_percent=percent,
        quality_mix=_decimals(mix),
        from_at=first.from_at if len(same) == 1 else min(piece.from_at for piece in same),
        to_at=first.to_at if len(same) == 1 else max(piece.to_at for piece in same),
    )


def _decimals(mix: Mapping[str, int]) -> dict[str, Decimal]:
    if len(mix) == 1:
        [(quality, tokens)] = mix.items()
        return {quality: Decimal(tokens)} if tokens else {}
    return {quality: Decimal(tokens) for quality, tokens in sorted(mix.items()) if tokens}


def _key(term_ref: str, segment: Segment, *about: str) -> str:
    return line_key(TermKind.TOKEN_SHARE, term_ref, segment.stretch.contract_version, *about)
