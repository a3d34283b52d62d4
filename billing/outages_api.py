"""The API of a lease's outages: both parties read them, and the provider states those that no meter knows."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api_words import instant
from billing.lease_shapes import (
    InvalidInstant,
    OutageRequestSerializer,
    OutageSerializer,
    OutagesSerializer,
    OutageStatedSerializer,
)
from billing.local_instants import WrongInstant, read_instant
from billing.models import Term
from billing.outage_stating import state_outage
from billing.queries.lease_list import lease_of
from billing.queries.outages import OutageRow, outages_of_lease
from billing.share_stating import By
from tenants.authentication import caller_of, organization_of
from tenants.calls import once
from tenants.listing.answers import PAGE_PARAMETERS, ListView, list_answer, list_responses, page_of_few
from tenants.shaped import valid


class OutagesView(ListView):
    """Outages of one lease."""

    required_scopes = {"GET": "fleet:read", "POST": "leases:write"}

    @extend_schema(
        operation_id="leases_outages_list",
        tags=["leases"],
        summary="List a lease's outages",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(OutagesSerializer),
    )
    def get(self, request: Request, ref: str) -> HttpResponseBase:
        """List when cards of a lease were out, by the meter's record and by its provider's word, the latest first."""
        rows = outages_of_lease(_own_lease(request, ref), _now())
        paged = page_of_few(request, rows, lambda row: row.place, falling=True)
        return list_answer(request, "outages", paged, OutageSerializer, _row)

    @extend_schema(
        operation_id="leases_outages_create",
        tags=["leases"],
        summary="State an outage of a lease",
        request=OutageRequestSerializer,
        responses={
            201: OutageStatedSerializer,
            200: OpenApiResponse(OutageStatedSerializer, description="It was stated already."),
        },
    )
    @once
    def post(self, request: Request, ref: str) -> Response:
        """State, as its provider, that cards of a lease could not be used: it costs less by the terms that count the
        cause, of a closed billing period on the next invoice. What is stated stays and cannot be taken back; sent again
        it changes nothing."""
        lease = _own_lease(request, ref)
        given = valid(OutageRequestSerializer, request.data)
        stated = state_outage(
            lease=lease,
            cause=given["cause"],
            from_at=_read(given, "from", lease),
            to_at=_read(given, "to", lease),
            accelerators=given["accelerator_ids"],
            by=By(organization_of(request), caller_of(request)),
            now=_now(),
        )
        answer = {
            "cause": stated.cause,
            "accelerator_ids": list(stated.accelerators),
            "from": instant(stated.from_at),
            "to": instant(stated.to_at),
        }
        return Response(answer, status=status.HTTP_201_CREATED if stated.is_new else status.HTTP_200_OK)


def _own_lease(request: Request, ref: str) -> Term:
    lease = lease_of(organization_of(request), ref)
    if lease is None:
        raise Http404
    return lease


def _read(given: Mapping[str, Any], field: str, lease: Term) -> datetime:
    try:
        return read_instant(given[field], lease.contract.time_zone)
    except WrongInstant as error:
        raise InvalidInstant(f"{field}: {error}", field=field, examples=list(error.examples)) from error


def _row(row: OutageRow) -> dict[str, Any]:
    return {
        "cause": row.cause,
        "accelerator_ids": list(row.accelerators),
        "told_by": "meter" if row.stated_at is None else "provider",
        "stated_by": row.stated_by or None,
        "stated_at": row.stated_at and instant(row.stated_at),
        "from": instant(row.from_at),
        "to": instant(row.to_at),
    }


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point
