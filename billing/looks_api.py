"""The API of looks at Stripe: when the operator's books were compared with it, and another look now."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.response import Response

from billing import stripe_account
from billing.api_words import instant
from billing.models import Reconciliation
from billing.payment_shapes import LookSerializer, LooksSerializer
from billing.reconciling.looking import begin, look
from billing.stripe_answers import StripeError
from tenants.authentication import caller_of, operator_of
from tenants.listing.answers import PAGE_PARAMETERS, ListView, list_answer, list_responses, page_by_key
from tenants.problems import Problem

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

logger = logging.getLogger(__name__)


class NoStripeAccount(Problem):
    """This installation has no account at Stripe, so there is nothing to look at."""

    status = 409
    code = "no_stripe_account"
    title = "There is no account at Stripe"


class LooksView(ListView):
    """Looks at Stripe."""

    required_scopes = {"GET": "invoices:read", "POST": "bank:write"}

    @extend_schema(
        operation_id="reconciliations_list",
        tags=["reconciliation"],
        summary="List looks at Stripe",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(LooksSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List when the books were compared with Stripe, the latest first, and how many differences were found."""
        operator_of(request)
        paged = page_by_key(request, Reconciliation.objects.all(), ("-started_at", "-pk"))
        return list_answer(request, "reconciliations", paged, LookSerializer, _look)

    @extend_schema(
        operation_id="reconciliations_create",
        tags=["reconciliation"],
        summary="Look at Stripe now",
        request=None,
        responses={201: LookSerializer},
    )
    def post(self, request: Request) -> Response:
        """Compare the books with Stripe, without waiting for the night. `error` says where Stripe did not answer."""
        operator_of(request)
        gateway, now = stripe_account.gateway(), timezone.now()  # noqa: TID251  an entry point
        if gateway is None:
            raise NoStripeAccount("This installation has no account at Stripe.")
        run = begin(by=caller_of(request), now=now)
        assert run is not None, "only a night's look is begun once"
        try:
            look(run=run, gateway=gateway, now=now)
        except StripeError as error:
            logger.warning("reconciliation asked for by %s: %s", run.started_by, error)
        run.refresh_from_db()
        return Response(_look(run), status=status.HTTP_201_CREATED)


def _look(row: Reconciliation) -> dict[str, object]:
    return {
        "id": str(row.pk),
        "day": row.day and row.day.isoformat(),
        "from_at": instant(row.from_at),
        "to_at": instant(row.to_at),
        "started_at": instant(row.started_at),
        "finished_at": row.finished_at and instant(row.finished_at),
        "looked_at": row.looked_at,
        "found": row.found,
        "error": row.error,
    }
