"""What is owed: prices, contracts, charges, ledger, invoices, settlement."""

from django.apps import AppConfig


class BillingConfig(AppConfig):
    """Django application of money owed."""

    name = "billing"
    default_auto_field = "django.db.models.BigAutoField"
