"""The shapes of the contracts API: what it takes and what its answers hold."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.agreements.difference_shapes import ContractDifferenceSerializer
from billing.agreements.wording_shapes import WordingField
from billing.models import Collection, PeriodKind
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PagedSerializer


class ProposedChangeSerializer(ClosedSerializer):
    """What is proposed of one term, from an instant on. Times without an offset are local to the contract's zone."""

    ref = serializers.CharField(required=False, help_text="a term that the contract has; left out for a new one")
    title = serializers.CharField(required=False, max_length=200)
    from_at = serializers.CharField(help_text="RFC 3339, or local time such as 2026-12-01T00:00")
    to_at = serializers.CharField(
        required=False, allow_null=True, help_text="left out: none, or of a known term the end that it has"
    )
    wording = WordingField(allow_null=True, help_text="what the term says; null ends it")
    currency = serializers.CharField(required=False, help_text="the contract's, where it is to be checked")
    slices = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        allow_null=True,
        help_text="ids of the slices that are held; left out: as they are",
    )
    deployments = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        allow_null=True,
        help_text="ids of the deployments whose usage is priced; left out: as they are",
    )


class ChangeSerializer(serializers.Serializer[Any]):
    """What is proposed of one term, from an instant on, as it was understood."""

    ref = serializers.CharField(help_text="empty for a new term")
    title = serializers.CharField()
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField(allow_null=True)
    wording = WordingField(allow_null=True, help_text="what the term says; null ends it")
    slices = serializers.ListField(child=serializers.UUIDField(), allow_null=True)
    deployments = serializers.ListField(child=serializers.UUIDField(), allow_null=True)


@extend_schema_field(ProposedChangeSerializer(many=True))
class ChangesField(serializers.ListField):
    """Changes as they were sent; `billing.agreements.proposals` reads them, and names the field within them."""

    child = serializers.JSONField()


class ProposalSerializer(ClosedSerializer):
    """A proposed amendment."""

    changes = ChangesField(help_text="one for each term, the first version's included")
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=1000)


class AmendingSerializer(ProposalSerializer):
    """A proposed amendment of a contract that there is: changes of its terms, or its end."""

    changes = ChangesField(required=False, default=list, help_text="one for each term that changes")
    ends_at = serializers.CharField(
        required=False,
        allow_null=True,
        default=None,
        help_text="when the contract is to end, RFC 3339 or local time; then without `changes`",
    )


class HeaderSerializer(ClosedSerializer):
    """What a contract says beside its terms and parties, as its drafter may change it before it is offered."""

    currency = serializers.CharField(max_length=3, help_text="ISO 4217")
    time_zone = serializers.CharField(max_length=64, help_text="IANA name")
    from_at = serializers.CharField(help_text="RFC 3339, or local time such as 2026-12-01T00:00")
    to_at = serializers.CharField(required=False, allow_null=True, help_text="left out: without an end")
    price_book_id = serializers.UUIDField(source="price_book", required=False, allow_null=True)
    period_kind = serializers.ChoiceField(choices=PeriodKind.choices, default=PeriodKind.CALENDAR_MONTH)
    period_length_s = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**31 - 1, help_text="seconds, of `fixed_length` alone"
    )
    collection = serializers.ChoiceField(choices=Collection.choices, default=Collection.SEND_INVOICE)
    due_days = serializers.IntegerField(default=14, min_value=0, max_value=365, help_text="from its issue on")
    grace_hours = serializers.IntegerField(
        default=48, min_value=0, max_value=8760, help_text="from a period's end until it closes by itself"
    )
    name = serializers.CharField(required=False, allow_blank=True, default="", max_length=200)
    provider_reference = serializers.CharField(required=False, allow_blank=True, default="", max_length=100)
    tenant_reference = serializers.CharField(required=False, allow_blank=True, default="", max_length=100)


class DraftSerializer(HeaderSerializer, ProposalSerializer):
    """A contract to be drafted, with the terms it is to begin with."""

    provider = serializers.SlugField(help_text="slug of the party that provides")
    tenant = serializers.SlugField(help_text="slug of the party that uses and pays")


class OfferSerializer(ClosedSerializer):
    """For how long an offer stands."""

    days = serializers.IntegerField(default=14, min_value=1, max_value=365)


