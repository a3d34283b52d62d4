"""The API of enrolment: an agent registers its node's key; a provider's program makes tokens and revokes keys."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters.bodies import checked, read_body
from clusters.enrolment import enrol, issue_token, read_public_key, revoke
from clusters.models import Cluster, KeyOrigin, Node
from tenants.authentication import organization_of
from tenants.closed_shapes import ClosedSerializer
from tenants.limits.reader import whole
from tenants.not_named import NotNamed
from tenants.problems import Problem

ENROLMENT_BYTES_MAX: Final = 16_384
TEXT_CHARS_MAX: Final = 512


class BadRequest(Problem):
    """A body that is no JSON object with the right fields; `errors` says which."""


class EnrolmentSerializer(ClosedSerializer):
    """What an agent sends to enrol."""

    token = serializers.CharField(max_length=TEXT_CHARS_MAX, help_text="the one-time enrolment token")
    public_key = serializers.CharField(max_length=TEXT_CHARS_MAX, help_text="base64 of the 32 raw Ed25519 bytes")
    node_name = serializers.CharField(max_length=TEXT_CHARS_MAX)
    agent_version = serializers.CharField(max_length=TEXT_CHARS_MAX)
    boot_id = serializers.CharField(max_length=TEXT_CHARS_MAX, allow_blank=True, required=False)


class EnrolledSerializer(serializers.Serializer[Any]):
    """The node that the key stands for."""

    node = serializers.UUIDField()
    cluster = serializers.CharField(help_text="the cluster's slug")
    server_time = serializers.DateTimeField()
    continued = serializers.BooleanField(help_text="the node was enrolled before; its chain of batches goes on")


class TokenRequestSerializer(ClosedSerializer):
    """What to make a token for."""

    cluster = serializers.SlugField(max_length=63, help_text="the cluster's slug")
    node = serializers.CharField(
        max_length=200, required=False, help_text="a node of the cluster that gets a new key; nothing for a new node"
    )
    valid_for_hours = serializers.IntegerField(min_value=1, max_value=720, default=24)


class TokenSerializer(serializers.Serializer[Any]):
    """A new token; its secret is shown this once."""

    token = serializers.CharField()
    cluster = serializers.CharField(help_text="the cluster's slug")
    expires_at = serializers.DateTimeField()


class RevocationSerializer(ClosedSerializer):
    """Why a key is revoked."""

    reason = serializers.CharField(max_length=200, default="", allow_blank=True)


class RevokedSerializer(serializers.Serializer[Any]):
    """The node and since when its key is not accepted."""

    node_id = serializers.UUIDField()
    revoked_at = serializers.DateTimeField(allow_null=True)


class NodeKeySerializer(serializers.Serializer[Any]):
    """One key of a node."""

    version = serializers.IntegerField()
    public_key = serializers.CharField(help_text="base64 of the 32 raw Ed25519 bytes")
    origin = serializers.ChoiceField(choices=KeyOrigin.choices)
    first_seq = serializers.IntegerField(allow_null=True, help_text="the first batch that it signed; null: none yet")
    added_at = serializers.DateTimeField()


class NodeKeysSerializer(serializers.Serializer[Any]):
    """All keys of a node."""

    node_id = serializers.UUIDField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    keys = NodeKeySerializer(many=True)


class EnrolView(APIView):
    """Registers a node's key; the token in the body is the credential."""

    authentication_classes = []
    permission_classes = []

    @extend_schema(
        operation_id="enrol",
        tags=["nodes"],
        summary="Enrol a node",
        request=EnrolmentSerializer,
        responses={
            201: EnrolledSerializer,
            200: OpenApiResponse(EnrolledSerializer, description="The same token and key again."),
        },
    )
    def post(self, request: Request) -> Response:
        """Register the public key of a node with a one-time token; the same call again gets the same answer."""
        given = _read(request, EnrolmentSerializer)
        now = timezone.now()
        with whole("a node comes with a token that nobody can guess"):
            enrolled = enrol(
                secret=given["token"],
                public_key=read_public_key(given["public_key"]),
                node_name=given["node_name"],
                agent_version=given["agent_version"],
                now=now,
            )
            answer = {
                "node": str(enrolled.node.id),
                "cluster": enrolled.node.cluster.slug,
                "server_time": now.isoformat().replace("+00:00", "Z"),
                "continued": enrolled.continued,
            }
        return Response(answer, status=status.HTTP_201_CREATED if enrolled.created else status.HTTP_200_OK)


