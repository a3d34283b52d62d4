"""Rating of a price by the unit: the tenant pays for each token, request, image, second or step.

In this order, and each unit once:

1. usage is told apart by what decides its price: the wording in force, the price version, the length of the request,
   its marks, and the off-peak window that it began in;
2. a part with a price of its own leaves its whole (`billing.rating.billable`);
3. free allowances take the dearest units first;
4. packages take what they cover at no price of its own, and are charged as they are begun;
5. tables of tiers price what they cover; free and packaged units do not count in them;
6. the rest goes at its price.

Usage without a price is `Unpriced`, never zero. Lines are of the whole period: a model's quantity at one price is one
line however many days it was used on, so what rating costs does not grow with days.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import count

from billing.rating.billable import Billable, billable
from billing.rating.inputs import Carried, RatingWindow, TermInput, Used, facts_of
from billing.rating.lots import Lot, Piece, Positions, names_of
from billing.rating.moment_prices import MomentPrices
from billing.rating.multiplying import Factor, Factors, window_edges
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import (
    Carry,
    Price,
    PriceUnit,
    Rated,
    RatedLine,
    TermKind,
    Unit,
    Unpriced,
    UnpricedReason,
    line_key,
)
from billing.rating.tiers import (
    PACKAGE_LEFT,
    RULE_PACKAGE,
    TIER_POSITION,
    Begun,
    allowed_units,
    fill_packages,
    fill_tiers,
    free_units,
    in_turn,
    unit_price,
)
from billing.rating.token_price_wording import Span, TokenPriceWording
from billing.rating.wording import Stretch
from billing.rating.years import anniversary
from clusters.occupancy import unix_second
from metering.context_bands import tier_id
from metering.event_marks import MARKS, SEPARATOR

RULE_BOOK = "token_price_book"
RULE_OWN = "token_price_own"

QUALITY_ACTUAL = "A"
"""How many packages were begun follows from a count, and is none itself."""

_Key = tuple[int, int, int, str, int, str]
"""Stretch, year of the window, price version (-1: none), model, tier of length, names of factors."""


@dataclass(slots=True)
class _Cell:
    """What was used of one model where all that decides its prices is the same."""

    factor: Factor
    from_at: datetime
    to_at: datetime
    mixes: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, used: Used) -> None:
        self.from_at = min(self.from_at, used.from_at)
        self.to_at = max(self.to_at, used.to_at)
        mix = self.mixes.setdefault(used.quantity, {})
        mix[used.quality] = mix.get(used.quality, 0) + used.count


def rate_token_price(term: TermInput, window: RatingWindow) -> Rated:
    """Rate what was used under a price by the unit: one line per wording, version, model, quantity, price and tier."""
    stretches: tuple[Stretch[TokenPriceWording], ...] = term.stretches
    if not stretches:
        return Rated(carries=_carries(term, window, Positions({})))
    lots, unpriced = _lots(term, window)
    positions = Positions({fact.name: int(fact.value) for fact in facts_of(term.facts, Carried)})
    seconds = [(unix_second(each.to_at) - unix_second(each.from_at), each.wording.allowances) for each in stretches]

    def free(left: list[Lot], name: str) -> tuple[list[Piece], list[Lot]]:
        return free_units(left, name, allowed_units(seconds, name, window.seconds_per_period))

    pieces, lots = in_turn(names_of(stretches, "allowances"), lots, free)
    begun: list[Begun] = []
    for name in names_of(stretches, "packages"):
        packaged, packages, lots = fill_packages(lots, name, positions)
        pieces += packaged
        begun += packages
    tiered, lots = in_turn(names_of(stretches, "tiers"), lots, lambda left, name: fill_tiers(left, name, positions))
    pieces += tiered
    pieces += [_flat(lot) for lot in lots]
    lines = [_line(term, piece) for piece in pieces] + [_package_line(term, each) for each in begun]
    lines.sort(key=lambda line: line.line_key)
    return Rated(tuple(lines), tuple(unpriced), _carries(term, window, positions))


def token_price_cuts(
    wording: TokenPriceWording, starts_at: datetime, zone: str, from_at: datetime, to_at: datetime
) -> list[datetime]:
    """Return the instants inside `(from_at, to_at)` at which usage under a wording must be cut, beside price changes.

    `starts_at` is the term's start. Those are the edges of off-peak windows, and anniversaries where tiers or packages
    count by the year.
    """
    years = _anniversaries(starts_at, zone, from_at, to_at) if _by_year([wording]) else []
    return sorted({*window_edges(wording, zone, from_at, to_at), *(at for at in years if at < to_at)})


def _lots(term: TermInput, window: RatingWindow) -> tuple[list[Lot], list[Unpriced]]:
    lists: dict[tuple[int, int], MomentPrices] = {}
    lots: dict[tuple[object, ...], Lot] = {}
    unpriced: list[Unpriced] = []
    cells = _cells(term, window, lists)
    runs = _runs(term.stretches)
    for key, cell in sorted(cells.items(), key=lambda item: item[0]):
        place, _, version, model, over, _ = key
        stretch, prices = term.stretches[place], lists[place, version]
        for found in billable(cell.mixes, prices.priced_parts(model, over)):
            if found.quantity in stretch.wording.not_billed:
                continue
            about = (term, stretch, model, found.quantity, cell)
            if found.surplus:
                unpriced.append(_unpriced(about, found.surplus, UnpricedReason.PART_EXCEEDS_WHOLE))
            lot = _lot(stretch, (runs[place], *key[1:]), cell, found, prices)
            if isinstance(lot, UnpricedReason):
                unpriced.append(_unpriced(about, sum(found.mix.values()), lot))
            elif lot is not None:
                # A mark's factor is the book's and may change where the contract's own price does not.
                same = (place, lot.moment, model, lot.quantity, over, lot.factor_names, lot.factor)
                lots[same] = _joined(lots[same], lot) if same in lots else lot
    return list(lots.values()), unpriced


def _runs(stretches: Sequence[Stretch[TokenPriceWording]]) -> list[int]:
    """Return for each stretch the first of those before it that say the same: an amendment of something else."""
    runs: list[int] = []
    for place, stretch in enumerate(stretches):
        same = place and stretch.wording == stretches[place - 1].wording
        runs.append(runs[-1] if same else place)
    return runs


def _lot(
    stretch: Stretch[TokenPriceWording], key: _Key, cell: _Cell, found: Billable, prices: MomentPrices
) -> Lot | UnpricedReason | None:
    """Return what was used of a quantity with its price, why it has none, or None where nothing is to be priced."""
    run, year, version, model, over, names = key
    mix = {quality: number for quality, number in found.mix.items() if number}
    price, version_id = prices.price(model, found.quantity, over)
    if prices.priced_apart(model, found.quantity):
        price, version_id = None, None
    elif price is None and mix:
        return prices.reason_without() if QUANTITIES[found.quantity].needs_price else None
    if not mix:
        return None
    return Lot(
        stretch=stretch,
        moment=(run, year, version if version_id else -1),
        version_id=version_id,
        model=model,
        quantity=found.quantity,
        context_over=over,
        factor=cell.factor.value,
        factor_names=names,
        price_amount=price,
        mix=mix,
        from_at=cell.from_at,
        to_at=cell.to_at,
    )


def _cells(term: TermInput, window: RatingWindow, lists: dict[tuple[int, int], MomentPrices]) -> dict[_Key, _Cell]:
    starts = [stretch.from_at for stretch in term.stretches]
    versions = sorted(window.versions, key=lambda version: version.effective_at)
    effective = [version.effective_at for version in versions]
    factors = [Factors(stretch.wording, window.zone) for stretch in term.stretches]
    years: list[datetime] = []
    if _by_year(stretch.wording for stretch in term.stretches):
        years = _anniversaries(term.from_at, window.zone, window.from_at, window.period_to_at)
    cells: dict[_Key, _Cell] = {}
    for used in term.usage:
        place = max(0, bisect_right(starts, used.from_at) - 1)
        version = bisect_right(effective, used.from_at) - 1
        in_force = versions[version] if version >= 0 else None
        if (place, version) not in lists:
            lists[place, version] = MomentPrices(term.stretches[place].wording, in_force)
        over = lists[place, version].tier_of(used.model, used.context_over)
        factor = factors[place].of(used.marks, used.from_at, used.model, in_force)
        key = (place, bisect_right(years, used.from_at), version, used.model, over, factor.names)
        if key not in cells:
            cells[key] = _Cell(factor, used.from_at, used.to_at)
        cells[key].add(used)
    return cells


def _joined(left: Lot, right: Lot) -> Lot:
    """Join lots of one price: own prices do not change where the book's do."""
    mix = {quality: left.mix.get(quality, 0) + right.mix.get(quality, 0) for quality in {*left.mix, *right.mix}}
    return replace(left, mix=mix, from_at=min(left.from_at, right.from_at), to_at=max(left.to_at, right.to_at))


