"""Letters about ends of leases: which lease, when by the contract's clock, what happens then, and where to act."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, override

from billing.collecting.notices import readers_of
from billing.models import LeaseEndReason, LeaseEvent, LeaseNotice, LeaseStep, LeaseTold, Term
from billing.rating.lease_wording import LeaseWording
from billing.terms import terms_by_id
from billing.unsent import claim_unsent
from portal.figures import moment
from portal.locales import active_locale
from tenants.reading_languages import language_of_letter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def claim_letters(*, now: datetime, limit: int) -> list[LeaseNotice]:
    """Return letters that are due, each put off: whoever else looks meanwhile leaves them alone."""
    rows = LeaseNotice.objects.to_tell().select_related(
        "term__contract__provider", "term__contract__tenant", "organization"
    )
    return claim_unsent(rows, now=now, limit=limit)


def send_letter(*, notice: LeaseNotice, public_url: str) -> list[str]:
    """Send one letter to those who pay or are paid for a party; return to whom. Raises what the server answers."""
    addresses = readers_of(notice.organization)
    if addresses:
        with override(language_of_letter(addresses=addresses, organization_id=notice.organization_id)):
            letter = _letter(notice, addresses, public_url)
        letter.send(fail_silently=False)
    return addresses


def reason_words(reason: str) -> str:
    """Return why a lease ended, in words; "" where it is not on record."""
    return {
        str(LeaseEndReason.NOT_RENEWING): _("its terms let it end"),
        str(LeaseEndReason.ENDED_EARLY): _("it was ended early"),
        str(LeaseEndReason.SLICE_TAKEN): _("not renewed: a card is booked by somebody else"),
        str(LeaseEndReason.CONTRACT_NOT_OPEN): _("not renewed: its contract does not run on"),
        str(LeaseEndReason.NO_PRICE): _("not renewed: the price list has no price for its card"),
    }.get(reason, "")


def _letter(notice: LeaseNotice, addresses: Sequence[str], public_url: str) -> EmailMessage:
    """Return the letter; sent twice (a worker died in between) it has the same id, and is one letter to its reader."""
    lease, contract = notice.term, notice.term.contract
    is_tenant = notice.organization_id == contract.tenant_id
    page = reverse("tenant-lease" if is_tenant else "provider-lease", args=[lease.ref])
    words = {
        "ref": lease.ref,
        "title": lease.title,
        "contract": contract.number,
        "other": (contract.provider if is_tenant else contract.tenant).name,
        "at": moment(notice.ends_at, ZoneInfo(contract.time_zone), locale=active_locale()),
        "why": reason_words(notice.reason),
        "address": f"{public_url}{page}",
    }
    is_near = notice.kind == LeaseTold.ENDING
    subject = _("Lease %(ref)s ends on %(at)s") if is_near else _("Lease %(ref)s has ended")
    lines = _ending(lease, is_tenant=is_tenant) if is_near else _ended(notice)
    return EmailMessage(
        subject=subject % words,
        body="\n".join([*(line % words for line in lines), "", _("The lease: %(address)s") % words, ""]),
        to=list(addresses),
        headers={
            "Message-ID": f"<lease-{notice.pk}@{urlsplit(public_url).hostname}>",
            "Auto-Submitted": "auto-generated",
        },
    )


def _ending(lease: Term, *, is_tenant: bool) -> list[str]:
    days = renews_by(lease)
    if days:
        first = _("Lease %(ref)s (%(title)s) with %(other)s, under contract %(contract)s, is renewed on %(at)s.")
        then = ngettext(
            "It goes on by %(days)s day at a time, as long as its cards, a price and the contract allow it.",
            "It goes on by %(days)s days at a time, as long as its cards, a price and the contract allow it.",
            days,
        ) % {"days": days}
        return [first, then]
    first = _("Lease %(ref)s (%(title)s) with %(other)s, under contract %(contract)s, ends on %(at)s.")
    if is_tenant:
        return [first, _("From then on its cards are free for others. To keep them, extend it on its page before.")]
    return [first, _("From then on its cards are free for others, unless the tenant extends it before.")]


def _ended(notice: LeaseNotice) -> list[str]:
    lines = [_("Lease %(ref)s (%(title)s) with %(other)s, under contract %(contract)s, ended on %(at)s.")]
    if notice.reason:
        lines.append(_("Why: %(why)s."))
    return [*lines, _("What was held until then is on the bill of its period.")]


def renews_by(lease: Term) -> int:
    """By how many days a lease renews itself at its end; 0 where it does not, or was ended early."""
    assert lease.to_at is not None, lease.ref
    if LeaseEvent.objects.filter(term=lease, step=LeaseStep.ENDED_EARLY).exists():
        return 0
    wording = terms_by_id([lease.pk])[lease.pk].wording_at(lease.to_at - timedelta(seconds=1))
    return wording.renew_days if isinstance(wording, LeaseWording) else 0
