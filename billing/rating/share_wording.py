"""What a contract says of a token revenue share: the one struct of it, with every element that can be agreed.

Amounts are in the contract's currency and percentages lie within 0 and 100. What is left out is not agreed: no
guarantee, no cap, no reserve.
"""

from decimal import Decimal

from billing.rating.share_checks import check_share
from billing.rating.share_words import (
    CollectedBy,
    ExclusionRule,
    InterruptedStreams,
    OutsideTolerance,
    ShareBase,
    ShareCap,
    ShareExclusion,
    ShareGuarantee,
    ShareHybrid,
    ShareOf,
    ShareReserve,
    ShareSettlement,
    ShareStatements,
    ShareStep,
    ShareTier,
    SpansBegin,
    TierMode,
    TierPeriod,
    TransferPrice,
)
from billing.rating.wording import MeteredWording


class TokenShareWording(MeteredWording, frozen=True, kw_only=True, tag="token_share"):
    """What a contract says of a token revenue share.

    `share_percent` or `tiers` are the share of all that no row of `share_by` is of; the most particular row counts
    (a class of a model, then a model, then a class). `schedule` replaces the three from a month of the term on.
    """

    share_percent: Decimal | None = None
    tiers: tuple[ShareTier, ...] = ()
    share_by: tuple[ShareOf, ...] = ()
    tier_mode: TierMode = TierMode.MARGINAL
    tier_period: TierPeriod = TierPeriod.MONTH
    schedule: tuple[ShareStep, ...] = ()
    collected_by: CollectedBy = CollectedBy.TENANT
    base: ShareBase = ShareBase.LIST_PRICE
    transfer_prices: tuple[TransferPrice, ...] = ()
    exclusions: tuple[ShareExclusion, ...] = ()
    guarantee: ShareGuarantee | None = None
    cap: ShareCap | None = None
    hybrid: ShareHybrid | None = None
    spans_begin: SpansBegin = SpansBegin.CALENDAR
    outside_tolerance: OutsideTolerance = OutsideTolerance.BILL_WITNESS
    interrupted_streams: InterruptedStreams = InterruptedStreams.AS_MEASURED
    statements: ShareStatements | None = None
    audit_tolerance_percent: Decimal = Decimal(3)
    reserve: ShareReserve | None = None
    settlement: ShareSettlement = ShareSettlement()

    def check(self) -> None:
        """Raise `WrongWording` for shares outside 0 to 100, holes in tiers, and elements that contradict each other."""
        check_share(self)

    def excludes(self, rule: ExclusionRule) -> bool:
        """Whether the wording has an exclusion."""
        return any(exclusion.rule is rule for exclusion in self.exclusions)
