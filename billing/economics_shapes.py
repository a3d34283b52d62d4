"""The shapes of the economics API's answers, for programs and for the OpenAPI document."""

from typing import Any

from rest_framework import serializers

from tenants.listing.answers import PagedSerializer

EXACT = "unrounded, to 18 decimals, as a string"


class MarginLineSerializer(serializers.Serializer[Any]):
    """One group's sums."""

    key = serializers.CharField(help_text="model, tenant's or cluster's slug, or day; empty for what has none")
    name = serializers.CharField()
    kind = serializers.CharField(help_text="idle, unplaced, or empty")
    revenue = serializers.CharField(help_text=EXACT)
    gpu_cost = serializers.CharField(
        allow_null=True, help_text="cards and rent, of gpu_hours_costed; null: not known; " + EXACT
    )
    energy_cost = serializers.CharField(allow_null=True, help_text="null: no energy was metered; " + EXACT)
    overhead_cost = serializers.CharField(allow_null=True, help_text="null: not known; " + EXACT)
    profit = serializers.CharField(
        allow_null=True, help_text="null where any cost is not known; without energy that no card told; " + EXACT
    )
    margin = serializers.CharField(allow_null=True, help_text="of what was earned, 1 is all; null: not known")
    gpu_hours = serializers.CharField()
    gpu_hours_costed = serializers.CharField(help_text="of cards whose price is known")
    gpu_hours_metered = serializers.CharField(help_text="with metered energy")
    energy_kwh = serializers.CharField(allow_null=True, help_text="measured at the cards; null: none was")
    carbon_g = serializers.CharField(allow_null=True, help_text="CO2e, PUE included; null: not known")
    input_tokens = serializers.CharField()
    cached_input_tokens = serializers.CharField(help_text="a part of input_tokens")
    cache_write_tokens = serializers.CharField()
    output_tokens = serializers.CharField()
    cost_per_mtok = serializers.CharField(allow_null=True, help_text="null without tokens or with an unknown cost")
    price_per_mtok = serializers.CharField(allow_null=True)
    tokens_per_currency_unit = serializers.CharField(allow_null=True)
    tokens_per_gpu_hour = serializers.CharField(allow_null=True)
    tokens_per_kwh = serializers.CharField(allow_null=True)


class InvertedSerializer(serializers.Serializer[Any]):
    """A model that sells below cost on a cluster."""

    model = serializers.CharField()
    cluster = serializers.CharField(help_text="slug")
    since = serializers.DateField()
    last_day = serializers.DateField()
    days = serializers.IntegerField()
    loss = serializers.CharField(help_text=EXACT)


class MarginsSerializer(PagedSerializer):
    """A provider's days; lines sum to the total, whatever they are grouped by."""

    first_day = serializers.DateField()
    last_day = serializers.DateField()
    currency = serializers.CharField()
    lines = MarginLineSerializer(many=True)
    total = MarginLineSerializer()
    workload_cost = serializers.CharField(
        allow_null=True, help_text="workload + idle + overhead = cost; null where any cost is not known"
    )
    idle_cost = serializers.CharField(allow_null=True)
    overhead_cost = serializers.CharField(allow_null=True)
    cost = serializers.CharField(allow_null=True)
    below_cost = InvertedSerializer(many=True)


class SimulatedLineSerializer(serializers.Serializer[Any]):
    """One tenant's model."""

    tenant = serializers.CharField(help_text="slug; empty in the total")
    model = serializers.CharField()
    old = serializers.CharField(help_text="as billed; " + EXACT)
    new = serializers.CharField(help_text=EXACT)
    stress = serializers.DictField(child=serializers.CharField(), help_text="by percentage on the new prices")
    cost = serializers.CharField(allow_null=True, help_text="of the days of the periods; null: not known")
    margin = serializers.CharField(allow_null=True, help_text="of the new amount, 1 is all; null: not known")


class SimulationSerializer(serializers.Serializer[Any]):
    """Billing periods rated anew; nothing was stored."""

    currency = serializers.CharField()
    currencies = serializers.ListField(child=serializers.CharField())
    periods = serializers.IntegerField()
    contracts = serializers.IntegerField()
    lines = SimulatedLineSerializer(many=True)
    total = SimulatedLineSerializer()


class ComparedOfferSerializer(serializers.Serializer[Any]):
    """One model of payment."""

    name = serializers.CharField(help_text="lease, token_price, share or hybrid")
    amount = serializers.CharField(help_text="for the compared usage, " + EXACT)


class CrossingSerializer(serializers.Serializer[Any]):
    """A volume at which two models of payment cost the same."""

    cheaper_below = serializers.CharField()
    cheaper_above = serializers.CharField()
    volume = serializers.CharField(help_text="1 is the compared usage; to 18 decimals")
    tokens = serializers.CharField(help_text="to 18 decimals")
    utilisation = serializers.CharField(allow_null=True, help_text="of the held cards, 1 is all; null: not measured")
    amount = serializers.CharField(help_text=EXACT)


class ComparisonSerializer(serializers.Serializer[Any]):
    """A contract's usage in four models of payment; nothing was stored."""

    currency = serializers.CharField()
    tokens = serializers.CharField()
    gpu_hours = serializers.CharField()
    holds_are_real = serializers.BooleanField(help_text="false where cards were supposed to be held")
    share_percent = serializers.CharField()
    rent_per_month = serializers.CharField()
    offers = ComparedOfferSerializer(many=True)
    missing = serializers.ListField(child=serializers.CharField(), help_text="no price, or nothing held")
    cheapest = serializers.CharField()
    crossings = CrossingSerializer(many=True)
