"""The API of the rule about low credit: read, set and ended by the tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api_words import money
from billing.models import BalanceNotice, BalanceNoticeKind, BalanceRule, Contract, LowOutcome
from billing.refilling.rules import Figures
from billing.refilling.setting import NoBalanceRule, WrongBalanceRule, end_rule, running_rule, set_rule
from clusters.bodies import checked
from tenants.authentication import caller_of, organization_of
from tenants.closed_shapes import ClosedSerializer
from tenants.instants import instant_text

if TYPE_CHECKING:
    from rest_framework.request import Request


class BalanceRuleRequestSerializer(ClosedSerializer):
    """What is told, and bought, as credit falls below an amount."""

    below = serializers.DecimalField(max_digits=24, decimal_places=4, help_text="in the contract's currency")
    buy = serializers.DecimalField(
        max_digits=24, decimal_places=4, allow_null=True, default=None, help_text="null: it is only told of"
    )
    month_max = serializers.DecimalField(
        max_digits=24,
        decimal_places=4,
        allow_null=True,
        default=None,
        help_text="the most that is bought in a calendar month of the contract's time zone; given with `buy`",
    )
    term = serializers.CharField(
        max_length=32, required=False, default="", help_text="reference of the credit term; left out: the first one"
    )


class BalanceNoticeSerializer(serializers.Serializer[Any]):
    """What was told last."""

    kind = serializers.ChoiceField(BalanceNoticeKind.values)
    outcome = serializers.ChoiceField([*LowOutcome.values, ""])
    left = serializers.CharField()
    at = serializers.DateTimeField()
    charge_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(help_text="why the card was not charged")


class BalanceRuleSerializer(serializers.Serializer[Any]):
    """The rule that stands for a contract."""

    id = serializers.UUIDField()
    contract = serializers.CharField()
    term = serializers.CharField()
    currency = serializers.CharField()
    below = serializers.CharField()
    buy = serializers.CharField(allow_null=True)
    month_max = serializers.CharField(allow_null=True)
    set_by = serializers.CharField()
    set_at = serializers.DateTimeField()
    last_notice = BalanceNoticeSerializer(allow_null=True)


class BalanceRuleView(APIView):
    """The rule about a contract's low credit."""

    required_scopes = {"GET": "invoices:read", "PUT": "credits:write", "DELETE": "credits:write"}

    @extend_schema(
        operation_id="contracts_balance_rule_retrieve",
        tags=["contracts"],
        summary="Read the rule about low credit",
        responses={200: BalanceRuleSerializer},
    )
    def get(self, request: Request, number: str) -> Response:
        """Read the rule that stands; 404 where there is none. Only the tenant can."""
        contract = _contract(request, number)
        rule = running_rule(contract)
        if rule is None:
            raise NoBalanceRule(f"{contract.number} has no rule about low credit.")
        return Response(_rule(rule, contract))

    @extend_schema(
        operation_id="contracts_balance_rule_update",
        tags=["contracts"],
        summary="Set the rule about low credit",
        request=BalanceRuleRequestSerializer,
        responses={200: BalanceRuleSerializer},
    )
    def put(self, request: Request, number: str) -> Response:
        """Set what is told and bought below an amount; the same again changes nothing.

        The card on file is charged 15 minutes after `balance.low` told of it, never more than `month_max` a month.
        A charge that fails ends the buying.
        """
        contract = _contract(request, number)
        given = checked(BalanceRuleRequestSerializer(data=request.data), WrongBalanceRule)
        figures = Figures(given["below"], given["buy"], given["month_max"])
        made = set_rule(
            contract=contract, figures=figures, term_ref=given["term"], by=caller_of(request), now=timezone.now()
        )
        return Response(_rule(made, contract))

    @extend_schema(
        operation_id="contracts_balance_rule_destroy",
        tags=["contracts"],
        summary="End the rule about low credit",
        responses={204: None},
    )
    def delete(self, request: Request, number: str) -> Response:
        """End the rule; what it was about to buy is not bought, unless its charge was begun."""
        end_rule(contract=_contract(request, number), by=caller_of(request), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


def _contract(request: Request, number: str) -> Contract:
    contract = Contract.objects.filter(tenant=organization_of(request), number=number).first()
    if contract is None:
        raise Http404
    return contract


def _rule(rule: BalanceRule, contract: Contract) -> dict[str, Any]:
    currency = contract.currency
    last = BalanceNotice.objects.filter(rule__contract=contract).order_by("-at", "-pk").first()
    return {
        "id": str(rule.pk),
        "contract": contract.number,
        "term": rule.term.ref,
        "currency": currency,
        "below": money(rule.below_amount, currency),
        "buy": None if rule.buy_amount is None else money(rule.buy_amount, currency),
        "month_max": None if rule.month_max_amount is None else money(rule.month_max_amount, currency),
        "set_by": rule.set_by,
        "set_at": instant_text(rule.set_at),
        "last_notice": None if last is None else _notice(last, currency),
    }


def _notice(notice: BalanceNotice, currency: str) -> dict[str, Any]:
    return {
        "kind": str(notice.kind),
        "outcome": str(notice.outcome),
        "left": money(notice.left_amount, currency),
        "at": instant_text(notice.at),
        "charge_at": instant_text(notice.charge_at),
        "reason": notice.reason,
    }
