"""The API of dunning: a provider's schedule, and the steps of an invoice for both of its parties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import instant
from billing.dunning.policies import follow_provider, schedule_of, set_policy
from billing.dunning.schedule import DAYS_MAX, FEE_DECIMALS_MAX, Action, write_schedule
from billing.dunning.stepping import hold, take_back
from billing.models import Contract, DunningStep, Invoice
from clusters.bodies import checked
from tenants.authentication import key_prefix_of, organization_of, provider_of
from tenants.calls import once
from tenants.closed_shapes import ClosedSerializer
from tenants.listing.answers import PAGE_PARAMETERS, ListView, PagedSerializer, list_answer, list_responses, page_by_key
from tenants.problems import Problem

if TYPE_CHECKING:
    from uuid import UUID

    from rest_framework.request import Request


class MalformedDunning(Problem):
    """The body is no schedule."""

    status = 400
    code = "dunning_malformed"
    title = "The schedule cannot be read"


class DunningPlannedSerializer(ClosedSerializer):
    """One step of a schedule."""

    after_days = serializers.IntegerField(min_value=0, max_value=DAYS_MAX, help_text="after the due date")
    action = serializers.ChoiceField([action.value for action in Action])
    amount = serializers.DecimalField(
        10, FEE_DECIMALS_MAX, required=False, help_text="of a late fee, in the invoice's currency"
    )
    percent = serializers.DecimalField(
        5, FEE_DECIMALS_MAX, required=False, help_text="of a late fee: of what is left to pay"
    )


class DunningScheduleSerializer(ClosedSerializer):
    """A schedule; without steps nothing is sent, and nobody is suspended."""

    steps = DunningPlannedSerializer(many=True)


class DunningTakenSerializer(serializers.Serializer[Any]):
    """A step that was taken; `taken_back` and `lifted_at` where it was."""

    id = serializers.UUIDField()
    action = serializers.CharField()
    after_days = serializers.IntegerField()
    at = serializers.DateTimeField()
    detail = serializers.CharField()
    announces_at = serializers.DateTimeField(allow_null=True)
    taken_back = serializers.BooleanField()
    lifted_at = serializers.DateTimeField(allow_null=True)


class DunningTakenListSerializer(PagedSerializer):
    """The steps of an invoice, the first one first."""

    steps = DunningTakenSerializer(many=True)


class DunningHoldRequestSerializer(ClosedSerializer):
    """Until when no step is taken, and why."""

    until = serializers.DateTimeField()
    reason = serializers.CharField(max_length=200)


class DunningHoldSerializer(DunningHoldRequestSerializer):
    """A hold; the latest of an invoice counts."""

    id = serializers.UUIDField()
    at = serializers.DateTimeField()


class DunningTakeBackRequestSerializer(ClosedSerializer):
    """Why a step was wrong."""

    reason = serializers.CharField(max_length=200)


class DunningScheduleView(APIView):
    """The schedule of a provider."""

    required_scopes = {"GET": "invoices:read", "PUT": "bank:write"}

    @extend_schema(
        operation_id="dunning_schedule_retrieve",
        tags=["payments"],
        summary="Read the schedule of dunning",
        responses={200: DunningScheduleSerializer},
    )
    def get(self, request: Request) -> Response:
        """Read what counts for all contracts without a schedule of their own."""
        return Response({"steps": write_schedule(schedule_of(provider_of(request).pk))})

    @extend_schema(
        operation_id="dunning_schedule_update",
        tags=["payments"],
        summary="Set the schedule of dunning",
        request=DunningScheduleSerializer,
        responses={200: DunningScheduleSerializer},
    )
    def put(self, request: Request) -> Response:
        """Set it; steps that were taken stay taken. Suspension needs a notice at least 3 days before it."""
        provider = provider_of(request)
        given = checked(DunningScheduleSerializer(data=request.data), MalformedDunning)
        now = timezone.now()
        policy = set_policy(provider=provider, steps=given["steps"], by=key_prefix_of(request), now=now)
        return Response({"steps": policy.steps})


class ContractDunningView(APIView):
    """The schedule of one contract."""

    required_scopes = {"GET": "invoices:read", "PUT": "bank:write", "DELETE": "bank:write"}

    @extend_schema(
        operation_id="contracts_dunning_schedule_retrieve",
        tags=["payments"],
        summary="Read a contract's schedule of dunning",
        responses={200: DunningScheduleSerializer},
    )
    def get(self, request: Request, contract_id: UUID) -> Response:
        """Read what counts for a contract: its own schedule, else its provider's. For both parties."""
        own = Q(tenant=organization_of(request)) | Q(provider=organization_of(request))
        contract = Contract.objects.filter(own, pk=contract_id).first()
        if contract is None:
            raise Http404
        return Response({"steps": write_schedule(schedule_of(contract.provider_id, contract.pk))})

    @extend_schema(
        operation_id="contracts_dunning_schedule_update",
        tags=["payments"],
        summary="Set a contract's schedule of dunning",
        request=DunningScheduleSerializer,
        responses={200: DunningScheduleSerializer},
    )
    def put(self, request: Request, contract_id: UUID) -> Response:
        """Set it for this contract alone; without steps nothing is sent for it. For its provider."""
        provider = provider_of(request)
        contract = Contract.objects.filter(provider=provider, pk=contract_id).first()
        if contract is None:
            raise Http404
        given = checked(DunningScheduleSerializer(data=request.data), MalformedDunning)
        policy = set_policy(
            provider=provider, steps=given["steps"], by=key_prefix_of(request), now=timezone.now(), contract=contract
        )
        return Response({"steps": policy.steps})

    @extend_schema(
        operation_id="contracts_dunning_schedule_destroy",
        tags=["payments"],
        summary="Let the provider's schedule count for a contract again",
        responses={204: None},
    )
    def delete(self, request: Request, contract_id: UUID) -> Response:
        """Take a contract's own schedule away: its provider's counts from now on. Nothing where it has none."""
        contract = Contract.objects.filter(provider=provider_of(request), pk=contract_id).first()
        if contract is None:
            raise Http404
        follow_provider(contract=contract, by=key_prefix_of(request), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class InvoiceDunningView(ListView):
    """The steps of one invoice."""

    required_scopes = {"GET": "invoices:read"}

    @extend_schema(
        operation_id="invoices_dunning_list",
        tags=["payments"],
        summary="Read what was done about an overdue invoice",
        parameters=PAGE_PARAMETERS,
        responses=list_responses(DunningTakenListSerializer),
    )
    def get(self, request: Request, invoice_id: UUID) -> HttpResponseBase:
        """Read every step that was taken, for both parties."""
        found = Invoice.objects.for_org(organization_of(request)).filter(pk=invoice_id).exclude(state="draft")
        if not found.exists():
            raise Http404
        steps = DunningStep.objects.filter(invoice=invoice_id).select_related("taken_back", "suspension__end")
        paged = page_by_key(request, steps, ("at", "pk"))
        return list_answer(request, "steps", paged, DunningTakenSerializer, _step)


class InvoiceDunningHoldView(APIView):
    """A pause of dunning."""

    required_scopes = {"POST": "bank:write"}

    @extend_schema(
        operation_id="invoices_dunning_hold",
        tags=["payments"],
        summary="Hold the dunning of an invoice",
        request=DunningHoldRequestSerializer,
        responses={201: DunningHoldSerializer},
    )
    @once
    def post(self, request: Request, invoice_id: UUID) -> Response:
        """Take no step for an invoice before an instant; one that is over lets the steps go on. For its issuer."""
        provider, now = organization_of(request), timezone.now()
        given = checked(DunningHoldRequestSerializer(data=request.data), MalformedDunning)
        made = hold(provider=provider, invoice_id=invoice_id, by=key_prefix_of(request), now=now, **given)
        told = {"id": str(made.pk), "at": instant(made.at), "until": instant(made.until), "reason": made.reason}
        return Response(told, status=status.HTTP_201_CREATED)


class DunningTakeBackView(APIView):
    """A step taken back."""

    required_scopes = {"POST": "bank:write"}

    @extend_schema(
        operation_id="dunning_steps_take_back",
        tags=["payments"],
        summary="Take a step of dunning back",
        request=DunningTakeBackRequestSerializer,
        responses={200: DunningTakenSerializer},
    )
    def post(self, request: Request, step_id: UUID) -> Response:
        """Take a step back: a suspension is lifted, a letter stands as withdrawn; the step does not come again."""
        provider, now = organization_of(request), timezone.now()
        given = checked(DunningTakeBackRequestSerializer(data=request.data), MalformedDunning)
        take_back(provider=provider, step_id=step_id, reason=given["reason"], by=key_prefix_of(request), now=now)
        taken = DunningStep.objects.select_related("taken_back", "suspension__end").get(pk=step_id)
        return Response(_step(taken))


def _step(step: DunningStep) -> dict[str, Any]:
    end = getattr(getattr(step, "suspension", None), "end", None)
    return {
        "id": str(step.pk),
        "action": step.action,
        "after_days": step.after_days,
        "at": step.at,
        "detail": step.detail,
        "announces_at": step.announces_at,
        "taken_back": hasattr(step, "taken_back"),
        "lifted_at": None if end is None else end.at,
    }
