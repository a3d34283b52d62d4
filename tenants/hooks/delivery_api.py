"""The API of what was sent to endpoints: deliveries with every try, and sending one again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.authentication import organization_of
from tenants.hook_models import DeliveryState, WebhookDelivery
from tenants.hooks import endpoints
from tenants.hooks.endpoints import Actor
from tenants.hooks.signing import payload
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_by_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.request import Request

T = TypeVar("T")
DELIVERIES_MAX: Final = 200


class TrySerializer(serializers.Serializer[Any]):
    """One try to deliver."""

    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True, help_text="HTTP status; null where there was no answer")
    error = serializers.CharField()
    duration_ms = serializers.IntegerField()


class DeliverySerializer(serializers.Serializer[Any]):
    """One event on its way to an endpoint."""

    id = serializers.UUIDField()
    endpoint_id = serializers.UUIDField()
    message_id = serializers.CharField(help_text="the `webhook-id` of every try")
    kind = serializers.CharField()
    at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=DeliveryState.choices)
    due_at = serializers.DateTimeField(allow_null=True, help_text="of the next try, while it waits")
    tries = TrySerializer(many=True)


class SentDeliverySerializer(DeliverySerializer):
    """One event on its way to an endpoint, and what is sent there."""

    body = serializers.CharField(help_text="the body as it is sent: the bytes that are signed, the same in every try")


class DeliveriesSerializer(PagedSerializer):
    """The latest deliveries, the newest first."""

    deliveries = DeliverySerializer(many=True)


class DeliveryQuerySerializer(serializers.Serializer[Any]):
    """Which deliveries to list."""

    endpoint_id = serializers.UUIDField(required=False)
    state = serializers.ChoiceField(choices=DeliveryState.choices, required=False)


class DeliveriesView(ListView):
    """Deliveries of an organization."""

    required_scopes = {"GET": "webhooks:read"}

    @extend_schema(
        operation_id="webhook_deliveries_list",
        tags=["webhooks"],
        summary="List deliveries",
        parameters=[
            OpenApiParameter("endpoint_id", UUID, description="of this endpoint alone"),
            OpenApiParameter("state", str, enum=list(DeliveryState.values)),
            *PAGE_PARAMETERS,
        ],
        responses=list_responses(DeliveriesSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List deliveries with every try, those of the latest event first."""
        query = DeliveryQuerySerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        named = {"endpoint_id": asked.get("endpoint_id"), "state": asked.get("state")}
        chosen = {name: value for name, value in named.items() if value}
        paged = page_by_key(request, deliveries_found(actor_of(request), **chosen), ("-event_id", "-pk"))
        return list_answer(request, "deliveries", paged, DeliverySerializer, delivery_answer)


class DeliveryView(APIView):
    """One delivery."""

    required_scopes = {"GET": "webhooks:read"}

    @extend_schema(
        operation_id="webhook_deliveries_retrieve",
        tags=["webhooks"],
        summary="Read a delivery",
        responses={200: SentDeliverySerializer},
    )
    def get(self, request: Request, delivery_id: UUID) -> Response:
        """Read a delivery with the body as it is sent, and what came of each try."""
        sent = found(lambda: deliveries_found(actor_of(request)).get(pk=delivery_id))
        event = sent.event
        return Response({**delivery_answer(sent), "body": payload(event.kind, event.at, event.body).decode()})


class ReplayView(APIView):
    """Sending one event again."""

    required_scopes = {"POST": "webhooks:write"}

    @extend_schema(
        operation_id="webhook_deliveries_replay",
        tags=["webhooks"],
        summary="Send an event again",
        request=None,
        responses={202: DeliverySerializer},
    )
    def post(self, request: Request, delivery_id: UUID) -> Response:
        """Send an event to its endpoint again, under the id that it had."""
        sent = found(lambda: endpoints.replay(actor=actor_of(request), delivery_id=delivery_id, now=right_now()))
        return Response(delivery_answer(sent), status=status.HTTP_202_ACCEPTED)


def deliveries_of(actor: Actor, limit: int = DELIVERIES_MAX, **chosen: object) -> list[WebhookDelivery]:
    """Return the latest deliveries of an organization with event, endpoint and tries; two queries."""
    return list(deliveries_found(actor, **chosen).order_by("-event_id", "-pk")[:limit])


def deliveries_found(actor: Actor, **chosen: object) -> QuerySet[WebhookDelivery]:
    """Return deliveries of an organization with event, endpoint and tries."""
    found = WebhookDelivery.objects.filter(endpoint__organization=actor.organization, **chosen)
    return found.select_related("event", "endpoint").prefetch_related("tries")


def found(act: Callable[[], T]) -> T:
    """Return what an act does; what it does not find is nothing to its caller."""
    try:
        return act()
    except ObjectDoesNotExist as error:
        raise Http404 from error


def actor_of(request: Request) -> Actor:
    """Return who calls, as the audit log names programs."""
    return Actor(organization_of(request), f"API key {getattr(request.auth, 'prefix', '')}")


def delivery_answer(delivery: WebhookDelivery) -> dict[str, Any]:
    """Return a delivery as the API tells it."""
    waits = delivery.state == DeliveryState.WAITING
    return {
        "id": str(delivery.pk),
        "endpoint_id": str(delivery.endpoint_id),
        "message_id": f"msg_{delivery.event_id.hex}",
        "kind": delivery.event.kind,
        "at": instant(delivery.event.at),
        "state": delivery.state,
        "due_at": instant(delivery.due_at) if waits else None,
        "tries": [
            {"at": instant(one.at), "status": one.status, "error": one.error, "duration_ms": one.duration_ms}
            for one in sorted(delivery.tries.all(), key=lambda one: one.pk)
        ],
    }


def right_now() -> datetime:
    """Return the instant of a call."""
    return datetime.now(UTC)  # noqa: TID251  an entry point


def instant(at: datetime | None) -> str | None:
    """Return an instant in UTC as the API tells it."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
