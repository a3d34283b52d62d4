"""What callers of the billing API may ask for, and how it is read."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from billing.models import InvoiceState
from billing.queries.invoice_changes import Place
from billing.queries.invoices import PAGE_ROWS_MAX
from tenants.listing.answers import PAGE_PARAMETERS

DEFAULT_LIMIT: Final = 100
STATES: Final = (InvoiceState.ISSUED, InvoiceState.PAID, InvoiceState.UNCOLLECTIBLE, InvoiceState.VOID)
CURSOR_ERROR: Final = "This is no cursor of this list."


class InvoiceQuerySerializer(serializers.Serializer[Any]):
    """The query of the list of invoices."""

    status = serializers.ChoiceField(choices=[(str(state), str(state)) for state in STATES], required=False)
    issued_from = serializers.DateTimeField(required=False)
    issued_to = serializers.DateTimeField(required=False)
    contract = serializers.CharField(max_length=32, required=False)
    updated_since = serializers.DateTimeField(required=False)
    limit = serializers.IntegerField(min_value=1, max_value=PAGE_ROWS_MAX, default=DEFAULT_LIMIT)
    cursor = serializers.CharField(max_length=100, required=False)


INVOICE_PARAMETERS: Final = [
    OpenApiParameter("status", str, enum=[str(state) for state in STATES]),
    OpenApiParameter("issued_from", datetime, description="issued at or after this instant"),
    OpenApiParameter("issued_to", datetime, description="issued before this instant"),
    OpenApiParameter("contract", str, description="the contract's number"),
    OpenApiParameter("updated_since", datetime, description="written at or after this instant"),
    *PAGE_PARAMETERS,
]


@dataclass(frozen=True, slots=True)
class InvoiceQuery:
    """A query that was understood."""

    state: str | None
    issued_from: datetime | None
    issued_to: datetime | None
    contract: str | None
    updated_since: datetime | None
    limit: int
    after: Place | None


def read_invoice_query(request: Request) -> InvoiceQuery:
    """Read the query of the list of invoices. Raises ValidationError with the fields that are wrong."""
    serializer = InvoiceQuerySerializer(data=request.query_params.dict())
    serializer.is_valid(raise_exception=True)
    given = serializer.validated_data
    return InvoiceQuery(
        state=given.get("status"),
        issued_from=given.get("issued_from"),
        issued_to=given.get("issued_to"),
        contract=given.get("contract"),
        updated_since=given.get("updated_since"),
        limit=given["limit"],
        after=read_cursor(given["cursor"]) if "cursor" in given else None,
    )


def write_cursor(place: Place) -> str:
    """Return a place as an opaque word for an address."""
    plain = f"{place.changed_at.isoformat()}|{place.id.hex}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def read_cursor(text: str) -> Place:
    """Return the place that a cursor stands for. Raises ValidationError for anything else."""
    try:
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
        at, _separator, key = plain.partition("|")
        place = Place(datetime.fromisoformat(at), UUID(hex=key))
    except (ValueError, binascii.Error) as error:
        raise serializers.ValidationError({"cursor": [CURSOR_ERROR]}) from error
    if place.changed_at.tzinfo is None:
        raise serializers.ValidationError({"cursor": [CURSOR_ERROR]})
    return place
