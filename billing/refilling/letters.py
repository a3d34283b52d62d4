"""Letters about low credit: what is left, what is going to be charged and when, or why it could not be."""

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
from billing.models import BalanceNotice, BalanceNoticeKind, CardOnFile
from billing.refilling.rules import Outcome
from billing.unsent import claim_unsent
from portal.figures import moment, money
from portal.locales import active_locale
from tenants.reading_languages import language_of_letter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


def claim_letters(*, now: datetime, limit: int) -> list[BalanceNotice]:
    """Return notices whose letter is due, each put off: whoever else looks meanwhile leaves them alone."""
    return claim_unsent(BalanceNotice.objects.select_related("rule__contract__tenant"), now=now, limit=limit)


def send_letter(*, notice: BalanceNotice, public_url: str) -> list[str]:
    """Send one letter to those who pay for the tenant, and return to whom. Raises what the server of letters answers.

    Sent twice (a worker died in between) it has the same id, and is one letter to its reader.
    """
    addresses = readers_of(notice.rule.contract.tenant)
    if addresses:
        notice.outcome = _outcome_by_now(notice)
        with override(language_of_letter(addresses=addresses, organization_id=notice.rule.contract.tenant_id)):
            letter = _letter(notice, addresses, public_url)
        letter.send(fail_silently=False)
    return addresses


def _outcome_by_now(notice: BalanceNotice) -> str:
    """What a letter that goes out now may announce: no charge where the rule was ended since, or the card taken off."""
    if notice.outcome == Outcome.BUYS and notice.rule.ended_at is not None:
        return Outcome.TOLD
    if notice.outcome == Outcome.BUYS and not CardOnFile.objects.filter(pk=notice.rule.contract.tenant_id).exists():
        return Outcome.NO_CARD
    return notice.outcome


def sentences(notice: BalanceNotice, locale: str) -> list[str]:
    """Say what a notice says, in the reader's language."""
    rule = notice.rule
    currency = rule.contract.currency
    said = {
        "contract": rule.contract.number,
        "left": money(notice.left_amount, currency, locale=locale),
        "below": money(rule.below_amount, currency, locale=locale),
        "amount": money(rule.buy_amount, currency, locale=locale),
        "most": money(rule.month_max_amount, currency, locale=locale),
        "at": moment(notice.charge_at, ZoneInfo(rule.contract.time_zone), locale=locale),
    }
    if notice.kind == BalanceNoticeKind.FAILED:
        return [
            _("%(amount)s of prepaid credit for contract %(contract)s could not be bought.") % said,
            why(notice.reason),
            _("Nothing more is bought by itself until you set it again."),
        ]
    low = _("Prepaid credit of contract %(contract)s is %(left)s, below %(below)s.") % said
    then = {
        Outcome.TOLD: _("Nothing is bought by itself."),
        Outcome.BUYS: _("Your card will be charged %(amount)s on %(at)s, unless you end the rule before."),
        Outcome.MONTH_MAX: _("Nothing is bought: your most of %(most)s a month would be passed."),
        Outcome.NO_CARD: _("Nothing is bought: no card is on file. Once you leave one, %(amount)s is bought."),
    }
    return [low, then[Outcome(notice.outcome)] % said]


def why(reason: str) -> str:
    """Say in a sentence why a card was not charged."""
    known = {
        "no_card": _("There is no card on file that could be charged."),
        "consent_needed": _("Your bank asks you to confirm this payment; without you it cannot be made."),
    }
    return known.get(reason) or holder_words(reason)


def _letter(notice: BalanceNotice, addresses: Sequence[str], public_url: str) -> EmailMessage:
    said = {"contract": notice.rule.contract.number}
    subject = (
        _("Prepaid credit of %(contract)s is low")
        if notice.kind == BalanceNoticeKind.LOW
        else _("Prepaid credit of %(contract)s could not be bought")
    )
    where = _("More: %(address)s") % {"address": f"{public_url}{reverse('tenant-credit')}"}
    return EmailMessage(
        subject=subject % said,
        body="\n".join([*sentences(notice, active_locale()), "", where, ""]),
        to=list(addresses),
        headers={
            "Message-ID": f"<balance-{notice.pk}@{urlsplit(public_url).hostname}>",
            "Auto-Submitted": "auto-generated",
        },
    )
