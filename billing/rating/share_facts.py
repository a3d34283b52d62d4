"""What decides a token share beside usage: both witnesses' counts, refunds, certified revenue, audits."""

from datetime import datetime
from decimal import Decimal

from billing.rating.inputs import Fact


class WitnessCounts(Fact, frozen=True, kw_only=True, tag="witness_counts"):
    """What both witnesses counted of a whole class (cached input is in input) of a deployment in `[from_at, to_at)`.

    `explained` is the part of engine minus gateway whose cause is known; it is no reason to bill otherwise.
    """

    deployment: str
    model: str
    token_class: str
    from_at: datetime
    to_at: datetime
    engine: int
    gateway: int
    explained: int = 0


class AgreedCounts(Fact, frozen=True, kw_only=True, tag="agreed_counts"):
    """The count that both parties agreed on where the witnesses' differed in `[from_at, to_at)` and were held."""

    deployment: str
    model: str
    token_class: str
    from_at: datetime
    to_at: datetime
    tokens: int


class InterruptedCounts(Fact, frozen=True, kw_only=True, tag="interrupted_counts"):
    """Of interrupted answers of a whole class: what the engine made, and what of it reached the client."""

    deployment: str
    model: str
    token_class: str
    from_at: datetime
    to_at: datetime
    measured: int
    delivered: int


class RefundedCounts(Fact, frozen=True, kw_only=True, tag="refunded_counts"):
    """Tokens of a whole class whose price the tenant has given back to its buyers; they count as unsold.

    `refund` is the tenant's reference of it.
    """

    deployment: str
    model: str
    token_class: str
    from_at: datetime
    to_at: datetime
    tokens: int
    refund: str = ""


class CertifiedRevenue(Fact, frozen=True, kw_only=True, tag="certified_revenue"):
    """A tenant's certified net revenue under a term in the billing period `[from_at, to_at)`."""

    statement: str
    from_at: datetime
    to_at: datetime
    net_revenue_amount: Decimal


class AuditFinding(Fact, frozen=True, kw_only=True, tag="audit_finding"):
    """What an audit found to be owed for an earlier period instead of what was reported, and what the audit cost."""

    audit: str
    from_at: datetime
    to_at: datetime
    found_at: datetime
    reported_share_amount: Decimal
    found_share_amount: Decimal
    cost_amount: Decimal
