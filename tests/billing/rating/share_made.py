"""Terms, windows and usage that the tests of token shares are made of: April 2026, one US dollar per 1M tokens."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.rating.book import PriceVersion, TokenClass
from billing.rating.inputs import Carried, Fact, RatingWindow, TermInput, Used
from billing.rating.rated import Rated
from billing.rating.share_wording import TokenShareWording
from billing.rating.wording import Stretch, read_wording

JANUARY, MARCH, APRIL, MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 3, 4, 5, 6, 7))
BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
MTOK = 1_000_000


def april(day: int, hour: int = 0) -> datetime:
    """Return an instant of April 2026."""
    return datetime(2026, 4, day, hour, tzinfo=UTC)


def wording(**document: Any) -> TokenShareWording:
    """Return a checked wording; a share of 30 % where nothing else is said."""
    if not {"share_percent", "tiers"} & set(document):
        document["share_percent"] = "30"
    return read_wording(TokenShareWording, {"kind": "token_share", "witness": "gateway", **document})


def used(
    tokens: int,
    *,
    at: datetime = APRIL,
    model: str = "sample",
    token_class: str = "output",
    marks: str = "",
    deployment: str = "d1",
    quality: str = "A",
) -> Used:
    """Return usage that begins at an instant."""
    return Used(deployment, model, token_class, quality, at, at, tokens, marks=marks)


def term(
    words: TokenShareWording | Mapping[datetime, TokenShareWording],
    *usage: Used,
    facts: Iterable[Fact] = (),
    window: RatingWindow | None = None,
    from_at: datetime = JANUARY,
    to_at: datetime | None = None,
) -> TermInput:
    """Return a term whose wordings hold each from its instant to the next, cut at the window (April)."""
    found = window or month()
    starts = words if isinstance(words, Mapping) else {max(found.from_at, from_at): words}
    bounds = [*sorted(starts), found.to_at if to_at is None else min(to_at, found.to_at)]
    stretches = [
        Stretch(number, bounds[number - 1], bounds[number], starts[bounds[number - 1]])
        for number in range(1, len(bounds))
        if bounds[number - 1] < bounds[number]
    ]
    return TermInput("S-1", "sample", from_at, to_at, tuple(stretches), usage=usage, facts=tuple(facts))


def month(
    from_at: datetime = APRIL,
    to_at: datetime = MAY,
    *,
    rated_to: datetime | None = None,
    versions: Iterable[PriceVersion] | None = None,
    zone: str = "UTC",
) -> RatingWindow:
    """Return the window of a billing period."""
    prices = {
        (model, TokenClass(name)): Decimal(price)
        for model in ("sample", "other")
        for name, price in (("input", "1"), ("output", "1"))
    }
    given = (PriceVersion("v1", BEFORE, token_prices=prices),) if versions is None else tuple(versions)
    return RatingWindow("USD", zone, from_at, rated_to or to_at, to_at, given)


def by_rule(rated: Rated) -> dict[str, Fraction]:
    """Return what is owed by rule."""
    found: dict[str, Fraction] = {}
    for line in rated.lines:
        found[line.rule] = found.get(line.rule, Fraction(0)) + line.exact
    return found


def bases(rated: Rated) -> dict[str, Fraction]:
    """Return the amounts before the share by rule."""
    found: dict[str, Fraction] = {}
    for line in rated.lines:
        found[line.rule] = found.get(line.rule, Fraction(0)) + line.exact_base
    return found


def handed_on(rated: Rated) -> tuple[Carried, ...]:
    """Return what a period hands on as the next one takes it."""
    return tuple(Carried(name=carry.name, value=carry.value) for carry in rated.carries)
