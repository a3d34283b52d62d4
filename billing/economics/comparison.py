"""Bay or pump: the same usage as a lease, at a token price, under a share, and as base rent with a share.

Each is rated by billing's own function under a wording of its kind, so that what is compared is what would be billed.
An offer for which a price is missing is left out and said to be missing, never free.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from billing.basis import PeriodBasis, rate
from billing.economics.breakeven import Crossing, Offer, cheapest, crossings, hybrid, level, rising
from billing.rating.inputs import RatingWindow, TermInput, Used
from billing.rating.lease_wording import LeaseWording
from billing.rating.share_wording import TokenShareWording
from billing.rating.share_words import ShareHybrid
from billing.rating.token_price_wording import TokenPriceWording
from billing.rating.wording import Stretch, Wording
from clusters.occupancy import Hold, held_gpu_ms

LEASE, TOKEN_PRICE, SHARE, HYBRID = "lease", "token_price", "share", "hybrid"
REF = "compare"
WITNESS: Final = "gateway"


@dataclass(frozen=True, slots=True)
class Profile:
    """Usage to compare over a window, with the holds that would serve it; `utilisation` of them is None if unknown."""

    window: RatingWindow
    usage: tuple[Used, ...]
    holds: tuple[Hold, ...]
    utilisation: Fraction | None = None

    @property
    def tokens(self) -> int:
        """Every token once: cached input is a part of input and reasoning a part of output."""
        return sum(used.count for used in self.usage if used.quantity in ("input", "cache_write", "output"))

    @property
    def gpu_ms(self) -> int:
        """The GPU time held."""
        return held_gpu_ms(self.holds, self.window.from_at, self.window.to_at)


@dataclass(frozen=True, slots=True)
class Terms:
    """What is compared: a price per GPU-hour (None: the book's), a share, and a base rent a month with it."""

    share_percent: Decimal
    rent_amount_per_month: Decimal
    price_per_gpu_hour: Decimal | None = None

    def __post_init__(self) -> None:
        assert 0 < self.share_percent <= 100
        assert self.rent_amount_per_month >= 0


@dataclass(frozen=True, slots=True)
class BreakEven:
    """A crossing in units of the usage: tokens, and utilisation where it was measured."""

    crossing: Crossing
    tokens: Fraction
    utilisation: Fraction | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The offers that could be priced, the crossings of any two, and the kinds for which a price is missing."""

    offers: tuple[Offer, ...]
    break_evens: tuple[BreakEven, ...]
    missing: tuple[str, ...]

    @property
    def cheapest(self) -> str:
        """The offer that costs least at the compared usage."""
        return cheapest(self.offers, Fraction(1))


def compare(profile: Profile, terms: Terms) -> Comparison:
    """Price a profile's usage four ways and find where they cross."""
    lease = amount_of(profile, LeaseWording(price_per_gpu_hour=terms.price_per_gpu_hour))
    tokens = amount_of(profile, TokenPriceWording(witness=WITNESS))
    share = amount_of(profile, TokenShareWording(witness=WITNESS, share_percent=terms.share_percent))
    rent = amount_of(replace(profile, usage=()), hybrid_wording(terms))
    offers: list[Offer] = []
    if lease is not None and profile.holds:
        offers.append(level(LEASE, lease))
    if tokens is not None:
        offers.append(rising(TOKEN_PRICE, tokens))
    if share is not None:
        offers.append(rising(SHARE, share))
    if share is not None and rent is not None:
        offers.append(hybrid(HYBRID, rent, share))
    names = {offer.name for offer in offers}
    return Comparison(
        offers=tuple(offers),
        break_evens=tuple(_break_even(profile, each) for each in crossings(offers)),
        missing=tuple(name for name in (LEASE, TOKEN_PRICE, SHARE, HYBRID) if name not in names),
    )


def hybrid_wording(terms: Terms) -> TokenShareWording:
    """Return the wording of a base rent with a share above its natural breakpoint."""
    rent = ShareHybrid(rent_amount_per_span=terms.rent_amount_per_month)
    return TokenShareWording(witness=WITNESS, share_percent=terms.share_percent, hybrid=rent)


def amount_of(profile: Profile, wording: Wording) -> Fraction | None:
    """Return what a profile is worth under one wording, exactly; None where anything in it has no price."""
    window = profile.window
    stretches: tuple[Stretch[Any], ...] = (Stretch(1, window.from_at, window.period_to_at, wording),)
    term = TermInput(REF, REF, window.from_at, window.period_to_at, stretches, holds=profile.holds, usage=profile.usage)
    rated = rate(PeriodBasis(REF, 1, window, (term,)))
    return None if rated.unpriced else rated.exact_total


def sampled(offers: Sequence[Offer], steps: int, most: Fraction) -> list[tuple[Fraction, dict[str, Fraction]]]:
    """Return the offers' amounts at even steps from no volume to `most`, for a drawing."""
    volumes = [most * step / steps for step in range(steps + 1)]
    return [(volume, {offer.name: offer.at(volume) for offer in offers}) for volume in volumes]


def _break_even(profile: Profile, crossing: Crossing) -> BreakEven:
    utilisation = None if profile.utilisation is None else profile.utilisation * crossing.volume
    return BreakEven(crossing, profile.tokens * crossing.volume, utilisation)
