"""The API of top-ups: a tenant buys prepaid credit on Stripe's page."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.http import Http404
from django.http.response import HttpResponseBase
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from billing import stripe_account
from billing.models import Contract, CreditMovement, TopUp
from billing.money import round_to_minor
from billing.payment_shapes import TakenBackSerializer, taken_back_row
from billing.stripe_answers import StripeError
from billing.topups.buying import WrongTopUp, open_top_up, start_top_up
from billing.topups.charged_back import reason_of, taken_of
from clusters.bodies import checked
from tenants.authentication import organization_of
from tenants.calls import KEY_HEADER, made_once
from tenants.closed_shapes import ClosedSerializer
from tenants.idempotency import Answered
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_by_key
from tenants.problems import Problem

TOP_UPS_MAX = 200


class TopUpsNotTaken(Problem):
    """This installation has no account at Stripe, or Stripe does not answer."""

    status = 503
    code = "top_ups_not_taken"
    title = "Credit cannot be bought by card now"


class TopUpRequestSerializer(ClosedSerializer):
    """Credit to be bought."""

    amount = serializers.DecimalField(max_digits=24, decimal_places=4, help_text="in the contract's currency")
    term = serializers.CharField(
        max_length=32, required=False, default="", help_text="reference of the credit term; left out: the first one"
    )


class TopUpSerializer(serializers.Serializer[Any]):
    """A top-up."""

    id = serializers.UUIDField()
    term = serializers.CharField()
    amount = serializers.CharField()
    currency = serializers.CharField()
    state = serializers.ChoiceField(["open", "paid", "expired", "differs", "failed", "stopped"])
    url = serializers.CharField(help_text="Stripe's page, while it is open")
    reversals = TakenBackSerializer(many=True, help_text="what of its payment went back, the first one first")
    created_at = serializers.DateTimeField()


class TopUpsSerializer(PagedSerializer):
    """The latest top-ups of a contract."""

    top_ups = TopUpSerializer(many=True)


class TopUpsView(ListView):
    """Top-ups of a contract."""

    required_scopes = {"GET": "invoices:read", "POST": "credits:write"}

    @extend_schema(
        operation_id="contracts_top_ups_list",
        tags=["contracts"],
        summary="List top-ups",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(TopUpsSerializer),
    )
    def get(self, request: Request, number: str) -> HttpResponseBase:
        """List top-ups, the newest first."""
        contract = Contract.objects.for_org(organization_of(request)).filter(number=number).first()
        if contract is None:
            raise Http404
        found = TopUp.objects.filter(term__contract=contract).select_related("term")
        paged = page_by_key(request, found, ("-created_at", "-pk"))
        taken = taken_of(contract.pk)

        def row(one: TopUp) -> dict[str, Any]:
            return _top_up(one, taken.get((one.term_id, one.grant_name), ()))

        return list_answer(request, "top_ups", paged, TopUpSerializer, row)

    @extend_schema(
        operation_id="contracts_top_ups_create",
        tags=["contracts"],
        summary="Buy prepaid credit",
        parameters=[KEY_HEADER],
        request=TopUpRequestSerializer,
        responses={201: TopUpSerializer},
    )
    def post(self, request: Request, number: str) -> Response:
        """Open Stripe's page on which the amount is paid; the credit is there once it was. Only the tenant can."""
        contract = Contract.objects.filter(tenant=organization_of(request), number=number).first()
        if contract is None:
            raise Http404
        body = request._request.body
        given = checked(TopUpRequestSerializer(data=request.data), WrongTopUp)
        gateway = stripe_account.gateway()
        if gateway is None:
            raise TopUpsNotTaken("This installation takes no cards.")
        now = datetime.now(UTC)  # noqa: TID251  an entry point
        program: Any = request.user

        def make() -> Answered:
            by = f"key {program.key.prefix}"
            made = start_top_up(contract=contract, amount=given["amount"], term_ref=given["term"], by=by, now=now)
            return status.HTTP_201_CREATED, {"id": str(made.pk)}

        # Started once under its key, and known here before Stripe is asked; the page opens once whoever asks again.
        started: Any = made_once(request, body, now, make).data
        made = TopUp.objects.select_related("term").get(pk=started["id"])
        back = f"{settings.PUBLIC_URL}{reverse('tenant-contract', args=[contract.pk])}"
        try:
            open_top_up(top_up_id=made.pk, return_url=back, gateway=gateway, now=now)
        except StripeError as error:
            raise TopUpsNotTaken(f"Stripe did not open its page: {error}") from error
        made.refresh_from_db()
        return Response(_top_up(made), status=status.HTTP_201_CREATED)


def _top_up(row: TopUp, taken: Sequence[CreditMovement] = ()) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "term": row.term.ref,
        "amount": f"{round_to_minor(row.amount, row.currency):f}",
        "currency": row.currency,
        "state": str(row.state),
        "url": row.url,
        "reversals": [
            taken_back_row(each, reason=reason_of(each), at=each.at, currency=row.currency) for each in taken
        ],
        "created_at": row.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
