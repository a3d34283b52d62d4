"""The API of closing: drafts that grow and wait, their approval, what a provider wants of it, and steps tried again."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.adjusting.rules import (
    BACK_BILLING_MONTHS_MAX,
    WrongIssuingRule,
    approve_draft,
    issuing_rule,
    set_issuing_rule,
)
from billing.api_shapes import TaxSerializer, tax_row
from billing.closing import CloseState, close_period
from billing.closing_by_hand import close_now
from billing.draft_taxes import draft_rates
from billing.draft_waits import draft_waits
from billing.gap_shapes import DraftWaitSerializer, wait_row
from billing.models import BillingPeriod, IssuingRule
from billing.queries.draft_detail import (
    DraftDetail,
    DraftEntry,
    DraftState,
    draft_detail,
    draft_page,
)
from billing.rating.wording import plain
from billing.tax.retrying import TaxStep, TaxStepState, retry_tax, tax_step
from clusters.bodies import checked
from tenants.authentication import caller_of, organization_of, provider_of
from tenants.closed_shapes import ClosedSerializer
from tenants.instants import instant_text
from tenants.listing.answers import (
    PAGE_PARAMETERS,
    ListView,
    PagedSerializer,
    cursor_errors,
    list_answer,
    list_responses,
    read_page,
)
from tenants.models import Organization

READ: Final = "invoices:read"
WRITE: Final = "invoices:write"
MONEY: Final = "a decimal in the draft's currency, as a string"


class InvoiceDraftSerializer(serializers.Serializer[Any]):
    """An invoice that is not issued yet."""

    id = serializers.UUIDField(help_text="of its billing period")
    contract = serializers.CharField()
    issuer = serializers.CharField()
    issuer_name = serializers.CharField()
    tenant = serializers.CharField()
    tenant_name = serializers.CharField()
    currency = serializers.CharField()
    time_zone = serializers.CharField()
    period_from = serializers.DateTimeField()
    period_to = serializers.DateTimeField(help_text="the period is [from, to)")
    state = serializers.ChoiceField([str(each) for each in DraftState])
    amount = serializers.CharField(help_text="as charged so far, before tax; " + MONEY)
    previous_number = serializers.CharField(allow_null=True, help_text="the invoice of the period before")
    previous_amount = serializers.CharField(allow_null=True, help_text="before tax; " + MONEY)


class DraftLineSerializer(serializers.Serializer[Any]):
    """A line as it would be issued now."""

    term_ref = serializers.CharField()
    title = serializers.CharField()
    model = serializers.CharField()
    rule = serializers.CharField()
    unit = serializers.CharField()
    quantity = serializers.CharField()
    amount = serializers.CharField(help_text=MONEY)
    previous_amount = serializers.CharField(allow_null=True, help_text="of the same line a period before; " + MONEY)
    adjusts = serializers.CharField(help_text="the invoice that a late line adjusts, or when its period began")


class DraftActionSerializer(serializers.Serializer[Any]):
    """Something that may be done with a draft now."""

    name = serializers.CharField(help_text="approve, close, accept_gaps, or retry_tax")
    method = serializers.CharField()
    url = serializers.CharField()


class DraftTaxStepSerializer(serializers.Serializer[Any]):
    """How far the taxes of a draft are."""

    state = serializers.ChoiceField([str(each) for each in TaxStepState])
    error = serializers.CharField(help_text="a tax service's words; empty where nothing went wrong")
    missing_rate_country = serializers.CharField(help_text="whose tax has no rate; empty where none is missing")
    missing_rate_on = serializers.CharField(help_text="the day on which it has none, YYYY-MM-DD")
    attempts = serializers.IntegerField()
    next_try_at = serializers.DateTimeField(allow_null=True)


class DraftDetailSerializer(InvoiceDraftSerializer):
    """A draft with its lines, as they rate now."""

    lines = DraftLineSerializer(many=True)
    withheld_amount = serializers.CharField(help_text="of closed periods, too late to be billed; " + MONEY)
    ready_amount = serializers.CharField(allow_null=True, help_text="what is approved, before tax; " + MONEY)
    ready_tax = serializers.CharField(allow_null=True, help_text="and the tax on it; " + MONEY)
    taxes = TaxSerializer(many=True, help_text="of `ready_tax` by rate; none before it is ready, or while it changes")
    approved_by = serializers.CharField()
    tax = DraftTaxStepSerializer()
    waiting_for = DraftWaitSerializer(many=True, help_text="what is missing, once the period is over")
    actions = DraftActionSerializer(many=True)


class DraftsSerializer(PagedSerializer):
    """Drafts in the order of their ids."""

    drafts = InvoiceDraftSerializer(many=True)


class ApproveSerializer(ClosedSerializer):
    """What is approved."""

    amount = serializers.DecimalField(38, 4, help_text="`ready_amount` as it was read")
    tax = serializers.DecimalField(
        38, 4, required=False, allow_null=True, default=None, help_text="`ready_tax` as it was read; else not compared"
    )


class ApprovedSerializer(serializers.Serializer[Any]):
    """What an approval led to: an invoice, or the draft that something came to in the meantime."""

    state = serializers.CharField(help_text="closed, awaiting_approval or waiting")
    invoice_id = serializers.UUIDField(allow_null=True)


class DraftClosedSerializer(serializers.Serializer[Any]):
    """What became of closing a period now."""

    state = serializers.ChoiceField([str(each) for each in CloseState])
    invoice_id = serializers.UUIDField(allow_null=True, help_text="null where nothing was used or held, or it waits")
    waiting_for = serializers.ListField(
        child=serializers.CharField(), help_text="kinds of what is missing: node, gateway, events, unpriced and others"
    )


class IssuingRuleSerializer(ClosedSerializer):
    """What a provider wants of its closing."""

    back_billing_months = serializers.IntegerField(
        min_value=0,
        max_value=BACK_BILLING_MONTHS_MAX,
        allow_null=True,
        help_text="for how long after a period's end more is billed of it; null: without end",
    )
    approves = serializers.BooleanField(help_text="whether invoices wait for a person to approve them")


class DraftsView(ListView):
    """Invoices that are not issued yet, of the organization as tenant and as provider."""

    required_scopes = {"GET": READ}

    @extend_schema(
        operation_id="drafts_list",
        tags=["invoices"],
        summary="List invoice drafts",
        parameters=[
            OpenApiParameter("state", str, enum=[str(each) for each in DraftState]),
            *PAGE_PARAMETERS,
        ],
        responses=list_responses(DraftsSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List drafts with what was charged so far, beside the invoice of the period before."""
        state = checked(_DraftQuery(data=request.query_params), WrongIssuingRule).get("state")
        wanted = DraftState(state) if state else None
        with cursor_errors():
            paged = draft_page(organization_of(request), _now(), read_page(request), state=wanted)
        return list_answer(request, "drafts", paged, InvoiceDraftSerializer, _entry)


