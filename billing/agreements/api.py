"""The API of contracts: both parties read them, draft, offer, accept, decline and withdraw; nobody else sees them."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.agreements.accepting import accept
from billing.agreements.answers import amendment_json, contract_json, version_json
from billing.agreements.callers import actor_of, asked_contract
from billing.agreements.checks import refuse
from billing.agreements.drafting import (
    Actor,
    AmendmentUnknown,
    decline,
    draft_contract,
    edit_draft,
    offer,
    propose,
    withdraw,
)
from billing.agreements.ending import read_end
from billing.agreements.heading import edit_header
from billing.agreements.shapes import (
    AcceptSerializer,
    AmendingSerializer,
    AmendmentSerializer,
    AmendmentsSerializer,
    ContractSerializer,
    ContractsSerializer,
    DraftSerializer,
    EmptySerializer,
    HeaderSerializer,
    OfferSerializer,
    VersionSerializer,
    VersionsSerializer,
)
from billing.agreements.standing import actions_of, preview_of
from billing.contract_headers import WORDS_CHARACTERS_MAX, Header
from billing.local_instants import WrongInstant, read_instant
from billing.models import Amendment, Contract, PriceBook
from billing.queries.agreements import amendment_of, amendments_of, contracts_of, versions_of
from billing.rating.wording import WrongWording
from tenants.authentication import organization_of
from tenants.calls import KEY_HEADER, made_once
from tenants.idempotency import Answered
from tenants.listing.answers import PAGE_PARAMETERS, ListView, list_answer, list_responses, page_of_few
from tenants.listing.following import SINCE, asked_since, page_followed
from tenants.models import Organization
from tenants.organizations.fees import fee_at

READ: Final = "contracts:read"
WRITE: Final = "contracts:write"


class ContractsView(ListView):
    """Contracts of the organization, as tenant and as provider."""

    required_scopes = {"GET": READ, "POST": WRITE}

    @extend_schema(
        operation_id="contracts_list",
        tags=["contracts"],
        summary="List contracts",
        parameters=[SINCE, *PAGE_PARAMETERS],
        responses=list_responses(ContractsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List every contract that the organization is a party of, with all that is agreed, the newest first."""
        found = contracts_of(organization_of(request))
        paged = page_followed(request, found, ("-created_at", "-number"), asked_since(request))
        return list_answer(request, "contracts", paged, ContractSerializer, contract_json)

    @extend_schema(
        operation_id="contracts_create",
        parameters=[KEY_HEADER],
        tags=["contracts"],
        summary="Draft a contract",
        request=DraftSerializer,
        responses={201: AmendmentSerializer},
    )
    def post(self, request: Request) -> Response:
        """Draft a contract between the caller and another party; nobody else sees it until it is offered."""
        body = request._request.body
        given, by, now = _read(request, DraftSerializer), actor_of(request), timezone.now()

        def make() -> Answered:
            header = _header(given, by.organization)
            made = draft_contract(header=header, changes=given["changes"], by=by, now=now, note=given["note"])
            return status.HTTP_201_CREATED, _amendment_of(by, made.id, now)

        return made_once(request, body, now, make)


class ContractView(APIView):
    """One contract."""

    required_scopes = {"GET": READ, "PUT": WRITE}

    @extend_schema(
        operation_id="contracts_retrieve",
        tags=["contracts"],
        summary="Read a contract",
        responses={200: ContractSerializer},
    )
    def get(self, request: Request, contract_id: UUID) -> Response:
        """Read a contract with every wording of its terms that is in force or was."""
        return Response(contract_json(asked_contract(request, contract_id)))

    @extend_schema(
        operation_id="contracts_update",
        tags=["contracts"],
        summary="Edit the header of a draft",
        request=HeaderSerializer,
        responses={200: ContractSerializer},
    )
    def put(self, request: Request, contract_id: UUID) -> Response:
        """Replace what a contract says beside its terms and parties, until it is offered."""
        given, by, contract = _read(request, HeaderSerializer), actor_of(request), asked_contract(request, contract_id)
        header = header_of(given, contract.provider, contract.tenant)
        edit_header(contract_id=contract.id, header=header, by=by, now=timezone.now())
        return Response(contract_json(asked_contract(request, contract_id)))


