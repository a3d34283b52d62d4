"""The API of how members sign in: read alone, since who may set it could become any of them (decision 0052)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.accounts.adapters import public
from tenants.authentication import organization_of
from tenants.instants import instant_text
from tenants.second_steps import without_second_step
from tenants.sign_on_models import SignOnProvider

if TYPE_CHECKING:
    from rest_framework.request import Request


class SignOnProviderSerializer(serializers.Serializer[Any]):
    """The OpenID Connect provider that vouches for members, without its secret."""

    issuer = serializers.CharField()
    client_id = serializers.CharField()
    domains = serializers.ListField(child=serializers.CharField(), help_text="of addresses that it may vouch for")
    redirect_uri = serializers.CharField(help_text="to register at the provider")
    changed_at = serializers.DateTimeField()


class SignOnSerializer(serializers.Serializer[Any]):
    """How members of the organization sign in."""

    provider = SignOnProviderSerializer(allow_null=True, help_text="null: with passwords and passkeys alone")
    second_step_required = serializers.BooleanField()
    without_second_step = serializers.ListField(
        child=serializers.CharField(), help_text="addresses of members who have set none up"
    )


class SignOnView(APIView):
    """How members of the key's own organization sign in."""

    required_scopes = {"GET": "members:read"}

    @extend_schema(
        operation_id="sign_on_retrieve",
        tags=["organization"],
        summary="Read how members sign in",
        responses={200: SignOnSerializer},
    )
    def get(self, request: Request) -> Response:
        """Read the provider of single sign-on, and who lacks a second step. An owner sets both on a page."""
        organization = organization_of(request)
        kept = SignOnProvider.objects.filter(organization=organization).first()
        return Response(
            {
                "provider": _provider(kept) if kept else None,
                "second_step_required": organization.second_step_required,
                "without_second_step": sorted(one.email for one in without_second_step(organization)),
            }
        )


def _provider(kept: SignOnProvider) -> dict[str, Any]:
    return {
        "issuer": kept.issuer,
        "client_id": kept.client_id,
        "domains": list(kept.domains),
        "redirect_uri": public(reverse("openid_connect_callback", args=[kept.pk])),
        "changed_at": instant_text(kept.changed_at),
    }
