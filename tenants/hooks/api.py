"""The API of webhooks out: endpoints, their secrets, tests, and sending again since an instant."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.conf import settings
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.authentication import organization_of
from tenants.calls import KEY_HEADER, made_once
from tenants.closed_shapes import ClosedSerializer
from tenants.hook_models import WebhookEndpoint
from tenants.hooks import endpoints
from tenants.hooks.delivery_api import DeliverySerializer, actor_of, delivery_answer, found, instant, right_now
from tenants.hooks.kinds import KINDS
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_by_key
from tenants.shaped import valid

if TYPE_CHECKING:
    from rest_framework.request import Request

    from tenants.hooks.outbound import Network

SCOPES: Final = {"GET": "webhooks:read", "POST": "webhooks:write"}


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
        kept = WebhookEndpoint.objects.filter(organization=organization_of(request), removed_at__isnull=True)
        paged = page_by_key(request, kept, ("pk",))
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
        body, now = request._request.body, right_now()
        given = valid(EndpointRequestSerializer, request.data)

        def make() -> tuple[int, dict[str, Any]]:
            made = endpoints.add_endpoint(actor=actor_of(request), networks=networks(), now=now, **given)
            return status.HTTP_201_CREATED, _endpoint(made, secret=True)

        return made_once(request, body, now, make)


class EndpointView(APIView):
    """One endpoint."""

    required_scopes = {"GET": "webhooks:read", "PUT": "webhooks:write", "DELETE": "webhooks:write"}

    @extend_schema(
        operation_id="webhook_endpoints_retrieve",
        tags=["webhooks"],
        summary="Read an endpoint",
        responses={200: EndpointSerializer},
    )
    def get(self, request: Request, endpoint_id: UUID) -> Response:
        """Read an endpoint, without its secret."""
        kept = WebhookEndpoint.objects.filter(organization=organization_of(request), removed_at__isnull=True)
        return Response(_endpoint(found(lambda: kept.get(pk=endpoint_id))))

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
        changed = found(
            lambda: endpoints.change_endpoint(
                actor=actor_of(request), endpoint_id=endpoint_id, networks=networks(), now=right_now(), **given
            )
        )
        return Response(_endpoint(changed))

    @extend_schema(
        operation_id="webhook_endpoints_delete", tags=["webhooks"], summary="Remove an endpoint", responses={204: None}
    )
    def delete(self, request: Request, endpoint_id: UUID) -> Response:
        """Remove an endpoint; what was sent there stays on record."""
        found(lambda: endpoints.remove_endpoint(actor=actor_of(request), endpoint_id=endpoint_id, now=right_now()))
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
        turned = found(lambda: endpoints.turn_secret(actor=actor_of(request), endpoint_id=endpoint_id, now=right_now()))
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
        off = found(lambda: endpoints.turn_off(actor=actor_of(request), endpoint_id=endpoint_id, now=right_now()))
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
        sent = found(lambda: endpoints.send_test(actor=actor_of(request), endpoint_id=endpoint_id, now=right_now()))
        return Response(delivery_answer(sent), status=status.HTTP_202_ACCEPTED)


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
        count = found(
            lambda: endpoints.replay_since(
                actor=actor_of(request), endpoint_id=endpoint_id, since=since, now=right_now()
            )
        )
        return Response({"replayed": count}, status=status.HTTP_202_ACCEPTED)


def networks() -> list[Network]:
    """Return the private networks that endpoints may lie in."""
    return [ipaddress.ip_network(each) for each in settings.WEBHOOK_NETWORKS]


def _endpoint(endpoint: WebhookEndpoint, *, secret: bool = False) -> dict[str, Any]:
    return {
        "id": str(endpoint.pk),
        "url": endpoint.url,
        "kinds": list(endpoint.kinds),
        "created_at": instant(endpoint.created_at),
        "disabled_at": instant(endpoint.disabled_at),
        "disabled_because": endpoint.disabled_because,
        **({"secret": endpoint.secret} if secret else {}),
    }