class AcceptSerializer(ClosedSerializer):
    """A party's word."""

    name = serializers.CharField(max_length=200, help_text="of the person who accepts")
    sha256 = serializers.CharField(max_length=64, help_text="hash of the terms that they have seen")


class EmptySerializer(serializers.Serializer[Any]):
    """Nothing is needed."""


class StretchSerializer(serializers.Serializer[Any]):
    """A wording in force over `[from_at, to_at)`."""

    version = serializers.IntegerField()
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField(allow_null=True)
    wording = WordingField()


class TermSerializer(serializers.Serializer[Any]):
    """A term as agreed by now."""

    ref = serializers.CharField()
    kind = serializers.CharField()
    title = serializers.CharField()
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField(allow_null=True)
    wordings = StretchSerializer(many=True)


class ContractSerializer(serializers.Serializer[Any]):
    """A contract as both parties read it."""

    id = serializers.UUIDField()
    number = serializers.CharField()
    provider = serializers.CharField()
    provider_name = serializers.CharField()
    tenant = serializers.CharField()
    tenant_name = serializers.CharField()
    state = serializers.CharField(help_text="draft, offered, active, ended or terminated")
    version = serializers.IntegerField(help_text="the latest; 0 before anything is agreed")
    currency = serializers.CharField()
    time_zone = serializers.CharField()
    from_at = serializers.DateTimeField()
    to_at = serializers.DateTimeField(allow_null=True)
    period_kind = serializers.CharField()
    price_book = serializers.CharField(allow_null=True)
    collection = serializers.CharField()
    due_days = serializers.IntegerField()
    grace_hours = serializers.IntegerField()
    operator_fee_percent = serializers.CharField()
    name = serializers.CharField(help_text="for people; no part of what is agreed")
    provider_reference = serializers.CharField()
    tenant_reference = serializers.CharField()
    updated_at = serializers.DateTimeField()
    terms = TermSerializer(many=True)
    open_amendment_id = serializers.UUIDField(allow_null=True)
    offered_sha256 = serializers.CharField(
        allow_null=True, help_text="hash of the terms on offer, which `contracts_accept` takes; null: nothing is"
    )


class ContractsSerializer(PagedSerializer):
    """All contracts that the caller may see."""

    contracts = ContractSerializer(many=True)


class AcceptanceSerializer(serializers.Serializer[Any]):
    """One party's word."""

    organization = serializers.CharField()
    organization_name = serializers.CharField()
    name = serializers.CharField()
    accepted_at = serializers.DateTimeField()
    sha256 = serializers.CharField()


class VersionSerializer(serializers.Serializer[Any]):
    """A version, its text byte for byte as hashed, and who accepted it."""

    number = serializers.IntegerField()
    effective_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    sha256 = serializers.CharField()
    previous_sha256 = serializers.CharField(allow_blank=True)
    amendment = serializers.IntegerField(allow_null=True)
    accepted_by = AcceptanceSerializer(many=True)
    document = serializers.CharField()


class VersionsSerializer(PagedSerializer):
    """The versions of a contract, the newest first."""

    versions = VersionSerializer(many=True)


class AmendmentSerializer(serializers.Serializer[Any]):
    """A proposal, what it would change, and what may be done with it now."""

    id = serializers.UUIDField()
    contract_id = serializers.UUIDField()
    contract = serializers.CharField()
    number = serializers.IntegerField()
    state = serializers.CharField()
    proposed_by = serializers.CharField(help_text="slug of the party that proposed it")
    note = serializers.CharField(allow_blank=True)
    effective_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True, help_text="when the contract is to end")
    offered_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    sha256 = serializers.CharField(allow_blank=True, help_text="of the terms on offer; empty for a draft")
    document = serializers.CharField(allow_blank=True, help_text="the text that is hashed; empty for a draft")
    version = serializers.IntegerField(allow_null=True, help_text="the version that it became")
    changes = ChangeSerializer(many=True)
    accepted_by = AcceptanceSerializer(many=True)
    actions = serializers.ListField(child=serializers.CharField(), help_text="edit, offer, accept, decline, withdraw")
    difference = ContractDifferenceSerializer(
        allow_null=True, help_text="in words and in money of the latest period; null once it is decided"
    )


class AmendmentsSerializer(PagedSerializer):
    """The amendments of a contract, the newest first, without their differences."""

    amendments = AmendmentSerializer(many=True)
