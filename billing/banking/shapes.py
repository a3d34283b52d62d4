"""What calls and answers about bank statements and movements look like."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from billing.banking.csv_statement import OPTIONAL, REQUIRED
from billing.banking.deciding import NOTE_CHARACTERS_MAX
from billing.banking.entries import DOCUMENT_BYTES_MAX
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PagedSerializer


class BankStatementRequestSerializer(ClosedSerializer):
    """A statement file as text."""

    document = serializers.CharField(
        max_length=DOCUMENT_BYTES_MAX,
        help_text=f"camt.053 (XML), or CSV whose first row names {', '.join(REQUIRED)} and, as far as known, "
        f"{', '.join(OPTIONAL)}",
        trim_whitespace=False,
    )
    account = serializers.CharField(max_length=60, required=False, default="", help_text="whose a CSV file is")
    name = serializers.CharField(max_length=200, required=False, default="")


class BankFaultSerializer(serializers.Serializer[Any]):
    """An entry that was refused."""

    place = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class BankStatementOutcomeSerializer(serializers.Serializer[Any]):
    """What became of the entries of a file."""

    id = serializers.UUIDField()
    stored = serializers.IntegerField()
    known = serializers.IntegerField()
    pending = serializers.IntegerField()
    refused = serializers.IntegerField()
    faults = BankFaultSerializer(many=True)


class BankStatementSerializer(BankStatementOutcomeSerializer):
    """A file that was taken in."""

    name = serializers.CharField(allow_blank=True)
    kind = serializers.CharField(help_text="camt or csv")
    sha256 = serializers.CharField()
    created_at = serializers.DateTimeField()


class BankStatementsSerializer(PagedSerializer):
    """A page of files, the latest first."""

    statements = BankStatementSerializer(many=True)


class BankPartSerializer(ClosedSerializer):
    """What of a movement an invoice gets."""

    invoice_id = serializers.UUIDField(source="invoice")
    amount = serializers.DecimalField(max_digits=38, decimal_places=4)


class BankMatchSerializer(serializers.Serializer[Any]):
    """A part of a movement and what it was; `undone` where that was taken back."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(["invoice", "balance", "aside"])
    amount = serializers.CharField()
    invoice_id = serializers.UUIDField(allow_null=True)
    rule = serializers.CharField()
    undone = serializers.BooleanField()


class BankProposalSerializer(serializers.Serializer[Any]):
    """What a movement could pay."""

    rule = serializers.CharField()
    parts = BankPartSerializer(many=True)
    surplus = serializers.CharField()


class BankLineSerializer(serializers.Serializer[Any]):
    """A movement as the bank told it."""

    id = serializers.UUIDField()
    account = serializers.CharField()
    booked_on = serializers.DateField()
    amount = serializers.CharField()
    left = serializers.CharField(help_text="what no match has")
    currency = serializers.CharField()
    payer = serializers.CharField()
    text = serializers.CharField()
    reference = serializers.CharField()
    state = serializers.ChoiceField(["new", "suggested", "unmatched", "matched", "outgoing"])


class BankLinesSerializer(PagedSerializer):
    """A page of movements, the latest day first."""

    lines = BankLineSerializer(many=True)


class BankLineDetailSerializer(BankLineSerializer):
    """A movement with what it was matched to, and what it could be."""

    matches = BankMatchSerializer(many=True)
    proposals = BankProposalSerializer(many=True)


class BankMatchRequestSerializer(ClosedSerializer):
    """Which invoices a movement pays."""

    parts = BankPartSerializer(many=True, allow_empty=False)
    note = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)


class BankKeepRequestSerializer(ClosedSerializer):
    """Whose balance a movement, or an amount of it, goes to."""

    tenant_id = serializers.UUIDField(
        source="tenant", help_text="an organization that has or had a contract with the provider"
    )
    amount = serializers.DecimalField(max_digits=38, decimal_places=4, required=False, help_text="all that is left")
    note = serializers.CharField(max_length=NOTE_CHARACTERS_MAX, required=False, default="", allow_blank=True)


class BankAsideRequestSerializer(ClosedSerializer):
    """What a movement, or an amount of it, is, which is no money of a tenant."""

    note = serializers.CharField(max_length=NOTE_CHARACTERS_MAX, help_text="such as interest")
    amount = serializers.DecimalField(max_digits=38, decimal_places=4, required=False, help_text="all that is left")


class BankUndoRequestSerializer(ClosedSerializer):
    """Why a match was wrong."""

    reason = serializers.CharField(max_length=200)
