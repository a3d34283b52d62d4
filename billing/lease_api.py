"""The API of capacity, quotes and leases: for both parties of a contract, and for nobody else."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import instant
from billing.lease_shapes import (
    CAPACITY_PARAMETERS,
    CapacityQuerySerializer,
    CapacitySerializer,
    EndSerializer,
    ExtendSerializer,
    HoldOverSerializer,
    InvalidInstant,
    LeaseSerializer,
    LeasesSerializer,
    QuoteRequestSerializer,
    QuoteSerializer,
)
from billing.leasing import end_lease_early, extend_lease, hold_lease_over
from billing.local_instants import WrongInstant, read_instant
from billing.models import Contract, Quote, Term
from billing.queries.capacity import capacity_answer, open_contracts
from billing.queries.lease_list import LeaseRow, lease_of, lease_page, lease_rows, quote_of
from billing.quoting import quote_lease, reserve_quote
from clusters.capacity import Wish
from tenants.authentication import caller_of, organization_of
from tenants.calls import KEY_HEADER, made_once, once
from tenants.idempotency import Answered
from tenants.listing.answers import PAGE_PARAMETERS, ListView, cursor_errors, list_answer, list_responses, read_page
from tenants.models import Organization
from tenants.not_named import NotNamed
from tenants.shaped import valid

READS: Final = {"GET": "fleet:read"}
WRITES: Final = {"POST": "leases:write"}


class CapacityView(APIView):
    """The capacity calendar."""

    required_scopes = READS

    @extend_schema(
        operation_id="capacity_retrieve",
        tags=["leases"],
        summary="Ask what is free",
        parameters=CAPACITY_PARAMETERS,
        responses={200: CapacitySerializer},
    )
    def get(self, request: Request) -> Response:
        """Say whether so many slices are free over a span, and the earliest start where they are not.

        A tenant is told of the providers that it has a contract with; nobody is told who holds what.
        """
        given = valid(CapacityQuerySerializer, request.query_params.dict())
        organization, now = organization_of(request), _now()
        contracts = _contracts(organization, given.get("contract"), now)
        zone = contracts[0].time_zone if "contract" in given else "UTC"
        found = capacity_answer(_wish(given, zone), contracts, now)
        price = found.price_per_gpu_hour
        return Response(
            {
                **_wished(found.wish),
                "free": found.free,
                "enough": found.enough,
                "nodes": found.nodes,
                "earliest_start": found.earliest_start and instant(found.earliest_start),
                "price_per_gpu_hour": None if price is None else plain(price),
                "currency": found.currency,
            }
        )


class QuotesView(APIView):
    """Asks for prices of leases."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="quotes_create",
        parameters=[KEY_HEADER],
        tags=["leases"],
        summary="Ask for a quote",
        request=QuoteRequestSerializer,
        responses={201: QuoteSerializer},
    )
    def post(self, request: Request) -> Response:
        """Quote the price in force for slices over a span. It stands for a week, until the start at most and for a
        quarter of an hour at least, and holds nothing: `POST /quotes/<id>/reserve` does. A start up to a quarter of an
        hour ago means now."""
        body = request._request.body
        given = valid(QuoteRequestSerializer, _object(request))
        organization, now = organization_of(request), _now()

        def make() -> Answered:
            (contract,) = _contracts(organization, given["contract"], now)
            wish = _wish(given, contract.time_zone)
            return status.HTTP_201_CREATED, _quote(
                quote_lease(contract=contract, wish=wish, asked_by=organization, now=now)
            )

        return made_once(request, body, now, make)


class QuoteView(APIView):
    """One quote."""

    required_scopes = READS

    @extend_schema(
        operation_id="quotes_retrieve", tags=["leases"], summary="Read a quote", responses={200: QuoteSerializer}
    )
    def get(self, request: Request, quote_id: UUID) -> Response:
        """Read a quote and, once it is reserved, which lease it is."""
        return Response(_quote(_own_quote(request, quote_id)))


class ReserveView(APIView):
    """Turns a quote into a lease."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="quotes_reserve",
        tags=["leases"],
        summary="Reserve a quote",
        request=None,
        responses={201: OpenApiResponse(LeaseSerializer, description="The lease; the same one if sent again.")},
    )
    @once
    def post(self, request: Request, quote_id: UUID) -> Response:
        """Hold the slices for the whole span, all or none; after its start for what is left of it, from now on. Sent
        again it gives the same lease and changes nothing."""
        quote = _own_quote(request, quote_id)
        lease = reserve_quote(quote_id=quote.id, by=caller_of(request), now=_now())
        return Response(_one(request, lease.ref), status=status.HTTP_201_CREATED)


class LeasesView(ListView):
    """Leases of the organization, given and taken."""

    required_scopes = READS

    @extend_schema(
        operation_id="leases_list",
        tags=["leases"],
        summary="List leases",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(LeasesSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the leases that the organization gives or takes: running, reserved, ended; the last begun first."""
        with cursor_errors():
            paged = lease_page(organization_of(request), _now(), read_page(request))
        return list_answer(request, "leases", paged, LeaseSerializer, _lease)


class LeaseView(APIView):
    """One lease."""

    required_scopes = READS

    @extend_schema(
        operation_id="leases_retrieve", tags=["leases"], summary="Read a lease", responses={200: LeaseSerializer}
    )
    def get(self, request: Request, ref: str) -> Response:
        """Read a lease, what it cost so far, and every step of its life."""
        return Response(_one(request, ref))


