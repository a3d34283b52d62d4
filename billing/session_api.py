"""The API of sessions on demand and on spot, of take-backs and of volumes: for both parties of a contract."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import instant
from billing.lease_shapes import InvalidInstant
from billing.local_instants import WrongInstant, read_instant
from billing.models import Session, Term
from billing.queries.sessions import (
    SessionRow,
    VolumeRow,
    recorded_term,
    session_of,
    session_page,
    session_rows,
    volume_rows,
)
from billing.session_shapes import (
    SessionSerializer,
    SessionsSerializer,
    SessionStateSerializer,
    StartSessionSerializer,
    StopSessionSerializer,
    TakeBackSerializer,
    VolumeSerializer,
    VolumeSizeSerializer,
    VolumesSerializer,
)
from billing.sessions import Wanted, start_session, state_session, stop_session, take_session_back
from billing.volumes import size_volume
from tenants.authentication import caller_of, organization_of
from tenants.calls import once
from tenants.listing.answers import (
    PAGE_PARAMETERS,
    ListView,
    cursor_errors,
    list_answer,
    list_responses,
    page_of_few,
    read_page,
)
from tenants.not_named import NotNamed
from tenants.shaped import valid

READS: Final = {"GET": "fleet:read"}
WRITES: Final = {"POST": "leases:write"}
BOTH: Final = {**READS, **WRITES}


class SessionsView(ListView):
    """Sessions given and taken."""

    required_scopes = BOTH

    @extend_schema(
        operation_id="sessions_list",
        tags=["leases"],
        summary="List sessions",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(SessionsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the sessions that the organization gives or takes, the last begun first."""
        with cursor_errors():
            paged = session_page(organization_of(request), _now(), read_page(request))
        return list_answer(request, "sessions", paged, SessionSerializer, _session)

    @extend_schema(
        operation_id="sessions_start",
        tags=["leases"],
        summary="Start a session",
        request=StartSessionSerializer,
        responses={201: SessionSerializer},
    )
    @once
    def post(self, request: Request) -> Response:
        """Take free slices under a term on demand or on spot. Sent again with its name it is the same session."""
        given, now = valid(StartSessionSerializer, request.data), _now()
        term = _own_term(request, given["term"])
        wanted = Wanted(
            count=given["count"],
            model=given["model"],
            kind=given["kind"],
            profile=given["profile"],
            share_permille=given.get("share_permille"),
        )
        session = start_session(
            term=term,
            name=given["name"],
            wanted=wanted,
            at=_at(given, term, now) or now,
            by=caller_of(request),
            now=now,
            state=given["state"],
        )
        return _one(request, session.pk, status.HTTP_201_CREATED)


class SessionView(APIView):
    """One session."""

    required_scopes = READS

    @extend_schema(
        operation_id="sessions_retrieve", tags=["leases"], summary="Read a session", responses={200: SessionSerializer}
    )
    def get(self, request: Request, session_id: UUID) -> Response:
        """Read a session: its state, or how it ended."""
        return _one(request, session_id)


class SessionStateView(APIView):
    """States of a session."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="sessions_state",
        tags=["leases"],
        summary="Say what state a session is in",
        request=SessionStateSerializer,
        responses={200: SessionSerializer},
    )
    def post(self, request: Request, session_id: UUID) -> Response:
        """Record a session's state from an instant on; the term says which states are billed. For the provider."""
        session = _own_session(request, session_id)
        _require_provider(request, session)
        given, now = valid(SessionStateSerializer, request.data), _now()
        at = _at(given, session.term, now) or now
        state_session(session=session, state=given["state"], at=at, by=caller_of(request), now=now)
        return _one(request, session_id)


class SessionStopView(APIView):
    """Ends a session."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="sessions_stop",
        tags=["leases"],
        summary="Stop a session",
        request=StopSessionSerializer,
        responses={200: SessionSerializer},
    )
    def post(self, request: Request, session_id: UUID) -> Response:
        """Free a session's slices. Sent again it changes nothing."""
        session = _own_session(request, session_id)
        given, now = valid(StopSessionSerializer, request.data), _now()
        stop_session(session=session, at=_at(given, session.term, now), by=caller_of(request), now=now)
        return _one(request, session_id)


