"""The API of collective invoices: read by both parties; which tenants get them is said by the provider."""

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.http import Http404
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import instant, money
from billing.collective.reading import Found, TenantRule, collectives_of, rules_of, with_parts
from billing.payment_references import payment_reference
from billing.together import set_together
from clusters.bodies import checked
from tenants.authentication import organization_of, provider_of
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import (
    PAGE_PARAMETERS,
    ListView,
    PagedSerializer,
    list_answer,
    list_responses,
    page_by_key,
    page_of_few,
)
from tenants.listing.paging import Paged
from tenants.problems import Problem

READ: Final = "invoices:read"
WRITE: Final = "invoices:write"
AMOUNT: Final = "a decimal in its currency, as a string"


class WrongTogetherRule(Problem):
    """The body does not say which tenant, or not whether."""

    status = 422
    code = "wrong_together_rule"
    title = "This does not say who is asked for invoices together"


class CollectivePartSerializer(serializers.Serializer[Any]):
    """An invoice of a collective invoice."""

    invoice_id = serializers.UUIDField()
    number = serializers.CharField()
    contract = serializers.CharField()
    state = serializers.CharField()
    amount = serializers.CharField(help_text="left to pay as the collective invoice was made; " + AMOUNT)
    left = serializers.CharField(help_text="left to pay now; " + AMOUNT)


class CollectiveInvoiceSerializer(serializers.Serializer[Any]):
    """A demand for several invoices of one tenant; what is owed, taxed and corrected are its parts."""

    id = serializers.UUIDField()
    number = serializers.CharField()
    issuer = serializers.CharField()
    tenant = serializers.CharField()
    currency = serializers.CharField()
    total = serializers.CharField(help_text=AMOUNT)
    left = serializers.CharField(help_text="of all parts, now; " + AMOUNT)
    issued_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(help_text="the latest of its parts' due dates; reminders count from it")
    payment_reference = serializers.CharField(help_text="ISO 11649; one transfer that names it pays all parts")
    payment_url = serializers.CharField(help_text="page that takes the payment of all parts; empty: none does")
    parts = CollectivePartSerializer(many=True)


class CollectiveInvoicesSerializer(PagedSerializer):
    """Collective invoices, the latest first."""

    collective_invoices = CollectiveInvoiceSerializer(many=True)


class TogetherRuleSerializer(ClosedSerializer):
    """Whether a tenant is asked for all its invoices together."""

    tenant = serializers.SlugField(max_length=64)
    is_on = serializers.BooleanField()


class TogetherRulesSerializer(PagedSerializer):
    """Every tenant of a provider."""

    together_rules = TogetherRuleSerializer(many=True)


class CollectiveInvoicesView(ListView):
    """Collective invoices of the organization, as tenant and as issuer."""

    required_scopes = {"GET": READ}

    @extend_schema(
        operation_id="collective_invoices_list",
        tags=["invoices"],
        summary="List collective invoices",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(CollectiveInvoicesSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the collective invoices that the organization owes or issued, the latest first."""
        paged = page_by_key(request, collectives_of(organization_of(request)), ("-issued_at", "-pk"))
        found = Paged(with_parts(paged.rows), paged.next_cursor)
        return list_answer(request, "collective_invoices", found, CollectiveInvoiceSerializer, collective_row)


class CollectiveInvoiceView(APIView):
    """One collective invoice."""

    required_scopes = {"GET": READ}

    @extend_schema(
        operation_id="collective_invoices_retrieve",
        tags=["invoices"],
        summary="Read a collective invoice",
        responses={200: CollectiveInvoiceSerializer},
    )
    def get(self, request: Request, collective_id: UUID) -> Response:
        """Read a collective invoice with its parts and what each has left."""
        collective = collectives_of(organization_of(request)).filter(pk=collective_id).first()
        if collective is None:
            raise Http404
        return Response(collective_row(with_parts([collective])[0]))


class TogetherRulesView(ListView):
    """Which tenants are asked for all their invoices together."""

    required_scopes = {"GET": READ, "PUT": WRITE}

    @extend_schema(
        operation_id="together_rules_list",
        tags=["invoices"],
        summary="List who is asked for invoices together",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(TogetherRulesSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the provider's tenants, and whether each is asked for its invoices together."""
        rows = page_of_few(request, rules_of(provider_of(request)), lambda rule: [rule.slug])
        return list_answer(request, "together_rules", rows, TogetherRuleSerializer, _rule)

    @extend_schema(
        operation_id="together_rules_set",
        tags=["invoices"],
        summary="Say who is asked for invoices together",
        request=TogetherRuleSerializer,
        responses={200: TogetherRuleSerializer},
    )
    def put(self, request: Request) -> Response:
        """Say whether a tenant is asked for all its invoices together, from the next one that is issued on."""
        provider = provider_of(request)
        given = checked(TogetherRuleSerializer(data=request.data), WrongTogetherRule)
        program: Any = request.user
        set_together(
            provider=provider,
            tenant_slug=given["tenant"],
            is_on=given["is_on"],
            by=f"key {program.key.prefix}",
            now=datetime.now(UTC),
        )
        return Response({"tenant": given["tenant"], "is_on": given["is_on"]})


def collective_row(found: Found) -> dict[str, object]:
    """Return a collective invoice as an answer."""
    one = found.collective
    return {
        "id": str(one.pk),
        "number": one.number,
        "issuer": one.issuer.slug,
        "tenant": one.tenant.slug,
        "currency": one.currency,
        "total": money(one.total, one.currency),
        "left": money(found.left, one.currency),
        "issued_at": instant(one.issued_at),
        "due_at": instant(one.due_at),
        "payment_reference": payment_reference(one.number),
        "payment_url": found.payment_url,
        "parts": [
            {
                "invoice_id": str(part.invoice.pk),
                "number": part.invoice.number,
                "contract": part.invoice.contract.number,
                "state": part.invoice.state,
                "amount": money(part.amount, one.currency),
                "left": money(part.left, one.currency),
            }
            for part in found.parts
        ],
    }


def _rule(rule: TenantRule) -> dict[str, object]:
    return {"tenant": rule.slug, "is_on": rule.is_on}
