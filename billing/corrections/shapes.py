"""Shapes of what the API of corrections takes and gives. Amounts are decimals as text."""

from typing import Any, Final

from rest_framework import serializers

from billing.corrections.amounts import Wanted
from billing.corrections.credit_notes import NOTE_CHARACTERS_MAX
from billing.corrections.disputes import TEXT_CHARACTERS_MAX
from billing.corrections.refunds import REASON_CHARACTERS_MAX, REFERENCE_CHARACTERS_MAX
from billing.corrections.weighing import Scope
from billing.models import CreditReason, DisputeState, RefundMethod, RefundState
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PagedSerializer

LINES_MAX: Final = 5_000
NET: Final[Any] = {
    "max_digits": 38,
    "decimal_places": 4,
    "required": False,
    "allow_null": True,
    "default": None,
    "help_text": "net",
}


class WantedSerializer(ClosedSerializer):
    """What to give back of a line: a quantity, a net amount, or with neither all that is left."""

    line = serializers.IntegerField(min_value=1, help_text="its position on the invoice")
    quantity = serializers.DecimalField(max_digits=40, decimal_places=6, required=False, allow_null=True, default=None)
    amount = serializers.DecimalField(
        max_digits=38, decimal_places=4, required=False, allow_null=True, default=None, help_text="net"
    )