class TakeBacksView(APIView):
    """Take-backs of spot sessions."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="take_backs_create",
        tags=["leases"],
        summary="Take a spot session back",
        request=TakeBackSerializer,
        responses={201: SessionSerializer},
    )
    @once
    def post(self, request: Request) -> Response:
        """Take a spot session back, or give notice of it by an instant to come. For the provider."""
        given, now = valid(TakeBackSerializer, request.data), _now()
        session = session_of(organization_of(request), given["session"])
        if session is None:
            raise NotNamed("session_id", "sessions")
        _require_provider(request, session)
        at = _at(given, session.term, now) or now
        take_session_back(session=session, at=at, by=caller_of(request), now=now)
        return _one(request, session.pk, status.HTTP_201_CREATED)


class VolumesView(ListView):
    """Volumes given and taken."""

    required_scopes = BOTH

    @extend_schema(
        operation_id="volumes_list",
        tags=["leases"],
        summary="List volumes",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(VolumesSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the volumes that there are, each with its size."""
        paged = page_of_few(request, volume_rows(organization_of(request)), lambda row: (row.term, row.volume))
        return list_answer(request, "volumes", paged, VolumeSerializer, _volume)

    @extend_schema(
        operation_id="volumes_size",
        tags=["leases"],
        summary="Make, resize or delete a volume",
        request=VolumeSizeSerializer,
        responses={201: VolumeSerializer},
    )
    @once
    def post(self, request: Request) -> Response:
        """Say how big a volume is from an instant on, 0 to delete it. Sent again it changes nothing."""
        given, now = valid(VolumeSizeSerializer, request.data), _now()
        term = _own_term(request, given["term"])
        size = size_volume(
            term=term,
            volume=given["volume"],
            gigabytes=given["gigabytes"],
            at=_at(given, term, now) or now,
            by=caller_of(request),
            now=now,
        )
        row = VolumeRow(term.ref, term.contract.number, size.volume, size.gigabytes, size.at)
        return Response(_volume(row), status=status.HTTP_201_CREATED)


def _own_term(request: Request, ref: str) -> Term:
    term = recorded_term(organization_of(request), ref)
    if term is None:
        raise NotNamed("term", "contracts/{contract_id}/versions")
    return term


def _own_session(request: Request, session_id: UUID) -> Session:
    session = session_of(organization_of(request), session_id)
    if session is None:
        raise Http404
    return session


def _require_provider(request: Request, session: Session) -> None:
    if session.term.contract.provider_id != organization_of(request).pk:
        raise PermissionDenied("Only the provider says this of a session.")


def _one(request: Request, session_id: UUID, code: int = status.HTTP_200_OK) -> Response:
    rows = session_rows(organization_of(request), _now(), session_id=session_id)
    if not rows:
        raise Http404
    return Response(_session(rows[0]), status=code)


def _at(given: Mapping[str, Any], term: Term, now: datetime) -> datetime | None:
    if "at" not in given:
        return None
    try:
        return read_instant(given["at"], term.contract.time_zone)
    except WrongInstant as error:
        raise InvalidInstant(f"at: {error}", field="at", examples=list(error.examples) or [instant(now)]) from error


def _session(row: SessionRow) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "term": row.term,
        "kind": row.kind,
        "contract": row.contract,
        "name": row.name,
        "model": row.accelerator_model,
        "count": row.count,
        "state": row.state,
        "ending": row.ending,
        "noticed_at": row.noticed_at and instant(row.noticed_at),
        "from": instant(row.from_at),
        "to": row.to_at and instant(row.to_at),
    }


def _volume(row: VolumeRow) -> dict[str, Any]:
    return {
        "term": row.term,
        "contract": row.contract,
        "volume": row.volume,
        "gigabytes": row.gigabytes,
        "at": instant(row.at),
    }


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point
