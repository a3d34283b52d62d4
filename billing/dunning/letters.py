"""Letters of dunning: what is owed, since when, how to pay, and what happens otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.banking.accounts import account_to_pay, printed_number
from billing.dues import dues_of
from billing.dunning.schedule import Action
from billing.models import Debit, DunningMail, InvoiceState
from billing.payment_references import payment_reference, printed_reference
from billing.unsent import claim_unsent
from portal.figures import moment, money
from portal.locales import active_locale
from tenants.reading_languages import language_of_letter

if TYPE_CHECKING:
    from datetime import datetime

    from billing.models import DunningStep, Invoice


def claim_mails(*, now: datetime, limit: int) -> list[DunningMail]:
    """Return letters that are due, each put off: whoever else looks meanwhile leaves them alone.

    A letter of a step that was taken back is not sent any more, nor one that waited until its invoice was settled.
    """
    rows = DunningMail.objects.filter(step__taken_back__isnull=True, step__invoice__state=InvoiceState.ISSUED)
    return claim_unsent(rows.select_related("step__invoice__issuer", "step__invoice__contract"), now=now, limit=limit)


def send_letter(*, mail: DunningMail, public_url: str) -> None:
    """Send one letter. Raises whatever the server of letters answers."""
    with override(language_of_letter(addresses=[mail.address], organization_id=mail.step.invoice.contract.tenant_id)):
        letter = _letter(mail, public_url)
    letter.send(fail_silently=False)


def _letter(mail: DunningMail, public_url: str) -> EmailMessage:
    """Return the letter; sent twice (a worker died in between) it has the same id, and is one letter to its reader."""
    step, invoice = mail.step, mail.step.invoice
    assert invoice.number is not None
    assert invoice.due_at is not None
    words = {
        "number": invoice.number,
        "issuer": invoice.issuer.name,
        "contract": invoice.contract.number,
        "left": money(dues_of(invoice).left, invoice.currency, locale=active_locale()),
        "due": moment(invoice.due_at, ZoneInfo(invoice.contract.time_zone), locale=active_locale()),
        "reference": printed_reference(payment_reference(invoice.number)),
        "address": f"{public_url}{reverse('tenant-invoice', args=[invoice.number])}",
    }
    fee = Debit.objects.filter(step=step, taken_back__isnull=True).first()
    lines = [
        _("%(left)s of invoice %(number)s from %(issuer)s were due on %(due)s and are not paid.") % words,
        *_what_follows(step, words, fee),
        "",
        *_how_to_pay(invoice, words),
        _("The invoice: %(address)s") % words,
        _("If it was paid in the last days, nothing is to be done."),
        "",
    ]
    # A fee that was not charged, or not any more, is not spoken of: such a letter reminds.
    says = Action.REMIND if step.action == Action.LATE_FEE and fee is None else Action(step.action)
    subject = {
        Action.REMIND: _("Reminder: invoice %(number)s is overdue"),
        Action.NOTICE: _("Notice: use will be suspended for invoice %(number)s"),
        Action.SUSPEND: _("Use is suspended: invoice %(number)s is not paid"),
        Action.LATE_FEE: _("Late fee: invoice %(number)s is not paid"),
    }[says]
    return EmailMessage(
        subject=subject % words,
        body="\n".join(lines),
        to=[mail.address],
        headers={
            "Message-ID": f"<dunning-{mail.id}@{urlsplit(public_url).hostname}>",
            "Auto-Submitted": "auto-generated",
        },
    )


def _what_follows(step: DunningStep, words: dict[str, str], debit: Debit | None) -> list[str]:
    if step.action == Action.NOTICE and step.announces_at is not None:
        told = {
            **words,
            "day": moment(step.announces_at, ZoneInfo(step.invoice.contract.time_zone), locale=active_locale()),
        }
        return [_("If it is not paid by %(day)s, use under contract %(contract)s will be suspended.") % told]
    if debit is not None:
        told = {**words, "fee": money(debit.amount, debit.currency, locale=active_locale())}
        return [_("A late fee of %(fee)s is put on the next invoice of contract %(contract)s.") % told]
    if step.action == Action.SUSPEND:
        return [
            _("Use under contract %(contract)s is suspended from now on. It goes on as soon as the invoice is paid.")
            % words
        ]
    return []


def _how_to_pay(invoice: Invoice, words: dict[str, str]) -> list[str]:
    account = account_to_pay(provider_id=invoice.issuer_id, currency=invoice.currency)
    if account is None:
        return [_("Please name the reference %(reference)s with your payment.") % words]
    told = {**words, "holder": account.holder, "account": printed_number(account.number)}
    return [_("Please transfer it to %(holder)s, %(account)s, with the reference %(reference)s.") % told]