class ExtendView(APIView):
    """Lets a lease go on."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="leases_extend",
        tags=["leases"],
        summary="Extend a lease",
        request=ExtendSerializer,
        responses={200: LeaseSerializer},
    )
    def post(self, request: Request, ref: str) -> Response:
        """Extend a lease with the slices it has, if they are free, at the price its terms say."""
        lease = _own_lease(request, ref)
        to_at = _instant_of(request, lease, ExtendSerializer, "to")
        extend_lease(lease=lease, to_at=to_at, by=caller_of(request), now=_now())
        return Response(_one(request, ref))


class EndView(APIView):
    """Ends a lease early."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="leases_end",
        tags=["leases"],
        summary="End a lease early",
        request=EndSerializer,
        responses={200: LeaseSerializer},
    )
    def post(self, request: Request, ref: str) -> Response:
        """End a lease before its agreed end: its terms say what is owed of the rest."""
        lease = _own_lease(request, ref)
        at = _instant_of(request, lease, EndSerializer, "at")
        end_lease_early(lease=lease, at=at, by=caller_of(request), now=_now())
        return Response(_one(request, ref))


class HoldOverView(APIView):
    """Records that a lease is held past its end."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="leases_hold_over",
        tags=["leases"],
        summary="Record that a lease is held past its end",
        request=HoldOverSerializer,
        responses={200: LeaseSerializer},
    )
    def post(self, request: Request, ref: str) -> Response:
        """Say, as its provider, that what was leased was not given back at the end, and until when it is held: the
        time past the end is billed at the holdover rate that the terms say. Sent again it changes nothing; a later
        instant goes on from there."""
        lease = _own_lease(request, ref)
        if lease.contract.provider_id != organization_of(request).pk:
            raise Http404
        to_at = _instant_of(request, lease, HoldOverSerializer, "to")
        hold_lease_over(lease=lease, to_at=to_at, by=caller_of(request), now=_now())
        return Response(_one(request, ref))


def _own_lease(request: Request, ref: str) -> Term:
    lease = lease_of(organization_of(request), ref)
    if lease is None:
        raise Http404
    return lease


def _instant_of(request: Request, lease: Term, shape: type[serializers.Serializer[Any]], field: str) -> datetime:
    return _read(valid(shape, _object(request))[field], lease.contract.time_zone, field)


def _one(request: Request, ref: str) -> dict[str, Any]:
    rows = lease_rows(organization_of(request), _now(), ref=ref)
    if not rows:
        raise Http404
    return _lease(rows[0])


def _own_quote(request: Request, quote_id: UUID) -> Quote:
    quote = quote_of(organization_of(request), quote_id)
    if quote is None:
        raise Http404
    return quote


def _contracts(organization: Organization, number: str | None, now: datetime) -> list[Contract]:
    found = open_contracts(organization, now)
    if number is None:
        return found
    chosen = [contract for contract in found if contract.number == number]
    if not chosen:
        raise NotNamed("contract", "contracts")
    return chosen


def _wish(given: Mapping[str, Any], zone: str) -> Wish:
    wish = Wish(
        given["model"],
        given["count"],
        _read(given["from"], zone, "from"),
        _read(given["to"], zone, "to"),
        given["kind"],
        given["profile"],
        given.get("share_permille"),
    )
    wish.check()
    return wish


def _read(text: str, zone: str, field: str) -> datetime:
    try:
        return read_instant(text, zone)
    except WrongInstant as error:
        raise InvalidInstant(f"{field}: {error}", field=field, examples=list(error.examples)) from error


def _object(request: Request) -> dict[str, Any]:
    if not isinstance(request.data, dict):
        raise InvalidInstant("The body must be a JSON object.", field="", examples=[])
    return dict(request.data.items())


def _wished(wish: Wish) -> dict[str, Any]:
    return {
        "model": wish.model,
        "count": wish.count,
        "kind": wish.kind,
        "profile": wish.profile,
        "from": instant(wish.from_at),
        "to": wish.to_at and instant(wish.to_at),
    }


def _quote(quote: Quote) -> dict[str, Any]:
    return {
        "id": str(quote.id),
        "number": quote.number,
        "contract": quote.contract.number,
        "model": quote.accelerator_model,
        "count": quote.count,
        "kind": quote.kind,
        "profile": quote.profile,
        "share_permille": quote.share_permille,
        "from": instant(quote.from_at),
        "to": instant(quote.to_at),
        "price_per_gpu_hour": plain(quote.price_per_gpu_hour),
        "amount": plain(quote.amount),
        "currency": quote.contract.currency,
        "expires_at": instant(quote.expires_at),
        "lease": quote.term.ref if quote.term else None,
    }


def _lease(row: LeaseRow) -> dict[str, Any]:
    return {
        "ref": row.ref,
        "title": row.title,
        "contract": row.contract,
        "provider": row.provider_slug,
        "provider_name": row.provider,
        "tenant": row.tenant_slug,
        "tenant_name": row.tenant,
        "model": row.accelerator_model,
        "slices": row.slices,
        "share_permille": row.share_permille,
        "price_per_gpu_hour": None if row.price_per_gpu_hour is None else plain(row.price_per_gpu_hour),
        "currency": row.currency,
        "from": instant(row.from_at),
        "to": row.to_at and instant(row.to_at),
        "state": row.state,
        "gpu_seconds_held": plain(Decimal(row.gpu_ms_held) / 1_000),
        "charged": plain(row.charged),
        "steps": [
            {
                "step": step.step,
                "at": instant(step.at),
                "to": step.to_at and instant(step.to_at),
                "reason": step.reason or None,
            }
            for step in row.steps
        ],
    }


def plain(number: Decimal) -> str:
    """Write a number without exponent and trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point
