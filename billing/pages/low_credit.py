"""The rules about low credit on the page of prepaid credit: what stands, what was told, and setting or ending one."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.contrib import messages
from django.utils.translation import gettext as _

from billing.models import BalanceNotice, BalanceNoticeKind, BalanceRule, CardOnFile, Contract
from billing.pages.correction_words import read_decimal
from billing.rating.rated import TermKind
from billing.refilling.letters import sentences
from billing.refilling.rules import Figures
from billing.refilling.setting import NoBalanceRule, WrongBalanceRule, end_rule, set_rule
from portal.figures import moment, money
from tenants.models import User

if TYPE_CHECKING:
    from django.http import HttpRequest

    from tenants.models import Organization

NOTICES_MAX: Final = 10
WRONG: Final = {
    "below": lambda: _("Give the amount to fall below, more than nothing and in whole cents."),
    "buy": lambda: _("That amount cannot be bought. Give one in whole cents, not too small to charge."),
    "month_max": lambda: _("Give the most a month, at least what is bought at once."),
}


def rules_of(organization: Organization, locale: str) -> list[dict[str, object]]:
    """Return each contract that holds credit, with what its rule says; `rule` None where it has none."""
    contracts = Contract.objects.filter(tenant=organization, terms__kind=TermKind.CREDIT).distinct()
    standing = BalanceRule.objects.filter(contract__tenant=organization, ended_at=None)
    running = {rule.contract_id: rule for rule in standing}
    card = CardOnFile.objects.filter(pk=organization.pk).first()
    return [
        {
            "number": contract.number,
            "currency": contract.currency,
            "rule": running.get(contract.pk),
            "said": _said(running[contract.pk], contract, locale) if contract.pk in running else "",
            "card": card,
        }
        for contract in contracts.order_by("number")
    ]


def notices_of(organization: Organization, locale: str) -> list[dict[str, object]]:
    """Return what was told last, the newest first."""
    found = BalanceNotice.objects.filter(rule__contract__tenant=organization).select_related("rule__contract")
    return [
        {
            "at": moment(notice.at, UTC, locale=locale),
            "says": sentences(notice, locale),
            "failed": notice.kind == BalanceNoticeKind.FAILED,
        }
        for notice in found.order_by("-at", "-pk")[:NOTICES_MAX]
    ]


def change_rule(request: HttpRequest, organization: Organization) -> bool:
    """Set or end a rule where the form asks for it; whether it did. What is wrong is said on the page."""
    deed = request.POST.get("action", "")
    if deed not in {"rule", "end"}:
        return False
    contract = Contract.objects.filter(tenant=organization, number=request.POST.get("contract", "")).first()
    if contract is None:
        messages.error(request, _("Choose the contract whose credit is watched."))
    elif deed == "end":
        _end(request, contract)
    else:
        _set(request, contract)
    return True


def _set(request: HttpRequest, contract: Contract) -> None:
    assert isinstance(request.user, User)
    try:
        below, buy, most = (read_decimal(request.POST.get(name, "")) for name in ("below", "buy", "month_max"))
    except ValueError:
        messages.error(request, _("Give amounts as numbers."))
        return
    figures = Figures(below or Decimal(0), buy, most)
    try:
        set_rule(contract=contract, figures=figures, by=request.user.email, now=datetime.now(UTC))
    except WrongBalanceRule as wrong:
        said = WRONG.get(str(wrong.extra.get("field")))
        messages.error(request, said() if said else _("No contract of yours holds prepaid credit."))
    else:
        messages.success(request, _("The rule stands from now on."))


def _end(request: HttpRequest, contract: Contract) -> None:
    assert isinstance(request.user, User)
    try:
        end_rule(contract=contract, by=request.user.email, now=datetime.now(UTC))
    except NoBalanceRule:
        messages.error(request, _("This rule was ended already."))
    else:
        messages.success(request, _("The rule is ended. Nothing is bought by itself."))


def _said(rule: BalanceRule, contract: Contract, locale: str) -> str:
    said = {
        "below": money(rule.below_amount, contract.currency, locale=locale),
        "amount": money(rule.buy_amount, contract.currency, locale=locale),
        "most": money(rule.month_max_amount, contract.currency, locale=locale),
    }
    if rule.buy_amount is None:
        return _("Below %(below)s you are told; nothing is bought.") % said
    return _("Below %(below)s, %(amount)s is bought, at most %(most)s a month.") % said
