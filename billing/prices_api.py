"""The API of price books and their versions: read by both parties of a contract, published by the provider."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.models import IndexPrice, IndexSource, PriceBook, PriceVersion
from billing.price_drafts import open_book
from billing.price_index import FILE_BYTES_MAX, Preview, import_prices, preview_import
from billing.prices_shapes import (
    BookSerializer,
    BooksSerializer,
    IndexImportRequestSerializer,
    IndexImportSerializer,
    IndexPriceSerializer,
    IndexQuerySerializer,
    IndexSerializer,
    NewBookSerializer,
    NewVersionSerializer,
    PriceVersionSerializer,
    PriceVersionsSerializer,
    VersionQuerySerializer,
)
from billing.pricing import WrongPrices, publish_prices
from billing.queries.price_books import (
    VersionRow,
    readable_books,
    readable_versions,
    version_row,
    version_rows,
)
from billing.queries.price_index import public_prices
from billing.rating.price_rows import FIELD_OF_UNIT, read_rows, rows_of
from billing.rating.wording import WrongWording, plain
from clusters.bodies import read_body
from tenants.acting import program_acting
from tenants.authentication import key_prefix_of, organization_of
from tenants.calls import KEY_HEADER, made_once
from tenants.listing.answers import (
    PAGE_PARAMETERS,
    ListView,
    list_answer,
    list_responses,
    page_by_key,
    wants_csv,
    with_next,
)
from tenants.listing.csv_files import csv_answer
from tenants.listing.paging import Paged
from tenants.not_named import NotNamed

SCOPES: Final = {"GET": "prices:read", "POST": "prices:write"}
BODY_BYTES_MAX: Final = 4_000_000
INDEX_BODY_BYTES_MAX: Final = 2 * FILE_BYTES_MAX
"""A file as a JSON string may take more bytes than the file."""
CSV_HEAD: Final = (
    "book_id",
    "version_id",
    "version",
    "standing",
    "announced_at",
    "effective_at",
    "currency",
    "model",
    "quantity",
    "context_over",
    "unit",
    "price",
)


class PriceBooksView(ListView):
    """Price books that the organization sells by or has a contract on."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="price_books_list",
        tags=["prices"],
        summary="List price books",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(BooksSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the price books that the organization sells by, and those that its contracts refer to."""
        books = readable_books(organization_of(request)).select_related("provider")
        paged = page_by_key(request, books, ("name", "pk"))
        return list_answer(request, "price_books", paged, BookSerializer, _book)

    @extend_schema(
        operation_id="price_books_create",
        tags=["prices"],
        summary="Open a price book",
        parameters=[KEY_HEADER],
        request=NewBookSerializer,
        responses={201: BookSerializer},
    )
    def post(self, request: Request) -> Response:
        """Open an empty price book in one currency, which cannot be changed later."""
        provider, now = organization_of(request), _now()
        if not provider.is_provider:
            raise Http404
        body, given = _read(request, NewBookSerializer)

        def make() -> tuple[int, dict[str, Any]]:
            name, currency = given["name"], given["currency"].upper()
            book = open_book(provider=provider, name=name, currency=currency, by=key_prefix_of(request), now=now)
            return 201, _book(book)

        return made_once(request, body, now, make)


class PriceVersionsView(ListView):
    """Published versions of price books."""

    required_scopes = SCOPES

    @extend_schema(
        operation_id="price_versions_list",
        tags=["prices"],
        summary="List price versions",
        parameters=[OpenApiParameter("price_book_id", UUID, description="of this book only"), *PAGE_PARAMETERS],
        responses=list_responses(PriceVersionsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the versions in force, past and announced, with all their prices, in the order they take effect.

        As `text/csv`: one row per price.
        """
        query = VersionQuerySerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        found = readable_versions(organization_of(request))
        if "price_book" in query.validated_data:
            found = found.filter(book=query.validated_data["price_book"])
        page = page_by_key(request, found, ("effective_at", "pk"))
        ids = [version.pk for version in page.rows]
        by_id = {row.id: row for row in version_rows(PriceVersion.objects.filter(pk__in=ids), _now())}
        paged = Paged([by_id[each] for each in ids], page.next_cursor)
        if wants_csv(request):
            answer: HttpResponseBase = csv_answer("price-versions.csv", CSV_HEAD, _csv_rows(paged.rows))
            return with_next(request, answer, paged.next_cursor)
        return list_answer(request, "price_versions", paged, PriceVersionSerializer, _version)

    @extend_schema(
        operation_id="price_versions_create",
        tags=["prices"],
        summary="Publish a price version",
        parameters=[KEY_HEADER],
        request=NewVersionSerializer,
        responses={201: PriceVersionSerializer},
    )
    def post(self, request: Request) -> Response:
        """Publish a complete list of prices and tell every tenant with a contract on the book; nothing changes it.

        What was counted or charged already keeps its price: an instant before that is 409 `price_too_late` unless no
        price of it changes.
        """
        provider, now = organization_of(request), _now()
        body, given = _read(request, NewVersionSerializer)
        book = PriceBook.objects.filter(pk=given["price_book"], provider=provider).first()
        if book is None:
            raise NotNamed("price_book_id", "price-books")
        try:
            prices = read_rows(given["prices"], where="prices")
        except WrongWording as wrong:
            raise WrongPrices(str(wrong), field=wrong.field, reason=wrong.reason, example=wrong.example) from wrong

        def make() -> tuple[int, dict[str, Any]]:
            made = publish_prices(book=book, effective_at=given["effective_at"], prices=prices, now=now)
            row = version_row(provider, made.pk, now)
            assert row is not None
            return 201, _version(row)

        return made_once(request, body, now, make)


class PriceVersionView(APIView):
    """One published version."""

    required_scopes = {"GET": "prices:read"}

    @extend_schema(
        operation_id="price_versions_retrieve",
        tags=["prices"],
        summary="Read a price version",
        responses={200: PriceVersionSerializer},
    )
    def get(self, request: Request, version_id: UUID) -> Response:
        """Read a version and all its prices."""
        row = version_row(organization_of(request), version_id, _now())
        if row is None:
            raise Http404
        return Response(_version(row))


class PriceIndexView(ListView):
    """Public list prices by model and card."""

    required_scopes = {"GET": "prices:read", "POST": "organizations:write"}

    @extend_schema(
        operation_id="price_index_list",
        tags=["prices"],
        summary="Read public prices",
        parameters=[
            OpenApiParameter("search", str, description="a part of the name of a model, card or seller"),
            *PAGE_PARAMETERS,
        ],
        responses=list_responses(IndexSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Read the public prices that were imported last, each with its source and date."""
        query = IndexQuerySerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        found = public_prices(query.validated_data.get("search", "")).select_related("imported")
        paged = page_by_key(request, found, ("pk",))
        return list_answer(request, "prices", paged, IndexPriceSerializer, _public)

    @extend_schema(
        operation_id="price_index_import",
        tags=["prices"],
        summary="Import public prices",
        request=IndexImportRequestSerializer,
        responses={200: IndexImportSerializer},
    )
    def post(self, request: Request) -> Response:
        """As the operator: take in a file of public prices, or say what it would change. Again it changes nothing."""
        actor = program_acting(request)
        if not actor.organization.is_operator:
            raise Http404
        _body, given = _read(request, IndexImportRequestSerializer, INDEX_BODY_BYTES_MAX)
        of_file: dict[str, Any] = {
            "source": IndexSource(given["source"]),
            "content": given["document"].encode(),
            "as_of": given["as_of"],
            "now": _now(),
        }
        found = preview_import(**of_file)
        if not given["dry_run"]:
            import_prices(**of_file, actor=actor)
        return Response(_imported(found, taken=found.known or not given["dry_run"]))


def _imported(found: Preview, *, taken: bool) -> dict[str, Any]:
    counts = found.changes.counts if found.changes else {}
    return {
        "source": found.imported.source,
        "as_of": found.imported.as_of,
        "sha256": found.imported.sha256,
        "read": found.imported.read,
        "prices": found.prices,
        "left_out": found.imported.skipped,
        "since": found.changes.before if found.changes else None,
        **{name: counts.get(name, 0) for name in ("rose", "fell", "new", "gone")},
        "taken": taken,
    }


def _public(row: IndexPrice) -> dict[str, Any]:
    return {
        "source": row.imported.source,
        "as_of": row.imported.as_of,
        "seller": row.seller,
        "name": row.name,
        "unit": row.unit,
        "quantity": row.quantity,
        "context_over": row.context_over,
        "mark": row.mark,
        "currency": row.currency,
        "price": plain(row.price),
        "stated_on": row.stated_on,
        "link": row.link,
    }


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point


def _read(
    request: Request, serializer_class: type[serializers.Serializer[Any]], limit: int = BODY_BYTES_MAX
) -> tuple[bytes, dict[str, Any]]:
    body = read_body(request._request, limit)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as broken:
        raise ParseError("The body is not JSON; expected an object.") from broken
    serializer = serializer_class(data=document)
    serializer.is_valid(raise_exception=True)
    given: dict[str, Any] = serializer.validated_data
    if "prices" in given:
        given["prices"] = document["prices"]
    return body, given


def _book(book: PriceBook) -> dict[str, Any]:
    return {"id": str(book.id), "name": book.name, "currency": book.currency, "provider": book.provider.slug}


def _version(row: VersionRow) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "price_book_id": str(row.book_id),
        "number": row.number,
        "currency": row.currency,
        "standing": str(row.standing),
        "announced_at": row.announced_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "effective_at": row.effective_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "prices": rows_of(row.prices),
    }


def _csv_rows(rows: Sequence[VersionRow]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        shown = _version(row)
        head = tuple(
            shown[name] for name in ("price_book_id", "id", "number", "standing", "announced_at", "effective_at")
        )
        for key, price in sorted(row.prices.items()):
            named = (key.model, key.quantity, key.context_over, FIELD_OF_UNIT[key.unit], plain(price))
            yield (*head, row.currency, *named)
