"""Bank accounts of providers, the statements read of them, and what each movement was matched to."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from billing.models.invoices import Invoice
from billing.models.settlement import Payment, PaymentReversal
from tenants.ids import new_id
from tenants.models import Organization


class BankAccount(models.Model):
    """A provider's account that tenants pay to. It is never changed but closed: statements of it stay its own."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.PROTECT, related_name="bank_accounts")
    number = models.CharField(max_length=34, help_text="IBAN, or the bank's own number where it has none")
    currency = models.CharField(max_length=3)
    holder = models.CharField(max_length=140)
    bic = models.CharField(max_length=11, blank=True, default="")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "number", "currency"], name="bank_account_once")
        ]

    def __str__(self) -> str:
        return self.number


class BankImport(models.Model):
    """A statement file as it was taken, and what became of each of its entries. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    provider = models.ForeignKey(Organization, models.PROTECT, related_name="+")
    kind = models.CharField(max_length=8, help_text="camt or csv")
    name = models.CharField(max_length=200, blank=True, default="", help_text="the file's own")
    document = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    stored = models.PositiveIntegerField(help_text="entries that were new")
    known = models.PositiveIntegerField(help_text="entries that were stored before, as they are here")
    pending = models.PositiveIntegerField(help_text="entries that the bank had not booked yet")
    refused = models.PositiveIntegerField(help_text="entries that are none of these; `faults` says why")
    faults = models.JSONField(help_text="list of {place, code, detail}")
    by = models.CharField(max_length=200, help_text="user e-mail or API key prefix")
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["provider", "sha256"], name="bank_import_once")]
        indexes: ClassVar = [models.Index(fields=["provider", "-created_at"], name="bank_import_by_time")]

    def __str__(self) -> str:
        return self.name or self.sha256


class BankLineState(models.TextChoices):
    """What is known of a movement."""

    NEW = "new", "not looked at yet"
    SUGGESTED = "suggested", "a person should confirm what it could be"
    UNMATCHED = "unmatched", "nothing is known that it could be"
    MATCHED = "matched", "all of it has its place"
    OUTGOING = "outgoing", "money that went out"


class BankLine(models.Model):
    """One booked movement as the bank told it; only `state` and `looked_at` may change.

    What came in is booked when it is stored: the provider's `bank_clearing` has it, against `bank_unmatched`, until a
    match says what it was.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(BankAccount, models.PROTECT, related_name="lines")
    imported = models.ForeignKey(BankImport, models.PROTECT, related_name="lines")
    reference = models.CharField(max_length=200, help_text="the bank's own id, or a digest of what it says")
    booked_on = models.DateField()
    value_on = models.DateField(null=True)
    amount = models.DecimalField(max_digits=38, decimal_places=4, help_text="above zero where it came in")
    currency = models.CharField(max_length=3)
    payer = models.CharField(max_length=200, blank=True, default="")
    payer_account = models.CharField(max_length=200, blank=True, default="")
    structured = models.CharField(max_length=150, blank=True, default="")
    end_to_end = models.CharField(max_length=150, blank=True, default="")
    text = models.CharField(max_length=1000, blank=True, default="")
    is_return = models.BooleanField(default=False, help_text="takes an earlier movement back")
    state = models.CharField(max_length=12, choices=BankLineState.choices, default=BankLineState.NEW)
    looked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "reference"], name="bank_line_once"),
            models.CheckConstraint(condition=~Q(amount=0), name="bank_line_moves_something"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "state", "-booked_on"], name="bank_line_by_state"),
            models.Index(fields=["account", "-booked_on"], name="bank_line_by_day"),
            models.Index(fields=["payer_account"], condition=~Q(payer_account=""), name="bank_line_by_payer"),
            models.Index(fields=["created_at"], condition=Q(state="new"), name="bank_line_new"),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency} {self.booked_on}"


class BankMatchKind(models.TextChoices):
    """What a part of a movement was."""

    INVOICE = "invoice", "a payment of an invoice"
    BALANCE = "balance", "money of a tenant that no invoice has"
    ASIDE = "aside", "no money of a tenant"


class BankMatch(models.Model):
    """What a part of a movement was found to be, by whom and why. Append-only; a mistake has a `BankUnmatch` beside."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    line = models.ForeignKey(BankLine, models.PROTECT, related_name="matches")
    kind = models.CharField(max_length=8, choices=BankMatchKind.choices)
    amount = models.DecimalField(max_digits=38, decimal_places=4)
    invoice = models.ForeignKey(Invoice, models.PROTECT, null=True, related_name="bank_matches")
    payment = models.OneToOneField(Payment, models.PROTECT, null=True, related_name="bank_match")
    tenant = models.ForeignKey(Organization, models.PROTECT, null=True, related_name="+")
    rule = models.CharField(max_length=16, help_text="why: named by the payer, or by hand")
    note = models.CharField(max_length=200, blank=True, default="")
    by = models.CharField(max_length=200, help_text="user e-mail, API key prefix or job name")
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="bank_match_positive"),
            models.CheckConstraint(
                condition=Q(kind="invoice", invoice__isnull=False, payment__isnull=False, tenant__isnull=False)
                | Q(kind="balance", invoice__isnull=True, payment__isnull=True, tenant__isnull=False)
                | Q(kind="aside", invoice__isnull=True, payment__isnull=True, tenant__isnull=True),
                name="bank_match_names_what_it_is",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.kind}"


class BankUnmatch(models.Model):
    """A match taken back: its postings have their opposites, and the money is again unmatched. Append-only."""

    match = models.OneToOneField(BankMatch, models.PROTECT, primary_key=True, related_name="unmatch")
    reversal = models.OneToOneField(PaymentReversal, models.PROTECT, null=True, related_name="bank_unmatch")
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=200)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.reason
