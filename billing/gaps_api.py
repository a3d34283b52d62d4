"""The API of what a draft waits for: a report that is missing is accepted to be missing."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.draft_waits import draft_waits
from billing.gap_shapes import AcceptGapsSerializer, DraftWaitsSerializer, wait_row
from billing.gaps import WrongGap, accept_gaps
from billing.models import BillingPeriod
from clusters.bodies import checked
from tenants.authentication import caller_of, organization_of

WRITE: Final = "invoices:write"


class DraftGapsView(APIView):
    """Reports that a period may close without."""

    required_scopes = {"POST": WRITE}

    @extend_schema(
        operation_id="drafts_accept_gaps",
        tags=["invoices"],
        summary="Accept that reports of an invoice draft are missing",
        request=AcceptGapsSerializer,
        responses={200: DraftWaitsSerializer},
    )
    def post(self, request: Request, period_id: UUID) -> Response:
        """Let a period that is over close without nodes or gateways that have not reported, before its grace ends. What
        they report later is billed as an adjustment. For the provider."""
        get_object_or_404(BillingPeriod, pk=period_id, contract__provider=organization_of(request))
        given = checked(AcceptGapsSerializer(data=request.data), WrongGap)
        now = datetime.now(UTC)  # noqa: TID251  an entry point
        period = accept_gaps(
            period_id=period_id, gaps=given["gaps"], reason=given["reason"], actor=caller_of(request), now=now
        )
        return Response({"waiting_for": [wait_row(each) for each in draft_waits(period, now)]})
