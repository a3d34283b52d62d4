"""Money in the operator's back office, read only: actions on it go through the use cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from billing.models import (
    BillingPeriod,
    CardCost,
    Charge,
    ClusterCost,
    Contract,
    Invoice,
    InvoiceLine,
    LedgerEntry,
    LedgerPosting,
    Payment,
    PriceVersion,
    Settlement,
    StripeEvent,
    StripeIntent,
    UnpricedUsage,
)
from tenants.admin import Inline
from tenants.back_office import ReadOnly

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest


class Lines(Inline):
    """The lines of an invoice, on its page."""

    model = InvoiceLine
    fields = ["position", "description", "quantity", "unit", "amount"]
    readonly_fields = ["position", "description", "quantity", "unit", "amount"]
    can_delete = False
    extra = 0
    max_num = 0

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Nothing is changed here."""
        return False


class Entries(Inline):
    """The entries of a posting, on its page."""

    model = LedgerEntry
    fields = ["account", "amount", "currency"]
    readonly_fields = ["account", "amount", "currency"]
    can_delete = False
    extra = 0
    max_num = 0

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Nothing is changed here."""
        return False


class CardCosts(Inline):
    """What cards cost, on the page of a cluster's costs."""

    model = CardCost
    fields = ["accelerator_model", "capex_per_gpu", "life_days"]
    readonly_fields = ["accelerator_model", "capex_per_gpu", "life_days"]
    can_delete = False
    extra = 0
    max_num = 0

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002
        """Nothing is changed here."""
        return False


@admin.register(ClusterCost)
class ClusterCostAdmin(ReadOnly):
    """What clusters cost by their owners' figures."""

    list_display = ["cluster", "number", "effective_at", "currency", "entered_by", "created_at"]
    inlines = [CardCosts]


@admin.register(Contract)
class ContractAdmin(ReadOnly):
    """Agreements."""

    list_display = ["number", "provider", "tenant", "state", "from_at", "to_at"]


@admin.register(BillingPeriod)
class BillingPeriodAdmin(ReadOnly):
    """Periods and how far they are rated."""

    list_display = ["contract", "from_at", "to_at", "state", "rated_at", "closed_at"]
    list_filter = ["state"]


@admin.register(PriceVersion)
class PriceVersionAdmin(ReadOnly):
    """Versions of price books."""

    list_display = ["book", "number", "announced_at", "effective_at"]


@admin.register(Charge)
class ChargeAdmin(ReadOnly):
    """Booked differences."""

    list_display = ["day", "term_ref", "model", "token_class", "context_over", "quantity", "amount", "rule"]


@admin.register(UnpricedUsage)
class UnpricedUsageAdmin(ReadOnly):
    """Usage without a price."""

    list_display = ["model", "token_class", "quantity", "first_seen_at", "resolved_at"]


@admin.register(Invoice)
class InvoiceAdmin(ReadOnly):
    """Invoices."""

    list_display = ["number", "tenant", "issuer", "state", "total", "currency", "issued_at"]
    list_filter = ["state"]
    inlines = [Lines]


@admin.register(LedgerPosting)
class LedgerPostingAdmin(ReadOnly):
    """The books."""

    list_display = ["at", "key", "memo"]
    inlines = [Entries]


@admin.register(Settlement)
class SettlementAdmin(ReadOnly):
    """How far each invoice's collection has come."""

    list_display = ["invoice", "state", "attempts", "last_error", "next_try_at"]
    list_filter = ["state"]


@admin.register(StripeIntent)
class StripeIntentAdmin(ReadOnly):
    """Calls to Stripe."""

    list_display = ["key", "step", "state", "created_at", "finished_at"]
    list_filter = ["state"]


@admin.register(StripeEvent)
class StripeEventAdmin(ReadOnly):
    """Webhooks as received."""

    list_display = ["event_id", "type", "received_at", "processed_at", "outcome"]


@admin.register(Payment)
class PaymentAdmin(ReadOnly):
    """Money received."""

    list_display = ["received_at", "invoice", "method", "amount", "currency", "reference"]
