"""The API of billing profiles: how the key's own organization stands on bills."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters.bodies import checked
from tenants.authentication import caller_of, organization_of
from tenants.closed_shapes import ClosedSerializer
from tenants.models import BillingProfile
from tenants.profile_models import ADDRESS_LINES_MAX, BillLanguage
from tenants.profiles import LogoChange, ProfileFields, WrongProfile, fields_of, keep_profile, profile_of

TEXT: Final[dict[str, Any]] = {"required": False, "allow_blank": True, "default": "", "max_length": 1000}


class ProfileRequestSerializer(ClosedSerializer):
    """A billing profile to be kept; what is left out is empty."""

    legal_name = serializers.CharField(max_length=200)
    address_lines = serializers.ListField(
        child=serializers.CharField(max_length=100), required=False, default=list, max_length=ADDRESS_LINES_MAX
    )
    city = serializers.CharField(**TEXT)
    postcode = serializers.CharField(**TEXT)
    region = serializers.CharField(**TEXT, help_text="state or province")
    country = serializers.CharField(max_length=2, help_text="ISO 3166-1 alpha-2")
    vat_id = serializers.CharField(**TEXT, help_text="with its country's prefix; form and check digits are looked at")
    tax_number = serializers.CharField(**TEXT, help_text="a tax number that is no VAT id")
    registration = serializers.CharField(**TEXT)
    email = serializers.EmailField(help_text="where bills go")
    bank_name = serializers.CharField(**TEXT)
    iban = serializers.CharField(**TEXT)
    bic = serializers.CharField(**TEXT)
    bank_account = serializers.CharField(**TEXT, help_text="of a bank that has no IBAN")
    payment_terms = serializers.CharField(**TEXT)
    notes = serializers.CharField(**TEXT)
    language = serializers.ChoiceField(BillLanguage.values, required=False, default=BillLanguage.ENGLISH.value)
    logo_base64 = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=300_000,
        help_text="PNG or JPEG of at most 200 KiB; left out: the one there is stays, null: none from now on",
    )


class ProfileSerializer(serializers.Serializer[Any]):
    """The version in force of how an organization stands on bills."""

    version = serializers.IntegerField(help_text="0 where nothing was kept yet")
    legal_name = serializers.CharField()
    address_lines = serializers.ListField(child=serializers.CharField())
    city = serializers.CharField()
    postcode = serializers.CharField()
    region = serializers.CharField()
    country = serializers.CharField()
    vat_id = serializers.CharField()
    tax_number = serializers.CharField()
    registration = serializers.CharField()
    email = serializers.CharField()
    bank_name = serializers.CharField()
    iban = serializers.CharField()
    bic = serializers.CharField()
    bank_account = serializers.CharField()
    payment_terms = serializers.CharField()
    notes = serializers.CharField()
    language = serializers.ChoiceField(BillLanguage.values)
    logo_sha256 = serializers.CharField(allow_null=True)


class ProfileView(APIView):
    """How the key's own organization stands on bills."""

    required_scopes = {"GET": "invoices:read", "PUT": "profile:write"}

    @extend_schema(
        operation_id="profile_read",
        tags=["organization"],
        summary="Read the own billing profile",
        responses={200: ProfileSerializer},
    )
    def get(self, request: Request) -> Response:
        """Return the version in force."""
        return Response(told(profile_of(organization_of(request))))

    @extend_schema(
        operation_id="profile_keep",
        tags=["organization"],
        summary="Keep a new version of the own billing profile",
        request=ProfileRequestSerializer,
        responses={200: ProfileSerializer},
    )
    def put(self, request: Request) -> Response:
        """Keep how the organization stands on bills that are issued from now on. The same again changes nothing."""
        given = checked(ProfileRequestSerializer(data=request.data), WrongProfile)
        logo = _logo(given.pop("logo_base64")) if "logo_base64" in given else None
        lines = tuple(given.pop("address_lines"))
        profile, _made = keep_profile(
            organization=organization_of(request),
            given=ProfileFields(address_lines=lines, **given),
            by=caller_of(request),
            now=datetime.now(UTC),  # noqa: TID251  an entry point
            logo=logo,
        )
        return Response(told(profile))


class PngRenderer(JSONRenderer):
    """Lets a logo be asked for as `image/png`; what goes wrong is still said in JSON."""

    media_type = "image/png"
    format = "png"


class JpegRenderer(JSONRenderer):
    """Lets a logo be asked for as `image/jpeg`; what goes wrong is still said in JSON."""

    media_type = "image/jpeg"
    format = "jpeg"


class LogoView(APIView):
    """The picture on the key's own organization's bills."""

    required_scopes = {"GET": "invoices:read"}
    renderer_classes: list[type[BaseRenderer]] = [JSONRenderer, PngRenderer, JpegRenderer]

    @extend_schema(
        operation_id="profile_logo_read",
        tags=["organization"],
        summary="Read the logo of the own billing profile",
        responses={(200, "image/png"): OpenApiTypes.BINARY, (200, "image/jpeg"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request) -> HttpResponse:
        """Read the logo byte for byte as it was kept, as PNG or JPEG whichever it is; 404 without one."""
        logo = profile_of(organization_of(request)).logo
        if logo is None:
            raise Http404
        return HttpResponse(bytes(logo.content), content_type=logo.media_type)


def told(profile: BillingProfile) -> Mapping[str, object]:
    """Return a version as the API shows it."""
    fields = fields_of(profile)
    return {
        "version": profile.version,
        **{name: getattr(fields, name) for name in ProfileFields.__slots__},
        "address_lines": list(fields.address_lines),
        "logo_sha256": profile.logo.sha256 if profile.logo else None,
    }


def _logo(given: str | None) -> LogoChange:
    if given is None:
        return LogoChange(None)
    try:
        return LogoChange(base64.b64decode(given, validate=True))
    except ValueError as wrong:
        raise WrongProfile("logo_base64: expected base64.", field="logo_base64") from wrong
