"""Shapes of the API of payments, payouts and reconciliation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from billing.api_words import instant, money
from billing.models import DifferenceKind, PayoutMethod, PayoutState
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PagedSerializer

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import CreditMovement, PaymentReversal


class TakenBackSerializer(serializers.Serializer[Any]):
    """Money of a payment, or of bought credit, that did not stay; the event `payment.reversed` has the same id."""

    id = serializers.UUIDField()
    amount = serializers.CharField()
    reference = serializers.CharField(help_text="the bank's, Stripe's, or of who took it back")
    reason = serializers.CharField(help_text="as `payment.reversed` says it")
    reversed_at = serializers.DateTimeField()


def taken_back_row(
    row: PaymentReversal | CreditMovement, *, reason: str, at: datetime, currency: str
) -> dict[str, Any]:
    """Return what did not stay as `TakenBackSerializer` says it."""
    return {
        "id": str(row.pk),
        "amount": money(row.amount, currency),
        "reference": row.reference,
        "reason": reason,
        "reversed_at": instant(at),
    }


class PaymentSerializer(serializers.Serializer[Any]):
    """A payment of an invoice; `taken_back` is the part of it that was, by a chargeback say."""

    id = serializers.UUIDField()
    invoice_id = serializers.UUIDField()
    invoice = serializers.CharField()
    tenant = serializers.CharField(help_text="slug")
    issuer = serializers.CharField(help_text="slug")
    method = serializers.CharField(help_text="stripe or bank_transfer")
    reference = serializers.CharField()
    amount = serializers.CharField()
    taken_back = serializers.CharField(help_text="the sum of `reversals`")
    reversals = TakenBackSerializer(many=True, help_text="the first one first")
    currency = serializers.CharField()
    received_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField(help_text="when it was recorded, or a part of it taken back")


class PaymentsSerializer(PagedSerializer):
    """Payments, the latest first."""

    payments = PaymentSerializer(many=True)


class PayoutSerializer(serializers.Serializer[Any]):
    """Money sent to a provider."""

    id = serializers.UUIDField()
    number = serializers.CharField()
    provider = serializers.CharField(help_text="slug")
    amount = serializers.CharField()
    came_back = serializers.CharField(help_text="what of the amount came back or was taken back since")
    currency = serializers.CharField()
    method = serializers.ChoiceField(choices=PayoutMethod.choices)
    state = serializers.ChoiceField(choices=PayoutState.choices)
    statement = serializers.CharField(allow_null=True, help_text="number of the statement that it goes with")
    reference = serializers.CharField(help_text="the bank's or the transfer's")
    last_error = serializers.CharField()
    created_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True, help_text="when it was paid or failed")
    updated_at = serializers.DateTimeField()


class PayoutsSerializer(PagedSerializer):
    """Payouts, the latest first."""

    payouts = PayoutSerializer(many=True)


class NewPayoutSerializer(ClosedSerializer):
    """Whom to pay out, in which currency."""

    provider = serializers.SlugField(max_length=63)
    currency = serializers.RegexField(r"^[A-Z]{3}$", help_text="ISO 4217")


class PayoutPaidSerializer(ClosedSerializer):
    """How a payout that arrived is known at the bank."""

    reference = serializers.CharField(max_length=200)


class PayoutFailedSerializer(ClosedSerializer):
    """Why a payout did not go out."""

    reason = serializers.CharField(max_length=200)


class LookSerializer(serializers.Serializer[Any]):
    """A look at Stripe: what of a span was compared."""

    id = serializers.UUIDField()
    day = serializers.DateField(allow_null=True, help_text="the night it is of; null: asked for by a person")
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    looked_at = serializers.DictField(child=serializers.IntegerField(), help_text="how many of what")
    found = serializers.IntegerField(help_text="differences that are open after it")
    error = serializers.CharField()


class LooksSerializer(PagedSerializer):
    """Looks, the latest first."""

    reconciliations = LookSerializer(many=True)


class DifferenceSideSerializer(serializers.Serializer[Any]):
    """What one of the two has of what differs."""

    number = serializers.CharField(help_text="of an invoice; empty: none")
    state = serializers.CharField(help_text="of an invoice, in the word of its side; empty: none")
    amount_minor = serializers.IntegerField(
        allow_null=True, help_text="paid, moved or a balance, in the integers that Stripe counts in"
    )
    total_minor = serializers.IntegerField(allow_null=True, help_text="what an invoice asks for, counted alike")
    currency = serializers.CharField(help_text="empty where Stripe names none")


class DifferenceOfStripeSerializer(serializers.Serializer[Any]):
    """Something that Stripe and the books say differently."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=DifferenceKind.choices)
    stripe_id = serializers.CharField()
    invoice = serializers.CharField(allow_null=True)
    ours = serializers.CharField(help_text="`our_side` in English words")
    theirs = serializers.CharField(help_text="`their_side` in English words")
    our_side = DifferenceSideSerializer(allow_null=True, help_text="null: nothing, or seen before sides were kept")
    their_side = DifferenceSideSerializer(allow_null=True, help_text="Stripe's; null alike")
    first_seen_at = serializers.DateTimeField()
    last_seen_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)
    settled_by = serializers.CharField()
    way = serializers.CharField(help_text="how it was settled")
    note = serializers.CharField()


class DifferencesOfStripeSerializer(PagedSerializer):
    """Differences, the one that was seen first before the others."""

    differences = DifferenceOfStripeSerializer(many=True)


class SettleSerializer(ClosedSerializer):
    """A way out of a difference, and why."""

    way = serializers.CharField(max_length=16, help_text="accept, or a way that its kind has")
    note = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
