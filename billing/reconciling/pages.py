"""The operator's page of what differs between our books and Stripe's, each with its ways out."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from billing import stripe_account
from billing.models import Chargeback, Difference, DifferenceKind, Reconciliation
from billing.reconciling.chargeback_words import chargeback_rows
from billing.reconciling.looking import begin, look
from billing.reconciling.settling import ACCEPT, BOOK, CLOSE, PUSH, TAKE_BACK, WAYS, settle_difference
from billing.reconciling.side_words import side_words
from billing.stripe_answers import StripeError
from portal.figures import moment
from portal.locales import active_locale
from portal.parts import Empty
from portal.punctuation import between
from tenants.listing.csv_files import csv_answer
from tenants.models import User
from tenants.problems import Problem
from tenants.roles import EDIT_PROFILE, READ_INVOICES, NotAllowed, allows
from tenants.scoping import acting_membership, operator_page
from tenants.telling import told

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from django.utils.functional import Promise

    from tenants.models import Organization

logger = logging.getLogger(__name__)
SETTLED_SHOWN_MAX: Final = 50
OPEN_SHOWN_MAX: Final = 200

KIND_WORDS: Final[Mapping[str, Promise]] = {
    DifferenceKind.INVOICE_PAID: gettext_lazy("Paid at Stripe, not in our books"),
    DifferenceKind.INVOICE_OPEN: gettext_lazy("Settled in our books, open at Stripe"),
    DifferenceKind.INVOICE_GONE: gettext_lazy("Pushed by us, not at Stripe"),
    DifferenceKind.INVOICE_UNKNOWN: gettext_lazy("Invoice at Stripe that our books do not have"),
    DifferenceKind.INVOICE_AMOUNT: gettext_lazy("Another number, currency or amount at Stripe"),
    DifferenceKind.CHARGE_UNBOOKED: gettext_lazy("Charge at Stripe that pays nothing in our books"),
    DifferenceKind.CHARGE_AMOUNT: gettext_lazy("Charge of another amount than was booked"),
    DifferenceKind.PAYMENT_GONE: gettext_lazy("Booked as paid by card, without a charge at Stripe"),
    DifferenceKind.REFUND_UNBOOKED: gettext_lazy("Refund at Stripe that our books do not have"),
    DifferenceKind.TRANSFER_UNBOOKED: gettext_lazy("Transfer at Stripe that our books do not have"),
    DifferenceKind.CUSTOMER_BALANCE: gettext_lazy("Customer with a balance at Stripe"),
    DifferenceKind.BALANCE: gettext_lazy("The balance at Stripe is not the one of our books"),
}
LOOKED_WORDS: Final[Mapping[str, Promise]] = {
    "charges": gettext_lazy("Charges at Stripe"),
    "currencies": gettext_lazy("Balances, by currency"),
    "disputes": gettext_lazy("Disputes at Stripe, applied"),
    "events_missed": gettext_lazy("Events of Stripe that had not come, fetched"),
    "invoices": gettext_lazy("Invoices at Stripe"),
    "movements": gettext_lazy("Movements on the balance at Stripe"),
    "payments": gettext_lazy("Card payments in our books"),
    "refunds": gettext_lazy("Refunds at Stripe"),
    "transfers": gettext_lazy("Transfers at Stripe"),
    "transfers_reversed": gettext_lazy("Transfers taken back after a dispute"),
}
"""What a look counts, by its name in `Reconciliation.looked_at`."""
WAY_WORDS: Final[Mapping[str, Promise]] = {
    BOOK: gettext_lazy("Look at Stripe again and book it"),
    PUSH: gettext_lazy("Push the invoice again"),
    CLOSE: gettext_lazy("Close it at Stripe"),
    TAKE_BACK: gettext_lazy("Take the payment back in our books"),
    ACCEPT: gettext_lazy("Accept with the reason"),
    "gone": gettext_lazy("Not found again"),
}


CSV_HEAD: Final = (
    "id",
    "kind",
    "stripe_id",
    "invoice",
    "ours",
    "theirs",
    "our_amount_minor",
    "their_amount_minor",
    "currency",
    "first_seen_at_utc",
    "last_seen_at_utc",
    "settled_at_utc",
    "settled_by",
    "way",
    "note",
)


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page(READ_INVOICES)
def operator_reconciliation(request: HttpRequest, organization: Organization) -> HttpResponse:  # noqa: ARG001  every page takes it
    """Show what differs, and look again on request."""
    edits = _edits(request)
    if request.method == "POST":
        if not edits:
            raise NotAllowed(EDIT_PROFILE)
        _look(request)
        return redirect("operator-reconciliation")
    locale = active_locale()
    found = Difference.objects.select_related("invoice").order_by("first_seen_at", "pk")
    run = Reconciliation.objects.order_by("-started_at").first()
    open_now = [_shown(one, locale) for one in found.filter(settled_at__isnull=True)[:OPEN_SHOWN_MAX]]
    takes = stripe_account.gateway() is not None
    context = {
        "open": open_now,
        "empty": None if run or open_now else _nothing(takes=takes),
        "settled": [
            _shown(one, locale)
            for one in found.filter(settled_at__isnull=False).order_by("-settled_at")[:SETTLED_SHOWN_MAX]
        ],
        "run": run,
        "run_at": moment(run.started_at, UTC, locale=locale) if run else "",
        "run_from": moment(run.from_at, UTC, locale=locale) if run else "",
        "looked_at": [(LOOKED_WORDS.get(name, name), count) for name, count in sorted(run.looked_at.items())]
        if run
        else [],
        "chargebacks": chargeback_rows(Chargeback.objects.all(), locale),
        "edits": edits,
        "takes": takes,
    }
    return render(request, "billing/operator_reconciliation.html", context)


@require_safe
@operator_page(READ_INVOICES)
def operator_differences_csv(request: HttpRequest, organization: Organization) -> HttpResponseBase:  # noqa: ARG001  every page takes it
    """Write every difference, open and settled, the one that was seen first before the others."""
    found = Difference.objects.select_related("invoice").order_by("first_seen_at", "pk").iterator()
    return csv_answer("differences.csv", CSV_HEAD, (_csv_row(one) for one in found))


def _csv_row(one: Difference) -> tuple[object, ...]:
    number = one.invoice.number if one.invoice else ""
    sides = (one.our_side, one.their_side)
    minor = [side.get("amount_minor") for side in sides]
    currency = next((side["currency"] for side in sides if side), "")
    times = (one.first_seen_at.isoformat(), one.last_seen_at.isoformat(), one.settled_at and one.settled_at.isoformat())
    said = (one.pk, one.kind, one.stripe_id, number, one.ours, one.theirs, *minor, currency)
    return (*said, *times, one.settled_by, one.way, one.note)


@require_http_methods(["POST"])
@operator_page(READ_INVOICES)
def operator_difference(request: HttpRequest, organization: Organization, *, difference_id: UUID) -> HttpResponse:  # noqa: ARG001  every page takes it
    """Take a way out of a difference."""
    if not _edits(request):
        raise NotAllowed(EDIT_PROFILE)
    if not Difference.objects.filter(pk=difference_id).exists():
        return HttpResponse(status=404)
    try:
        settle_difference(
            difference_id=difference_id,
            way=request.POST.get("way", ""),
            note=request.POST.get("note", ""),
            by=_by(request),
            gateway=stripe_account.gateway(),
            now=datetime.now(UTC),
        )
    except Problem as problem:
        messages.error(request, f"{problem.title}{between('colon')}{told(problem.said)}")
    except StripeError as error:
        messages.error(request, _("Stripe did not do it: %(reason)s") % {"reason": error})
    else:
        messages.success(request, _("Done. The next look says whether it is gone."))
    return redirect("operator-reconciliation")


def _look(request: HttpRequest) -> None:
    gateway, now = stripe_account.gateway(), datetime.now(UTC)
    if gateway is None:
        messages.error(request, _("This installation has no account at Stripe."))
        return
    run = begin(by=_by(request), now=now)
    assert run is not None, "only a night's look is begun once"
    try:
        look(run=run, gateway=gateway, now=now)
    except StripeError as error:
        logger.warning("reconciliation asked for by %s: %s", run.started_by, error)
        messages.error(request, _("Stripe could not be reached. Try again in a minute."))


def _nothing(*, takes: bool) -> Empty:
    if not takes:
        return Empty(
            _("This installation has no account at Stripe."),
            _("There is nothing to compare: its bills are paid by bank transfer, and Bank says which are."),
            icon="scale",
        )
    return Empty(_("Nothing was compared yet."), _("The first look is tonight. Look now, if you like."), icon="scale")


def _shown(one: Difference, locale: str) -> dict[str, object]:
    ways = [(way, WAY_WORDS[way]) for way in WAYS[one.kind] if way != ACCEPT]
    return {
        "row": one,
        "kind": KIND_WORDS[one.kind],
        "ours": side_words(one.our_side, one.ours, locale),
        "theirs": side_words(one.their_side, one.theirs, locale),
        "since": moment(one.first_seen_at, UTC, locale=locale),
        "settled": moment(one.settled_at, UTC, locale=locale) if one.settled_at else "",
        "way": WAY_WORDS.get(one.way, one.way),
        "ways": ways,
        "url": reverse("operator-difference", args=[one.pk]),
    }


def _edits(request: HttpRequest) -> bool:
    membership = acting_membership(request)
    return membership is not None and allows(membership.role, EDIT_PROFILE)


def _by(request: HttpRequest) -> str:
    assert isinstance(request.user, User)
    return request.user.email
