"""The API of the card on file: what pays the own organization's invoices, and a page to leave another one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import stripe_account
from billing.collecting.cards import CardsNotTaken, NoCardOnFile, forget_card, open_visit, start_visit
from billing.collecting.visiting import currency_of, return_url
from billing.models import CardOnFile
from billing.stripe_account import StripeSilent
from billing.stripe_answers import StripeError
from tenants.authentication import organization_of
from tenants.models import Organization

if TYPE_CHECKING:
    from billing.stripe_gateway import StripeGateway

WRITES: Final = "profile:write"


class CardSerializer(serializers.Serializer[Any]):
    """What may be shown of the card that pays."""

    kind = serializers.CharField(help_text="card, or another kind of payment method")
    brand = serializers.CharField()
    last4 = serializers.CharField()
    expires_month = serializers.IntegerField(allow_null=True)
    expires_year = serializers.IntegerField(allow_null=True)
    kept_at = serializers.DateTimeField()


class CardPageSerializer(serializers.Serializer[Any]):
    """A page of Stripe's on which a card is left."""

    url = serializers.CharField(help_text="open for a day")


class CardView(APIView):
    """The card that pays the own organization's invoices."""

    required_scopes = {"GET": "invoices:read", "POST": WRITES, "DELETE": WRITES}

    @extend_schema(
        operation_id="card_read",
        tags=["invoices"],
        summary="Read the card on file",
        responses={200: CardSerializer},
    )
    def get(self, request: Request) -> Response:
        """Return what may be shown of the card; 404 `no_card_on_file` without one."""
        kept = CardOnFile.objects.filter(pk=_tenant(request).pk).first()
        if kept is None:
            raise NoCardOnFile(f"{organization_of(request).name} has no card on file.")
        names = ("kind", "brand", "last4", "expires_month", "expires_year")
        kept_at = kept.kept_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return Response({name: getattr(kept, name) for name in names} | {"kept_at": kept_at})

    @extend_schema(
        operation_id="card_leave",
        tags=["invoices"],
        summary="Open a page to leave a card",
        request=None,
        responses={201: CardPageSerializer},
    )
    def post(self, request: Request) -> Response:
        """Return Stripe's page on which a person leaves a card; asked again while it is open, the same page."""
        tenant, now, gateway = _tenant(request), _now(), _gateway()
        visit = start_visit(organization=tenant, currency=currency_of(tenant), by=_actor(request), now=now)
        with _answered():
            url = open_visit(visit_id=visit.pk, return_url=return_url(), gateway=gateway, now=now)
        return Response({"url": url}, status=status.HTTP_201_CREATED)

    @extend_schema(
        operation_id="card_forget",
        tags=["invoices"],
        summary="Take the card off",
        responses={204: None},
    )
    def delete(self, request: Request) -> Response:
        """Take the card off at Stripe and here: nothing is charged to it any more."""
        tenant = _tenant(request)
        gateway = _gateway()
        with _answered():
            forget_card(organization=tenant, by=_actor(request), gateway=gateway, now=_now())
        return Response(status=status.HTTP_204_NO_CONTENT)


def _tenant(request: Request) -> Organization:
    organization = organization_of(request)
    if not organization.is_tenant:
        raise Http404
    return organization


def _gateway() -> StripeGateway:
    found = stripe_account.gateway()
    if found is None:
        raise CardsNotTaken("No Stripe account is set up.")
    return found


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except StripeError as error:
        raise StripeSilent(str(error)) from error


def _actor(request: Request) -> str:
    program: Any = request.user
    return f"{program.key.name} ({program.key.prefix})"[:254]


def _now() -> datetime:
    return timezone.now()  # noqa: TID251  an entry point
