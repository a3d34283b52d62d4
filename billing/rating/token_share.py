"""What metered tokens are worth at list price, and a percentage of it: what token revenue shares are rated from.

Classes overlap: cached input is a part of input, reasoning a part of output. Each token is priced once:

* where the price version prices `cached_input`, the cached tokens go at that price and the rest of the input
at the
  input price; where it does not, all input goes at the input price;
* the same for `reasoning` and `output`;
* `cache_write` stands beside the input and goes at its own price.

Where the price version has other prices for long requests, all tokens of such a request go at those: its usage is
rated apart, in the tier of the greatest threshold that the version has for the model and the request exceeded. A class
without a price of its own in that tier keeps the price of the tier below.

Where more of the part than of the whole was counted, the whole is billed as the part and the surplus is
reported. Usage without a price is `Unpriced`, never zero.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import msgspec

from billing.rating.billable import billable
from billing.rating.book import PriceVersion, TokenClass
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import (
    WHOLE_PERCENT,
    Rated,
    RatedLine,
    TermKind,
    Unit,
    Unpriced,
    UnpricedReason,
    line_key,
    per_mtok,
)
from metering.context_bands import tier_id

RULE_LIST_PRICE = "token_share_list_price"

PART_OF = {each: TokenClass(QUANTITIES[each].part_of) for each in TokenClass if QUANTITIES[each].part_of}
"""Which class each class is a part of."""
CLASSES: Mapping[str, TokenClass] = {str(each): each for each in TokenClass}
"""Classes by their names; to ask the enumeration takes five times as long, and a month asks thousands of times."""


class UsageTotal(msgspec.Struct, frozen=True):
    """Tokens of one class of a model over `[from_at, to_at)` under one price version, or under none (None).

    `quality_mix` gives the tokens by quality and sums to `quantity`. `usage_key` is the caller's stable key
    of what the total is about (a deployment and a day, say); classes with the same key belong together.
    `context_over` is the band of the requests (`metering.context_bands`), 0 also where it is not known.
    """

    usage_key: str
    model: str
    token_class: TokenClass
    price_version_id: str | None
    quantity: int
    quality_mix: Mapping[str, int]
    from_at: datetime
    to_at: datetime
    context_over: int = 0

    def __post_init__(self) -> None:
        assert min(self.quality_mix.values(), default=0) >= 0
        assert sum(self.quality_mix.values()) == self.quantity
        assert self.from_at <= self.to_at


@dataclass(frozen=True, slots=True)
class TokenShareTerms:
    """What a contract says of a token share; `share_percent_by` overrides it for a (model, class)."""

    term_ref: str
    contract_version: int
    share_percent: Decimal
    price_versions: Sequence[PriceVersion]
    share_percent_by: Mapping[tuple[str, TokenClass], Decimal] = field(default_factory=dict)
    _parts: dict[tuple[str, str, int], list[TokenClass]] = field(default_factory=dict, init=False, compare=False)

    def __post_init__(self) -> None:
        assert self.term_ref
        percents = (self.share_percent, *self.share_percent_by.values())
        assert all(0 <= percent <= WHOLE_PERCENT for percent in percents)

    def priced_parts(self, model: str, version: PriceVersion | None, tier: int) -> Sequence[TokenClass]:
        """Return the classes that are parts of others and have prices of their own: no token is then in two."""
        if version is None:
            return ()
        key = (model, version.version_id, tier)
        if key not in self._parts:
            self._parts[key] = [part for part in PART_OF if version.price_per_mtok(model, part, tier) is not None]
        return self._parts[key]

    def share_of(self, model: str, token_class: TokenClass) -> Decimal:
        """Return the percentage that is owed of a class of a model."""
        return self.share_percent_by.get((model, token_class), self.share_percent)


@dataclass(slots=True)
class _Group:
    """The classes of one model under one price version, tier and usage key, added up."""

    from_at: datetime
    to_at: datetime
    mixes: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, total: UsageTotal) -> None:
        self.from_at = min(self.from_at, total.from_at)
        self.to_at = max(self.to_at, total.to_at)
        mix = self.mixes.setdefault(total.token_class, {})
        for quality, tokens in total.quality_mix.items():
            mix[quality] = mix.get(quality, 0) + tokens


class Priced(msgspec.Struct, frozen=True):
    """Tokens of one billable class with the version and the price that they go at; `mix` are the tokens by quality."""

    usage_key: str
    model: str
    token_class: TokenClass
    version_id: str
    context_over: int
    price_per_mtok: Decimal
    mix: Mapping[str, int]
    from_at: datetime
    to_at: datetime


def rate_token_share(terms: TokenShareTerms, totals: Iterable[UsageTotal]) -> Rated:
    """Rate usage totals: one line per usage key, model, price version, tier and billable class, zeros left out."""
    priced, unpriced = price_token_share(terms, totals)
    return Rated(tuple(_line(terms, one) for one in priced), tuple(unpriced))


def price_token_share(terms: TokenShareTerms, totals: Iterable[UsageTotal]) -> tuple[list[Priced], list[Unpriced]]:
    """Price usage totals as `rate_token_share` does, and make no lines of them."""
    versions = {version.version_id: version for version in terms.price_versions}
    groups: dict[tuple[str, str, str, int], _Group] = {}
    for total in totals:
        version = versions.get(total.price_version_id or "")
        tier = version.tier_of(total.model, total.context_over) if version else 0
        key = (total.usage_key, total.model, total.price_version_id or "", tier)
        groups.setdefault(key, _Group(total.from_at, total.to_at)).add(total)
    priced: list[Priced] = []
    unpriced: list[Unpriced] = []
    for (usage_key, model, version_id, tier), group in sorted(groups.items(), key=lambda item: item[0]):
        version = versions.get(version_id)
        for found in billable(group.mixes, terms.priced_parts(model, version, tier)):
            token_class = CLASSES[found.quantity]
            rated = _price_class(terms, version, (usage_key, model, token_class, tier), found.mix, group)
            if isinstance(rated, Priced):
                priced.append(rated)
            elif rated is not None:
                unpriced.append(rated)
            if found.surplus:
                unpriced.append(
                    _unpriced(
                        terms,
                        model=model,
                        token_class=token_class,
                        tokens=found.surplus,
                        reason=UnpricedReason.PART_EXCEEDS_WHOLE,
                        group=group,
                    )
                )
    return priced, unpriced


def _price_class(
    terms: TokenShareTerms,
    version: PriceVersion | None,
    about: tuple[str, str, TokenClass, int],
    mix: Mapping[str, int],
    group: _Group,
) -> Priced | Unpriced | None:
    usage_key, model, token_class, tier = about
    tokens = sum(mix.values())
    if not tokens:
        return None
    price = None if version is None else version.price_per_mtok(model, token_class, tier)
    if version is None or price is None:
        reason = UnpricedReason.NO_VERSION if version is None else UnpricedReason.NO_PRICE
        return _unpriced(terms, model=model, token_class=token_class, tokens=tokens, reason=reason, group=group)
    left = {quality: count for quality, count in sorted(mix.items()) if count}
    return Priced(usage_key, model, token_class, version.version_id, tier, price, left, group.from_at, group.to_at)


def _line(terms: TokenShareTerms, priced: Priced) -> RatedLine:
    parts = (TermKind.TOKEN_SHARE, terms.term_ref, terms.contract_version, priced.usage_key)
    tier = filter(None, [tier_id(priced.context_over)])
    return RatedLine(
        line_key=line_key(*parts, priced.model, priced.token_class, priced.version_id, *tier),
        term_kind=TermKind.TOKEN_SHARE,
        term_ref=terms.term_ref,
        contract_version=terms.contract_version,
        price_version_id=priced.version_id,
        rule=RULE_LIST_PRICE,
        model=priced.model,
        token_class=priced.token_class,
        quantity=Decimal(sum(priced.mix.values())),
        unit=Unit.TOKENS,
        price=per_mtok(priced.price_per_mtok),
        context_over=priced.context_over,
        share_percent=terms.share_of(priced.model, priced.token_class),
        quality_mix={quality: Decimal(count) for quality, count in priced.mix.items()},
        from_at=priced.from_at,
        to_at=priced.to_at,
    )


def _unpriced(
    terms: TokenShareTerms,
    *,
    model: str,
    token_class: TokenClass,
    tokens: int,
    reason: UnpricedReason,
    group: _Group,
) -> Unpriced:
    return Unpriced(
        term_kind=TermKind.TOKEN_SHARE,
        term_ref=terms.term_ref,
        contract_version=terms.contract_version,
        model=model,
        token_class=token_class,
        quantity=Decimal(tokens),
        unit=Unit.TOKENS,
        reason=reason,
        from_at=group.from_at,
        to_at=group.to_at,
    )
