"""The API of a tenant's statement of account as paper."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from billing.documents.parties import LANGUAGES
from billing.statements.account import account_of
from billing.statements.balance_api import READ, party_named
from billing.statements.printing import AccountPaper, print_account
from tenants.authentication import organization_of

DAYS_MAX: Final = 3_660


class PaperRenderer(JSONRenderer):
    """Lets a paper be asked for as `application/pdf`; what goes wrong is still said in JSON."""

    media_type = "application/pdf"
    format = "pdf"


class AccountPaperQuerySerializer(serializers.Serializer[Any]):
    """What account is asked for, over whole days of UTC."""

    provider = serializers.CharField(max_length=63)
    currency = serializers.CharField(max_length=3)
    to = serializers.DateField()
    language = serializers.ChoiceField(choices=sorted(LANGUAGES), required=False, default="")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the fields with `from`, which Python keeps for itself: what is refused is named as it was asked."""
        return {**super().get_fields(), "from": serializers.DateField()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse days that end before they begin, and more than ten years."""
        if attrs["to"] < attrs["from"]:
            raise serializers.ValidationError({"to": ["must not be before from"]})
        if (attrs["to"] - attrs["from"]).days > DAYS_MAX:
            raise serializers.ValidationError({"to": [f"must be at most {DAYS_MAX} days after from"]})
        return attrs


class AccountPdfView(APIView):
    """A statement of account as paper."""

    required_scopes = READ
    renderer_classes: list[type[BaseRenderer]] = [JSONRenderer, PaperRenderer]

    @extend_schema(
        operation_id="account_pdf_retrieve",
        tags=["statements"],
        summary="Read a statement of account as PDF",
        parameters=[
            OpenApiParameter("provider", str, required=True, description="its slug"),
            OpenApiParameter("currency", str, required=True, description="a code of ISO 4217"),
            OpenApiParameter("from", date, required=True, description="the first day, of UTC"),
            OpenApiParameter("to", date, required=True, description="the last day, of UTC, with it"),
            OpenApiParameter("language", str, enum=sorted(LANGUAGES), description="left out: of the billing profile"),
        ],
        responses={(200, "application/pdf"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Read the account over whole days as PDF/A-3: the same bytes each time while nothing is booked of them.

        Its SHA-256 is the ETag.
        """
        serializer = AccountPaperQuerySerializer(data=request.query_params.dict())
        serializer.is_valid(raise_exception=True)
        tenant, query = organization_of(request), serializer.validated_data
        party = party_named(tenant, query["provider"], query["currency"])
        if party is None:
            raise Http404
        from_at, last_at = (datetime.combine(query[name], time(), UTC) for name in ("from", "to"))
        account = account_of(tenant, party, from_at=from_at, to_at=last_at + timedelta(days=1))
        return paper_answer(request._request, print_account(tenant, account, LANGUAGES.get(query["language"])))


def paper_answer(request: HttpRequest, paper: AccountPaper) -> HttpResponseBase:
    """Hand a paper out; nothing where the caller has it already."""
    headers = {
        "Content-Disposition": f'attachment; filename="{paper.name}"',
        "ETag": f'"{paper.sha256}"',
        "Cache-Control": "private, no-cache",
    }
    response = HttpResponse(paper.body, content_type="application/pdf", headers=headers)
    answer: HttpResponseBase | None = get_conditional_response(request, etag=headers["ETag"], response=response)
    return answer or response
