"""The API of taxes: what the key's own organization, a provider, says of the taxes on the bills that it issues."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.models import TaxExemption, TaxRate, TaxSettings
from billing.rating.wording import plain
from billing.tax.keeping import WrongTax, end_exemption, enter_rate, grant_exemption, keep_tax_settings
from billing.tax.standing import tax_standing
from billing.tax_rules.deciding import Buyers, Method
from billing.tax_rules.treatments import Category
from clusters.bodies import checked
from tenants.authentication import caller_of, provider_of
from tenants.calls import KEY_HEADER, made_once
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_of_few

SCOPES: Final = {"GET": "invoices:read", "POST": "profile:write"}
TEXT: Final[dict[str, Any]] = {"required": False, "allow_blank": True, "default": "", "max_length": 200}


class TaxSettingsSerializer(ClosedSerializer):
    """Who works out a provider's taxes."""

    method = serializers.ChoiceField([method.value for method in Method])
    no_tax_reason = serializers.CharField(**TEXT, help_text="why no tax is charged, as bills say it")
    stripe_tax_code = serializers.CharField(**TEXT, help_text="Stripe's code of what is sold, for method stripe")


class TaxRateRequestSerializer(ClosedSerializer):
    """A rate to be entered."""

    country = serializers.CharField(max_length=2, help_text="of the buyer")
    buyers = serializers.ChoiceField([each.value for each in Buyers], required=False, default=Buyers.ALL.value)
    category = serializers.ChoiceField(
        ["", *(each.value for each in Category)], allow_blank=True, help_text="empty: the built-in rules apply again"
    )
    percent = serializers.DecimalField(max_digits=7, decimal_places=4, required=False, default=Decimal(0))
    from_on = serializers.DateField()
    reason_code = serializers.CharField(**TEXT)
    reason = serializers.CharField(**TEXT)


class TaxRateSerializer(serializers.Serializer[Any]):
    """A rate as it was entered; of one day the last one counts."""

    id = serializers.UUIDField()
    country = serializers.CharField()
    buyers = serializers.CharField()
    category = serializers.CharField()
    percent = serializers.CharField()
    from_on = serializers.DateField()
    reason_code = serializers.CharField()
    reason = serializers.CharField()
    entered_by = serializers.CharField()


class TaxRatesSerializer(PagedSerializer):
    """Every rate that was entered, by country and day."""

    tax_rates = TaxRateSerializer(many=True)


class ExemptionRequestSerializer(ClosedSerializer):
    """A certificate to be kept."""

    tenant = serializers.CharField(max_length=63, help_text="its name in addresses")
    reference = serializers.CharField(max_length=100)
    reason = serializers.CharField(max_length=200)
    reason_code = serializers.CharField(**TEXT)
    from_on = serializers.DateField()
    to_on = serializers.DateField(required=False, allow_null=True, default=None, help_text="the first day without it")


class ExemptionSerializer(serializers.Serializer[Any]):
    """A certificate of a tenant."""

    id = serializers.UUIDField()
    tenant = serializers.CharField()
    reference = serializers.CharField()
    reason = serializers.CharField()
    reason_code = serializers.CharField()
    from_on = serializers.DateField()
    to_on = serializers.DateField(allow_null=True)


class ExemptionsSerializer(PagedSerializer):
    """Every certificate, by tenant and day."""

    tax_exemptions = ExemptionSerializer(many=True)


class ExemptionEndSerializer(ClosedSerializer):
    """When a certificate ends."""

    to_on = serializers.DateField(help_text="the first day without it")


class TaxSettingsView(APIView):
    """Who works out a provider's taxes."""

    required_scopes = {"GET": "invoices:read", "PUT": "profile:write"}

    @extend_schema(
        operation_id="tax_settings_read",
        tags=["taxes"],
        summary="Read who works out the taxes",
        responses={200: TaxSettingsSerializer},
    )
    def get(self, request: Request) -> Response:
        """Return what is in force."""
        return Response(_settings(tax_standing(provider_of(request)).settings))

    @extend_schema(
        operation_id="tax_settings_keep",
        tags=["taxes"],
        summary="Say who works out the taxes",
        request=TaxSettingsSerializer,
        responses={200: TaxSettingsSerializer},
    )
    def put(self, request: Request) -> Response:
        """Say it for bills that are issued from now on. The same again changes nothing."""
        provider = provider_of(request)
        given = checked(TaxSettingsSerializer(data=request.data), WrongTax)
        given["method"] = Method(given["method"])
        return Response(_settings(keep_tax_settings(provider=provider, by=caller_of(request), now=_now(), **given)))