def _flat(lot: Lot) -> Piece:
    assert lot.price_amount is not None, (lot.model, lot.quantity)
    return Piece(lot, lot.mix, unit_price(lot, lot.price_amount), RULE_BOOK if lot.version_id else RULE_OWN)


def _line(term: TermInput, piece: Piece) -> RatedLine:
    lot = piece.lot
    tier = f"t{piece.tier}" if piece.tier else ""
    year = f"y{lot.year}" if lot.year else ""
    factor = f"{lot.factor_names}*{lot.factor}" if lot.factor_names else ""
    part = f"from {unix_second(lot.stretch.from_at)}" if lot.stretch.is_part else ""
    details = [each for each in (factor, tier_id(lot.context_over), tier, year, part) if each]
    version = lot.stretch.contract_version
    priced_by = (lot.version_id or "own", piece.rule)
    return RatedLine(
        line_key=line_key(TermKind.TOKEN_PRICE, term.ref, version, lot.model, lot.quantity, *priced_by, *details),
        term_kind=TermKind.TOKEN_PRICE,
        term_ref=term.ref,
        contract_version=version,
        price_version_id=lot.version_id,
        rule=piece.rule,
        model=lot.model,
        token_class=lot.quantity,
        quantity=Decimal(sum(piece.mix.values())),
        unit=QUANTITIES[lot.quantity].unit,
        price=piece.price,
        context_over=lot.context_over,
        marks=SEPARATOR.join(name for name in lot.factor_names.split(SEPARATOR) if name in MARKS),
        quality_mix={quality: Decimal(number) for quality, number in sorted(piece.mix.items())},
        from_at=lot.from_at,
        to_at=lot.to_at,
    )


