"""The API of what is not well in a provider's fleet."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from metering.health_rows import HealthRow, health_rows
from tenants.authentication import provider_of
from tenants.instants import instant_text
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_of_few

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request


class FleetHealthRowSerializer(serializers.Serializer[Any]):
    """One thing that was seen of a node or of a card."""

    kind = serializers.ChoiceField(["node", "card"])
    cluster = serializers.CharField()
    node = serializers.CharField()
    gpu = serializers.IntegerField(allow_null=True, help_text="the card's place in its node; null for a node")
    model = serializers.CharField(help_text="of the card; empty for a node")
    what = serializers.CharField(
        help_text="such as silent, clock_off, gaps, xid_79, ecc_uncorrected, throttled, output_below_usual"
    )
    count = serializers.IntegerField(allow_null=True, help_text="how many times; of clock_off the difference in ms")
    at = serializers.DateTimeField(allow_null=True, help_text="when it was last seen; of silent since when")
    share = serializers.CharField(
        allow_null=True, help_text="0 to 1: of samples that were throttled, of the output that is usual"
    )


class FleetHealthSerializer(PagedSerializer):
    """What is not well, by cluster, node and card."""

    fleet_health = FleetHealthRowSerializer(many=True)


class FleetHealthView(ListView):
    """What needs somebody to look at a machine."""

    required_scopes = {"GET": "fleet:read"}

    @extend_schema(
        operation_id="fleet_health_list",
        tags=["fleet"],
        summary="List what is not well in the fleet",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(FleetHealthSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List errors of 7 days, clocks held back in 24 hours, late nodes, and output below that of a week ago."""
        provider = provider_of(request)
        rows = health_rows(provider=provider, now=datetime.now(UTC))  # noqa: TID251  an entry point
        paged = page_of_few(request, rows, lambda one: one.place)
        return list_answer(request, "fleet_health", paged, FleetHealthRowSerializer, _row)


def _row(one: HealthRow) -> dict[str, object]:
    return {
        "kind": one.kind,
        "cluster": one.cluster,
        "node": one.node,
        "gpu": one.position,
        "model": one.model,
        "what": one.what,
        "count": one.count,
        "at": instant_text(one.at),
        "share": None if one.share is None else f"{one.share:.4f}",
    }
