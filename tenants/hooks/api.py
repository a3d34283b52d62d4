"""The API of webhooks out: endpoints, their secrets, tests, deliveries, and sending again."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.authentication import organization_of
from tenants.calls import KEY_HEADER, made_once
from tenants.closed_shapes import ClosedSerializer
from tenants.hook_models import DeliveryState, WebhookDelivery, WebhookEndpoint
from tenants.hooks import endpoints
from tenants.hooks.endpoints import Actor
from tenants.hooks.kinds import KINDS
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_by_key
from tenants.shaped import valid

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_framework.request import Request

    from tenants.hooks.outbound import Network

T = TypeVar("T")
SCOPES: Final = {"GET": "webhooks:read", "POST": "webhooks:write"}
DELIVERIES_MAX: Final = 200


class EndpointRequestSerializer(ClosedSerializer):
    """Where to call, and for which kinds of events."""

    url = serializers.CharField(max_length=500)
    kinds = serializers.ListField(
        child=serializers.CharField(max_length=64),
        max_length=len(KINDS),
        required=False,
        default=list,
        help_text="kinds, or families as `invoice.*`; none: all",
    )


class EndpointSerializer(serializers.Serializer[Any]):
    """An endpoint. Its secret is told where it is made or turned, and never again."""

    id = serializers.UUIDField()
    url = serializers.CharField()
    kinds = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    disabled_at = serializers.DateTimeField(allow_null=True)
    disabled_because = serializers.CharField()
    secret = serializers.CharField(required=False)


class EndpointsSerializer(PagedSerializer):
    """Endpoints of an organization, and every kind of event that there is."""

    endpoints = EndpointSerializer(many=True)
    kinds = serializers.DictField(child=serializers.CharField(), help_text="kinds of events and what has happened")


class TrySerializer(serializers.Serializer[Any]):
    """One try to deliver."""

    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True, help_text="HTTP status; null where there was no answer")
    error = serializers.CharField()
    duration_ms = serializers.IntegerField()


class DeliverySerializer(serializers.Serializer[Any]):
    """One event on its way to an endpoint."""

    id = serializers.UUIDField()
    endpoint = serializers.UUIDField()
    message_id = serializers.CharField(help_text="the `webhook-id` of every try")
    kind = serializers.CharField()
    at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=DeliveryState.choices)
    due_at = serializers.DateTimeField(allow_null=True, help_text="of the next try, while it waits")
    tries = TrySerializer(many=True)


class DeliveriesSerializer(PagedSerializer):
    """The latest deliveries, the newest first."""

    deliveries = DeliverySerializer(many=True)


class ReplaySerializer(ClosedSerializer):
    """Since when to send again."""

    since = serializers.DateTimeField()


class ReplayedSerializer(serializers.Serializer[Any]):
    """How many deliveries are sent again."""

    replayed = serializers.IntegerField()


class EndpointsView(ListView):
    """Endpoints of an organization."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="webhook_endpoints_list",
        tags=["webhooks"],
        summary="List endpoints",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(EndpointsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the endpoints that are told what happens."""
        found = WebhookEndpoint.objects.filter(organization=organization_of(request), removed_at__isnull=True)
        paged = page_by_key(request, found, ("pk",))
        return list_answer(request, "endpoints", paged, EndpointSerializer, _endpoint, kinds=dict(KINDS))

    @extend_schema(
        operation_id="webhook_endpoints_create",
        tags=["webhooks"],
        summary="Add an endpoint",
        parameters=[KEY_HEADER],
        request=EndpointRequestSerializer,
        responses={201: EndpointSerializer},
    )
    def post(self, request: Request) -> Response:
        """Add an endpoint; the answer has its secret, which is not told again."""
        body, now = request._request.body, _now()
        given = valid(EndpointRequestSerializer, request.data)

        def make() -> tuple[int, dict[str, Any]]:
            made = endpoints.add_endpoint(actor=_actor(request), networks=networks(), now=now, **given)
            return status.HTTP_201_CREATED, _endpoint(made, secret=True)

        return made_once(request, body, now, make)


class EndpointView(APIView):
    """One endpoint."""

    required_scopes = {"PUT": "webhooks:write", "DELETE": "webhooks:write"}

    @extend_schema(
        operation_id="webhook_endpoints_update",
        tags=["webhooks"],
        summary="Change an endpoint",
        request=EndpointRequestSerializer,
        responses={200: EndpointSerializer},
    )
    def put(self, request: Request, endpoint_id: UUID) -> Response:
        """Give an endpoint another address or other kinds, and turn it on again."""
        given = valid(EndpointRequestSerializer, request.data)
        changed = _found(
            lambda: endpoints.change_endpoint(
                actor=_actor(request), endpoint_id=endpoint_id, networks=networks(), now=_now(), **given
            )
        )
        return Response(_endpoint(changed))

    @extend_schema(
        operation_id="webhook_endpoints_delete", tags=["webhooks"], summary="Remove an endpoint", responses={204: None}
    )
    def delete(self, request: Request, endpoint_id: UUID) -> Response:
        """Remove an endpoint; what was sent there stays on record."""
        _found(lambda: endpoints.remove_endpoint(actor=_actor(request), endpoint_id=endpoint_id, now=_now()))
        return Response(status=status.HTTP_204_NO_CONTENT)


class SecretView(APIView):
    """The secret of an endpoint."""

    required_scopes = {"POST": "webhooks:write"}

    @extend_schema(
        operation_id="webhook_endpoints_turn_secret",
        tags=["webhooks"],
        summary="Turn the secret",
        request=None,
        responses={200: EndpointSerializer},
    )
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Make a new secret and tell it once; the old one signs beside it for a day."""
        turned = _found(lambda: endpoints.turn_secret(actor=_actor(request), endpoint_id=endpoint_id, now=_now()))
        return Response(_endpoint(turned, secret=True))


class TurnOffView(APIView):
    """An endpoint that is told nothing for now."""

    required_scopes = {"POST": "webhooks:write"}

    @extend_schema(
        operation_id="webhook_endpoints_turn_off",
        tags=["webhooks"],
        summary="Turn an endpoint off",
        request=None,
        responses={200: EndpointSerializer},
    )
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Send nothing more to an endpoint until it is changed, which turns it on."""
        off = _found(lambda: endpoints.turn_off(actor=_actor(request), endpoint_id=endpoint_id, now=_now()))
        return Response(_endpoint(off))


class TestView(APIView):
    """A test of an endpoint."""

    required_scopes = {"POST": "webhooks:write"}

    @extend_schema(
        operation_id="webhook_endpoints_test",
        tags=["webhooks"],
        summary="Send a test",
        request=None,
        responses={202: DeliverySerializer},
    )
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Send an event that means nothing; `webhook-deliveries` says what came of it."""
        sent = _found(lambda: endpoints.send_test(actor=_actor(request), endpoint_id=endpoint_id, now=_now()))
        return Response(_delivery(sent), status=status.HTTP_202_ACCEPTED)


class ReplaySinceView(APIView):
    """Sending again what an endpoint has missed."""

    required_scopes = {"POST": "webhooks:write"}

    @extend_schema(
        operation_id="webhook_endpoints_replay",
        tags=["webhooks"],
        summary="Send again since an instant",
        request=ReplaySerializer,
        responses={202: ReplayedSerializer},
    )
    def post(self, request: Request, endpoint_id: UUID) -> Response:
        """Send every event since an instant again, under the ids that they had."""
        since = valid(ReplaySerializer, request.data)["since"]
        count = _found(
            lambda: endpoints.replay_since(actor=_actor(request), endpoint_id=endpoint_id, since=since, now=_now())
        )
        return Response({"replayed": count}, status=status.HTTP_202_ACCEPTED)


class DeliveriesView(ListView):
    """Deliveries of an organization."""

    required_scopes = {"GET": "webhooks:read"}

    @extend_schema(
        operation_id="webhook_deliveries_list",
        tags=["webhooks"],
        summary="List deliveries",
        parameters=[
            OpenApiParameter("endpoint", UUID, description="of this endpoint alone"),
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
        named = {"endpoint_id": asked.get("endpoint"), "state": asked.get("state")}
        chosen = {name: value for name, value in named.items() if value}
        paged = page_by_key(request, deliveries_found(_actor(request), **chosen), ("-event_id", "-pk"))
        return list_answer(request, "deliveries", paged, DeliverySerializer, _delivery)


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
        sent = _found(lambda: endpoints.replay(actor=_actor(request), delivery_id=delivery_id, now=_now()))
        return Response(_delivery(sent), status=status.HTTP_202_ACCEPTED)


class DeliveryQuerySerializer(serializers.Serializer[Any]):
    """Which deliveries to list."""

    endpoint = serializers.UUIDField(required=False)
    state = serializers.ChoiceField(choices=DeliveryState.choices, required=False)


def deliveries_of(actor: Actor, limit: int = DELIVERIES_MAX, **chosen: object) -> list[WebhookDelivery]:
    """Return the latest deliveries of an organization with event, endpoint and tries; two queries."""
    return list(deliveries_found(actor, **chosen).order_by("-event_id", "-pk")[:limit])


def deliveries_found(actor: Actor, **chosen: object) -> QuerySet[WebhookDelivery]:
    """Return deliveries of an organization with event, endpoint and tries."""
    found = WebhookDelivery.objects.filter(endpoint__organization=actor.organization, **chosen)
    return found.select_related("event", "endpoint").prefetch_related("tries")


def networks() -> list[Network]:
    """Return the private networks that endpoints may lie in."""
    return [ipaddress.ip_network(each) for each in settings.WEBHOOK_NETWORKS]


def _found(act: Callable[[], T]) -> T:
    try:
        return act()
    except ObjectDoesNotExist as error:
        raise Http404 from error


def _actor(request: Request) -> Actor:
    return Actor(organization_of(request), f"API key {getattr(request.auth, 'prefix', '')}")


def _endpoint(endpoint: WebhookEndpoint, *, secret: bool = False) -> dict[str, Any]:
    return {
        "id": str(endpoint.pk),
        "url": endpoint.url,
        "kinds": list(endpoint.kinds),
        "created_at": _instant(endpoint.created_at),
        "disabled_at": _instant(endpoint.disabled_at),
        "disabled_because": endpoint.disabled_because,
        **({"secret": endpoint.secret} if secret else {}),
    }


def _delivery(delivery: WebhookDelivery) -> dict[str, Any]:
    waits = delivery.state == DeliveryState.WAITING
    return {
        "id": str(delivery.pk),
        "endpoint": str(delivery.endpoint_id),
        "message_id": f"msg_{delivery.event_id.hex}",
        "kind": delivery.event.kind,
        "at": _instant(delivery.event.at),
        "state": delivery.state,
        "due_at": _instant(delivery.due_at) if waits else None,
        "tries": [
            {"at": _instant(one.at), "status": one.status, "error": one.error, "duration_ms": one.duration_ms}
            for one in sorted(delivery.tries.all(), key=lambda one: one.pk)
        ],
    }


def _now() -> datetime:
    return datetime.now(UTC)


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else None
