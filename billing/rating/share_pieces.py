"""The metered tokens of a share as priced pieces, each with the rule by which it is excluded, if one does.

Usage is first told apart by what excludes it, then priced, so that gross is always the sum of what is shared and what
is excluded. Pieces are the same whether usage comes by the hour or by the day.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import msgspec

from billing.money import largest_remainder_units, to_charge, token_amount
from billing.rating.billable import take as divide
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.inputs import RatingWindow, TermInput, Used
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import Unit, Unpriced
from billing.rating.share_time import Segment
from billing.rating.share_words import ExclusionRule, ShareBase, TransferPrice
from billing.rating.token_share import CLASSES, Priced, TokenShareTerms, UsageTotal, price_token_share
from billing.rating.versions import version_in_force

MARK_RULES = (
    (ExclusionRule.TESTS, "test"),
    (ExclusionRule.FREE_TIER, "free"),
    (ExclusionRule.REFUNDS, "refunded"),
    (ExclusionRule.FAILED_STREAMS, "failed"),
)
"""Which mark each exclusion of requests is of, in the order in which they take."""

MARK_INTERRUPTED = "interrupted"
TRANSFER_VERSION = "transfer"


class Piece(msgspec.Struct, frozen=True):
    """Tokens of one class at one price, of one deployment, day and segment; `mix` are the tokens by quality.

    `marks` are those that the price depends on. `rule` says why they are not shared, "" where they are. `added` tokens
    were not counted by the witness that bills.
    """

    segment: int
    day: str
    deployment: str
    model: str
    token_class: str
    version_id: str | None
    context_over: int
    marks: str
    price_per_mtok: Decimal
    mix: Mapping[str, int]
    from_at: datetime
    to_at: datetime
    rule: str = ""
    added: bool = False

    @property
    def tokens(self) -> int:
        """How many."""
        return sum(self.mix.values())

    @property
    def amount(self) -> Decimal:
        """What they are worth at their price, exactly."""
        return token_amount(self.tokens, self.price_per_mtok)


def whole_class(token_class: str) -> str:
    """Return the class that a class is a part of, or itself."""
    return QUANTITIES[token_class].part_of or token_class


def price_usage(term: TermInput, window: RatingWindow, parts: Sequence[Segment]) -> tuple[list[Piece], list[Unpriced]]:
    """Price the tokens of a term in its segments; what excludes a request by its marks is on the piece."""
    groups: dict[tuple[int, str, str, str, str], list[Used]] = defaultdict(list)
    local = ZoneInfo(window.zone)
    books = {part.number: _book(part, window.versions) for part in parts}
    factors = {mark for versions in books.values() for version in versions for _, mark in version.factors}
    days: dict[datetime, tuple[Segment, str] | None] = {}
    for used in term.usage:
        if used.from_at not in days:
            days[used.from_at] = _segment_and_day(parts, used.from_at, local)
        placed = days[used.from_at]
        if placed is not None and QUANTITIES[used.quantity].unit is Unit.TOKENS and used.count:
            segment, day = placed
            marks = "+".join(mark for mark in used.marks.split("+") if mark in factors) if used.marks else ""
            rule = _rule(segment, used) if used.marks else ""
            groups[segment.number, day, used.deployment, rule, marks].append(used)
    terms = {
        part.number: TokenShareTerms(term.ref, part.stretch.contract_version, Decimal(100), books[part.number])
        for part in parts
    }
    pieces: list[Piece] = []
    unpriced: list[Unpriced] = []
    for (number, day, deployment, rule, marks), usage in sorted(groups.items(), key=lambda item: item[0]):
        priced, waiting = price_token_share(terms[number], _totals(usage, books[number]))
        unpriced.extend(waiting)
        pieces.extend(
            Piece(
                segment=number,
                day=day,
                deployment=deployment,
                model=line.model,
                token_class=line.token_class,
                version_id=None if line.version_id == TRANSFER_VERSION else line.version_id,
                context_over=line.context_over,
                marks=marks,
                price_per_mtok=_with_factors(books[number], line, marks),
                mix=line.mix,
                from_at=line.from_at,
                to_at=line.to_at,
                rule=rule_of_class(parts[number], line.token_class, rule),
            )
            for line in priced
        )
    return pieces, unpriced


def take(pieces: Sequence[Piece], which: Iterable[int], tokens: int, rule: str) -> list[Piece]:
    """Exclude so many tokens of the pieces at the indexes `which` by `rule`, in proportion to their tokens.

    At most all of them are excluded; the parts sum to the tokens exactly.
    """
    chosen = [index for index in which if pieces[index].tokens]
    have_of = {index: pieces[index].tokens for index in chosen}
    tokens = min(tokens, sum(have_of.values()))
    result = list(pieces)
    if not tokens:
        return result
    for index, part in zip(chosen, largest_remainder_units(tokens, list(have_of.values())), strict=True):
        # What is sure stays longest.
        kept, taken = divide(pieces[index].mix, have_of[index] - part)
        result[index] = msgspec.structs.replace(pieces[index], mix=kept)
        if part:
            result.append(msgspec.structs.replace(pieces[index], mix=taken, rule=rule))
    return result


def add(pieces: Sequence[Piece], like: Iterable[int], tokens: int, rule: str) -> list[Piece]:
    """Add so many tokens, spread as the pieces at the indexes `like` are; nothing can be added like nothing."""
    chosen = [index for index in like if pieces[index].tokens]
    if not chosen or not tokens:
        return list(pieces)
    parts = largest_remainder_units(tokens, [pieces[index].tokens for index in chosen])
    more = [
        msgspec.structs.replace(pieces[index], mix={"A": part}, rule=rule, added=True)
        for index, part in zip(chosen, parts, strict=True)
        if part
    ]
    return [*pieces, *more]


def _segment_and_day(parts: Sequence[Segment], at: datetime, zone: ZoneInfo) -> tuple[Segment, str] | None:
    segment = next((part for part in parts if part.from_at <= at < part.to_at), None)
    return None if segment is None else (segment, _day(segment, at, zone))


def _day(segment: Segment, at: datetime, zone: ZoneInfo) -> str:
    """Return the local day of an instant, and the segment's start with it where that lies inside the day."""
    day = at.astimezone(zone).date()
    start = segment.from_at.astimezone(zone)
    return day.isoformat() if start.date() != day or start.time() == start.time().min else start.isoformat()


