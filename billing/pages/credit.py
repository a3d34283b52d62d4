"""The page of prepaid credit: what is left and until when, buying more on Stripe's page, and what was bought."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import Q, Sum
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from billing import stripe_account
from billing.models import Chargeback, CreditMovement, MovementKind, Term, TopUp, TopUpState
from billing.pages.correction_words import read_decimal
from billing.pages.low_credit import change_rule, notices_of, rules_of
from billing.pages.prepaid import prepaid
from billing.rating.rated import TermKind
from billing.stripe_answers import StripeError
from billing.topups.buying import WrongTopUp, look_at_top_up, open_top_up, start_top_up
from billing.topups.charged_back import REFUNDED_BY_HAND
from portal.figures import moment, money
from portal.locales import active_locale
from portal.parts import Pill, PillTone
from tenants.ids import new_id
from tenants.limits.reader import whole
from tenants.models import User
from tenants.roles import EDIT_PROFILE, READ_INVOICES, NotAllowed, allows
from tenants.scoping import acting_membership, tenant_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.utils.functional import Promise

    from billing.stripe_gateway import StripeGateway
    from tenants.models import Organization

logger = logging.getLogger(__name__)

SHOWN_MAX: Final = 100
LOOKED_AT_MAX: Final = 3
STATES: Final[Mapping[str, tuple[Promise, PillTone]]] = {
    TopUpState.OPEN: (gettext_lazy("Not paid yet"), "info"),
    TopUpState.PAID: (gettext_lazy("Paid"), "good"),
    TopUpState.EXPIRED: (gettext_lazy("Not paid in time"), "warn"),
    TopUpState.DIFFERS: (gettext_lazy("Another amount was paid"), "warn"),
    TopUpState.FAILED: (gettext_lazy("Card not charged"), "bad"),
    TopUpState.STOPPED: (gettext_lazy("Stopped before the charge"), ""),
}
PLANNED: Final[Mapping[bool, tuple[Promise, PillTone]]] = {
    False: (gettext_lazy("Charged soon"), "info"),
    True: (gettext_lazy("Being charged"), "info"),
}


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page(READ_INVOICES)
def tenant_credit(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show what is left of prepaid credit and what was bought; begin to buy more."""
    membership = acting_membership(request)
    edits = membership is not None and allows(membership.role, EDIT_PROFILE)
    gateway = stripe_account.gateway()
    if request.method == "POST":
        if not edits:
            raise NotAllowed(EDIT_PROFILE)
        if not change_rule(request, organization):
            _buy(request, organization, gateway)
        return redirect("tenant-credit")
    now = datetime.now(UTC)
    bought = TopUp.objects.filter(term__contract__tenant=organization).select_related("term__contract")
    if gateway is not None:
        for top_up in bought.filter(state=TopUpState.OPEN).exclude(url="").order_by("-created_at")[:LOOKED_AT_MAX]:
            _look(top_up, gateway, now)
    locale = active_locale()
    context = {
        "prepaid": prepaid(organization, now),
        "terms": _terms(organization),
        "rows": _rows(bought, locale),
        "id": str(new_id()),
        "edits": edits,
        "takes": gateway is not None,
        "rules": (rules := rules_of(organization, locale)),
        "standing": any(one["rule"] for one in rules),
        "notices": notices_of(organization, locale),
    }
    return render(request, "billing/tenant_credit.html", context)


def _buy(request: HttpRequest, organization: Organization, gateway: StripeGateway | None) -> None:
    """Stripe's page is opened by a link and not by a redirect: forms of this site lead nowhere else."""
    assert isinstance(request.user, User)
    if gateway is None:
        messages.error(request, _("This installation takes no cards."))
        return
    term = _terms(organization).get(_id(request.POST.get("term", "")))
    if term is None:
        messages.error(request, _("Choose the credit that it goes to."))
        return
    now = datetime.now(UTC)
    try:
        amount = read_decimal(request.POST.get("amount", "")) or Decimal(0)
        made = start_top_up(
            contract=term.contract,
            amount=amount,
            term_ref=term.ref,
            by=request.user.email,
            now=now,
            top_up_id=_id(request.POST.get("id", "")),
        )
    except (ValueError, WrongTopUp):
        messages.error(request, _("That amount cannot be bought. Give one in whole cents, not too small to charge."))
        return
    try:
        back = f"{settings.PUBLIC_URL}{reverse('tenant-credit')}"
        open_top_up(top_up_id=made.pk, return_url=back, gateway=gateway, now=now)
    except StripeError:
        logger.exception("top-up %s", made.pk)
        messages.error(request, _("Stripe could not be reached. Try again in a minute."))


def _look(top_up: TopUp, gateway: StripeGateway, now: datetime) -> None:
    """Whoever comes back from Stripe's page sees what came of it; if Stripe is silent, the sweep looks again."""
    try:
        with whole("coming back from Stripe's page books what was paid"):
            look_at_top_up(top_up_id=top_up.pk, gateway=gateway, now=now)
    except StripeError as error:
        logger.warning("top-up %s: %s", top_up.pk, error)


def _terms(organization: Organization) -> dict[UUID | None, Term]:
    """The credit terms that a tenant can buy for."""
    found = Term.objects.filter(contract__tenant=organization, kind=TermKind.CREDIT).select_related("contract__tenant")
    return {term.pk: term for term in found.order_by("contract__number", "ref")}


def _rows(found: QuerySet[TopUp], locale: str) -> list[dict[str, object]]:
    """Return the latest top-ups, with what was given back of them and what a bank holds back now."""
    rows = list(found.order_by("-created_at", "-pk")[:SHOWN_MAX])
    went_back = Q(kind=MovementKind.RETURNED) | Q(reference__startswith=REFUNDED_BY_HAND)
    back = CreditMovement.objects.filter(went_back, term__in={one.term_id for one in rows})
    given = {
        (term_id, grant): amount
        for term_id, grant, amount in back.values_list("term_id", "grant").annotate(amount=Sum("amount")).order_by()
    }
    held = Chargeback.objects.filter(top_up__in=rows, withdrawn__gt=0).values_list("top_up_id")
    taken = dict(held.annotate(amount=Sum("withdrawn")).order_by())
    return [_shown(one, given.get((one.term_id, one.grant_name)), taken.get(one.pk), locale) for one in rows]


def _shown(top_up: TopUp, back: Decimal | None, taken: Decimal | None, locale: str) -> dict[str, object]:
    planned = top_up.rule_id is not None and top_up.state == TopUpState.OPEN
    words, tone = PLANNED[top_up.begun_at is not None] if planned else STATES[top_up.state]
    contract = top_up.term.contract
    return {
        "row": top_up,
        "contract": contract.number,
        "at": moment(top_up.created_at, UTC, locale=locale),
        "amount": money(top_up.amount, top_up.currency, locale=locale),
        "pill": Pill(str(words), tone),
        "by_rule": top_up.rule_id is not None,
        "back": money(back, top_up.currency, locale=locale) if back else "",
        "taken": money(taken, top_up.currency, locale=locale) if taken else "",
    }


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
