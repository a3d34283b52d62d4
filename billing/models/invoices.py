"""Invoices, their frozen lines, numbers and evidence."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now, Upper

from billing.models.contracts import BillingPeriod, Contract
from billing.models.prices import PriceVersion
from tenants.ids import new_id
from tenants.models import Organization


class InvoiceState(models.TextChoices):
    """Where an invoice stands; a draft is live, an issued one is frozen."""

    DRAFT = "draft"
    ISSUED = "issued"
    PAID = "paid"
    UNCOLLECTIBLE = "uncollectible"
    VOID = "void"


class IssuerSequence(models.Model):
    """The next invoice number of an issuing organization; its row is locked while an invoice is issued."""

    issuer = models.OneToOneField(Organization, models.CASCADE, primary_key=True, related_name="+")
    prefix = models.CharField(max_length=16)
    next_number = models.PositiveBigIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.prefix}{self.next_number}"


class InvoiceQuerySet(models.QuerySet["Invoice"]):
    """Words for choosing invoices."""

    def for_org(self, organization: Organization) -> InvoiceQuerySet:
        """Invoices that `organization` owes or issued."""
        return self.filter(Q(tenant=organization) | Q(issuer=organization))

    def standing(self) -> InvoiceQuerySet:
        """The one invoice of each period that no other was issued in place of."""
        return self.filter(reissued_by__isnull=True)


class Invoice(models.Model):
    """What a tenant owes for one period of a contract. Once issued, only state, paid_at and updated_at may change.

    A period has one invoice that is not void; each that was issued again names the void one that it `reissues`.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.CharField(max_length=32, null=True, help_text="given when issued, gapless per issuer")  # noqa: DJ001  a draft has no number, and numbers are unique
    issuer = models.ForeignKey(Organization, models.PROTECT, related_name="invoices_issued")
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="invoices")
    contract = models.ForeignKey(Contract, models.PROTECT, related_name="invoices")
    period = models.ForeignKey(BillingPeriod, models.PROTECT, related_name="invoices")
    reissues = models.OneToOneField(
        "self", models.PROTECT, null=True, related_name="reissued_by", help_text="the void invoice that it stands for"
    )
    kind = models.CharField(max_length=16, help_text="lease, token_share or mixed")
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=16, choices=InvoiceState.choices, default=InvoiceState.DRAFT)
    subtotal = models.DecimalField(max_digits=38, decimal_places=4, default=0)
    tax = models.DecimalField(max_digits=38, decimal_places=4, default=0)
    total = models.DecimalField(max_digits=38, decimal_places=4, default=0)
    issued_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()
    changed_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="when the row was last written, by the database's own clock"
    )

    objects = InvoiceQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "number"], name="invoice_number_once"),
            models.UniqueConstraint(fields=["period"], condition=~Q(state="void"), name="invoice_once_per_period"),
            models.CheckConstraint(
                condition=Q(state="draft", number__isnull=True, issued_at__isnull=True)
                | (~Q(state="draft") & Q(number__isnull=False, issued_at__isnull=False)),
                name="issued_invoice_has_number",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "-issued_at"], name="invoice_by_tenant"),
            models.Index(fields=["issuer", "-issued_at"], name="invoice_by_issuer"),
            # What is to be paid is little of what was ever issued.
            models.Index(fields=["tenant", "-issued_at"], condition=Q(state="issued"), name="invoice_open_by_tenant"),
            models.Index(fields=["issuer", "-issued_at"], condition=Q(state="issued"), name="invoice_open_by_issuer"),
            # Any part of a number is searched for, in either case.
            GinIndex(OpClass(Upper("number"), name="gin_trgm_ops"), name="invoice_number_parts"),
            models.Index(fields=["updated_at", "id"], name="invoice_by_update"),
            models.Index(fields=["changed_at", "id"], name="invoice_by_change"),
        ]

    def __str__(self) -> str:
        return self.number or f"draft {self.id}"


class InvoiceLine(models.Model):
    """One frozen line; `amount` is `exact_amount` rounded once, half-even, to the minor unit."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField()
    group = models.CharField(max_length=200, help_text="heading it stands under: a model, or GPU leases")
    description = models.CharField(max_length=300)
    term_kind = models.CharField(max_length=16)
    term_ref = models.CharField(max_length=32)
    model = models.CharField(max_length=200)
    quantity = models.DecimalField(max_digits=40, decimal_places=6)
    unit = models.CharField(max_length=16)
    unit_price = models.DecimalField(
        max_digits=38, decimal_places=18, null=True, help_text="null where the sublines have several"
    )
    unit_price_unit = models.CharField(max_length=16)
    share_percent = models.DecimalField(max_digits=7, decimal_places=4, null=True)
    rule = models.CharField(max_length=64)
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    quality = models.JSONField()
    base_amount = models.DecimalField(max_digits=50, decimal_places=18)
    exact_amount = models.DecimalField(max_digits=50, decimal_places=18)
    amount = models.DecimalField(max_digits=38, decimal_places=4)
    nature = models.CharField(
        max_length=8,
        blank=True,
        default="",
        db_default="",
        help_text="supply, held, payment or late_fee; empty where it was issued before this was kept",
    )
    adjusts = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="adjusted_by", help_text="the line of an earlier invoice"
    )
    adjusts_period = models.ForeignKey(
        BillingPeriod, models.PROTECT, null=True, related_name="+", help_text="the closed period that it is about"
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["invoice", "position"], name="invoice_line_position"),
            models.CheckConstraint(
                condition=Q(rule="late_usage", adjusts_period__isnull=False)
                | (~Q(rule="late_usage") & Q(adjusts_period__isnull=True, adjusts__isnull=True)),
                name="late_usage_is_linked",
            ),
        ]

    def __str__(self) -> str:
        return self.description


class InvoiceSubline(models.Model):
    """A part of a line: one class, tier, price version and day. Unrounded; sublines sum to the line exactly."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    line = models.ForeignKey(InvoiceLine, models.PROTECT, related_name="sublines")
    position = models.PositiveIntegerField()
    day = models.DateField()
    token_class = models.CharField(max_length=16, blank=True, default="")
    context_over = models.PositiveIntegerField(
        default=0, db_default=0, help_text="threshold of the tier, in input tokens of a request; 0: no tier"
    )
    price_version = models.ForeignKey(PriceVersion, models.PROTECT, null=True, related_name="+")
    quantity = models.DecimalField(max_digits=40, decimal_places=6)
    unit_price = models.DecimalField(max_digits=38, decimal_places=18)
    base_amount = models.DecimalField(max_digits=50, decimal_places=18)
    exact_amount = models.DecimalField(max_digits=50, decimal_places=18)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["line", "position"], name="invoice_subline_position")]

    def __str__(self) -> str:
        return f"{self.day} {self.token_class}"


class InvoiceEvidence(models.Model):
    """The evidence file of an issued invoice: what recomputes every line. Append-only."""

    invoice = models.OneToOneField(Invoice, models.PROTECT, primary_key=True, related_name="evidence")
    document = models.TextField(help_text="canonical JSON, exactly the bytes that were hashed")
    sha256 = models.CharField(max_length=64)

    def __str__(self) -> str:
        return self.sha256
