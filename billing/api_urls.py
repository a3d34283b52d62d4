"""Addresses of the billing API, below `/api/v1/`."""

from django.urls import path

from billing.api import InvoiceEvidenceView, InvoiceLinesView, InvoicesView, InvoiceView

urlpatterns = [
    path("invoices", InvoicesView.as_view(), name="api-invoices"),
    path("invoices/<uuid:invoice_id>", InvoiceView.as_view(), name="api-invoice"),
    path("invoices/<uuid:invoice_id>/lines", InvoiceLinesView.as_view(), name="api-invoice-lines"),
    path("invoices/<uuid:invoice_id>/evidence", InvoiceEvidenceView.as_view(), name="api-invoice-evidence"),
]
