"""Shapes of the API of capacity, quotes and leases."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from billing.models import LeaseEndReason, LeaseStep
from clusters.capacity import COUNT_MAX
from clusters.models import SliceKind
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PagedSerializer
from tenants.problems import Problem

INSTANT = "RFC 3339, or local time of the contract's zone; what is twice or never there is refused with both instants"


class InvalidInstant(Problem):
    """A time that is none, or that cannot be told: `field`, and the instants that can have been meant."""

    status = 400
    code = "invalid_instant"
    title = "This is no instant"


class SpanSerializer(serializers.Serializer[Any]):
    """A shape with `from` and `to`, which are words of Python and so no attributes of a class."""

    def get_fields(self) -> dict[str, "serializers.Field[Any, Any, Any, Any]"]:
        """Return the fields with the span's two."""
        span = {name: serializers.CharField(max_length=40, help_text=INSTANT) for name in ("from", "to")}
        return {**super().get_fields(), **span}


class WishSerializer(SpanSerializer):
    """Slices of one card model over a span."""

    model = serializers.CharField(max_length=100, help_text="card model as the nodes report it")
    count = serializers.IntegerField(min_value=1, max_value=COUNT_MAX)
    kind = serializers.ChoiceField(choices=SliceKind.choices, default=SliceKind.WHOLE)
    profile = serializers.CharField(max_length=32, default="", allow_blank=True, help_text="MIG profile: 1g.10gb")
    share_permille = serializers.IntegerField(min_value=1, max_value=1000, required=False, allow_null=True)


class CapacityQuerySerializer(WishSerializer):
    """The query of the capacity calendar."""

    contract = serializers.CharField(max_length=32, required=False)


class QuoteRequestSerializer(ClosedSerializer, WishSerializer):
    """What to quote a price for."""

    contract = serializers.CharField(max_length=32, help_text="the contract's number")


class CapacitySerializer(SpanSerializer):
    """What is free over a span."""

    model = serializers.CharField()
    count = serializers.IntegerField()
    kind = serializers.CharField()
    profile = serializers.CharField()
    free = serializers.IntegerField(help_text="slices free over the whole of the span")
    enough = serializers.BooleanField()
    nodes = serializers.IntegerField(help_text="how many nodes it takes at least; 0: it cannot be met")
    earliest_start = serializers.DateTimeField(allow_null=True, help_text="null: not within two years")
    price_per_gpu_hour = serializers.CharField(allow_null=True)
    currency = serializers.CharField()


class QuoteSerializer(SpanSerializer):
    """A price that stands until it expires; nothing is held by it."""

    id = serializers.UUIDField()
    number = serializers.CharField()
    contract = serializers.CharField()
    model = serializers.CharField()
    count = serializers.IntegerField()
    kind = serializers.CharField()
    profile = serializers.CharField()
    share_permille = serializers.IntegerField(allow_null=True, help_text="of a fraction: thousandths of a card")
    price_per_gpu_hour = serializers.CharField()
    amount = serializers.CharField(help_text="of the whole span, before tax")
    currency = serializers.CharField()
    expires_at = serializers.DateTimeField()
    lease = serializers.CharField(allow_null=True, help_text="the lease it was reserved as")


class StepSerializer(serializers.Serializer[Any]):
    """A step of a lease, and the end that it has since."""

    step = serializers.ChoiceField(choices=LeaseStep.choices)
    at = serializers.DateTimeField()
    to = serializers.DateTimeField(allow_null=True)
    reason = serializers.ChoiceField(
        choices=LeaseEndReason.choices, allow_null=True, help_text="of an end: why it came"
    )


class LeaseSerializer(SpanSerializer):
    """A lease and what happened to it; `to` is null while it has no end."""

    ref = serializers.CharField()
    title = serializers.CharField()
    contract = serializers.CharField()
    provider = serializers.CharField()
    provider_name = serializers.CharField()
    tenant = serializers.CharField()
    tenant_name = serializers.CharField()
    model = serializers.CharField()
    slices = serializers.IntegerField()
    share_permille = serializers.IntegerField(help_text="thousandths of cards held")
    price_per_gpu_hour = serializers.CharField(allow_null=True, help_text="null: the price book's in force")
    currency = serializers.CharField()
    state = serializers.ChoiceField(choices=["reserved", "running", "ended"])
    gpu_seconds_held = serializers.CharField()
    charged = serializers.CharField()
    steps = StepSerializer(many=True)


class LeasesSerializer(PagedSerializer):
    """Leases, the one that begins last first."""

    leases = LeaseSerializer(many=True)


class ExtendSerializer(ClosedSerializer):
    """A later end."""

    to = serializers.CharField(max_length=40, help_text=INSTANT)


class HoldOverSerializer(ClosedSerializer):
    """Until when a lease that came to its end is still held."""

    to = serializers.CharField(max_length=40, help_text=INSTANT)


class EndSerializer(ClosedSerializer):
    """An earlier end."""

    at = serializers.CharField(max_length=40, help_text=INSTANT)


class OutageRequestSerializer(ClosedSerializer, SpanSerializer):
    """Cards of a lease that could not be used over a span that is over."""

    cause = serializers.CharField(
        max_length=40, help_text="a word as terms name it, such as maintenance or card_faulty"
    )
    accelerator_ids = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        default=list,
        max_length=COUNT_MAX,
        help_text="the cards, as `allocations` name them; none: all that the lease held",
    )


class OutageStatedSerializer(SpanSerializer):
    """An outage as it is on record."""

    cause = serializers.CharField()
    accelerator_ids = serializers.ListField(child=serializers.UUIDField())


class OutageSerializer(OutageStatedSerializer):
    """Cards of a lease that were out over a span."""

    told_by = serializers.ChoiceField(
        choices=["meter", "provider"], help_text="whose record it is: the meter's, or the provider's word"
    )
    stated_by = serializers.CharField(
        allow_null=True, help_text="who stated it: an e-mail address, or `key` and the prefix of an API key"
    )
    stated_at = serializers.CharField(
        allow_null=True, help_text="when it was stated here, UTC; null: the meter says so"
    )


class OutagesSerializer(PagedSerializer):
    """Outages of a lease, the latest first."""

    outages = OutageSerializer(many=True)


CAPACITY_PARAMETERS = [
    OpenApiParameter("model", str, required=True, description="card model as the nodes report it"),
    OpenApiParameter("count", int, required=True, description="how many slices, all over the whole of the span"),
    OpenApiParameter("from", str, required=True, description=INSTANT),
    OpenApiParameter("to", str, required=True, description=INSTANT),
    OpenApiParameter("kind", str, enum=list(SliceKind.values), description="whole cards if not given"),
    OpenApiParameter("profile", str, description="MIG profile: 1g.10gb"),
    OpenApiParameter("share_permille", int, description="parts of cards of this many thousandths only"),
    OpenApiParameter("contract", str, description="the contract's number: its provider, time zone and price only"),
]
