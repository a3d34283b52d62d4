"""The API of API keys: list, make, change, rotate, revoke. A secret is told once and stored nowhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.acting import program_acting
from tenants.api_keys import SCOPES, IssuedKey
from tenants.calls import KEY_HEADER, made_once
from tenants.closed_shapes import ClosedSerializer
from tenants.instants import instant_text
from tenants.keys import managing
from tenants.keys.reading import keys_of, state_of
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_by_key
from tenants.models import ApiKey
from tenants.shaped import valid

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

ONCE_WORDS: Final = "told in the first answer alone; an answer that is repeated by its `Idempotency-Key` has none"
STATES: Final = ("in_use", "ending", "expired", "revoked")


class ApiKeySerializer(serializers.Serializer[Any]):
    """An API key without its secret."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="the first characters, to recognise it by")
    state = serializers.ChoiceField(choices=STATES)
    scopes = serializers.ListField(child=serializers.CharField())
    networks = serializers.ListField(
        child=serializers.CharField(), help_text="where it may be used from; none: anywhere"
    )
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True, help_text="to the minute")
    last_used_from = serializers.CharField(allow_null=True)
    rotated_from_id = serializers.UUIDField(allow_null=True, help_text="the key whose place it took")


class ApiKeysSerializer(PagedSerializer):
    """API keys in the order they were made."""

    api_keys = ApiKeySerializer(many=True)


class MadeApiKeySerializer(ApiKeySerializer):
    """A key that was just made."""

    secret = serializers.CharField(allow_null=True, help_text=ONCE_WORDS)


class ApiKeyChangeSerializer(ClosedSerializer):
    """A key's name, and where it may be used from."""

    name = serializers.CharField(max_length=managing.NAME_CHARACTERS_MAX)
    networks = serializers.ListField(
        child=serializers.CharField(max_length=60), max_length=managing.NETWORKS_MAX, required=False, default=list
    )


class ApiKeyRequestSerializer(ApiKeyChangeSerializer):
    """A key to make."""

    scopes = serializers.ListField(child=serializers.CharField(max_length=32), min_length=1, max_length=len(SCOPES))
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class RotationSerializer(ClosedSerializer):
    """For how long the key works on beside its successor."""

    overlap_hours = serializers.IntegerField(
        min_value=0, max_value=managing.OVERLAP_MAX // timedelta(hours=1), required=False, default=24
    )


class KeysView(ListView):
    """API keys of an organization."""

    required_scopes = {"GET": "keys:read", "POST": "keys:write"}

    @extend_schema(
        operation_id="api_keys_list",
        tags=["organization"],
        summary="List API keys",
        parameters=[
            OpenApiParameter("show", str, enum=["usable", "all"], description="`usable` if not given"),
            *PAGE_PARAMETERS,
        ],
        responses=list_responses(ApiKeysSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List keys that are in use, or all there ever were."""
        now, actor = _now(), program_acting(request)
        found = keys_of(actor.organization, now, over=_show(request) == "all")
        paged = page_by_key(request, found, ("id",))
        return list_answer(request, "api_keys", paged, ApiKeySerializer, lambda key: _key(key, now))

    @extend_schema(
        operation_id="api_keys_create",
        tags=["organization"],
        summary="Make an API key",
        parameters=[KEY_HEADER],
        request=ApiKeyRequestSerializer,
        responses={201: MadeApiKeySerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a key with no more scopes than the one that calls; its secret is not told again."""
        body, now = request._request.body, _now()
        given = valid(ApiKeyRequestSerializer, request.data)
        return _made(request, body, now, lambda: managing.make_key(actor=program_acting(request), now=now, **given))


class KeyView(APIView):
    """One API key."""

    required_scopes = {"GET": "keys:read", "PUT": "keys:write", "DELETE": "keys:write"}

    @extend_schema(
        operation_id="api_keys_read",
        tags=["organization"],
        summary="Read an API key",
        responses={200: ApiKeySerializer},
    )
    def get(self, request: Request, key_id: UUID) -> Response:
        """Read a key, without its secret."""
        found = ApiKey.objects.for_org(program_acting(request).organization).filter(pk=key_id).first()
        if found is None:
            raise Http404
        return Response(_key(found, _now()))

    @extend_schema(
        operation_id="api_keys_update",
        tags=["organization"],
        summary="Change an API key",
        request=ApiKeyChangeSerializer,
        responses={200: ApiKeySerializer},
    )
    def put(self, request: Request, key_id: UUID) -> Response:
        """Give a key another name, or other networks that it may be used from."""
        given, now = valid(ApiKeyChangeSerializer, request.data), _now()
        try:
            changed = managing.change_key(actor=program_acting(request), key_id=key_id, now=now, **given)
        except ObjectDoesNotExist as error:
            raise Http404 from error
        return Response(_key(changed, now))

    @extend_schema(
        operation_id="api_keys_revoke", tags=["organization"], summary="Revoke an API key", responses={204: None}
    )
    def delete(self, request: Request, key_id: UUID) -> Response:
        """Make a key useless from now on; again changes nothing."""
        try:
            managing.end_key(actor=program_acting(request), key_id=key_id, now=_now())
        except ObjectDoesNotExist as error:
            raise Http404 from error
        return Response(status=status.HTTP_204_NO_CONTENT)


class RotateView(APIView):
    """Rotating a key."""

    required_scopes = {"POST": "keys:write"}

    @extend_schema(
        operation_id="api_keys_rotate",
        tags=["organization"],
        summary="Rotate an API key",
        parameters=[KEY_HEADER],
        request=RotationSerializer,
        responses={201: MadeApiKeySerializer},
    )
    def post(self, request: Request, key_id: UUID) -> Response:
        """Make a key in the place of one, which works on beside it for a while."""
        body, now = request._request.body, _now()
        overlap = timedelta(hours=valid(RotationSerializer, request.data)["overlap_hours"])
        try:
            return _made(
                request,
                body,
                now,
                lambda: managing.rotate_key(actor=program_acting(request), key_id=key_id, now=now, overlap=overlap),
            )
        except ObjectDoesNotExist as error:
            raise Http404 from error


def _made(request: Request, body: bytes, now: datetime, make: Any) -> Response:
    """Answer with a new key. What is kept for the same call again has no secret."""
    told: dict[str, str] = {}

    def once() -> tuple[int, dict[str, Any]]:
        issued: IssuedKey = make()
        told["secret"] = issued.secret
        return status.HTTP_201_CREATED, {**_key(issued.key, now), "secret": None}

    answer = made_once(request, body, now, once)
    assert isinstance(answer.data, dict)
    return Response({**answer.data, **told}, status=answer.status_code)


def _key(key: ApiKey, now: datetime) -> dict[str, Any]:
    return {
        "id": str(key.pk),
        "name": key.name,
        "prefix": key.prefix,
        "state": state_of(key, now),
        "scopes": list(key.scopes),
        "networks": list(key.networks),
        "created_at": instant_text(key.created_at),
        "created_by": key.created_by,
        "expires_at": instant_text(key.expires_at),
        "revoked_at": instant_text(key.revoked_at),
        "last_used_at": instant_text(key.last_used_at),
        "last_used_from": key.last_used_from,
        "rotated_from_id": str(key.rotated_from_id) if key.rotated_from_id else None,
    }


def _show(request: Request) -> str:
    shown = request.query_params.get("show", "usable")
    if shown not in ("usable", "all"):
        raise serializers.ValidationError({"show": ["Expected usable or all."]})
    return shown


def _now() -> datetime:
    return datetime.now(UTC)
