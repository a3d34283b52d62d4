"""Who stands on an invoice and how it is taxed, frozen as it is issued; what providers say of their taxes."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from billing.models.contracts import BillingPeriod
from billing.models.invoices import Invoice, InvoiceLine
from billing.tax_rules.deciding import Buyers, Method
from billing.tax_rules.treatments import Category, Source
from tenants.ids import new_id
from tenants.models import BillingProfile, Organization


class InvoiceParties(models.Model):
    """The versions of seller's and buyer's billing profiles that an invoice was issued with. Append-only."""

    invoice = models.OneToOneField(Invoice, models.PROTECT, primary_key=True, related_name="parties")
    seller = models.ForeignKey(BillingProfile, models.PROTECT, related_name="+")
    buyer = models.ForeignKey(BillingProfile, models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"{self.seller_id} to {self.buyer_id}"


class TaxSettings(models.Model):
    """One version of how a provider's supplies are taxed; the latest counts. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.PROTECT, related_name="tax_settings")
    version = models.PositiveIntegerField()
    method = models.CharField(max_length=8, choices=[(method.value, method.value) for method in Method])
    no_tax_reason = models.CharField(max_length=200, blank=True, help_text="why a seller charges no tax, as bills say")
    stripe_tax_code = models.CharField(max_length=20, blank=True, help_text="Stripe's code of what is sold")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "version"], name="tax_settings_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.method} v{self.version}"


class TaxRate(models.Model):
    """A provider's own rate for buyers of a country from a day on; of one day the last one entered counts. Append-only.

    Without a category the built-in rules apply again from that day.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.PROTECT, related_name="tax_rates")
    country = models.CharField(max_length=2, help_text="of the buyer, ISO 3166-1 alpha-2")
    buyers = models.CharField(max_length=16, choices=[(buyers.value, buyers.value) for buyers in Buyers])
    category = models.CharField(
        max_length=2, blank=True, choices=[(category.value, category.name) for category in Category]
    )
    percent = models.DecimalField(max_digits=7, decimal_places=4, default=0)
    reason_code = models.CharField(max_length=30, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    from_on = models.DateField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(percent__gte=0, percent__lte=100)
                & (models.Q(category=Category.STANDARD.value) | models.Q(percent=0)),
                name="tax_rate_fits_its_category",
            )
        ]
        indexes: ClassVar = [models.Index(fields=["provider", "country"], name="tax_rate_by_country")]

    def __str__(self) -> str:
        return f"{self.country} {self.category} {self.percent}"


class TaxExemption(models.Model):
    """A certificate that exempts a tenant from a provider's tax on days in `[from_on, to_on)`.

    Its end is the one thing about it that can be set later, once.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.PROTECT, related_name="tax_exemptions_granted")
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="tax_exemptions")
    reference = models.CharField(max_length=100, help_text="of the certificate")
    reason = models.CharField(max_length=200, help_text="as bills say it")
    reason_code = models.CharField(max_length=30, blank=True, help_text="VATEX code where there is one")
    from_on = models.DateField()
    to_on = models.DateField(null=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(to_on__isnull=True) | models.Q(to_on__gte=models.F("from_on")),
                name="tax_exemption_ends_after_it_begins",
            )
        ]
        indexes: ClassVar = [models.Index(fields=["provider", "tenant"], name="tax_exemption_by_tenant")]

    def __str__(self) -> str:
        return self.reference


class InvoiceTax(models.Model):
    """The tax of one rate on an invoice: of `taxable` so much, rounded once. Frozen as its invoice is issued."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="taxes")
    position = models.PositiveSmallIntegerField()
    category = models.CharField(max_length=2, choices=[(category.value, category.name) for category in Category])
    percent = models.DecimalField(max_digits=7, decimal_places=4)
    country = models.CharField(max_length=2, blank=True, help_text="whose tax it is")
    source = models.CharField(max_length=12, choices=[(source.value, source.value) for source in Source])
    reason_code = models.CharField(max_length=30, blank=True)
    reason = models.CharField(max_length=320, blank=True)
    taxable = models.DecimalField(max_digits=38, decimal_places=4)
    tax = models.DecimalField(max_digits=38, decimal_places=4)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["invoice", "position"], name="invoice_tax_position")]

    def __str__(self) -> str:
        return f"{self.category} {self.percent}"


class InvoiceLineTax(models.Model):
    """Which rate an invoice's line has, and its part of that rate's rounded tax. Frozen with its invoice."""

    line = models.OneToOneField(InvoiceLine, models.PROTECT, primary_key=True, related_name="taxed")
    rate = models.ForeignKey(InvoiceTax, models.PROTECT, related_name="lines")
    tax = models.DecimalField(max_digits=38, decimal_places=4)

    def __str__(self) -> str:
        return str(self.tax)


class TaxQuestionState(models.TextChoices):
    """What became of a question to a tax service."""

    WAITING = "waiting"
    ANSWERED = "answered"
    REFUSED = "refused"


class TaxQuestion(models.Model):
    """What a tax service was asked about the bill of a period, and what it answered; once for the same question."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    period = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="tax_questions")
    sha256 = models.CharField(max_length=64, help_text="of what is asked")
    asked = models.JSONField(help_text="currency, amount, tax code, and where and who the buyer is")
    state = models.CharField(max_length=10, choices=TaxQuestionState.choices, default=TaxQuestionState.WAITING)
    answer = models.JSONField(null=True, help_text="tax, percentage and reason")
    attempts = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField()
    last_error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["period", "sha256"], name="tax_question_once")]
        indexes: ClassVar = [models.Index(fields=["state", "next_try_at"], name="tax_question_by_try")]

    def __str__(self) -> str:
        return f"{self.state} {self.sha256[:8]}"
