"""The API of metering: batches of agents, events of gateways, and usage for whoever it belongs to."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from django.db import InterfaceError, InternalError, OperationalError
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import extend_schema
from msgspec import json
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters.bodies import BodyTooLarge, read_body
from metering.admission import Overloaded, ingest_gate
from metering.api_parameters import USAGE_PARAMETERS, next_cursor, read_usage_query
from metering.api_shapes import UsageSerializer
from metering.ingest import Sent, TooLarge, count_refused, ingest_batch
from metering.ingest_counts import UNKNOWN_REPORTER
from metering.queries import usage_in, usage_totals
from metering.wire import BATCH_BYTES_MAX, HEADER_NODE, HEADER_SENT_AT, HEADER_SIGNATURE
from tenants.authentication import organization_of
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
        with ingest_gate.entered():
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


class UsageView(APIView):
    """Usage of the organization: as tenant, as provider, on its nodes."""

    required_scopes = {"GET": "usage:read"}

    @extend_schema(
        operation_id="usage_list",
        tags=["usage"],
        summary="Read usage",
        parameters=USAGE_PARAMETERS,
        responses={200: UsageSerializer},
    )
    def get(self, request: Request) -> Response:
        """Sum usage by stretches of time, witness, class and what `group_by` names."""
        query = read_usage_query(request)
        usage = usage_in(
            organization=organization_of(request),
            from_at=query.from_at,
            to_at=query.to_at,
            filters=query.filters,
            group_by=query.group_by,
        )
        totals = usage_totals(
            usage=usage,
            granularity=query.granularity,
            zone=query.zone,
            group_by=query.group_by,
            offset=query.offset,
            limit=query.limit + 1,
        )
        return Response(
            {
                "from": query.from_at,
                "to": query.to_at,
                "granularity": query.granularity,
                "tz": query.zone,
                "usage": [_total(one) for one in totals[: query.limit]],
                "next_cursor": next_cursor(query, len(totals)),
            }
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