def _package_line(term: TermInput, begun: Begun) -> RatedLine:
    package, stretch = begun.package, begun.first.stretch
    year = [f"y{begun.year}"] if begun.year else []
    quantity = Decimal(begun.count)
    about = (TermKind.TOKEN_PRICE, term.ref, stretch.contract_version, "", "package", package.name)
    return RatedLine(
        line_key=line_key(*about, *year),
        term_kind=TermKind.TOKEN_PRICE,
        term_ref=term.ref,
        contract_version=stretch.contract_version,
        price_version_id=None,
        rule=RULE_PACKAGE,
        model="",
        token_class="",
        quantity=quantity,
        unit=Unit.PACKAGES,
        price=Price(package.amount_per_package, PriceUnit.PER_PACKAGE, 1),
        quality_mix={QUALITY_ACTUAL: quantity},
        from_at=min(begun.first.from_at, begun.last.from_at),
        to_at=max(begun.first.to_at, begun.last.to_at),
    )


def _unpriced(
    about: tuple[TermInput, Stretch[TokenPriceWording], str, str, _Cell], units: int, reason: UnpricedReason
) -> Unpriced:
    term, stretch, model, quantity, cell = about
    return Unpriced(
        term_kind=TermKind.TOKEN_PRICE,
        term_ref=term.ref,
        contract_version=stretch.contract_version,
        model=model,
        token_class=quantity,
        quantity=Decimal(units),
        unit=QUANTITIES[quantity].unit,
        reason=reason,
        from_at=cell.from_at,
        to_at=cell.to_at,
    )


def _carries(term: TermInput, window: RatingWindow, positions: Positions) -> tuple[Carry, ...]:
    """Hand on counts that go on after the period: of the term's life, and of a year that does not end with it."""
    if not window.is_whole or not term.stretches:
        return ()
    wording: TokenPriceWording = term.stretches[-1].wording
    spans = {line_key(TIER_POSITION, table.name): table.span for table in wording.tiers}
    spans |= {line_key(PACKAGE_LEFT, package.name): package.span for package in wording.packages}
    years = len(_anniversaries(term.from_at, window.zone, window.from_at, window.period_to_at))
    found: list[Carry] = []
    for name, value in sorted(positions.at_end().items()):
        span = spans.get("|".join(name.split("|")[:2]), Span.PERIOD)
        goes_on = span is Span.LIFE or (span is Span.YEAR and positions.year_of(name) == years)
        if goes_on and value:
            found.append(Carry(term.ref, name, Decimal(value)))
    return tuple(found)


def _by_year(wordings: Iterable[TokenPriceWording]) -> bool:
    return any(
        Span.YEAR in (*(table.span for table in each.tiers), *(package.span for package in each.packages))
        for each in wordings
    )


def _anniversaries(starts_at: datetime, zone: str, from_at: datetime, to_at: datetime) -> list[datetime]:
    """Return the anniversaries of a term in `(from_at, to_at]`."""
    return [at for at in _all_anniversaries(starts_at, zone, to_at) if at > from_at]


def _all_anniversaries(starts_at: datetime, zone: str, until: datetime) -> Iterator[datetime]:
    for years in count(1):
        at = anniversary(starts_at, zone, years)
        if at > until:
            return
        yield at
