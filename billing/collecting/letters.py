"""The letter that an invoice could not be charged: why, how much, until when, and where to pay."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.collecting.declines import holder_words
from billing.collecting.notices import readers_of
from billing.dues import dues_of
from billing.models import CollectionNotice, NoticeKind
from portal.figures import moment, money
from portal.locales import active_locale
from tenants.reading_languages import language_of_letter

if TYPE_CHECKING:
    from collections.abc import Sequence


def send_letter(*, notice: CollectionNotice, public_url: str) -> list[str]:
    """Send one letter to those who pay for a tenant; return to whom. Raises what the server of letters answers."""
    addresses = readers_of(notice.invoice.tenant)
    if addresses:
        notice_letter(notice, addresses, public_url).send(fail_silently=False)
    return addresses


def notice_letter(notice: CollectionNotice, addresses: Sequence[str], public_url: str) -> EmailMessage:
    """Return the letter; sent twice (a worker died in between) it has the same id, and is one letter to its reader."""
    with override(language_of_letter(addresses=addresses, organization_id=notice.invoice.contract.tenant_id)):
        return _letter(notice, addresses, public_url)


def why(notice: CollectionNotice) -> str:
    """Say to a tenant in a sentence why an invoice was not charged."""
    return {
        NoticeKind.CONSENT_NEEDED: _("Your bank asks you to confirm this payment; without you it cannot be made."),
        NoticeKind.CARD_DECLINED: holder_words(notice.decline_code),
        NoticeKind.CARD_MISSING: _("There is no card on file that could be charged."),
    }[NoticeKind(notice.kind)]


def _letter(notice: CollectionNotice, addresses: Sequence[str], public_url: str) -> EmailMessage:
    invoice = notice.invoice
    assert invoice.number is not None, invoice
    assert invoice.due_at is not None, invoice
    words = {
        "number": invoice.number,
        "issuer": invoice.issuer.name,
        "amount": money(dues_of(invoice).left, invoice.currency, locale=active_locale()),
        "day": moment(invoice.due_at, ZoneInfo(invoice.contract.time_zone), locale=active_locale()),
        "address": f"{public_url}{reverse('tenant-invoice', args=[invoice.number])}",
        "cards": f"{public_url}{reverse('tenant-card')}",
    }
    lines = [
        _("Invoice %(number)s of %(issuer)s over %(amount)s is not paid. It is due on %(day)s.") % words,
        why(notice),
        "",
        _("Pay it here: %(address)s") % words,
        _("Leave another card here: %(cards)s") % words,
        "",
    ]
    return EmailMessage(
        subject=_("Invoice %(number)s needs you") % words,
        body="\n".join(lines),
        to=list(addresses),
        headers={
            "Message-ID": f"<collection-{notice.pk}@{urlsplit(public_url).hostname}>",
            "Auto-Submitted": "auto-generated",
        },
    )
