"""The kinds of terms a contract can hold: what each says, what it is rated from, and what rates it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Union

import msgspec

from billing.rating.availability import AvailabilityWording, MeasuredAvailability, adjust_availability
from billing.rating.book import TokenClass
from billing.rating.commitment import CommitmentWording, adjust_commitment
from billing.rating.credit import CreditWording, Drawn, Granted, adjust_credit
from billing.rating.debit import DebitWording, rate_debit
from billing.rating.discount import DiscountWording, Redeemed, adjust_discount
from billing.rating.held_time import Outage, StatedOutage
from billing.rating.inputs import Carried, Fact, RatingWindow, TermInput
from billing.rating.late import Adjusted
from billing.rating.lease_term import rate_lease_term
from billing.rating.lease_wording import LeaseAgreed, LeaseEnded, LeaseExtended, LeaseWording, NextPeriod
from billing.rating.on_demand import OnDemandWording, SpotWording, StateSpan, TakenBack, rate_on_demand, rate_spot
from billing.rating.price_rules import PriceRule, rate_price_rule
from billing.rating.quantities import QUANTITIES
from billing.rating.rated import Rated, RatedLine, TermKind
from billing.rating.share_facts import (
    AgreedCounts,
    AuditFinding,
    CertifiedRevenue,
    InterruptedCounts,
    RefundedCounts,
    WitnessCounts,
)
from billing.rating.share_rating import rate_share
from billing.rating.share_time import share_cuts
from billing.rating.share_wording import TokenShareWording
from billing.rating.storage import StorageWording, Stored, rate_storage
from billing.rating.token_price import rate_token_price, token_price_cuts
from billing.rating.token_price_wording import TokenPriceWording
from billing.rating.wording import Wording, read_wording, write_struct

Rater = Callable[[TermInput, RatingWindow], Rated]
"""First stage: rates a term by itself."""
Adjuster = Callable[[TermInput, RatingWindow, Sequence[RatedLine]], Rated]
"""Second stage: adds lines of its own to those of the terms before it."""
Cuts = Callable[[Any, datetime, str, datetime, datetime], Collection[datetime]]
"""Instants at which usage under one wording of the kind is told apart: of a wording, the start of its term, the
contract's zone, and the time `[from_at, to_at)` that is looked at."""

TOKEN_CLASSES = tuple(str(each) for each in TokenClass)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of term.

    `ref_prefix` begins the references of its terms. `takes_slices` says that slices are held under it; `quantities`
    are those of deployments' usage that it is rated from, as its wording's `witness` counts them, told apart at its
    `cuts`. A kind has a rater or an adjuster. Lines are of the whole period, or `by_day`.
    """

    wording: type[Wording]
    ref_prefix: str
    rate: Rater | None = None
    adjust: Adjuster | None = None
    takes_slices: bool = False
    quantities: tuple[str, ...] = ()
    cuts: Cuts | None = None
    by_day: bool = False

    def __post_init__(self) -> None:
        assert (self.rate is None) != (self.adjust is None)


KINDS: Mapping[TermKind, Kind] = {
    TermKind.LEASE: Kind(wording=LeaseWording, ref_prefix="L", rate=rate_lease_term, takes_slices=True),
    TermKind.ON_DEMAND: Kind(wording=OnDemandWording, ref_prefix="D", rate=rate_on_demand, takes_slices=True),
    TermKind.SPOT: Kind(wording=SpotWording, ref_prefix="SP", rate=rate_spot, takes_slices=True),
    TermKind.STORAGE: Kind(wording=StorageWording, ref_prefix="B", rate=rate_storage),
    TermKind.AVAILABILITY: Kind(wording=AvailabilityWording, ref_prefix="A", adjust=adjust_availability),
    TermKind.TOKEN_SHARE: Kind(
        wording=TokenShareWording,
        ref_prefix="S",
        rate=rate_share,
        quantities=TOKEN_CLASSES,
        cuts=share_cuts,
        by_day=True,
    ),
    TermKind.TOKEN_PRICE: Kind(
        wording=TokenPriceWording,
        ref_prefix="P",
        rate=rate_token_price,
        quantities=tuple(QUANTITIES),
        cuts=token_price_cuts,
    ),
    TermKind.DISCOUNT: Kind(wording=DiscountWording, ref_prefix="DC", adjust=adjust_discount),
    TermKind.COMMITMENT: Kind(wording=CommitmentWording, ref_prefix="M", adjust=adjust_commitment),
    TermKind.CREDIT: Kind(wording=CreditWording, ref_prefix="CR", adjust=adjust_credit),
    TermKind.PRICE_RULE: Kind(wording=PriceRule, ref_prefix="R", rate=rate_price_rule),
    TermKind.DEBIT: Kind(wording=DebitWording, ref_prefix="DB", rate=rate_debit),
}
"""Every kind that can be agreed."""

ADJUSTED = (TermKind.AVAILABILITY, TermKind.DISCOUNT, TermKind.COMMITMENT, TermKind.CREDIT)
"""The kinds of the second stage, in the order in which they see each other's lines."""

FACTS: tuple[type[Fact], ...] = (
    Adjusted,
    Carried,
    AgreedCounts,
    AuditFinding,
    CertifiedRevenue,
    Drawn,
    Granted,
    InterruptedCounts,
    LeaseAgreed,
    LeaseEnded,
    LeaseExtended,
    MeasuredAvailability,
    NextPeriod,
    Outage,
    Redeemed,
    RefundedCounts,
    StateSpan,
    StatedOutage,
    Stored,
    TakenBack,
    WitnessCounts,
)
"""Every kind of fact that a term can be rated from."""


def kind_of(term: TermInput) -> TermKind:
    """Return the kind of a term that has a wording in force."""
    return kind_of_wording(term.stretches[0].wording)


def kind_of_wording(wording: Wording) -> TermKind:
    """Return the kind that a wording is tagged with."""
    return TermKind(str(wording.__struct_config__.tag))


def read_any_wording(document: Mapping[str, Any]) -> Wording:
    """Return the wording that a document of any kind says; raises `WrongWording`."""
    kinds: Any = Union[tuple(kind.wording for kind in KINDS.values())]  # noqa: UP007  made of a tuple
    wording: Wording = read_wording(kinds, document)
    return wording


def read_fact(document: Mapping[str, Any]) -> Fact:
    """Return the fact that a document states; raises `msgspec.ValidationError`."""
    kinds: Any = Union[FACTS]  # noqa: UP007  made of a tuple
    fact: Fact = msgspec.convert(document, kinds)
    return fact


def write_fact(fact: Fact) -> dict[str, Any]:
    """Return the document of a fact: `read_fact` gives the same fact back, and one value has one text."""
    return write_struct(fact)
