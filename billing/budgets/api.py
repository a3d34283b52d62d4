"""The API of budgets: set, changed, retired, lifted; how they stand for a gateway that asks; and what was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.budgets.lists import ALERT_ORDER, BUDGET_ORDER, alerts_of, budgets_of
from billing.budgets.rules import Measure, Scope
from billing.budgets.setting import (
    NoBudget,
    WrongBudget,
    change_budget,
    lift_stop,
    make_budget,
    retire_budget,
)
from billing.budgets.shapes import (
    SIDES,
    BudgetLiftRequestSerializer,
    BudgetListSerializer,
    BudgetRequestSerializer,
    BudgetSerializer,
    BudgetStandingSerializer,
    BudgetStopSerializer,
    SpendAlertListSerializer,
    SpendAlertSerializer,
    alert_row,
    budget_row,
    read_rule,
    stop_row,
)
from billing.budgets.standing import standing_of
from billing.models import Budget, SpendAlertKind
from billing.queries.usage import DEFAULT_CURRENCY, Side
from billing.queries.usage_sheet import billing_currency, billing_zone
from clusters.bodies import checked
from tenants.authentication import key_prefix_of, organization_of
from tenants.calls import KEY_HEADER, made_once
from tenants.listing.answers import PAGE_PARAMETERS, ListView, list_answer, list_responses, page_by_key

if TYPE_CHECKING:
    from datetime import datetime

    from django.http.response import HttpResponseBase
    from rest_framework.request import Request

    from tenants.idempotency import Answered
    from tenants.models import Organization

SIDE: Final = OpenApiParameter("side", str, enum=SIDES, description="of what is bought, or of what is sold")


class BudgetListQuerySerializer(serializers.Serializer[Any]):
    """The query of a list of budgets."""

    side = serializers.ChoiceField(SIDES, default="")


class SpendAlertQuerySerializer(BudgetListQuerySerializer):
    """The query of a list of alerts."""

    budget_id = serializers.UUIDField(default=None, allow_null=True)
    kind = serializers.ChoiceField([str(one) for one in SpendAlertKind], default="")


class BudgetStandingQuerySerializer(serializers.Serializer[Any]):
    """Of what a request is."""

    contract = serializers.CharField(max_length=32, default="")
    model = serializers.CharField(max_length=200, default="")
    project = serializers.CharField(max_length=100, default="")
    key = serializers.CharField(max_length=300, default="")


class BudgetsView(ListView):
    """Budgets of the organization."""

    required_scopes = {"GET": "usage:read", "POST": "budgets:write"}

    @extend_schema(
        operation_id="budgets_list",
        tags=["budgets"],
        summary="List budgets",
        parameters=[*PAGE_PARAMETERS, SIDE],
        responses=list_responses(BudgetListSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List the budgets that stand, in the order they were set."""
        asked = _query(request, BudgetListQuerySerializer)
        found = budgets_of(organization_of(request), side=asked["side"])
        return list_answer(request, "budgets", page_by_key(request, found, BUDGET_ORDER), BudgetSerializer, budget_row)

    @extend_schema(
        operation_id="budgets_create",
        tags=["budgets"],
        summary="Set a budget",
        parameters=[KEY_HEADER],
        request=BudgetRequestSerializer,
        responses={201: BudgetSerializer},
    )
    def post(self, request: Request) -> Response:
        """Set a budget, which counts from the beginning of the running period, and is looked at within minutes."""
        body, organization, now = request.body, organization_of(request), timezone.now()
        given = checked(BudgetRequestSerializer(data=request.data), WrongBudget)
        side = _side(organization, given.get("side"))

        def make() -> Answered:
            rule = read_rule(_with_currency(organization, side, given, now), _zone(organization, side, now))
            made = make_budget(
                organization=organization, side=side, name=given["name"], rule=rule, by=key_prefix_of(request), now=now
            )
            return 201, budget_row(made)

        return made_once(request, body, now, make)


class BudgetView(APIView):
    """One budget."""

    required_scopes = {"GET": "usage:read", "PUT": "budgets:write", "DELETE": "budgets:write"}

    @extend_schema(
        operation_id="budgets_retrieve", tags=["budgets"], summary="Read a budget", responses={200: BudgetSerializer}
    )
    def get(self, request: Request, budget_id: UUID) -> Response:
        """Read a budget and how it stood when it was last looked at."""
        return Response(budget_row(_budget(organization_of(request), budget_id)))

    @extend_schema(
        operation_id="budgets_update",
        tags=["budgets"],
        summary="Change a budget",
        request=BudgetRequestSerializer,
        responses={200: BudgetSerializer},
    )
    def put(self, request: Request, budget_id: UUID) -> Response:
        """Change name, amount, thresholds, forecast and stop. A stop that is not asked for any more is lifted."""
        organization, now = organization_of(request), timezone.now()
        standing = _budget(organization, budget_id)
        given = checked(BudgetRequestSerializer(data=request.data), WrongBudget)
        currency = given.get("currency") or standing.currency
        change_budget(
            organization=organization,
            budget_id=budget_id,
            name=given["name"],
            rule=read_rule({**given, "currency": currency}, standing.zone),
            by=key_prefix_of(request),
            now=now,
        )
        return Response(budget_row(_budget(organization, budget_id)))

    @extend_schema(operation_id="budgets_destroy", tags=["budgets"], summary="Retire a budget", responses={204: None})
    def delete(self, request: Request, budget_id: UUID) -> Response:
        """End a budget and what it stops. What it told stays among the alerts."""
        retire_budget(
            organization=organization_of(request), budget_id=budget_id, by=key_prefix_of(request), now=timezone.now()
        )
        return Response(status=204)


