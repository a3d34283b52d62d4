"""Addresses of the billing API, below `/api/v1/`."""

from django.urls import path

from billing.api import InvoiceEvidenceView, InvoiceLinesView, InvoicesView, InvoiceView
from billing.lease_api import (
    CapacityView,
    EndView,
    ExtendView,
    LeasesView,
    LeaseView,
    QuotesView,
    QuoteView,
    ReserveView,
)

urlpatterns = [
    path("invoices", InvoicesView.as_view(), name="api-invoices"),
    path("invoices/<uuid:invoice_id>", InvoiceView.as_view(), name="api-invoice"),
    path("invoices/<uuid:invoice_id>/lines", InvoiceLinesView.as_view(), name="api-invoice-lines"),
    path("invoices/<uuid:invoice_id>/evidence", InvoiceEvidenceView.as_view(), name="api-invoice-evidence"),
    path("capacity", CapacityView.as_view(), name="api-capacity"),
    path("quotes", QuotesView.as_view(), name="api-quotes"),
    path("quotes/<uuid:quote_id>", QuoteView.as_view(), name="api-quote"),
    path("quotes/<uuid:quote_id>/reserve", ReserveView.as_view(), name="api-quote-reserve"),
    path("leases", LeasesView.as_view(), name="api-leases"),
    path("leases/<str:ref>", LeaseView.as_view(), name="api-lease"),
    path("leases/<str:ref>/extend", ExtendView.as_view(), name="api-lease-extend"),
    path("leases/<str:ref>/end", EndView.as_view(), name="api-lease-end"),
]