def _rule(segment: Segment, used: Used) -> str:
    marks = used.marks.split("+")
    for rule, mark in MARK_RULES:
        if mark in marks and segment.wording.excludes(rule):
            return rule.value
    return MARK_INTERRUPTED if MARK_INTERRUPTED in marks else ""


def rule_of_class(segment: Segment, token_class: str, rule: str) -> str:
    """Return the rule that excludes tokens: the one of their request, or that of cache hits where it has none."""
    hit = not rule and token_class == TokenClass.CACHED_INPUT and segment.wording.excludes(ExclusionRule.CACHE_HITS)
    return ExclusionRule.CACHE_HITS.value if hit else rule


def _totals(usage: Sequence[Used], versions: Sequence[PriceVersion]) -> Iterator[UsageTotal]:
    in_force: dict[datetime, PriceVersion | None] = {}
    for used in usage:
        if used.from_at not in in_force:
            in_force[used.from_at] = version_in_force(versions, used.from_at)
        version = in_force[used.from_at]
        yield UsageTotal(
            usage_key="all",
            model=used.model,
            token_class=CLASSES[used.quantity],
            price_version_id=version.version_id if version else None,
            quantity=used.count,
            quality_mix={used.quality: used.count},
            from_at=used.from_at,
            to_at=used.to_at,
            context_over=used.context_over,
        )


def _book(segment: Segment, versions: Sequence[PriceVersion]) -> Sequence[PriceVersion]:
    wording = segment.wording
    if wording.base is ShareBase.TRANSFER_PRICE:
        versions = [_transfer_version(wording.transfer_prices, segment.from_at)]
    if wording.excludes(ExclusionRule.CACHE_HITS):
        versions = [_with_cached_prices(version) for version in versions]
    return versions


def _with_factors(versions: Sequence[PriceVersion], line: Priced, marks: str) -> Decimal:
    """Return a price times what its version multiplies it by for marked usage: of the model, else of all models."""
    if not marks:
        return line.price_per_mtok
    version = next(version for version in versions if version.version_id == line.version_id)
    factor = Fraction(1)
    for mark in filter(None, marks.split("+")):
        factor *= Fraction(version.factors.get((line.model, mark), version.factors.get(("", mark), Decimal(1))))
    return line.price_per_mtok if factor == 1 else to_charge(Fraction(line.price_per_mtok) * factor)


def _transfer_version(prices: Sequence[TransferPrice], at: datetime) -> PriceVersion:
    by_class = {(price.model, price.token_class): price.price_per_mtok for price in prices}
    return PriceVersion(TRANSFER_VERSION, at, token_prices=by_class)


def _with_cached_prices(version: PriceVersion) -> PriceVersion:
    """Price cached input as input where the version does not, so that cache hits can be told apart."""
    cached = TokenClass.CACHED_INPUT
    models = {
        model
        for model, token_class in version.token_prices
        if token_class is TokenClass.INPUT and (model, cached) not in version.token_prices
    }
    base = {(model, cached): version.token_prices[model, TokenClass.INPUT] for model in models}
    tiers = {
        (model, cached, over): price
        for (model, token_class, over), price in version.tier_prices.items()
        if token_class is TokenClass.INPUT and model in models and (model, cached, over) not in version.tier_prices
    }
    return replace(version, token_prices={**version.token_prices, **base}, tier_prices={**version.tier_prices, **tiers})
