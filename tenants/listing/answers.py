"""A list's answer: a page as JSON or as CSV, with the address of the next one in `Link` either way."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlencode

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.response import Response
from rest_framework.views import APIView

from tenants.listing.csv_files import CsvRenderer, cells_of, columns_of, csv_answer
from tenants.listing.cursors import WrongCursor, read_cursor
from tenants.listing.paging import Page, Paged, page_of, page_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from django.db.models import QuerySet
    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

LIMIT_MAX: Final = 500
LIMIT_DEFAULT: Final = 100
NAME_CHARS_MAX: Final = 100
"""Of a parameter's name that is told back."""
CURSOR_ERROR: Final = "This is no cursor of this list."

ACCEPT_CSV: Final = OpenApiParameter("Accept", str, OpenApiParameter.HEADER, description="`text/csv` for a CSV file")
PAGE_PARAMETERS: Final = [
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
        description="rows of a page",
    ),
    OpenApiParameter("cursor", str, description="`next_cursor` of an answer: go on after its last row"),
    ACCEPT_CSV,
]


class PageQuerySerializer(serializers.Serializer[Any]):
    """Which page of a list."""

    limit = serializers.IntegerField(min_value=1, max_value=LIMIT_MAX, default=LIMIT_DEFAULT)
    cursor = serializers.CharField(required=False, trim_whitespace=False)


class PagedSerializer(serializers.Serializer[Any]):
    """A page of a list."""

    next_cursor = serializers.CharField(allow_null=True, help_text="where the next page begins; null after the last")


class ListView(APIView):
    """A list that can be read as JSON and as CSV."""

    renderer_classes: ClassVar[list[type[BaseRenderer]]] = [JSONRenderer, CsvRenderer]  # type: ignore[misc]  # DRF's is of an instance

    refuses_unknown: ClassVar[bool] = True
    """Whether a parameter that there is not is refused here; some lists tell of all that is wrong at once."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse a parameter that the list does not have: a filter that is misspelt would leave nothing out, unseen."""
        super().initial(request, *args, **kwargs)
        if request.method == "GET" and self.refuses_unknown:
            names = _parameters_of(self)
            expected = f"unknown; expected one of {', '.join(sorted(names))}"
            if unknown := {name[:NAME_CHARS_MAX]: [expected] for name in request.query_params if name not in names}:
                raise serializers.ValidationError(unknown)

    def get_renderers(self) -> list[BaseRenderer]:
        """Offer CSV of the list alone: what is made at the same address is answered as JSON."""
        made, asked = super().get_renderers(), getattr(self, "request", None)
        return made if asked is None or asked.method in ("GET", "HEAD") else made[:1]


_DECLARED: Final[dict[type[ListView], frozenset[str]]] = {}
"""What was found of each list: it follows from the code alone."""


def _parameters_of(view: ListView) -> frozenset[str]:
    """Return the names of the query's parameters that the document declares of a list."""
    if type(view) not in _DECLARED:
        schema = view.get.kwargs["schema"]()  # type: ignore[attr-defined]  # where `extend_schema` leaves it
        schema.view, schema.method = view, "GET"
        declared = schema.get_override_parameters()
        _DECLARED[type(view)] = frozenset(one.name for one in declared if one.location == OpenApiParameter.QUERY)
    return _DECLARED[type(view)]


def list_responses(shape: type[serializers.Serializer[Any]]) -> dict[Any, Any]:
    """Return what a list answers, for its schema; `shape` is a whole page."""
    return {(200, "application/json"): shape, (200, "text/csv"): OpenApiTypes.STR}


def read_page(request: Request) -> Page:
    """Return which page is asked for. Raises ValidationError with the parameters that are wrong."""
    given = PageQuerySerializer(data={name: request.query_params[name] for name in _asked(request)})
    given.is_valid(raise_exception=True)
    asked = given.validated_data
    with cursor_errors():
        return Page(asked["limit"], read_cursor(asked["cursor"]) if "cursor" in asked else None)


@contextmanager
def cursor_errors() -> Iterator[None]:
    """Let a cursor of another list be named as the parameter that is wrong."""
    try:
        yield
    except WrongCursor as error:
        raise serializers.ValidationError({"cursor": [CURSOR_ERROR]}) from error


def page_by_key(request: Request, found: QuerySet[Any], order: Sequence[str]) -> Paged[Any]:
    """Return the page of a query that is asked for (`paging.page_rows`)."""
    with cursor_errors():
        return page_rows(found, read_page(request), order)


def page_of_few(
    request: Request, rows: Sequence[Any], key: Callable[[Any], Sequence[object]], *, falling: bool = False
) -> Paged[Any]:
    """Return the page of a small list that is asked for (`paging.page_of`)."""
    with cursor_errors():
        return page_of(rows, read_page(request), key, falling=falling)


def list_answer(
    request: Request,
    name: str,
    paged: Paged[Any],
    shape: type[serializers.Serializer[Any]],
    row: Callable[[Any], Mapping[str, object]],
    **more: object,
) -> HttpResponseBase:
    """Answer with a page: JSON with the rows under `name`, or CSV with the columns of `shape`, a row's own."""
    rows = [row(one) for one in paged.rows]
    if wants_csv(request):
        columns = columns_of(shape)
        answer: HttpResponseBase = csv_answer(
            f"{name.replace('_', '-')}.csv", columns, (cells_of(one, columns) for one in rows)
        )
    else:
        answer = Response({**more, name: rows, "next_cursor": paged.next_cursor})
    return with_next(request, answer, paged.next_cursor)


def with_next(request: Request, answer: HttpResponseBase, cursor: str | None) -> HttpResponseBase:
    """Name the next page in `Link`, where there is one; return the answer."""
    if cursor:
        query = urlencode({**request.query_params.dict(), "cursor": cursor})
        answer["Link"] = f'<{request.build_absolute_uri(request.path)}?{query}>; rel="next"'
    return answer


def wants_csv(request: Request) -> bool:
    """Say whether the caller asks for CSV."""
    return bool(request.accepted_renderer.format == CsvRenderer.format)


def _asked(request: Request) -> list[str]:
    return [name for name in ("limit", "cursor") if name in request.query_params]
