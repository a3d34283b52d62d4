"""The API of prepaid credit: where a contract stands, and granting credit."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import instant
from billing.credit_shapes import (
    GrantRequestSerializer,
    GrantSerializer,
    StandingSerializer,
)
from billing.credits import grant_credit
from billing.models import Contract, Term
from billing.rating.credit import Grant
from billing.rating.wording import plain
from billing.standing import ContractStanding, GrantStanding, standing_of
from tenants.authentication import organization_of
from tenants.calls import once
from tenants.shaped import valid

WRITES: Final = {"POST": "credits:write"}


class StandingView(APIView):
    """Whether use under a contract may go on."""

    required_scopes = {"GET": "usage:read"}

    @extend_schema(
        operation_id="contracts_standing",
        tags=["contracts"],
        summary="Ask whether use may go on",
        responses={200: StandingSerializer},
    )
    def get(self, request: Request, number: str) -> Response:
        """Say `allowed` or `stop`, and what is left. A gateway asks every `check_every_s` seconds and, told `stop`,
        takes no more requests: then no more than `overdrawn_amount_most` is ever used without being paid for.
        """
        contract = _contract(request, number)
        return Response(_standing(standing_of(contract, _now())))


class CreditsView(APIView):
    """Grants of a contract."""

    required_scopes = WRITES

    @extend_schema(
        operation_id="contracts_credits_create",
        tags=["contracts"],
        summary="Grant credit, or say that it was bought",
        request=GrantRequestSerializer,
        responses={201: GrantSerializer},
    )
    @once
    def post(self, request: Request, number: str) -> Response:
        """Add a balance to a credit term of a contract. Only its provider can; the same again changes nothing."""
        contract = _contract(request, number)
        organization, now = organization_of(request), _now()
        if contract.provider_id != organization.id:
            raise Http404
        given = valid(GrantRequestSerializer, request.data)
        term = Term.objects.filter(contract=contract, ref=given.pop("term")).first()
        if term is None:
            raise Http404
        grant = Grant(**{**given, "terms": tuple(given["terms"])})
        made = grant_credit(term=term, grant=grant, recorded_by=organization.slug, now=now)
        shown = GrantStanding(term.ref, made, made.amount, is_open=made.from_at <= now)
        return Response(_grant(shown), status=status.HTTP_201_CREATED)


def _contract(request: Request, number: str) -> Contract:
    found = Contract.objects.for_org(organization_of(request)).filter(number=number).first()
    if found is None:
        raise Http404
    return found


def _standing(found: ContractStanding) -> Mapping[str, object]:
    stop = found.stop
    return {
        "contract": found.contract.number,
        "currency": found.contract.currency,
        "as_of": instant(found.as_of),
        "standing": "allowed" if found.allowed else "stop",
        "suspended": found.suspended,
        "left_amount": plain(found.left_amount),
        "unpaid_amount": plain(found.unpaid_amount),
        "overdrawn_amount_most": stop and plain(stop.overdrawn_amount_most),
        "stop_at_amount": stop and plain(stop.stop_at_amount),
        "check_every_s": stop and stop.check_every_s,
        "grants": [_grant(each) for each in found.grants],
        "commitments": [
            {
                "term": ref,
                "title": title,
                "from_at": instant(table.from_at),
                "to_at": instant(table.to_at),
                "committed_amount": plain(table.committed_amount),
                "used_amount": plain(table.used_amount),
                "left_amount": plain(table.left_amount),
                "recoupable_amount": plain(table.recoupable_amount),
            }
            for ref, title, table in found.commitments
        ],
    }


def _grant(found: GrantStanding) -> Mapping[str, object]:
    grant = found.grant
    return {
        "term": found.term_ref,
        "name": grant.name,
        "amount": plain(grant.amount),
        "left_amount": plain(found.left_amount),
        "from_at": instant(grant.from_at),
        "expires_at": grant.expires_at and instant(grant.expires_at),
        "priority": grant.priority,
        "bought": grant.bought,
        "open": found.is_open,
    }


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point
