"""The API of metering: batches of agents, events of gateways, and usage for whoever it belongs to."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import extend_schema
from msgspec import json
from rest_framework.request import Request

from clusters.bodies import BodyTooLarge, read_body
from metering.admission import Overloaded, ingest_gate
from metering.api_parameters import USAGE_PARAMETERS, read_usage_query, window_of
from metering.api_shapes import UsageSerializer, UsageTotalSerializer
from metering.ingest import Sent, TooLarge, count_refused, ingest_batch
from metering.ingest_counts import UNKNOWN_REPORTER
from metering.queries import place_of_total, usage_in
from metering.usage_pages import totals_page
from metering.wire import BATCH_BYTES_MAX, HEADER_NODE, HEADER_SENT_AT, HEADER_SIGNATURE
from tenants.authentication import organization_of
from tenants.limits.reader import whole
from tenants.listing.answers import ListView, cursor_errors, list_answer, list_responses
from tenants.listing.cursors import write_cursor
from tenants.listing.paging import Paged
from tenants.problem_response import answer, problem_answer
from tenants.problems import Problem

if TYPE_CHECKING:
    from django.http import HttpRequest

    from metering.queries import UsageTotal

logger = logging.getLogger(__name__)
POST_ONLY: Final = "Expected POST."
RETRY_AFTER_S: Final = 10
META_NODE, META_SIGNATURE, META_SENT_AT = (
    f"HTTP_{name.upper().replace('-', '_')}" for name in (HEADER_NODE, HEADER_SIGNATURE, HEADER_SENT_AT)
)


@csrf_exempt
def batches(request: HttpRequest) -> HttpResponse:
    """Take a signed batch; the answer is sent after the commit. A plain view: agents send thousands a second."""
    if request.method != "POST":
        response = answer(status=405, code="method_not_allowed", detail=POST_ONLY)
        response["Allow"] = "POST"
        return response
    try:
        with ingest_gate.entered(), whole("a node signs for itself; its provider has no part in it"):
            return _take_batch(request)
    except Overloaded as refused:
        # Read and dropped: a connection on which a body is left is of no use to its agent any more.
        request.read(BATCH_BYTES_MAX)
        return problem_answer(refused)
    except Problem as refused:
        return problem_answer(refused)
    except (InterfaceError, InternalError, OperationalError):
        # Gone, full, out of connections or read only: whatever it is, the same bytes again are harmless.
        logger.exception("A batch of node %s could not be stored.", request.META.get(META_NODE, "")[:64])
        detail = "The database does not take the batch now; send the same bytes again, they count once."
        return answer(status=503, code="unavailable", detail=detail, retry_after_s=RETRY_AFTER_S)


def _take_batch(request: HttpRequest) -> HttpResponse:
    now, meta = timezone.now(), request.META
    try:
        body = read_body(request, BATCH_BYTES_MAX)
    except BodyTooLarge as refused:
        count_refused(reporter=UNKNOWN_REPORTER, code=TooLarge.code, now=now)
        raise TooLarge(refused.detail) from refused
    sent = Sent(
        node=meta.get(META_NODE, ""),
        body=body,
        content_encoding=meta.get("HTTP_CONTENT_ENCODING", ""),
        signature=meta.get(META_SIGNATURE, ""),
        sent_at=meta.get(META_SENT_AT, ""),
    )
    return HttpResponse(json.encode(ingest_batch(sent=sent, now=now)), content_type="application/json")


class UsageView(ListView):
    """Usage of the organization: as tenant, as provider, on its nodes."""

    required_scopes = {"GET": "usage:read"}
    refuses_unknown = False

    @extend_schema(
        operation_id="usage_list",
        tags=["usage"],
        summary="Read usage",
        parameters=USAGE_PARAMETERS,
        responses=list_responses(UsageSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Sum usage by stretches of time, witness, class and what `group_by` names."""
        query = read_usage_query(request)
        usage = usage_in(
            organization=organization_of(request),
            from_at=query.from_at,
            to_at=query.to_at,
            filters=query.filters,
            group_by=query.group_by,
        )
        with cursor_errors():
            totals = totals_page(
                usage=usage,
                window=(query.from_at, query.to_at),
                granularity=query.granularity,
                zone=query.zone,
                group_by=query.group_by,
                after=query.after,
                limit=query.limit + 1,
            )
        kept = totals[: query.limit]
        cursor = write_cursor(place_of_total(kept[-1])) if len(totals) > query.limit else None
        told = {"granularity": query.granularity, "tz": query.zone}
        return list_answer(
            request, "usage", Paged(kept, cursor), UsageTotalSerializer, _total, **window_of(query), **told
        )


def _total(total: UsageTotal) -> dict[str, object]:
    return {
        "at": total.at,
        "witness": total.witness,
        "class": total.quantity,
        **dict(total.groups),
        "value": str(total.value),
        "estimated": str(total.estimated),
        "quarantined": str(total.quarantined),
        "records": str(total.records),
    }