class BudgetLiftView(APIView):
    """What a budget stops."""

    required_scopes = {"POST": "budgets:write"}

    @extend_schema(
        operation_id="budgets_lift",
        tags=["budgets"],
        summary="Lift the stop of a budget",
        parameters=[KEY_HEADER],
        request=BudgetLiftRequestSerializer,
        responses={200: BudgetStopSerializer},
    )
    def post(self, request: Request, budget_id: UUID) -> Response:
        """Let use go on until the period ends, or until the budget is raised and used up again."""
        body, now = request.body, timezone.now()
        given = checked(BudgetLiftRequestSerializer(data=request.data), WrongBudget)

        def make() -> Answered:
            lifted = lift_stop(
                organization=organization_of(request),
                budget_id=budget_id,
                reason=given["reason"],
                by=key_prefix_of(request),
                now=now,
            )
            return 200, stop_row(lifted)

        return made_once(request, body, now, make)


class BudgetStandingView(APIView):
    """Whether new use may begin."""

    required_scopes = {"GET": "usage:read"}

    @extend_schema(
        operation_id="budgets_standing",
        tags=["budgets"],
        summary="Ask whether a new request may begin",
        parameters=[
            OpenApiParameter("contract", str, description="its contract's number"),
            OpenApiParameter("model", str, description="its model"),
            OpenApiParameter("project", str, description="its project"),
            OpenApiParameter("key", str, description="the key it came with"),
        ],
        responses={200: BudgetStandingSerializer},
    )
    def get(self, request: Request) -> Response:
        """Answer a gateway from what the last look found: requests that run already are never stopped.

        A tenant's budgets only. Ask as often as you like; it is looked at every few minutes.
        """
        asked = _query(request, BudgetStandingQuerySerializer)
        named = {Scope(name): text for name, text in asked.items() if text}
        found = standing_of(organization_of(request), named, timezone.now())
        return Response(
            {
                "allowed": found.allowed,
                "stops": [stop_row(stop) for stop in found.stops],
                "budgets": [budget_row(budget) for budget in found.budgets],
            }
        )


class SpendAlertsView(ListView):
    """What the organization was told of its use."""

    required_scopes = {"GET": "usage:read"}

    @extend_schema(
        operation_id="alerts_list",
        tags=["budgets"],
        summary="List alerts",
        parameters=[
            *PAGE_PARAMETERS,
            SIDE,
            OpenApiParameter("budget_id", UUID, description="of this budget only"),
            OpenApiParameter("kind", str, enum=[str(one) for one in SpendAlertKind]),
        ],
        responses=list_responses(SpendAlertListSerializer),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """List what was told, once each, the latest first. What is told meanwhile stands before the first page."""
        asked = _query(request, SpendAlertQuerySerializer)
        found = alerts_of(
            organization_of(request), side=asked["side"], budget_id=asked["budget_id"], kind=asked["kind"]
        )
        return list_answer(request, "alerts", page_by_key(request, found, ALERT_ORDER), SpendAlertSerializer, alert_row)


def _query(request: Request, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    serializer = shape(data=request.query_params.dict())
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _budget(organization: Organization, budget_id: UUID) -> Budget:
    found = budgets_of(organization).filter(pk=budget_id).first()
    if found is None:
        raise NoBudget("The organization has no such budget.")
    return found


def _side(organization: Organization, given: str | None) -> Side:
    """As which party: what was asked for, if the organization is it, else a tenant before a provider."""
    sides = [Side.TENANT] if organization.is_tenant else []
    sides += [Side.PROVIDER] if organization.is_provider else []
    if not sides:
        raise Http404
    if given and given not in sides:
        raise WrongBudget(f"side: the organization is no {given}.", field="side")
    return Side(given) if given else sides[0]


def _zone(organization: Organization, side: Side, now: datetime) -> str:
    return billing_zone(organization, now, side=side)


def _with_currency(organization: Organization, side: Side, given: dict[str, Any], now: datetime) -> dict[str, Any]:
    if given["measure"] != Measure.COST or given.get("currency"):
        return given
    return {**given, "currency": billing_currency(organization, now, side=side) or DEFAULT_CURRENCY}
