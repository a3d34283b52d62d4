"""The API of a provider's own account at Stripe: opened once, filled in by its owner on Stripe's pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import stripe_account
from billing.models import StripePayee
from billing.statements.onboarding import connect, look_at_payee, onboarding_url
from billing.stripe_account import StripeSilent
from billing.stripe_answers import StripeError
from tenants.authentication import caller_of, provider_of
from tenants.instants import instant_text
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from rest_framework.request import Request

    from billing.stripe_gateway import StripeGateway
    from tenants.models import Organization

WRITES: Final = "profile:write"


class NoPayoutAccount(Problem):
    """The provider opened no account at Stripe yet."""

    status = 404
    code = "no_payout_account"
    title = "There is no account at Stripe yet"


class TransfersNotMade(Problem):
    """This installation has no Stripe account, so it makes no transfers there."""

    status = 409
    code = "transfers_not_made"
    title = "Transfers to Stripe accounts are not made here"


class PayoutAccountSerializer(serializers.Serializer[Any]):
    """A provider's own account at Stripe, as it was last seen there."""

    account_id = serializers.CharField(help_text="Stripe's name of it")
    is_submitted = serializers.BooleanField(help_text="its owner filled it in")
    can_receive = serializers.BooleanField(help_text="payouts by `stripe` go there only if true")
    missing = serializers.ListField(child=serializers.CharField(), help_text="what Stripe still asks for")
    disabled_reason = serializers.CharField(allow_blank=True)
    seen_at = serializers.DateTimeField(help_text="when it was last looked at")


class PayoutAccountPageSerializer(serializers.Serializer[Any]):
    """A page of Stripe's on which the owner of the account fills it in."""

    url = serializers.CharField(help_text="for one visit, within minutes; ask for another after that")


class PayoutAccountView(APIView):
    """The provider's own account at Stripe."""

    required_scopes = {"GET": "invoices:read", "POST": WRITES}

    @extend_schema(
        operation_id="payout_account_retrieve",
        tags=["payouts"],
        summary="Read the own account at Stripe",
        responses={200: PayoutAccountSerializer},
    )
    def get(self, request: Request) -> Response:
        """Return how it stood when it was last looked at; 404 `no_payout_account` before it is opened."""
        return Response(_account(_payee(provider_of(request))))

    @extend_schema(
        operation_id="payout_account_open",
        tags=["payouts"],
        summary="Open the own account at Stripe",
        request=None,
        responses={200: PayoutAccountSerializer},
    )
    def post(self, request: Request) -> Response:
        """Open the account, or look at the one there is: how it stands at Stripe now. A provider has one for ever."""
        provider, gateway, now = provider_of(request), _gateway(), _now()
        try:
            connect(provider=provider, by=caller_of(request), gateway=gateway, now=now)
            payee = look_at_payee(provider_id=provider.pk, gateway=gateway, now=now)
        except StripeError as error:
            raise StripeSilent(str(error)) from error
        return Response(_account(payee))


class PayoutAccountPageView(APIView):
    """Where the owner of the account goes on."""

    required_scopes = {"POST": WRITES}

    @extend_schema(
        operation_id="payout_account_page",
        tags=["payouts"],
        summary="Open a page to fill in the own account at Stripe",
        request=None,
        responses={201: PayoutAccountPageSerializer},
    )
    def post(self, request: Request) -> Response:
        """Return Stripe's page for the owner of the account; from it they come back to the page of payouts here."""
        payee, gateway = _payee(provider_of(request)), _gateway()
        here = f"{settings.PUBLIC_URL}{reverse('provider-payouts-stripe')}"
        try:
            url = onboarding_url(payee=payee, gateway=gateway, page_url=f"{here}?back=1", again_url=here)
        except StripeError as error:
            raise StripeSilent(str(error)) from error
        return Response({"url": url}, status=status.HTTP_201_CREATED)


def _payee(provider: Organization) -> StripePayee:
    found = StripePayee.objects.filter(pk=provider.pk).first()
    if found is None:
        raise NoPayoutAccount(sentence("%(name)s has no account at Stripe yet.", name=provider.name))
    return found


def _gateway() -> StripeGateway:
    found = stripe_account.gateway()
    if found is None:
        raise TransfersNotMade(sentence("No Stripe account is set up for this installation."))
    return found


def _account(payee: StripePayee) -> dict[str, Any]:
    names = ("account_id", "is_submitted", "can_receive", "missing", "disabled_reason")
    return {name: getattr(payee, name) for name in names} | {"seen_at": instant_text(payee.seen_at)}


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point
