"""The elements of a token revenue share: the words a contract chooses from, and the parts of its wording."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from billing.rating.book import TokenClass


class CollectedBy(StrEnum):
    """Who collects the price of the tokens from their buyers, and so owes the provider its share."""

    TENANT = "tenant"
    OPERATOR = "operator"


class ShareBase(StrEnum):
    """What a share is taken of."""

    LIST_PRICE = "list_price"
    TRANSFER_PRICE = "transfer_price"
    CERTIFIED_REVENUE = "certified_revenue"


class ExclusionRule(StrEnum):
    """What does not count as revenue; a request to which several apply is excluded by the first in this order."""

    TESTS = "tests"
    FREE_TIER = "free_tier"
    REFUNDS = "refunds"
    FAILED_STREAMS = "failed_streams"
    CACHE_HITS = "cache_hits"
    TAXES = "taxes"
    GATEWAY_FEES = "gateway_fees"


PERCENT_EXCLUSIONS = (ExclusionRule.TAXES, ExclusionRule.GATEWAY_FEES)
"""Exclusions of a percentage of the amount, not of requests."""


class TierMode(StrEnum):
    """Marginal: each part of the base at the share of its tier. Whole: all of it at the share of the tier reached."""

    MARGINAL = "marginal"
    WHOLE = "whole"


class TierPeriod(StrEnum):
    """After what the position in the tiers begins again at 0; a contract year begins with the term."""

    MONTH = "month"
    CONTRACT_YEAR = "contract_year"
    LIFETIME = "lifetime"


class SpanKind(StrEnum):
    """The stretch of time that an amount is agreed for."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class SpansBegin(StrEnum):
    """Where months, quarters and years begin: on the first in the contract's time zone, or with the term."""

    CALENDAR = "calendar"
    TERM = "term"


class Shortfall(StrEnum):
    """What happens with what the share falls short of its guarantee.

    It is owed; or owed and taken off later shares that exceed their guarantee; or added to the next guarantee.
    """

    OWED = "owed"
    OWED_RECOUPABLE = "owed_recoupable"
    CARRIED = "carried"


class Breakpoint(StrEnum):
    """The base from which a hybrid's share is owed: from 0, from rent / share, or from an agreed amount."""

    NONE = "none"
    NATURAL = "natural"
    AGREED = "agreed"


class OutsideTolerance(StrEnum):
    """What is billed where the witnesses differ by more than the tolerance."""

    BILL_WITNESS = "bill_witness"
    BILL_LOWER = "bill_lower"
    BILL_ENGINE = "bill_engine"
    HOLD_AND_ASK = "hold_and_ask"


class InterruptedStreams(StrEnum):
    """What of an answer is billed that broke off: what was made, what reached the client, or nothing."""

    AS_MEASURED = "as_measured"
    AS_DELIVERED = "as_delivered"
    NOT_BILLED = "not_billed"


class LateEstimate(StrEnum):
    """What stands in for a certified statement that is late."""

    METERED = "metered"
    HISTORY = "history"


class SharePart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a wording."""


class ShareTier(SharePart, frozen=True, kw_only=True):
    """The share of the base in `[from_base_amount, to_base_amount)` of its tier period; the last has no end."""

    from_base_amount: Decimal
    to_base_amount: Decimal | None = None
    share_percent: Decimal


class ShareOf(SharePart, frozen=True, kw_only=True):
    """The share of a model, of a class, or of a class of a model; tiers count only the base that this row is of."""

    model: str = ""
    token_class: TokenClass | None = None
    share_percent: Decimal | None = None
    tiers: tuple[ShareTier, ...] = ()


class ShareStep(SharePart, frozen=True, kw_only=True):
    """The whole share table from so many months after the term began."""

    from_month: int
    share_percent: Decimal | None = None
    tiers: tuple[ShareTier, ...] = ()
    share_by: tuple[ShareOf, ...] = ()


class TransferPrice(SharePart, frozen=True, kw_only=True):
    """A fixed price of a class of a model that the share is taken of instead of the list price."""

    model: str
    token_class: TokenClass
    price_per_mtok: Decimal


class ShareExclusion(SharePart, frozen=True, kw_only=True):
    """An exclusion. Taxes are the percentage contained in the price (on top of the net), fees one of the amount."""

    rule: ExclusionRule
    percent: Decimal | None = None


class ShareGuarantee(SharePart, frozen=True, kw_only=True):
    """The least that is owed per span; prorated by seconds, and by the provider's measured availability if so said."""

    amount_per_span: Decimal
    span: SpanKind = SpanKind.MONTH
    shortfall: Shortfall = Shortfall.OWED
    prorated_by_availability: bool = True


class ShareCap(SharePart, frozen=True, kw_only=True):
    """The most that is owed per span, prorated by seconds where the term covers a part of it."""

    amount_per_span: Decimal
    span: SpanKind = SpanKind.MONTH


class ShareHybrid(SharePart, frozen=True, kw_only=True):
    """A base rent beside the share; an agreed breakpoint is an amount of base per span. Tested per billing period."""

    rent_amount_per_span: Decimal
    span: SpanKind = SpanKind.MONTH
    breakpoint: Breakpoint = Breakpoint.NATURAL
    breakpoint_base_amount_per_span: Decimal | None = None
    rent_credited: bool = False


class ShareStatements(SharePart, frozen=True, kw_only=True):
    """When the tenant's certified statement is due after a period's end, and what stands in for it from then on."""

    due_days: int
    late_estimate: LateEstimate = LateEstimate.METERED


class ShareReserve(SharePart, frozen=True, kw_only=True):
    """A part of what is owed that is held back, and for how long after the period's end."""

    percent: Decimal
    held_days: int


class ShareSettlement(SharePart, frozen=True, kw_only=True):
    """Days to pay after the statement, hours that a period stays open for reports, days in which it can be disputed."""

    due_days: int | None = None
    cut_off_grace_hours: int | None = None
    dispute_days: int | None = None