class TaxRatesView(ListView):
    """A provider's own rates."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="tax_rates_list",
        tags=["taxes"],
        summary="List own tax rates",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(TaxRatesSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List every rate that was entered."""
        rates = tax_standing(provider_of(request)).rates
        paged = page_of_few(request, rates, lambda rate: (rate.country, rate.from_on, rate.pk))
        return list_answer(request, "tax_rates", paged, TaxRateSerializer, _rate)

    @extend_schema(
        operation_id="tax_rates_create",
        tags=["taxes"],
        summary="Enter a tax rate",
        parameters=[KEY_HEADER],
        request=TaxRateRequestSerializer,
        responses={201: TaxRateSerializer},
    )
    def post(self, request: Request) -> Response:
        """Enter a rate for buyers of a country from a day on, in the place of the built-in one."""
        provider, now, body = provider_of(request), _now(), request.body

        def make() -> tuple[int, dict[str, Any]]:
            given = checked(TaxRateRequestSerializer(data=request.data), WrongTax)
            given["buyers"] = Buyers(given["buyers"])
            made = enter_rate(provider=provider, by=caller_of(request), now=now, **given)
            return status.HTTP_201_CREATED, _rate(made)

        return made_once(request, body, now, make)


class TaxExemptionsView(ListView):
    """Certificates of a provider's tenants."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="tax_exemptions_list",
        tags=["taxes"],
        summary="List certificates of exemption",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(ExemptionsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List every certificate."""
        found = tax_standing(provider_of(request)).exemptions
        paged = page_of_few(request, found, lambda one: (one.tenant.slug, one.from_on, one.pk))
        return list_answer(request, "tax_exemptions", paged, ExemptionSerializer, _exemption)

    @extend_schema(
        operation_id="tax_exemptions_create",
        tags=["taxes"],
        summary="Keep a certificate of exemption",
        parameters=[KEY_HEADER],
        request=ExemptionRequestSerializer,
        responses={201: ExemptionSerializer},
    )
    def post(self, request: Request) -> Response:
        """Keep a tenant's certificate."""
        provider, now, body = provider_of(request), _now(), request.body

        def make() -> tuple[int, dict[str, Any]]:
            given = checked(ExemptionRequestSerializer(data=request.data), WrongTax)
            tenant = given.pop("tenant")
            made = grant_exemption(provider=provider, tenant_slug=tenant, by=caller_of(request), now=now, **given)
            return status.HTTP_201_CREATED, _exemption(made)

        return made_once(request, body, now, make)


class TaxExemptionEndView(APIView):
    """The end of a certificate."""

    required_scopes = {"POST": "profile:write"}

    @extend_schema(
        operation_id="tax_exemptions_end",
        tags=["taxes"],
        summary="End a certificate of exemption",
        request=ExemptionEndSerializer,
        responses={200: ExemptionSerializer},
    )
    def post(self, request: Request, exemption_id: UUID) -> Response:
        """Say from which day on a certificate no longer holds, once."""
        provider = provider_of(request)
        given = checked(ExemptionEndSerializer(data=request.data), WrongTax)
        ended = end_exemption(
            provider=provider, exemption_id=exemption_id, to_on=given["to_on"], by=caller_of(request), now=_now()
        )
        return Response(_exemption(ended))


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point


def _settings(row: TaxSettings) -> Mapping[str, str]:
    return {
        "method": str(row.method),
        "no_tax_reason": row.no_tax_reason,
        "stripe_tax_code": row.stripe_tax_code,
    }


def _rate(row: TaxRate) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "country": row.country,
        "buyers": str(row.buyers),
        "category": str(row.category),
        "percent": plain(row.percent),
        "from_on": row.from_on.isoformat(),
        "reason_code": row.reason_code,
        "reason": row.reason,
        "entered_by": row.created_by,
    }


def _exemption(row: TaxExemption) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "tenant": row.tenant.slug,
        "reference": row.reference,
        "reason": row.reason,
        "reason_code": row.reason_code,
        "from_on": row.from_on.isoformat(),
        "to_on": row.to_on.isoformat() if row.to_on else None,
    }
