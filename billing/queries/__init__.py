"""What pages, CSV and API show of billing: frozen figures, each from a number of queries that does not grow."""

from billing.queries.contracts import (
    ContractRow,
    PeriodRow,
    PriceRow,
    TermRow,
    contract_rows,
    price_rows,
)
from billing.queries.invoice_checks import EvidenceCheck
from billing.queries.invoice_detail import (
    ClassRow,
    InvoiceDetail,
    LineGroup,
    LineRow,
    SublineRow,
    invoice_detail,
)
from billing.queries.invoices import InvoicePage, InvoiceRow, Order, invoice_page
from billing.queries.occupancy import CardRow, HoldRow, NodeRow, OccupancyView, SliceRow, occupancy_view
from billing.queries.usage import (
    DayRow,
    LeaseRow,
    ModelRow,
    RatedUsage,
    Side,
    UnpricedRow,
    UsageOverview,
    rated_usage,
)
from billing.queries.usage_sums import overview_of, usage_overview
from billing.token_counts import TokenCounts

__all__ = [
    "CardRow",
    "ClassRow",
    "ContractRow",
    "DayRow",
    "EvidenceCheck",
    "HoldRow",
    "InvoiceDetail",
    "InvoicePage",
    "InvoiceRow",
    "LeaseRow",
    "LineGroup",
    "LineRow",
    "ModelRow",
    "NodeRow",
    "OccupancyView",
    "Order",
    "PeriodRow",
    "PriceRow",
    "RatedUsage",
    "Side",
    "SliceRow",
    "SublineRow",
    "TermRow",
    "TokenCounts",
    "UnpricedRow",
    "UsageOverview",
    "contract_rows",
    "invoice_detail",
    "invoice_page",
    "occupancy_view",
    "overview_of",
    "price_rows",
    "rated_usage",
    "usage_overview",
]
