"""Tables of money: prices, contracts, charges, ledger, invoices, settlement."""

from billing.models.charges import Charge, UnpricedUsage
from billing.models.contracts import (
    BillingPeriod,
    CollectedBy,
    Collection,
    Contract,
    ContractState,
    Lease,
    LeaseAllocation,
    PeriodKind,
    PeriodState,
    TokenShare,
    TokenShareDeployment,
)
from billing.models.economics import CardCost, ClusterCost, MarginDay, MarginRow
from billing.models.invoices import (
    Invoice,
    InvoiceEvidence,
    InvoiceLine,
    InvoiceState,
    InvoiceSubline,
    IssuerSequence,
)
from billing.models.ledger import AccountKind, LedgerAccount, LedgerEntry, LedgerPosting
from billing.models.price_changes import ContractPriceRule, PriceDraft, PriceMail, PriceNotice
from billing.models.price_index import IndexImport, IndexPrice, IndexSource
from billing.models.prices import GpuPrice, PriceBook, PriceVersion, TokenPrice, UnitPrice
from billing.models.settlement import (
    IntentState,
    Payment,
    Settlement,
    SettlementState,
    StripeCustomer,
    StripeEvent,
    StripeIntent,
)

__all__ = [
    "AccountKind",
    "BillingPeriod",
    "CardCost",
    "Charge",
    "ClusterCost",
    "CollectedBy",
    "Collection",
    "Contract",
    "ContractPriceRule",
    "ContractState",
    "GpuPrice",
    "IndexImport",
    "IndexPrice",
    "IndexSource",
    "IntentState",
    "Invoice",
    "InvoiceEvidence",
    "InvoiceLine",
    "InvoiceState",
    "InvoiceSubline",
    "IssuerSequence",
    "Lease",
    "LeaseAllocation",
    "LedgerAccount",
    "LedgerEntry",
    "LedgerPosting",
    "MarginDay",
    "MarginRow",
    "Payment",
    "PeriodKind",
    "PeriodState",
    "PriceBook",
    "PriceDraft",
    "PriceMail",
    "PriceNotice",
    "PriceVersion",
    "Settlement",
    "SettlementState",
    "StripeCustomer",
    "StripeEvent",
    "StripeIntent",
    "TokenPrice",
    "TokenShare",
    "TokenShareDeployment",
    "UnitPrice",
    "UnpricedUsage",
]
