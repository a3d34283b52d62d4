"""The API of files of transfers for the operator's bank."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import instant, money
from billing.models import PayoutFile
from billing.statements.bank_files import make_file
from billing.statements.paying_out import WrongPayout
from clusters.bodies import checked
from tenants.authentication import operator_of
from tenants.calls import KEY_HEADER, made_once
from tenants.closed_shapes import ClosedSerializer
from tenants.idempotency import Answered
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_by_key

READS: Final = {"GET": "invoices:read"}


class BankFileRenderer(JSONRenderer):
    """Lets a file be asked for as `application/xml`; what goes wrong is still said in JSON."""

    media_type = "application/xml"
    format = "xml"


class NewPayoutFileSerializer(ClosedSerializer):
    """Which payouts are to be put into a file."""

    currency = serializers.CharField(max_length=3)


class PayoutFileSerializer(serializers.Serializer[Any]):
    """A file of transfers."""

    id = serializers.UUIDField()
    number = serializers.CharField()
    currency = serializers.CharField()
    transfers = serializers.IntegerField()
    control_sum = serializers.CharField()
    sha256 = serializers.CharField(help_text="of the file; it never changes")
    made_at = serializers.DateTimeField()


class PayoutFilesSerializer(PagedSerializer):
    """Files of transfers, the latest first."""

    payout_files = PayoutFileSerializer(many=True)


class PayoutFilesView(ListView):
    """Files of transfers for the bank."""

    required_scopes = {**READS, "POST": "bank:write"}

    @extend_schema(
        operation_id="payout_files_list",
        tags=["payouts"],
        summary="List files of transfers",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(PayoutFilesSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the files that were made, the latest first. For the operator."""
        operator_of(request)
        paged = page_by_key(request, PayoutFile.objects.defer("body"), ("-made_at", "-pk"))
        return list_answer(request, "payout_files", paged, PayoutFileSerializer, _shown)

    @extend_schema(
        operation_id="payout_files_create",
        tags=["payouts"],
        summary="Make a file of transfers",
        parameters=[KEY_HEADER],
        request=NewPayoutFileSerializer,
        responses={201: PayoutFileSerializer},
    )
    def post(self, request: Request) -> Response:
        """Put every payout by bank that waits in a currency into one pain.001 file, once. For the operator."""
        operator, now, body = operator_of(request), _now(), request._request.body
        given = checked(NewPayoutFileSerializer(data=request.data), WrongPayout)
        program: Any = request.user

        def make() -> Answered:
            made = make_file(operator=operator, currency=given["currency"], by=f"key {program.key.prefix}", now=now)
            return status.HTTP_201_CREATED, _shown(made)

        return made_once(request, body, now, make)


class PayoutFileView(APIView):
    """One file of transfers."""

    required_scopes = READS
    renderer_classes: list[type[BaseRenderer]] = [JSONRenderer, BankFileRenderer]

    @extend_schema(
        operation_id="payout_files_xml_retrieve",
        tags=["payouts"],
        summary="Read a file of transfers",
        responses={(200, "application/xml"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, file_id: UUID) -> HttpResponse:
        """Read the file, byte for byte as it was made. For the operator."""
        operator_of(request)
        found = PayoutFile.objects.filter(pk=file_id).first()
        if found is None:
            raise Http404
        headers = {"Content-Disposition": f'attachment; filename="{found.number}.xml"', "ETag": f'"{found.sha256}"'}
        return HttpResponse(bytes(found.body), content_type="application/xml", headers=headers)


def _shown(file: PayoutFile) -> dict[str, Any]:
    return {
        "id": str(file.pk),
        "number": file.number,
        "currency": file.currency,
        "transfers": file.transfers,
        "control_sum": money(file.control_sum, file.currency),
        "sha256": file.sha256,
        "made_at": instant(file.made_at),
    }


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point
