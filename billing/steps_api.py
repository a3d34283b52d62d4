"""The API of the steps of an issued invoice: one that stopped goes on, and one that waits is taken now."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import stripe_account
from billing.documents.beginning import retry_documents
from billing.models import Invoice, InvoiceState
from billing.pushing import go_on
from billing.queries.invoice_steps import StepName
from billing.settlement import NotRetryable
from tenants.authentication import caller_of, organization_of

WRITE: Final = "invoices:write"


class RetriedSerializer(serializers.Serializer[Any]):
    """Where the step is now."""

    step = serializers.CharField()
    state = serializers.CharField(help_text="of the collection, or of the papers")


class StepRetryView(APIView):
    """Tries a step of an issued invoice again."""

    required_scopes = {"POST": WRITE}

    @extend_schema(
        operation_id="invoices_step_retry",
        tags=["invoices"],
        summary="Try a step of an invoice again",
        request=None,
        responses={200: RetriedSerializer},
    )
    def post(self, request: Request, invoice_id: UUID, step: str) -> Response:
        """Let a step that stopped go on, a card that was declined be charged again, or what waits go to Stripe now. For
        the issuer."""
        issued = Invoice.objects.filter(pk=invoice_id, issuer=organization_of(request))
        if step not in set(StepName) or not issued.exclude(state=InvoiceState.DRAFT).exists():
            raise Http404
        if step == StepName.DOCUMENT:
            document = retry_documents(subject_id=invoice_id, actor=caller_of(request), now=_now())
            return Response({"step": step, "state": document.state})
        if step not in (StepName.STRIPE_PUSH, StepName.COLLECT):
            raise NotRetryable(f"The step {step} of this invoice is done.", state="done")
        done = go_on(invoice_id=invoice_id, actor=caller_of(request), gateway=stripe_account.gateway(), now=_now())
        return Response({"step": step, "state": done.state})


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point
