"""The API of accepting what a contract has on offer, by the contract's id: its first version, or its open amendment."""

from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.agreements.accepting import accept
from billing.agreements.answers import contract_json
from billing.agreements.callers import actor_of, asked_contract
from billing.agreements.drafting import AmendmentClosed
from billing.agreements.shapes import AcceptSerializer, ContractSerializer
from billing.queries.agreements import offer_of


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
        contract = asked_contract(request, contract_id)
        given = AcceptSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        said = given.validated_data
        offered = offer_of(contract)
        if offered is None:
            raise AmendmentClosed(f"{contract.number} has nothing on offer.")
        now = timezone.now()  # noqa: TID251  an entry point
        accept(amendment_id=offered.pk, by=actor_of(request), name=said["name"], sha256=said["sha256"], now=now)
        return Response(contract_json(asked_contract(request, contract_id)))