class VersionsView(ListView):
    """The versions of a contract."""

    required_scopes = {"GET": READ}

    @extend_schema(
        operation_id="contracts_versions_list",
        tags=["contracts"],
        summary="Read a contract's versions",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(VersionsSerializer),
    )
    def get(self, request: Request, contract_id: UUID) -> HttpResponseBase:
        """Read each version: its text as hashed, the hash it follows, and who accepted it when."""
        found = versions_of(asked_contract(request, contract_id))
        paged = page_of_few(request, found, lambda version: (version.number,), falling=True)
        return list_answer(request, "versions", paged, VersionSerializer, version_json)


class AmendmentsView(ListView):
    """The amendments of a contract."""

    required_scopes = {"GET": READ, "POST": WRITE}

    @extend_schema(
        operation_id="contracts_amendments_list",
        tags=["contracts"],
        summary="List a contract's amendments",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(AmendmentsSerializer),
    )
    def get(self, request: Request, contract_id: UUID) -> HttpResponseBase:
        """List what was proposed of a contract; drafts only to who drafts them."""
        organization, contract = organization_of(request), asked_contract(request, contract_id)
        paged = page_of_few(
            request, amendments_of(organization, contract), lambda amendment: (amendment.number,), falling=True
        )

        def row(amendment: Amendment) -> dict[str, Any]:
            return amendment_json(amendment, actions_of(amendment, organization), None)

        return list_answer(request, "amendments", paged, AmendmentSerializer, row)

    @extend_schema(
        operation_id="contracts_amendments_create",
        parameters=[KEY_HEADER],
        tags=["contracts"],
        summary="Draft an amendment",
        request=AmendingSerializer,
        responses={201: AmendmentSerializer},
    )
    def post(self, request: Request, contract_id: UUID) -> Response:
        """Draft a change of terms, or the contract's end; the answer says what the latest period would have cost."""
        body = request._request.body
        contract = asked_contract(request, contract_id)
        given, by, now = _read(request, AmendingSerializer), actor_of(request), timezone.now()

        def make() -> Answered:
            made = propose(contract_id=contract.id, by=by, now=now, **_proposal(contract, given))
            return status.HTTP_201_CREATED, _amendment_of(by, made.id, now)

        return made_once(request, body, now, make)


class AmendmentView(APIView):
    """One amendment."""

    required_scopes = {"GET": READ, "PUT": WRITE}

    @extend_schema(
        operation_id="amendments_retrieve",
        tags=["contracts"],
        summary="Read an amendment",
        responses={200: AmendmentSerializer},
    )
    def get(self, request: Request, amendment_id: UUID) -> Response:
        """Read a proposal with the difference it makes in words and in money."""
        return _amendment(actor_of(request), amendment_id, timezone.now())

    @extend_schema(
        operation_id="amendments_update",
        tags=["contracts"],
        summary="Edit a draft",
        request=AmendingSerializer,
        responses={200: AmendmentSerializer},
    )
    def put(self, request: Request, amendment_id: UUID) -> Response:
        """Replace what a draft proposes."""
        given, by = _read(request, AmendingSerializer), actor_of(request)
        found = amendment_of(by.organization, amendment_id)
        if found is None:
            raise AmendmentUnknown("There is no such amendment.")
        edit_draft(amendment_id=amendment_id, by=by, **_proposal(found.contract, given))
        return _amendment(by, amendment_id, timezone.now())


class OfferView(APIView):
    """Offers a draft."""

    required_scopes = {"POST": WRITE}

    @extend_schema(
        operation_id="amendments_offer",
        tags=["contracts"],
        summary="Offer an amendment",
        request=OfferSerializer,
        responses={200: AmendmentSerializer},
    )
    def post(self, request: Request, amendment_id: UUID) -> Response:
        """Show a draft to the other party; terms and hash are fixed from now on. The caller's own word is `accept`."""
        given, by, now = _read(request, OfferSerializer), actor_of(request), timezone.now()
        offer(amendment_id=amendment_id, by=by, now=now, days=given["days"])
        return _amendment(by, amendment_id, now)


class AcceptView(APIView):
    """Accepts an offer."""

    required_scopes = {"POST": WRITE}

    @extend_schema(
        operation_id="amendments_accept",
        tags=["contracts"],
        summary="Accept an amendment",
        request=AcceptSerializer,
        responses={200: AmendmentSerializer},
    )
    def post(self, request: Request, amendment_id: UUID) -> Response:
        """Give the caller's word for the terms of this hash; with both parties' words they are in force."""
        given, by, now = _read(request, AcceptSerializer), actor_of(request), timezone.now()
        accept(amendment_id=amendment_id, by=by, name=given["name"], sha256=given["sha256"], now=now)
        return _amendment(by, amendment_id, now)