class ScopeSerializer(ClosedSerializer):
    """What of an invoice to give back: lines, a net amount over all of them, or with neither all that is left."""

    lines = WantedSerializer(many=True, required=False, default=list)
    amount = serializers.DecimalField(
        max_digits=38, decimal_places=4, required=False, allow_null=True, default=None, help_text="net"
    )

    def validate_lines(self, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Bound what one call may name."""
        if len(given) > LINES_MAX:
            raise serializers.ValidationError(f"Expected at most {LINES_MAX} lines.")
        return given


class NewCreditNoteSerializer(ScopeSerializer):
    """A credit note to be issued."""

    reason = serializers.ChoiceField(choices=[(str(each), str(each)) for each in CreditReason])
    note = serializers.CharField(max_length=NOTE_CHARACTERS_MAX, help_text="why, in words the tenant reads")


class CreditNotePreviewLineSerializer(serializers.Serializer[Any]):
    """What would be given back of a line; the amounts have the line's sign."""

    line = serializers.IntegerField()
    quantity = serializers.CharField(allow_null=True)
    amount = serializers.CharField(help_text="net")
    tax = serializers.CharField()


class CreditNotePreviewSerializer(serializers.Serializer[Any]):
    """What a credit note would come to now. `applied` would come off what is left to pay, `to_balance` was paid."""

    currency = serializers.CharField()
    subtotal = serializers.CharField()
    tax = serializers.CharField()
    total = serializers.CharField()
    applied = serializers.CharField()
    to_balance = serializers.CharField()
    operator_fee = serializers.CharField(help_text="of the operator's, that comes back to the issuer")
    lines = CreditNotePreviewLineSerializer(many=True)


class CreditNoteLineSerializer(CreditNotePreviewLineSerializer):
    """What was given back of a line; the amounts have the line's sign."""

    description = serializers.CharField()
    unit = serializers.CharField()


class CreditNoteSerializer(serializers.Serializer[Any]):
    """A credit note; amounts are positive. `applied` came off what was left to pay, `to_balance` was paid before."""

    id = serializers.UUIDField()
    number = serializers.CharField()
    invoice_id = serializers.UUIDField()
    invoice = serializers.CharField()
    issuer = serializers.CharField()
    tenant = serializers.CharField()
    currency = serializers.CharField()
    reason = serializers.CharField()
    note = serializers.CharField()
    subtotal = serializers.CharField()
    tax = serializers.CharField()
    total = serializers.CharField()
    applied = serializers.CharField()
    to_balance = serializers.CharField()
    issued_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    lines = CreditNoteLineSerializer(many=True, required=False, help_text="where one credit note is read")


class CreditNotesSerializer(PagedSerializer):
    """Credit notes, the latest first."""

    credit_notes = CreditNoteSerializer(many=True)


class ReasonSerializer(ClosedSerializer):
    """Why."""

    reason = serializers.CharField(max_length=REASON_CHARACTERS_MAX)


class WriteOffSerializer(serializers.Serializer[Any]):
    """What was written off."""

    invoice_id = serializers.UUIDField()
    amount = serializers.CharField()
    currency = serializers.CharField()
    reason = serializers.CharField()
    at = serializers.DateTimeField()


class VoidedSerializer(serializers.Serializer[Any]):
    """An invoice that is void."""

    invoice_id = serializers.UUIDField()
    number = serializers.CharField()
    state = serializers.CharField()


class ReissuedSerializer(serializers.Serializer[Any]):
    """An invoice that was issued in place of a void one."""

    invoice_id = serializers.UUIDField()
    number = serializers.CharField()
    state = serializers.CharField()
    reissues_id = serializers.UUIDField(help_text="the void invoice")
    total = serializers.CharField()
    currency = serializers.CharField()


class TenantBalanceSerializer(serializers.Serializer[Any]):
    """What a tenant has with an issuer and no invoice."""

    id = serializers.UUIDField()
    tenant = serializers.CharField()
    issuer = serializers.CharField()
    currency = serializers.CharField()
    amount = serializers.CharField()


class BalancesSerializer(PagedSerializer):
    """Balances of the organization, as tenant and as issuer."""

    balances = TenantBalanceSerializer(many=True)


class NewRefundSerializer(ClosedSerializer):
    """A balance, or a part of it, to be paid out."""

    balance_id = serializers.UUIDField(source="balance")
    amount = serializers.DecimalField(max_digits=38, decimal_places=4)
    method = serializers.ChoiceField(choices=[(str(each), str(each)) for each in RefundMethod])
    payment_id = serializers.UUIDField(
        source="payment", required=False, allow_null=True, default=None, help_text="the card's payment"
    )
    reason = serializers.CharField(max_length=REASON_CHARACTERS_MAX)


class SentSerializer(ClosedSerializer):
    """That a refund by bank transfer was sent."""

    reference = serializers.CharField(max_length=REFERENCE_CHARACTERS_MAX, help_text="the bank's")


class MoneyRefundSerializer(serializers.Serializer[Any]):
    """A refund and where it stands."""

    id = serializers.UUIDField()
    balance_id = serializers.UUIDField()
    tenant = serializers.CharField()
    issuer = serializers.CharField()
    amount = serializers.CharField()
    currency = serializers.CharField()
    method = serializers.CharField()
    payment_id = serializers.UUIDField(allow_null=True)
    top_up_id = serializers.UUIDField(allow_null=True, help_text="the purchase of credit whose card it goes to")
    state = serializers.ChoiceField(choices=[(str(each), str(each)) for each in RefundState])
    reference = serializers.CharField()
    reason = serializers.CharField()
    last_error = serializers.CharField()
    requested_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class RefundsSerializer(PagedSerializer):
    """Refunds, the latest first."""

    refunds = MoneyRefundSerializer(many=True)


class PurchaseSerializer(serializers.Serializer[Any]):
    """Credit that was bought, and what of it can be given back now."""

    term = serializers.CharField(help_text="reference of the credit term")
    name = serializers.CharField()
    bought_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    amount = serializers.CharField()
    left = serializers.CharField(help_text="unused: what can be given back by bank transfer")
    to_card = serializers.CharField(help_text="of that, what can go back to the card that paid")


class PurchasesSerializer(serializers.Serializer[Any]):
    """Bought credit of a contract that has not expired, in the order in which it is used."""

    currency = serializers.CharField()
    purchases = PurchaseSerializer(many=True)


class CreditRefundRequestSerializer(ClosedSerializer):
    """Unused credit to be given back: of one purchase where one is named, else of the newest first."""

    amount = serializers.DecimalField(max_digits=38, decimal_places=4)
    method = serializers.ChoiceField(choices=[(str(each), str(each)) for each in RefundMethod])
    purchase = serializers.CharField(max_length=32, required=False, default="", help_text="its name")
    reason = serializers.CharField(max_length=REASON_CHARACTERS_MAX)


class CreditRefundsSerializer(serializers.Serializer[Any]):
    """The refunds that were asked for, one for each purchase."""

    refunds = MoneyRefundSerializer(many=True)


class NewDisputeSerializer(ClosedSerializer):
    """A question about an invoice or one of its lines."""

    line = serializers.IntegerField(min_value=1, required=False, allow_null=True, default=None)
    text = serializers.CharField(max_length=TEXT_CHARACTERS_MAX)


class TextSerializer(ClosedSerializer):
    """What a side says."""

    text = serializers.CharField(max_length=TEXT_CHARACTERS_MAX)


class DisputeGrantSerializer(ScopeSerializer):
    """What is granted, and why."""

    text = serializers.CharField(max_length=TEXT_CHARACTERS_MAX)


class DisputeMessageSerializer(serializers.Serializer[Any]):
    """What a side said."""

    side = serializers.CharField(help_text="tenant or provider")
    author = serializers.CharField()
    text = serializers.CharField()
    at = serializers.DateTimeField()


class DisputeSerializer(serializers.Serializer[Any]):
    """A question and where it stands."""

    id = serializers.UUIDField()
    invoice_id = serializers.UUIDField()
    invoice = serializers.CharField()
    line = serializers.IntegerField(allow_null=True)
    tenant = serializers.CharField()
    issuer = serializers.CharField()
    state = serializers.ChoiceField(choices=[(str(each), str(each)) for each in DisputeState])
    pauses_dunning = serializers.BooleanField()
    credit_note = serializers.CharField(allow_null=True, help_text="number of the credit note that granted it")
    opened_at = serializers.DateTimeField()
    resolved_at = serializers.DateTimeField(allow_null=True)
    messages = DisputeMessageSerializer(many=True)
    actions = serializers.ListField(child=serializers.CharField(), help_text="what the caller may do now")


class DisputesSerializer(PagedSerializer):
    """Questions, the latest first."""

    disputes = DisputeSerializer(many=True)


def read_scope(given: dict[str, Any]) -> Scope:
    """Return the scope that a validated body names."""
    lines = tuple(Wanted(each["line"], each["quantity"], each["amount"]) for each in given["lines"])
    return Scope(lines, given["amount"])
