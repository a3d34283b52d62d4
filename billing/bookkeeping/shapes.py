"""Shapes of the API of the books, as its description shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from tenants.listing.answers import PagedSerializer

BOOKS: Final = ("provider", "installation")
BOOK: Final = OpenApiParameter(
    "book", str, enum=list(BOOKS), description="a provider's own, or for the operator the whole installation's"
)
FROM: Final = OpenApiParameter("from", datetime, required=True, description="posted at or after this instant")
TO: Final = OpenApiParameter("to", datetime, required=True, description="posted before this instant")
CSV: Final = OpenApiParameter("Accept", str, OpenApiParameter.HEADER, description="`text/csv` for a CSV file")


class BookQuerySerializer(serializers.Serializer[Any]):
    """Whose book, and of accounts: at which instant and in which currency."""

    book = serializers.ChoiceField(choices=BOOKS, required=False, default="")
    at = serializers.DateTimeField(required=False, allow_null=True, default=None)
    currency = serializers.RegexField("^[A-Z]{3}$", required=False, default="")


class SpanQuerySerializer(serializers.Serializer[Any]):
    """Whose book, and over which span."""

    book = serializers.ChoiceField(choices=BOOKS, required=False, default="")
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a span that ends before it begins."""
        if attrs["to_at"] <= attrs["from_at"]:
            raise serializers.ValidationError({"to": ["Expected an instant after `from`."]})
        return attrs


class SumsSerializer(serializers.Serializer[Any]):
    """Both sides of one currency."""

    currency = serializers.CharField()
    debit = serializers.CharField()
    credit = serializers.CharField()


class BookAccountSerializer(serializers.Serializer[Any]):
    """An account and what was booked on it."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    organization_id = serializers.UUIDField()
    organization = serializers.CharField(help_text="slug")
    currency = serializers.CharField()
    debit = serializers.CharField()
    credit = serializers.CharField()
    balance = serializers.CharField(help_text="debit less credit")
    entries = serializers.IntegerField()


class TrialBalanceSerializer(serializers.Serializer[Any]):
    """A trial balance; `balanced` says whether debits are credits in every currency."""

    book = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)
    balanced = serializers.BooleanField()
    totals = SumsSerializer(many=True)
    accounts = BookAccountSerializer(many=True)


class AccountEntrySerializer(serializers.Serializer[Any]):
    """One entry of an account, and the balance after it."""

    id = serializers.UUIDField()
    posting_id = serializers.UUIDField()
    key = serializers.CharField()
    memo = serializers.CharField()
    at = serializers.DateTimeField()
    amount = serializers.CharField(help_text="debit positive, credit negative")
    balance = serializers.CharField(help_text="of the account after it")


class AccountEntriesSerializer(PagedSerializer):
    """Entries of an account over a span, the oldest first."""

    account_id = serializers.UUIDField()
    currency = serializers.CharField()
    opening = serializers.CharField(help_text="balance before the first entry of this answer")
    closing = serializers.CharField(help_text="balance after the last entry of this answer")
    entries = AccountEntrySerializer(many=True)
    has_more = serializers.BooleanField()


class PostingEntrySerializer(serializers.Serializer[Any]):
    """One side of a posting."""

    id = serializers.UUIDField()
    account_id = serializers.UUIDField()
    kind = serializers.CharField()
    organization = serializers.CharField(help_text="slug")
    currency = serializers.CharField()
    amount = serializers.CharField(help_text="debit positive, credit negative")


class PostingSerializer(serializers.Serializer[Any]):
    """A posting with its entries and what it was booked for."""

    id = serializers.UUIDField()
    key = serializers.CharField()
    memo = serializers.CharField()
    at = serializers.DateTimeField()
    cause = serializers.CharField()
    cause_id = serializers.UUIDField()
    invoice_id = serializers.UUIDField(allow_null=True)
    contract = serializers.CharField(help_text="number, or nothing")
    entries = PostingEntrySerializer(many=True)
