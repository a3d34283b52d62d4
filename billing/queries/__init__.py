"""What pages, CSV and API show of billing: frozen figures, each from a number of queries that does not grow."""

from billing.queries.contracts import (
    ContractRow,
    LeaseTermRow,
    PeriodRow,
    PriceRow,
    ShareTermRow,
    contract_rows,
    price_rows,
)
from billing.queries.invoice_detail import (
    ClassRow,
    EvidenceCheck,
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
    Side,
    TokenCounts,
    UnpricedRow,
    UsageOverview,
    usage_overview,
)

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
    "LeaseTermRow",
    "LineGroup",
    "LineRow",
    "ModelRow",
    "NodeRow",
    "OccupancyView",
    "Order",
    "PeriodRow",
    "PriceRow",
    "ShareTermRow",
    "Side",
    "SliceRow",
    "SublineRow",
    "TokenCounts",
    "UnpricedRow",
    "UsageOverview",
    "contract_rows",
    "invoice_detail",
    "invoice_page",
    "occupancy_view",
    "price_rows",
    "usage_overview",
]
