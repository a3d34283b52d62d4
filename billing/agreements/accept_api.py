"""The API of accepting what a contract has on offer, by the contract's id: its first version, or its open amendment."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.agreements.accepting import accept
from billing.agreements.answers import contract_json
from billing.agreements.drafting import Actor, AmendmentClosed
from billing.agreements.shapes import AcceptSerializer, ContractSerializer
from billing.models import Contract
from billing.queries.agreements import contract_of, offer_of
from tenants.authentication import organization_of


class ContractAcceptView(APIView):
    """Accepts what a contract has on offer."""

    required_scopes = {"POST": "contracts:write"}

    @extend_schema(
        operation_id="contracts_accept",
        tags=["contracts"],
        summary="Accept what a contract has on offer",
        request=AcceptSerializer,
        responses={200: ContractSerializer},
    )
    def post(self, request: Request, contract_id: UUID) -> Response:
        """Give the caller's word for the terms on offer; with both parties' words they are in force."""
        organization = organization_of(request)
        contract = _contract(request, contract_id)
        given = AcceptSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        said = given.validated_data
        offered = offer_of(contract)
        if offered is None:
            raise AmendmentClosed(f"{contract.number} has nothing on offer.")
        program: Any = request.user
        by = Actor(organization, f"{program.key.name} ({program.key.prefix})"[:254])
        now = timezone.now()  # noqa: TID251  an entry point
        accept(amendment_id=offered.pk, by=by, name=said["name"], sha256=said["sha256"], now=now)
        return Response(contract_json(_contract(request, contract_id)))


def _contract(request: Request, contract_id: UUID) -> Contract:
    found = contract_of(organization_of(request), contract_id)
    if found is None:
        raise Http404
    return found
