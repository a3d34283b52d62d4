"""The API of what usage cost a tenant: the rows of the usage page and of its file, from the same query."""

from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from billing.api_words import money
from billing.queries.sheet_rows import SheetRow
from billing.queries.usage_sheet import NOBODY, Chosen, billing_zone, key_labels, usage_sheet, whole_days
from metering.key_models import Project, UsageKey
from tenants.authentication import organization_of
from tenants.listing.answers import (
    PAGE_PARAMETERS,
    ListView,
    PagedSerializer,
    list_answer,
    list_responses,
    page_of_few,
)
from tenants.models import Organization

DAYS_MAX: Final = 1830
NAME_CHARS_MAX: Final = 200
TOKENS: Final = ("input", "cached_input", "cache_write", "output", "reasoning")


class UsageCostQuerySerializer(serializers.Serializer[Any]):
    """Which days, and of what."""

    first_day = serializers.DateField()
    last_day = serializers.DateField()
    currency = serializers.CharField(min_length=3, max_length=3, required=False)
    model = serializers.CharField(max_length=NAME_CHARS_MAX, default="")
    key = serializers.CharField(max_length=36, default="")
    project = serializers.CharField(max_length=64, default="")
    by_key = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse days the wrong way round, and more of them than a page shows."""
        if not 0 <= (attrs["last_day"] - attrs["first_day"]).days <= DAYS_MAX:
            raise serializers.ValidationError(
                {"last_day": f"must not be before first_day, and at most {DAYS_MAX} days after it."}
            )
        if attrs["first_day"].year < 2000 or attrs["last_day"].year > 2999:
            raise serializers.ValidationError({"first_day": "expected days of the years 2000 to 2999."})
        return attrs


PARAMETERS: Final = [
    OpenApiParameter("first_day", date, required=True, description="in the zone of the contract"),
    OpenApiParameter("last_day", date, required=True, description="included"),
    OpenApiParameter("currency", str, description="ISO 4217; that of the latest contract if not given"),
    OpenApiParameter("model", str, description="only this served model"),
    OpenApiParameter("key", str, description="only this key, by the id that `usage/keys` gives; `-`: what has none"),
    OpenApiParameter("project", str, description="only this project, by its slug; `-`: what is in none"),
    OpenApiParameter("by_key", bool, description="tell rows apart by key and project"),
    *PAGE_PARAMETERS,
]


class UsageCostSerializer(serializers.Serializer[Any]):
    """A day of one model or lease, of one key where they are told apart."""

    day = serializers.DateField()
    contract = serializers.CharField()
    term = serializers.CharField()
    kind = serializers.CharField(help_text="kind of term")
    model = serializers.CharField()
    key = serializers.CharField(allow_null=True, help_text="label of the key; null: none, or not told apart")
    key_id = serializers.CharField(allow_null=True)
    project = serializers.CharField(allow_null=True, help_text="slug of the project that the key was in")
    input = serializers.CharField(help_text="tokens; cached input is a part of them")
    cached_input = serializers.CharField()
    cache_write = serializers.CharField()
    output = serializers.CharField(help_text="tokens; reasoning is a part of them")
    reasoning = serializers.CharField()
    gpu_seconds = serializers.CharField(help_text="held under a lease")
    exact_amount = serializers.CharField(help_text="unrounded")
    amount = serializers.CharField(help_text="its part of the rounded line: rows sum to the total to the cent")


class UsageCostsSerializer(PagedSerializer):
    """Rows of days, and what all of them come to: what the page shows, and the invoice of a whole period."""

    zone = serializers.CharField(help_text="IANA zone of the days: the contract's")
    currency = serializers.CharField()
    total = serializers.CharField(help_text="of all rows, of every page of them")
    costs = UsageCostSerializer(many=True)


class UsageCostsView(ListView):
    """What usage cost the organization as a tenant."""

    required_scopes = {"GET": "usage:read"}

    @extend_schema(
        operation_id="usage_costs_list",
        tags=["usage"],
        summary="Read what usage cost",
        parameters=PARAMETERS,
        responses=list_responses(UsageCostsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List by day what the organization used as a tenant and what it comes to, rated as it is invoiced."""
        asked = UsageCostQuerySerializer(
            data={name: value for name, value in request.query_params.items() if name not in ("limit", "cursor")}
        )
        asked.is_valid(raise_exception=True)
        query, now, tenant = asked.validated_data, datetime.now(UTC), organization_of(request)  # noqa: TID251  an entry point
        _require_known(tenant, query["key"], query["project"])
        zone = billing_zone(tenant, now)
        chosen = Chosen(query["model"], query["key"], query["project"], query["by_key"])
        sheet = usage_sheet(
            tenant,
            *whole_days(query["first_day"], query["last_day"], zone, now),
            zone,
            currency=query.get("currency"),
            chosen=chosen,
        )
        labels = key_labels(tenant, sheet.rows)
        paged = page_of_few(request, sheet.rows, _place)
        currency = sheet.overview.currency
        return list_answer(
            request,
            "costs",
            paged,
            UsageCostSerializer,
            lambda row: _row(row, labels),
            zone=zone,
            currency=currency,
            total=money(sheet.total, currency),
        )


def _require_known(tenant: Organization, key: str, project: str) -> None:
    """Refuse what names no key and no project of a tenant: to answer with nothing would read as a cost of zero."""
    wrong = {}
    if key not in ("", NOBODY) and not (_is_uuid(key) and UsageKey.objects.filter(tenant=tenant, pk=key).exists()):
        wrong["key"] = "there is no key with this id; usage/keys lists them."
    if project not in ("", NOBODY) and not Project.objects.filter(tenant=tenant, slug=project).exists():
        wrong["project"] = "there is no project with this slug; projects lists them."
    if wrong:
        raise serializers.ValidationError(wrong)


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _place(row: SheetRow) -> tuple[str, ...]:
    return (row.day.isoformat(), row.kind, row.model, row.contract, row.term_ref, row.key_id, row.project)


def _row(row: SheetRow, labels: dict[str, str]) -> dict[str, object]:
    return {
        "day": row.day.isoformat(),
        "contract": row.contract,
        "term": row.term_ref,
        "kind": row.kind,
        "model": row.model,
        "key": labels.get(row.key_id),
        "key_id": row.key_id or None,
        "project": row.project or None,
        **{name: str(getattr(row.tokens, name)) for name in TOKENS},
        "gpu_seconds": f"{row.gpu_seconds:f}",
        "exact_amount": f"{row.exact_amount:f}",
        "amount": f"{row.amount:f}",
    }
