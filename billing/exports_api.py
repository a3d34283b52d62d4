"""The API of exports: an organization's invoices in the shape that cost tools read."""

from datetime import UTC, datetime
from typing import Any, Final

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from billing.csv_files import CsvRenderer, csv_answer
from billing.documents.focus import COLUMNS, cells
from billing.documents.focus_reading import focus_rows
from clusters.bodies import checked
from tenants.authentication import organization_of
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_of_few
from tenants.problems import Problem

SCOPES: Final = {"GET": "invoices:read"}
FOCUS_VERSION: Final = "1.2"


class WrongExport(Problem):
    """The query names no span of time."""

    status = 400
    code = "wrong_export"
    title = "The export cannot be made"


class ExportSerializer(serializers.Serializer[Any]):
    """A kind of export."""

    name = serializers.CharField()
    version = serializers.CharField()
    url = serializers.CharField()
    columns = serializers.ListField(child=serializers.CharField())


class ExportsSerializer(PagedSerializer):
    """What can be exported."""

    exports = ExportSerializer(many=True)


class ExportSpanSerializer(serializers.Serializer[Any]):
    """When the invoices were issued: `[from, to)`."""

    to = serializers.DateTimeField(default_timezone=UTC)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Name a field by a word that Python keeps for itself."""
        return {"from": serializers.DateTimeField(default_timezone=UTC), **super().get_fields()}


class ExportsView(ListView):
    """What can be exported."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="exports_list",
        tags=["exports"],
        summary="List the exports there are",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(ExportsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the exports with their versions and columns."""
        url = request.build_absolute_uri("exports/focus")
        one = {"name": "focus", "version": FOCUS_VERSION, "url": url, "columns": list(COLUMNS)}
        paged = page_of_few(request, [one], lambda row: (row["name"],))
        return list_answer(request, "exports", paged, ExportSerializer, dict)


class FocusView(APIView):
    """Invoices as FOCUS rows."""

    required_scopes = SCOPES
    renderer_classes: list[type[BaseRenderer]] = [JSONRenderer, CsvRenderer]

    @extend_schema(
        operation_id="exports_focus_retrieve",
        tags=["exports"],
        summary="Read invoices as FOCUS 1.2",
        parameters=[
            OpenApiParameter("from", datetime, required=True, description="invoices issued at or after it"),
            OpenApiParameter("to", datetime, required=True, description="and before it"),
        ],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Read what was invoiced and credited in a span as CSV, one row per part of a line and day.

        The rows of an invoice sum to its total.
        """
        span = checked(ExportSpanSerializer(data=request.query_params.dict()), WrongExport)
        if span["from"] >= span["to"]:
            raise WrongExport("to must be after from.", field="to")
        rows = focus_rows(organization_of(request), issued_from=span["from"], issued_to=span["to"])
        name = f"focus-{span['from']:%Y%m%d}-{span['to']:%Y%m%d}.csv"
        return csv_answer(name, COLUMNS, (tuple(cells(row)) for row in rows))
