"""The API of organizations: the own one; for the operator all of them; for a provider those that it invites."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.conf import settings
from django.http import Http404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.acting import program_acting
from tenants.calls import KEY_HEADER, made_once
from tenants.closed_shapes import ClosedSerializer
from tenants.instants import instant_text
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_by_key
from tenants.members.inviting import EMAIL_CHARACTERS_MAX, LANGUAGES
from tenants.models import Organization
from tenants.organizations import changing, making
from tenants.organizations.changing import Facts
from tenants.organizations.fees import fees_of, set_fee, with_fee
from tenants.organizations.reading import kinds_of
from tenants.shaped import valid

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

    from tenants.actors import Actor
    from tenants.fee_models import ProviderFee


class OrganizationFactsSerializer(ClosedSerializer):
    """What an organization says of itself."""

    name = serializers.CharField(max_length=changing.NAME_CHARACTERS_MAX)
    country = serializers.CharField(max_length=2, help_text="ISO 3166-1 alpha-2")
    billing_email = serializers.EmailField(max_length=254)
    time_zone = serializers.CharField(max_length=64, default="UTC", help_text="IANA name; new contracts begin with it")


class OrganizationRequestSerializer(OrganizationFactsSerializer):
    """An organization to make, and who is its owner."""

    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=list(making.MADE_KINDS)), min_length=1, max_length=2
    )
    owner_email = serializers.EmailField(max_length=EMAIL_CHARACTERS_MAX)
    language = serializers.ChoiceField(choices=LANGUAGES, default="en", help_text="of the owner's letter")


class OrganizationSerializer(OrganizationFactsSerializer):
    """An organization."""

    id = serializers.UUIDField()
    slug = serializers.CharField()
    kinds = serializers.ListField(child=serializers.CharField(), help_text="of operator, provider, tenant")
    fee_percent = serializers.CharField(help_text="of a provider's new contracts, for the operator")
    created_at = serializers.DateTimeField()
    suspended_at = serializers.DateTimeField(allow_null=True)
    suspended_because = serializers.CharField()


class OrganizationsSerializer(PagedSerializer):
    """Organizations in the order they were made."""

    organizations = OrganizationSerializer(many=True)


class MadeOrganizationSerializer(OrganizationSerializer):
    """An organization that was just made."""

    invitation_id = serializers.UUIDField(help_text="of its owner")
    address = serializers.CharField(
        allow_null=True,
        help_text="where no letters are sent: the page to hand to the owner, told in the first answer alone; else null",
    )


class SuspensionSerializer(ClosedSerializer):
    """Why an organization is kept out; its people read it."""

    because = serializers.CharField(max_length=changing.REASON_CHARACTERS_MAX)


class OrganizationFeeSerializer(ClosedSerializer):
    """The operator's part of what a provider bills under new contracts."""

    fee_percent = serializers.DecimalField(max_digits=7, decimal_places=4, min_value=0, max_value=100)
    from_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="a time to come, from which on it counts; else now"
    )


class ProviderFeeSerializer(serializers.Serializer[Any]):
    """A fee that was set: it counts for contracts made from `from_at` on, until the next."""

    id = serializers.UUIDField()
    organization_id = serializers.UUIDField()
    fee_percent = serializers.CharField()
    from_at = serializers.DateTimeField()
    set_by = serializers.CharField()
    set_at = serializers.DateTimeField()


class ProviderFeesSerializer(PagedSerializer):
    """Fees of a provider, the latest first."""

    fees = ProviderFeeSerializer(many=True)


