"""The shape of the difference that an amendment makes, in words and in money."""

from typing import Any

from rest_framework import serializers


class WordsDifferenceSerializer(serializers.Serializer[Any]):
    """One field of a term that is worded differently."""

    field = serializers.CharField(help_text="where in the wording, such as `tiers.0.price_per_mtok`")
    before = serializers.CharField(allow_null=True, help_text="as it is; null: nothing is said")
    after = serializers.CharField(allow_null=True, help_text="as proposed; null: nothing is said")


class AlreadyUsedSerializer(serializers.Serializer[Any]):
    """What a new balance would pay for of the time before it."""

    from_at = serializers.DateTimeField(help_text="since when it was used")
    next_at = serializers.DateTimeField(help_text="a balance that begins here pays for later use alone")
    amount = serializers.CharField(help_text="in the contract's currency")


class TermDifferenceSerializer(serializers.Serializer[Any]):
    """One term that is new, ends, is worded differently or would cost something else."""

    ref = serializers.CharField(help_text="the term's reference within its contract, such as S-0007")
    title = serializers.CharField(help_text="as bills name it")
    kind = serializers.CharField(help_text="of its wording")
    new = serializers.BooleanField(help_text="whether the contract does not have it yet")
    ends = serializers.BooleanField(help_text="whether it ends with the amendment")
    words = WordsDifferenceSerializer(many=True, help_text="the fields that are worded differently")
    before = serializers.CharField(help_text="what its lines of the period came to, in the contract's currency")
    after = serializers.CharField(help_text="what they would have come to")
    deposit = serializers.CharField(help_text="how much of the difference is a deposit")
    already_used = AlreadyUsedSerializer(allow_null=True, help_text="null: a new balance pays for nothing used before")


class ContractDifferenceSerializer(serializers.Serializer[Any]):
    """What the latest period that is over would have cost as proposed, and what is said differently."""

    from_at = serializers.DateTimeField(help_text="where that period begins")
    to_at = serializers.DateTimeField(help_text="where it ends")
    currency = serializers.CharField(help_text="of the contract, ISO 4217")
    before = serializers.CharField(help_text="what all lines of the period came to, before tax")
    after = serializers.CharField(help_text="what they would have come to, before tax")
    deposit = serializers.CharField(help_text="how much of the difference is deposits")
    unpriced = serializers.BooleanField(help_text="whether some usage would have had no price: the amounts are not all")
    terms = TermDifferenceSerializer(many=True, help_text="terms that stay and cost the same are left out")