class EnrolmentTokensView(APIView):
    """Makes enrolment tokens for the provider's own clusters."""

    required_scopes = {"POST": "fleet:write"}

    @extend_schema(
        operation_id="enrolment_tokens_create",
        tags=["nodes"],
        summary="Make an enrolment token",
        request=TokenRequestSerializer,
        responses={201: TokenSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make a token that enrols one node, or one known node again; its secret is in this answer only."""
        given = _read(request, TokenRequestSerializer)
        cluster = Cluster.objects.filter(provider=organization_of(request), slug=given["cluster"]).first()
        if cluster is None:
            raise NotNamed("cluster", "clusters")
        named = given.get("node")
        for_node = Node.objects.filter(cluster=cluster, name=named).first() if named else None
        if named and for_node is None:
            raise NotNamed("node", "nodes")
        program: Any = request.user
        issued = issue_token(
            cluster=cluster,
            now=timezone.now(),
            valid_for=timedelta(hours=given["valid_for_hours"]),
            actor=program.key.prefix,
            for_node=for_node,
        )
        answer = {"token": issued.secret, "cluster": cluster.slug, "expires_at": issued.token.expires_at}
        return Response(answer, status=status.HTTP_201_CREATED)


class RevokeView(APIView):
    """Ends the trust in a node's key."""

    required_scopes = {"POST": "fleet:write"}

    @extend_schema(
        operation_id="nodes_revoke",
        tags=["nodes"],
        summary="Revoke a node's key",
        request=RevocationSerializer,
        responses={200: RevokedSerializer},
    )
    def post(self, request: Request, node_id: UUID) -> Response:
        """Accept no further batch of the node until it is enrolled again; what it shipped stands."""
        given = _read(request, RevocationSerializer)
        node = _own_node(request, node_id)
        program: Any = request.user
        revoke(node=node, now=timezone.now(), actor=program.key.prefix, reason=given["reason"])
        node.refresh_from_db()
        return Response({"node_id": str(node.id), "revoked_at": node.revoked_at})


class NodeKeysView(APIView):
    """The keys that a node had, so that whoever holds a batch can verify it."""

    required_scopes = {"GET": "fleet:read"}

    @extend_schema(
        operation_id="nodes_keys", tags=["nodes"], summary="Read a node's keys", responses={200: NodeKeysSerializer}
    )
    def get(self, request: Request, node_id: UUID) -> Response:
        """Return every key of the node, the first one first, with the first batch that each signed."""
        node = _own_node(request, node_id)
        keys = [
            {
                "version": one.version,
                "public_key": base64.b64encode(bytes(one.public_key)).decode("ascii"),
                "origin": one.origin,
                "first_seq": one.first_seq,
                "added_at": one.added_at,
            }
            for one in node.keys.order_by("version")
        ]
        return Response({"node_id": str(node.id), "revoked_at": node.revoked_at, "keys": keys})


def _own_node(request: Request, node_id: UUID) -> Node:
    return get_object_or_404(Node, id=node_id, cluster__provider=organization_of(request))


def _read(request: Request, serializer_class: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    # DRF's own parser would read a body of any length.
    body = read_body(request._request, ENROLMENT_BYTES_MAX)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as broken:
        raise BadRequest("The body is not JSON; expected an object.") from broken
    return checked(serializer_class(data=document), BadRequest)
