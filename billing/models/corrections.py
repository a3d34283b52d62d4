"""What corrects an issued invoice, and money of a tenant that no invoice has: rows beside what stands."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from billing.models.invoices import Invoice, InvoiceLine
from tenants.ids import new_id
from tenants.models import Organization


class CreditReason(models.TextChoices):
    """Why something of an invoice is given back."""

    BILLING_ERROR = "billing_error", "billed wrongly"
    SERVICE = "service", "the service was not as agreed"
    DISPUTE = "dispute", "a question of the tenant was granted"
    GOODWILL = "goodwill", "goodwill"
    CANCELLED = "cancelled", "the order was cancelled"


class CreditNoteSequence(models.Model):
    """The next credit note number of an issuer; its row is locked while a credit note is issued."""

    issuer = models.OneToOneField(Organization, models.CASCADE, primary_key=True, related_name="+")
    prefix = models.CharField(max_length=20)
    next_number = models.PositiveBigIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.prefix}{self.next_number}"


class CreditNoteQuerySet(models.QuerySet["CreditNote"]):
    """Words for choosing credit notes."""

    def for_org(self, organization: Organization) -> CreditNoteQuerySet:
        """Credit notes that `organization` issued or got."""
        return self.filter(Q(tenant=organization) | Q(issuer=organization))


class CreditNote(models.Model):
    """What an issuer gives back of one issued invoice; all amounts are positive. Append-only.

    `applied` is what it took off what was left to pay; the rest of the total was paid already and went to the tenant's
    balance. `operator_fee` is what of the subtotal the operator gives back.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.CharField(max_length=40, help_text="gapless per issuer")
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="credit_notes")
    issuer = models.ForeignKey(Organization, models.PROTECT, related_name="credit_notes_issued")
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="credit_notes")
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=16, choices=CreditReason.choices)
    note = models.CharField(max_length=500)
    subtotal = models.DecimalField(max_digits=38, decimal_places=4)
    tax = models.DecimalField(max_digits=38, decimal_places=4)
    total = models.DecimalField(max_digits=38, decimal_places=4)
    applied = models.DecimalField(max_digits=38, decimal_places=4)
    operator_fee = models.DecimalField(max_digits=38, decimal_places=4)
    issued_by = models.CharField(max_length=200, help_text="user e-mail, API key prefix or job name")
    issued_at = models.DateTimeField()
    changed_at = models.DateTimeField(
        db_default=Now(), editable=False, help_text="when the row was last written, by the database's own clock"
    )

    objects = CreditNoteQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "number"], name="credit_note_number_once"),
            models.CheckConstraint(
                condition=Q(total=F("subtotal") + F("tax")) & Q(total__gt=0), name="credit_note_adds_up"
            ),
            models.CheckConstraint(
                condition=Q(applied__gte=0) & Q(applied__lte=F("total")), name="credit_note_applied_within"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "-issued_at"], name="credit_note_by_tenant"),
            models.Index(fields=["issuer", "-issued_at"], name="credit_note_by_issuer"),
        ]

    def __str__(self) -> str:
        return self.number


class CreditNoteLine(models.Model):
    """What is given back of one line of the invoice, net, with its tax. It has the sign of that line. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    credit_note = models.ForeignKey(CreditNote, models.PROTECT, related_name="lines")
    line = models.ForeignKey(InvoiceLine, models.PROTECT, related_name="credit_note_lines")
    position = models.PositiveIntegerField()
    quantity = models.DecimalField(
        max_digits=40, decimal_places=6, null=True, help_text="in the line's unit; null where an amount was named"
    )
    amount = models.DecimalField(max_digits=38, decimal_places=4)
    tax = models.DecimalField(max_digits=38, decimal_places=4)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["credit_note", "position"], name="credit_note_line_position"),
            models.UniqueConstraint(fields=["credit_note", "line"], name="credit_note_line_once"),
            models.CheckConstraint(condition=~Q(amount=0), name="credit_note_line_not_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.amount}"


class BalanceAccount(models.Model):
    """Money of a tenant that an issuer has and no invoice: its balance is the sum of its movements. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    tenant = models.ForeignKey(Organization, models.PROTECT, related_name="balance_accounts")
    issuer = models.ForeignKey(Organization, models.PROTECT, related_name="balance_accounts_kept")
    currency = models.CharField(max_length=3)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "issuer", "currency"], name="balance_account_once")
        ]

    def __str__(self) -> str:
        return f"{self.tenant_id} {self.issuer_id} {self.currency}"


class BalanceKind(models.TextChoices):
    """Why a balance moved."""

    CREDIT_NOTE = "credit_note", "a credit note for what was paid"
    OVERPAID = "overpaid", "paid more than was owed"
    OVERPAID_BACK = "overpaid_back", "a transfer that was taken for the tenant's was not"
    APPLIED = "applied", "paid an invoice"
    APPLIED_BACK = "applied_back", "a payment from the balance was taken back"
    CREDIT_LEFT = "credit_left", "credit that a contract left at its end"
    UNUSED_CREDIT = "unused_credit", "bought credit that was not used"
    REFUND = "refund", "paid out"
    REFUND_BACK = "refund_back", "a refund that did not arrive"


class BalanceMovement(models.Model):
    """One movement of a balance: above zero the tenant has more. Append-only, and never below zero in sum."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(BalanceAccount, models.PROTECT, related_name="movements")
    kind = models.CharField(max_length=16, choices=BalanceKind.choices)
    amount = models.DecimalField(max_digits=38, decimal_places=4)
    key = models.CharField(max_length=200, unique=True, help_text="key of the posting that books it")
    cause_id = models.UUIDField(help_text="the credit note, payment or refund behind it")
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(amount=0), name="balance_movement_not_zero")]
        indexes: ClassVar = [models.Index(fields=["account", "at"], name="balance_movement_by_account")]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount}"


class WriteOff(models.Model):
    """What an issuer no longer expects of an invoice; below zero what was recovered after all. Append-only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    invoice = models.ForeignKey(Invoice, models.PROTECT, related_name="write_offs")
    amount = models.DecimalField(max_digits=38, decimal_places=4)
    reason = models.CharField(max_length=500)
    by = models.CharField(max_length=200, help_text="user e-mail, API key prefix or job name")
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(amount=0), name="write_off_not_zero")]

    def __str__(self) -> str:
        return f"{self.amount}"
