"""Tables of money: prices, contracts, charges, ledger, invoices, settlement."""

from billing.models.adjusting import BACK_BILLING_MONTHS, Adjustment, IssuingRule
from billing.models.agreements import OPEN_STATES, Acceptance, Amendment, AmendmentState
from billing.models.bookkeeping import CheckpointBalance, LedgerCheckpoint
from billing.models.charges import Charge, UnpricedUsage
from billing.models.contracts import (
    BillingPeriod,
    Collection,
    Contract,
    ContractState,
    PeriodKind,
    PeriodState,
)
from billing.models.corrections import (
    BalanceAccount,
    BalanceKind,
    BalanceMovement,
    CreditNote,
    CreditNoteLine,
    CreditNoteSequence,
    CreditReason,
    WriteOff,
)
from billing.models.credits import Coupon, CouponEnd, CouponRedemption, CouponTry, CreditMovement, MovementKind
from billing.models.documents import DocumentFile, DocumentFormat, DocumentState, DocumentStep
from billing.models.economics import CardCost, ClusterCost, MarginDay, MarginRow
from billing.models.invoices import (
    Invoice,
    InvoiceEvidence,
    InvoiceLine,
    InvoiceState,
    InvoiceSubline,
    IssuerSequence,
)
from billing.models.leasing import LeaseEvent, LeaseStep, Quote
from billing.models.ledger import NEVER_A_PROVIDERS, AccountKind, LedgerAccount, LedgerEntry, LedgerPosting
from billing.models.price_changes import PriceDraft, PriceMail, PriceNotice
from billing.models.price_index import IndexImport, IndexPrice, IndexSource
from billing.models.prices import GpuPrice, PriceBook, PriceVersion, TokenPrice, UnitPrice
from billing.models.revenue import RevenueStatement, WitnessAnswer
from billing.models.sessions import Session, SessionAllocation, SessionEvent, SessionStep, VolumeSize
from billing.models.settlement import (
    IntentState,
    Payment,
    PaymentReversal,
    Settlement,
    SettlementState,
    StripeCustomer,
    StripeEvent,
    StripeIntent,
)
<<<<<<< HEAD
from billing.models.statements import ProviderStatement, StatementEntry, StatementSequence
from billing.models.tax import InvoiceParties
=======
from billing.models.tax import (
    InvoiceLineTax,
    InvoiceParties,
    InvoiceTax,
    TaxExemption,
    TaxRate,
    TaxSettings,
)
>>>>>>> c9dcac2 (wip)
from billing.models.terms import (
    ContractVersion,
    PeriodCarry,
    Term,
    TermAllocation,
    TermDeployment,
    TermFact,
    TermWording,
)

__all__ = [
    "BACK_BILLING_MONTHS",
    "NEVER_A_PROVIDERS",
    "OPEN_STATES",
    "Acceptance",
    "AccountKind",
    "Adjustment",
    "Amendment",
    "AmendmentState",
    "BalanceAccount",
    "BalanceKind",
    "BalanceMovement",
    "BillingPeriod",
    "CardCost",
    "Charge",
    "CheckpointBalance",
    "ClusterCost",
    "Collection",
    "Contract",
    "ContractState",
    "ContractVersion",
    "Coupon",
    "CouponEnd",
    "CouponRedemption",
    "CouponTry",
    "CreditMovement",
    "CreditNote",
    "CreditNoteLine",
    "CreditNoteSequence",
    "CreditReason",
    "DocumentFile",
    "DocumentFormat",
    "DocumentState",
    "DocumentStep",
    "GpuPrice",
    "IndexImport",
    "IndexPrice",
    "IndexSource",
    "IntentState",
    "Invoice",
    "InvoiceEvidence",
    "InvoiceLine",
    "InvoiceLineTax",
    "InvoiceParties",
    "InvoiceState",
    "InvoiceSubline",
    "InvoiceTax",
    "IssuerSequence",
    "IssuingRule",
    "LeaseEvent",
    "LeaseStep",
    "LedgerAccount",
    "LedgerCheckpoint",
    "LedgerEntry",
    "LedgerPosting",
    "MarginDay",
    "MarginRow",
    "MovementKind",
    "Payment",
    "PaymentReversal",
    "PeriodCarry",
    "PeriodKind",
    "PeriodState",
    "PriceBook",
    "PriceDraft",
    "PriceMail",
    "PriceNotice",
    "PriceVersion",
    "ProviderStatement",
    "Quote",
    "RevenueStatement",
    "Session",
    "SessionAllocation",
    "SessionEvent",
    "SessionStep",
    "Settlement",
    "SettlementState",
    "StatementEntry",
    "StatementSequence",
    "StripeCustomer",
    "StripeEvent",
    "StripeIntent",
    "TaxExemption",
    "TaxRate",
    "TaxSettings",
    "Term",
    "TermAllocation",
    "TermDeployment",
    "TermFact",
    "TermWording",
    "TokenPrice",
    "UnitPrice",
    "UnpricedUsage",
    "VolumeSize",
    "WitnessAnswer",
    "WriteOff",
]