class OrganizationsView(ListView):
    """Organizations that the caller sees."""

    required_scopes = {"GET": "organizations:read", "POST": "organizations:write"}

    @extend_schema(
        operation_id="organizations_list",
        tags=["organization"],
        summary="List organizations",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(OrganizationsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the own organization; for the operator every one."""
        paged = page_by_key(request, _seen(program_acting(request)), ("id",))
        return list_answer(request, "organizations", paged, OrganizationSerializer, _organization)

    @extend_schema(
        operation_id="organizations_create",
        tags=["organization"],
        summary="Make an organization",
        parameters=[KEY_HEADER],
        request=OrganizationRequestSerializer,
        responses={201: MadeOrganizationSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make an organization and invite its owner: the operator any, a provider tenants; 404 to anybody else."""
        actor, body, now = program_acting(request), request._request.body, _now()
        if not (actor.organization.is_operator or actor.organization.is_provider):
            raise Http404
        given = valid(OrganizationRequestSerializer, request.data)
        facts = Facts(**{name: given.pop(name) for name in Facts.__slots__})
        told: dict[str, str] = {}

        def make() -> tuple[int, dict[str, Any]]:
            made, invitation, token = making.make_organization(
                actor=actor, given=facts, secret_key=settings.SECRET_KEY, now=now, **given
            )
            if not settings.MAIL_READY:
                told["address"] = request.build_absolute_uri(reverse("invitation", args=[token]))
            shown = {**_organization(made), "invitation_id": str(invitation.pk), "address": None}
            return status.HTTP_201_CREATED, shown

        answer = made_once(request, body, now, make)
        assert isinstance(answer.data, dict)
        return Response({**answer.data, **told}, status=answer.status_code)


class OrganizationView(APIView):
    """One organization."""

    required_scopes = {"GET": "organizations:read", "PUT": "organizations:write"}

    @extend_schema(
        operation_id="organizations_read",
        tags=["organization"],
        summary="Read an organization",
        responses={200: OrganizationSerializer},
    )
    def get(self, request: Request, organization_id: UUID) -> Response:
        """Read the own organization; the operator any."""
        found = _seen(program_acting(request)).filter(pk=organization_id).first()
        if found is None:
            raise Http404
        return Response(_organization(found))

    @extend_schema(
        operation_id="organizations_update",
        tags=["organization"],
        summary="Change the own organization",
        request=OrganizationFactsSerializer,
        responses={200: OrganizationSerializer},
    )
    def put(self, request: Request, organization_id: UUID) -> Response:
        """Change what the own organization says of itself."""
        actor = program_acting(request)
        if actor.organization.pk != organization_id:
            raise Http404
        facts = Facts(**valid(OrganizationFactsSerializer, request.data))
        changing.change_organization(actor=actor, given=facts, now=_now())
        return Response(_organization(_seen(actor).get(pk=organization_id)))


class SuspendView(APIView):
    """Keeping an organization out."""

    required_scopes = {"POST": "organizations:write"}

    @extend_schema(
        operation_id="organizations_suspend",
        tags=["organization"],
        summary="Keep an organization out",
        request=SuspensionSerializer,
        responses={200: OrganizationSerializer},
    )
    def post(self, request: Request, organization_id: UUID) -> Response:
        """As the operator: keep an organization's people and programs out; usage is metered on."""
        actor = _operator(request, organization_id)
        because = valid(SuspensionSerializer, request.data)["because"]
        changing.suspend(actor=actor, organization_id=organization_id, because=because, now=_now())
        return Response(_organization(_seen(actor).get(pk=organization_id)))


class ReinstateView(APIView):
    """Letting an organization in again."""

    required_scopes = {"POST": "organizations:write"}

    @extend_schema(
        operation_id="organizations_reinstate",
        tags=["organization"],
        summary="Let an organization in again",
        request=None,
        responses={200: OrganizationSerializer},
    )
    def post(self, request: Request, organization_id: UUID) -> Response:
        """As the operator: let an organization in again."""
        actor = _operator(request, organization_id)
        changing.reinstate(actor=actor, organization_id=organization_id, now=_now())
        return Response(_organization(_seen(actor).get(pk=organization_id)))


class FeeView(APIView):
    """The operator's fee of a provider."""

    required_scopes = {"PUT": "organizations:write"}

    @extend_schema(
        operation_id="organizations_set_fee",
        tags=["organization"],
        summary="Set a provider's fee",
        request=OrganizationFeeSerializer,
        responses={200: OrganizationSerializer},
    )
    def put(self, request: Request, organization_id: UUID) -> Response:
        """As the operator: set the fee of contracts that a provider makes from now on, or announce one."""
        actor = _operator(request, organization_id)
        set_fee(
            actor=actor, organization_id=organization_id, now=_now(), **valid(OrganizationFeeSerializer, request.data)
        )
        return Response(_organization(_seen(actor).get(pk=organization_id)))


class FeesView(ListView):
    """The operator's fees of a provider that were set."""

    required_scopes = {"GET": "organizations:read"}

    @extend_schema(
        operation_id="organizations_fees_list",
        tags=["organization"],
        summary="List a provider's fees",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(ProviderFeesSerializer),
    )
    def get(self, request: Request, organization_id: UUID) -> HttpResponseBase:
        """List what was set and announced: a provider its own, the operator any."""
        found = _seen(program_acting(request)).filter(pk=organization_id).first()
        if found is None:
            raise Http404
        paged = page_by_key(request, fees_of(found), ("-from_at", "-set_at", "-pk"))
        return list_answer(request, "fees", paged, ProviderFeeSerializer, _fee)


def _seen(actor: Actor) -> QuerySet[Organization]:
    found = with_fee(Organization.objects.order_by("id"), _now())
    return found if actor.organization.is_operator else found.filter(pk=actor.organization.pk)


def _operator(request: Request, organization_id: UUID) -> Actor:
    """The operator's program, about an organization that there is; to all others there is none."""
    actor = program_acting(request)
    if not actor.organization.is_operator or not Organization.objects.filter(pk=organization_id).exists():
        raise Http404
    return actor


def _organization(one: Organization) -> dict[str, Any]:
    return {
        "id": str(one.pk),
        "slug": one.slug,
        "name": one.name,
        "kinds": kinds_of(one),
        "country": one.country,
        "billing_email": one.billing_email,
        "time_zone": one.time_zone,
        "fee_percent": _percent(getattr(one, "fee_now", one.fee_percent)),
        "created_at": instant_text(one.created_at),
        "suspended_at": instant_text(one.suspended_at),
        "suspended_because": one.suspended_because,
    }


def _fee(fee: ProviderFee) -> dict[str, Any]:
    return {
        "id": str(fee.pk),
        "organization_id": str(fee.organization_id),
        "fee_percent": _percent(fee.fee_percent),
        "from_at": instant_text(fee.from_at),
        "set_by": fee.set_by,
        "set_at": instant_text(fee.set_at),
    }


def _percent(value: Decimal) -> str:
    return f"{Decimal(value).normalize():f}" if value else "0"


def _now() -> datetime:
    return datetime.now(UTC)
