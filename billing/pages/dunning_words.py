"""How steps of dunning are said, to both sides."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.dunning.schedule import Action
from billing.dunning.stepping import CARD_CHARGED, DISPUTED, HELD, NO_CARD_CHARGED, NOTICE_NOT_OUT, SWEEP
from billing.models import Suspension
from portal import parts
from portal.figures import moment
from tenants.limits.written_once import written_once

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from billing.models import DunningStep, SuspensionEnd
    from tenants.models import Organization


def action_words(action: str) -> str:
    """Return what a step does."""
    return {
        Action.REMIND: _("Reminder by mail"),
        Action.RETRY_CARD: _("Card charged again"),
        Action.NOTICE: _("Notice of suspension"),
        Action.SUSPEND: _("Use suspended"),
        Action.LATE_FEE: _("Late fee"),
    }[Action(action)]


def wait_words(waits_for: str) -> str:
    """Return why the next step does not come; empty where nothing keeps it back."""
    return {
        "": "",
        DISPUTED: _("waits: a line is questioned"),
        HELD: _("waits: held by a person"),
        NOTICE_NOT_OUT: _("waits: the notice has not been out long enough"),
    }[waits_for]


def suspension_notices(organization: Organization) -> list[parts.Notice]:
    """Return what to say to a tenant of each contract whose use is suspended, by what it can go on."""
    return [
        parts.Notice(
            _("Use under %(contract)s is suspended.") % {"contract": one.contract.number},
            _("Nothing new begins until invoice %(invoice)s is paid.") % {"invoice": one.step.invoice.number},
            "bad",
            parts.Action(_("Invoice"), reverse("tenant-invoice", args=[one.step.invoice.number])),
        )
        for one in _suspended(organization.pk)
    ]


@written_once
def _suspended(tenant: UUID) -> QuerySet[Suspension]:
    found = Suspension.objects.filter(contract__tenant=tenant, end__isnull=True)
    return found.select_related("contract", "step__invoice").order_by("contract__number", "at")


def step_words(step: DunningStep, locale: str) -> dict[str, Any]:
    """Return a step in words, with what became of its letters and whether it was taken back or lifted."""
    mails = list(step.mails.all())
    sent = sum(mail.sent_at is not None for mail in mails)
    back = getattr(step, "taken_back", None)
    suspension = getattr(step, "suspension", None)
    end = getattr(suspension, "end", None)
    said = [_detail_words(step.detail)]
    if mails:
        counts = {"sent": sent, "count": len(mails)}
        said.append(
            ngettext("%(sent)s of %(count)s letter is out", "%(sent)s of %(count)s letters are out", len(mails))
            % counts
        )
    if step.announces_at is not None:
        said.append(_("suspended no earlier than %(day)s") % {"day": moment(step.announces_at, UTC, locale=locale)})
    if end is not None:
        said.append(
            _("lifted %(moment)s: %(reason)s")
            % {"moment": moment(end.at, UTC, locale=locale), "reason": _why_ended(step, end)}
        )
    return {
        "id": step.pk,
        "what": action_words(step.action),
        "at": moment(step.at, UTC, locale=locale),
        "detail": " · ".join(filter(None, said)),
        "errors": [mail.last_error for mail in mails if mail.last_error],
        "taken_back": ""
        if back is None
        else _("Taken back %(moment)s by %(by)s: %(reason)s")
        % {"moment": moment(back.at, UTC, locale=locale), "by": back.by, "reason": back.reason},
        "is_standing_suspension": suspension is not None and end is None,
    }


def _detail_words(detail: str) -> str:
    """Return what a step noted of a card, in the reader's language; a refusal stands as it was kept."""
    words = {
        NO_CARD_CHARGED: _("no card is charged for this contract"),
        CARD_CHARGED: _("the card is charged again"),
    }
    return words.get(detail, detail)


def _why_ended(step: DunningStep, end: SuspensionEnd) -> str:
    """Return why a suspension ended: a person's words, or that its invoice was settled."""
    if end.by != SWEEP:
        return end.reason
    return _("invoice %(number)s is settled") % {"number": step.invoice.number}
