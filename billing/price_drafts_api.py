"""The API of drafts of price lists: a provider writes, edits, throws away and publishes them; nobody else sees one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.models import PriceBook, PriceDraft
from billing.price_drafts import DraftUnknown, Edit, discard_draft, publish_draft, save_draft, start_draft
from billing.prices_shapes import PriceRowSerializer
from billing.pricing import WrongPrices
from billing.rating.price_rows import read_rows
from billing.rating.wording import WrongWording
from tenants.authentication import key_prefix_of, organization_of
from tenants.calls import once
from tenants.closed_shapes import ClosedSerializer
from tenants.instants import instant_text
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_by_key
from tenants.not_named import NotNamed
from tenants.shaped import valid

READ: Final = "prices:read"
WRITE: Final = "prices:write"


class PriceDraftSerializer(serializers.Serializer[Any]):
    """A draft of a price list; `revision` is named by whoever changes it, so that nobody's work is lost."""

    id = serializers.UUIDField()
    price_book_id = serializers.UUIDField()
    currency = serializers.CharField()
    revision = serializers.IntegerField()
    effective_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()
    changed_by = serializers.CharField()
    prices = PriceRowSerializer(many=True)


class PriceDraftsSerializer(PagedSerializer):
    """Drafts that are not published, the newest first."""

    price_drafts = PriceDraftSerializer(many=True)


class NewPriceDraftSerializer(ClosedSerializer):
    """A draft to begin: with the prices that are in force at its instant by now."""

    price_book_id = serializers.UUIDField(source="price_book")
    effective_at = serializers.DateTimeField()


class PriceDraftEditSerializer(ClosedSerializer):
    """What a draft is to say."""

    revision = serializers.IntegerField(min_value=0, max_value=2**31 - 1)
    effective_at = serializers.DateTimeField()
    prices = PriceRowSerializer(many=True)


class DraftRevisionSerializer(ClosedSerializer):
    """Which state of a draft is meant."""

    revision = serializers.IntegerField(min_value=0, max_value=2**31 - 1)


class PublishedDraftSerializer(serializers.Serializer[Any]):
    """The version that a draft became."""

    price_version_id = serializers.UUIDField()
    number = serializers.IntegerField()
    effective_at = serializers.DateTimeField()


class PriceDraftsView(ListView):
    """Drafts of price lists."""

    required_scopes = {"GET": READ, "POST": WRITE}

    @extend_schema(
        operation_id="price_drafts_list",
        tags=["prices"],
        summary="List drafts of price lists",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(PriceDraftsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the provider's drafts that are not published."""
        paged = page_by_key(request, _drafts(request), ("-created_at", "-pk"))
        return list_answer(request, "price_drafts", paged, PriceDraftSerializer, _draft)

    @extend_schema(
        operation_id="price_drafts_create",
        tags=["prices"],
        summary="Begin a draft of a price list",
        request=NewPriceDraftSerializer,
        responses={201: PriceDraftSerializer},
    )
    @once
    def post(self, request: Request) -> Response:
        """Begin a draft with the prices that are in force at its instant."""
        given = valid(NewPriceDraftSerializer, request.data)
        book = PriceBook.objects.filter(pk=given["price_book"], provider=organization_of(request)).first()
        if book is None:
            raise NotNamed("price_book_id", "price-books")
        made = start_draft(book=book, effective_at=given["effective_at"], by=key_prefix_of(request), now=_now())
        return Response(_draft(made), status=status.HTTP_201_CREATED)


class PriceDraftView(APIView):
    """One draft."""

    required_scopes = {"GET": READ, "PUT": WRITE, "DELETE": WRITE}

    @extend_schema(
        operation_id="price_drafts_retrieve",
        tags=["prices"],
        summary="Read a draft of a price list",
        responses={200: PriceDraftSerializer},
    )
    def get(self, request: Request, draft_id: UUID) -> Response:
        """Read a draft that is not published."""
        return Response(_draft(_found(request, draft_id)))

    @extend_schema(
        operation_id="price_drafts_update",
        tags=["prices"],
        summary="Edit a draft of a price list",
        request=PriceDraftEditSerializer,
        responses={200: PriceDraftSerializer},
    )
    def put(self, request: Request, draft_id: UUID) -> Response:
        """Put other prices or another instant in a draft, as it was read."""
        given = valid(PriceDraftEditSerializer, request.data)
        body: Any = request.data
        try:
            prices = read_rows(body["prices"], where="prices")
        except WrongWording as wrong:
            raise WrongPrices(str(wrong), field=wrong.field, reason=wrong.reason, example=wrong.example) from wrong
        edit = _edit(request, draft_id, given["revision"])
        return Response(_draft(save_draft(edit=edit, prices=prices, effective_at=given["effective_at"])))

    @extend_schema(
        operation_id="price_drafts_discard",
        tags=["prices"],
        summary="Throw a draft of a price list away",
        responses={204: None},
    )
    def delete(self, request: Request, draft_id: UUID) -> Response:
        """Throw a draft away, whatever its revision; once more it is 404."""
        discard_draft(edit=_edit(request, draft_id, _found(request, draft_id).revision))
        return Response(status=status.HTTP_204_NO_CONTENT)


class PriceDraftPublishView(APIView):
    """Publishes a draft."""

    required_scopes = {"POST": WRITE}

    @extend_schema(
        operation_id="price_drafts_publish",
        tags=["prices"],
        summary="Publish a draft of a price list",
        request=DraftRevisionSerializer,
        responses={201: PublishedDraftSerializer},
    )
    @once
    def post(self, request: Request, draft_id: UUID) -> Response:
        """Make a version of a draft as it was read, and tell every tenant with a contract on the book."""
        revision = valid(DraftRevisionSerializer, request.data)["revision"]
        version = publish_draft(edit=_edit(request, draft_id, revision))
        said = {
            "price_version_id": str(version.pk),
            "number": version.number,
            "effective_at": instant_text(version.effective_at),
        }
        return Response(said, status=status.HTTP_201_CREATED)


def _drafts(request: Request) -> Any:
    found = PriceDraft.objects.filter(book__provider=organization_of(request), published__isnull=True)
    return found.select_related("book")


def _found(request: Request, draft_id: UUID) -> PriceDraft:
    found: PriceDraft | None = _drafts(request).filter(pk=draft_id).first()
    if found is None:
        raise DraftUnknown("This draft was thrown away or published, or is not yours.")
    return found


def _edit(request: Request, draft_id: UUID, revision: int) -> Edit:
    return Edit(organization_of(request), draft_id, revision, key_prefix_of(request), _now())


def _draft(draft: PriceDraft) -> dict[str, Any]:
    return {
        "id": str(draft.pk),
        "price_book_id": str(draft.book_id),
        "currency": draft.book.currency,
        "revision": draft.revision,
        "effective_at": instant_text(draft.effective_at),
        "changed_at": instant_text(draft.changed_at),
        "changed_by": draft.changed_by,
        "prices": draft.prices,
    }


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point