class _DraftQuery(serializers.Serializer[Any]):
    state = serializers.ChoiceField([str(each) for each in DraftState], required=False)


class DraftView(APIView):
    """One draft."""

    required_scopes = {"GET": READ}

    @extend_schema(
        operation_id="drafts_retrieve",
        tags=["invoices"],
        summary="Read an invoice draft",
        responses={200: DraftDetailSerializer},
    )
    def get(self, request: Request, period_id: UUID) -> Response:
        """Read a draft line by line as it rates now, beside the period before, and what may be done with it."""
        organization = organization_of(request)
        found = draft_detail(organization, period_id, _now())
        if found is None:
            raise Http404
        return Response(_detail(found, organization, request))


class DraftApproveView(APIView):
    """Approves a draft."""

    required_scopes = {"POST": WRITE}

    @extend_schema(
        operation_id="drafts_approve",
        tags=["invoices"],
        summary="Approve an invoice draft",
        request=ApproveSerializer,
        responses={200: ApprovedSerializer},
    )
    def post(self, request: Request, period_id: UUID) -> Response:
        """Approve that a complete draft is issued at its amount, and issue it. For the provider."""
        organization = organization_of(request)
        get_object_or_404(BillingPeriod, pk=period_id, contract__provider=organization)
        given = checked(ApproveSerializer(data=request.data), WrongIssuingRule)
        now = _now()
        approve_draft(period_id=period_id, amount=given["amount"], tax=given["tax"], actor=caller_of(request), now=now)
        closed = close_period(period_id=period_id, now=now, stripe_ready=bool(settings.STRIPE_SECRET_KEY))
        invoice = str(closed.invoice.pk) if closed.invoice else None
        return Response({"state": str(closed.state), "invoice_id": invoice})


class DraftCloseView(APIView):
    """Closes a period that is over."""

    required_scopes = {"POST": WRITE}

    @extend_schema(
        operation_id="drafts_close",
        tags=["invoices"],
        summary="Close the period of an invoice draft",
        request=None,
        responses={200: DraftClosedSerializer},
    )
    def post(self, request: Request, period_id: UUID) -> Response:
        """Close a period that is over now and not only as the sweep comes by. For the provider."""
        organization = organization_of(request)
        get_object_or_404(BillingPeriod, pk=period_id, contract__provider=organization)
        ready = bool(settings.STRIPE_SECRET_KEY)
        closed = close_now(period_id=period_id, actor=caller_of(request), now=_now(), stripe_ready=ready)
        invoice = str(closed.invoice.pk) if closed.invoice else None
        waits = [str(each.get("kind", "")) for each in closed.waiting_for]
        return Response({"state": str(closed.state), "invoice_id": invoice, "waiting_for": waits})