class DeclineView(APIView):
    """Declines an offer."""

    required_scopes = {"POST": WRITE}

    @extend_schema(
        operation_id="amendments_decline",
        tags=["contracts"],
        summary="Decline an amendment",
        request=EmptySerializer,
        responses={200: AmendmentSerializer},
    )
    def post(self, request: Request, amendment_id: UUID) -> Response:
        """Refuse an offer; the contract stays as it is."""
        by, now = actor_of(request), timezone.now()
        decline(amendment_id=amendment_id, by=by, now=now)
        return _amendment(by, amendment_id, now)


class WithdrawView(APIView):
    """Withdraws a draft or an offer."""

    required_scopes = {"POST": WRITE}

    @extend_schema(
        operation_id="amendments_withdraw",
        tags=["contracts"],
        summary="Withdraw an amendment",
        request=EmptySerializer,
        responses={200: AmendmentSerializer},
    )
    def post(self, request: Request, amendment_id: UUID) -> Response:
        """Take back what the caller drafted or offered."""
        by, now = actor_of(request), timezone.now()
        withdraw(amendment_id=amendment_id, by=by, now=now)
        return _amendment(by, amendment_id, now)


def _read(request: Request, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    read: dict[str, Any] = serializer.validated_data
    return read


def _proposal(contract: Contract, given: dict[str, Any]) -> dict[str, Any]:
    """What is proposed of a contract: changes of its terms, or its end."""
    end, changes = given["ends_at"], given["changes"]
    ends_at = None if end is None else read_end(contract, end, changes)
    return {"changes": changes, "ends_at": ends_at, "note": given["note"]}


def _amendment(by: Actor, amendment_id: UUID, now: datetime) -> Response:
    return Response(_amendment_of(by, amendment_id, now))


def _amendment_of(by: Actor, amendment_id: UUID, now: datetime) -> dict[str, Any]:
    found = amendment_of(by.organization, amendment_id)
    if found is None:
        raise Http404
    return amendment_json(found, actions_of(found, by.organization), preview_of(found, now))


def _header(given: dict[str, Any], organization: Organization) -> Header:
    """The header of a contract that the caller must be a party of."""
    parties = {name: Organization.objects.filter(slug=given[name]).first() for name in ("provider", "tenant")}
    for name, party in parties.items():
        if party is None:
            raise refuse(WrongWording(name, f"There is no organization {given[name]}.", organization.slug))
    provider, tenant = parties["provider"], parties["tenant"]
    assert provider is not None
    assert tenant is not None
    if organization not in (provider, tenant):
        raise refuse(WrongWording("provider", "You must be one of the two parties.", organization.slug))
    return header_of(given, provider, tenant)


def header_of(given: dict[str, Any], provider: Organization, tenant: Organization) -> Header:
    """Return the header that was sent, between two parties; raises `WrongTerms`."""
    book_id = given.get("price_book")
    book = PriceBook.objects.filter(pk=book_id, provider=provider).first() if book_id else None
    if book_id and book is None:
        raise refuse(WrongWording("price_book_id", "The provider has no such price book.", "leave it out"))
    if book and book.currency != (currency := given["currency"]):
        reason = f"The price book must be in {currency}: {book.name} is in {book.currency}."
        raise refuse(WrongWording("price_book_id", reason, f"a book in {currency}"))
    names = (
        *("currency", "time_zone", "period_kind", "period_length_s", "collection", "due_days", "grace_hours"),
        *WORDS_CHARACTERS_MAX,
    )
    end = given.get("to_at")
    return Header(
        operator_fee_percent=fee_at(provider, timezone.now()),
        provider=provider,
        tenant=tenant,
        price_book=book,
        from_at=_instant(given["from_at"], "from_at", given["time_zone"]),
        to_at=None if end is None else _instant(end, "to_at", given["time_zone"]),
        **{name: given[name] for name in names if given.get(name) is not None},
    )


def _instant(text: str, field: str, zone: str) -> datetime:
    try:
        return read_instant(text, zone)
    except WrongInstant as error:
        raise refuse(WrongWording(field, error.reason, error.example)) from error
    except (KeyError, ValueError, OSError) as error:
        raise refuse(WrongWording("time_zone", f"{zone!r} is no IANA time zone.", "Europe/Berlin")) from error