class IssuingRuleView(APIView):
    """What the organization wants of its closing, as a provider."""

    required_scopes = {"GET": READ, "PUT": WRITE}

    @extend_schema(
        operation_id="issuing_rule_read",
        tags=["invoices"],
        summary="Read how invoices are issued",
        responses={200: IssuingRuleSerializer},
    )
    def get(self, request: Request) -> Response:
        """Read for how long more is billed of a closed period, and whether invoices wait for an approval."""
        return Response(_rule(issuing_rule(provider_of(request).pk)))

    @extend_schema(
        operation_id="issuing_rule_set",
        tags=["invoices"],
        summary="Say how invoices are issued",
        request=IssuingRuleSerializer,
        responses={200: IssuingRuleSerializer},
    )
    def put(self, request: Request) -> Response:
        """Say so for every invoice that is issued from now on."""
        provider = provider_of(request)
        given = checked(IssuingRuleSerializer(data=request.data), WrongIssuingRule)
        return Response(_rule(set_issuing_rule(provider=provider, actor=caller_of(request), now=_now(), **given)))


class DraftTaxRetryView(APIView):
    """Tries the tax step of a draft again."""

    required_scopes = {"POST": WRITE}

    @extend_schema(
        operation_id="drafts_tax_retry",
        tags=["invoices"],
        summary="Try the taxes of an invoice draft again",
        request=None,
        responses={200: DraftTaxStepSerializer},
    )
    def post(self, request: Request, period_id: UUID) -> Response:
        """Have what the taxes of a draft wait for tried again: ask a tax service once more. For the provider."""
        organization = organization_of(request)
        get_object_or_404(BillingPeriod, pk=period_id, contract__provider=organization)
        return Response(_tax(retry_tax(period_id=period_id, actor=caller_of(request), now=_now())))


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  an entry point


def _rule(rule: IssuingRule) -> dict[str, object]:
    return {"back_billing_months": rule.back_billing_months, "approves": rule.approves}


def _entry(entry: DraftEntry) -> dict[str, object]:
    return {
        "id": str(entry.period_id),
        "contract": entry.contract,
        "issuer": entry.issuer_slug,
        "issuer_name": entry.issuer,
        "tenant": entry.tenant_slug,
        "tenant_name": entry.tenant,
        "currency": entry.currency,
        "time_zone": entry.time_zone,
        "period_from": instant_text(entry.from_at),
        "period_to": instant_text(entry.to_at),
        "state": str(entry.state),
        "amount": str(entry.amount),
        "previous_number": entry.previous_number,
        "previous_amount": _text(entry.previous_amount),
    }


def _detail(found: DraftDetail, organization: Organization, request: Request) -> dict[str, object]:
    entry = found.entry
    period = BillingPeriod.objects.select_related("contract").get(pk=entry.period_id)
    step, waits = tax_step(period), draft_waits(period, _now())
    closes = entry.state in (DraftState.CLOSING, DraftState.APPROVED)
    wanted = {
        "approve": ("api-draft-approve", entry.state is DraftState.AWAITING_APPROVAL),
        "close": ("api-draft-close", closes),
        "accept_gaps": ("api-draft-gaps", closes and any(each.can_be_accepted for each in waits)),
        "retry_tax": ("api-draft-tax-retry", step.retry),
    }
    actions = [
        {"name": name, "method": "POST", "url": request.build_absolute_uri(reverse(route, args=[entry.period_id]))}
        for name, (route, allowed) in wanted.items()
        if allowed and period.contract.provider_id == organization.pk
    ]
    return {
        **_entry(entry),
        "lines": [
            {
                "term_ref": line.term_ref,
                "title": line.title,
                "model": line.model,
                "rule": line.rule,
                "unit": line.unit,
                "quantity": plain(line.quantity),
                "amount": str(line.amount),
                "previous_amount": _text(line.previous_amount),
                "adjusts": line.adjusts,
            }
            for line in found.lines
        ],
        "withheld_amount": str(found.withheld_amount),
        "ready_amount": _text(found.ready_amount),
        "ready_tax": _text(found.ready_tax),
        "taxes": [tax_row(rate, entry.currency) for rate in draft_rates(organization, period, found, _now())],
        "approved_by": found.approved_by,
        "tax": _tax(step),
        "waiting_for": [wait_row(each) for each in waits],
        "actions": actions,
    }


def _tax(step: TaxStep) -> dict[str, object]:
    return {
        "state": str(step.state),
        "error": step.error,
        "missing_rate_country": step.country,
        "missing_rate_on": step.on,
        "attempts": step.attempts,
        "next_try_at": instant_text(step.next_try_at),
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
