"""Letters about offers: one waits for an answer, and what the other party answered; each sent once, by the sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.models import AmendmentState, ContractState, OfferNotice, OfferTold
from billing.unsent import claim_unsent
from portal.figures import moment
from portal.locales import active_locale
from tenants.models import Membership
from tenants.reading_languages import language_of_letter
from tenants.roles import AGREE_CONTRACTS, roles_that

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from billing.models import Amendment
    from tenants.models import Organization


def write_letter(*, amendment: Amendment, what: str, by: Organization, now: datetime) -> None:
    """Have the other party told by letter that an offer was made, accepted or declined. Joins the caller's transaction.

    Whoever offers accepts too: of that the other party, which has the letter of the offer, is not told once more.
    """
    kind = OfferTold(what)
    contract = amendment.contract
    other = contract.provider_id if by.pk == contract.tenant_id else contract.tenant_id
    if kind is OfferTold.ACCEPTED and by.pk == amendment.proposed_by_id and not _has_accepted(amendment, other):
        return
    OfferNotice.objects.get_or_create(
        amendment=amendment, organization_id=other, kind=kind, defaults={"created_at": now, "due_at": now}
    )


def _has_accepted(amendment: Amendment, organization_id: UUID) -> bool:
    return amendment.acceptances.filter(organization=organization_id).exists()


def readers_of(organization: Organization) -> list[str]:
    """Return the addresses of those who may agree to contracts for an organization; of nobody, its own for letters."""
    people = Membership.objects.filter(
        organization=organization, role__in=roles_that(AGREE_CONTRACTS), user__is_active=True
    )
    emails = sorted({email.lower() for email in people.values_list("user__email", flat=True)})
    return emails or [email for email in [organization.billing_email.lower()] if email]


def claim_letters(*, now: datetime, limit: int) -> list[OfferNotice]:
    """Return letters that are due, each put off: whoever else looks meanwhile leaves them alone.

    An offer that does not wait any more is not announced any more.
    """
    rows = OfferNotice.objects.to_tell().select_related(
        "amendment__contract__provider", "amendment__contract__tenant", "organization"
    )
    return claim_unsent(rows, now=now, limit=limit)


def send_letter(*, notice: OfferNotice, public_url: str) -> list[str]:
    """Send one letter; return to whom. Raises whatever the server of letters answers."""
    addresses = readers_of(notice.organization)
    if addresses:
        with override(language_of_letter(addresses=addresses, organization_id=notice.organization_id)):
            letter = _letter(notice, addresses, public_url)
        letter.send(fail_silently=False)
    return addresses


def _letter(notice: OfferNotice, addresses: Sequence[str], public_url: str) -> EmailMessage:
    """Return the letter; sent twice (a worker died in between) it has the same id, and is one letter to its reader."""
    amendment = notice.amendment
    contract = amendment.contract
    is_tenant = notice.organization_id == contract.tenant_id
    assert amendment.expires_at is not None, amendment
    words = {
        "other": (contract.provider if is_tenant else contract.tenant).name,
        "contract": contract.number,
        "number": amendment.number,
        "from": moment(amendment.effective_at, ZoneInfo(contract.time_zone), locale=active_locale()),
        "until": moment(amendment.expires_at, ZoneInfo(contract.time_zone), locale=active_locale()),
        "address": public_url + reverse("tenant-amendment" if is_tenant else "provider-amendment", args=[amendment.pk]),
    }
    subject, lines = {
        OfferTold.OFFERED: _offered,
        OfferTold.ACCEPTED: _accepted,
        OfferTold.DECLINED: _declined,
    }[OfferTold(notice.kind)](amendment)
    is_new = notice.kind == OfferTold.OFFERED
    noted = [_("Their note: %(note)s") % {"note": amendment.note}] if is_new and amendment.note else []
    body = [*(line % words for line in lines), *noted, "", _("Read it here: %(address)s") % words, ""]
    return EmailMessage(
        subject=subject % words,
        body="\n".join(body),
        to=list(addresses),
        headers={
            "Message-ID": f"<offer-{notice.pk}@{urlsplit(public_url).hostname}>",
            "Auto-Submitted": "auto-generated",
        },
    )


def _offered(amendment: Amendment) -> tuple[str, list[str]]:
    if amendment.ends_at is not None:
        first = _("%(other)s offers to end contract %(contract)s on %(from)s.")
    elif amendment.contract.state == ContractState.OFFERED:
        first = _("%(other)s offers you contract %(contract)s, from %(from)s on.")
    else:
        first = _("%(other)s offers to change contract %(contract)s from %(from)s on (amendment %(number)s).")
    return _("An offer waits for your answer: contract %(contract)s"), [
        first,
        _("It stands until %(until)s. Nothing is agreed until you accept; the page says what it changes in money."),
    ]


def _accepted(amendment: Amendment) -> tuple[str, list[str]]:
    if amendment.state == AmendmentState.ACCEPTED:
        said = _("Both have accepted: it is agreed, and counts from %(from)s on.")
    else:
        said = _("Your own word is missing: nothing is agreed until you accept. The offer stands until %(until)s.")
    first = _("%(other)s has accepted amendment %(number)s of contract %(contract)s.")
    return _("Accepted: contract %(contract)s, amendment %(number)s"), [first, said]


def _declined(amendment: Amendment) -> tuple[str, list[str]]:
    is_new = amendment.contract.state == ContractState.DRAFT
    goes_on = _("Nothing was agreed.") if is_new else _("The contract goes on as it is.")
    first = _("%(other)s has declined amendment %(number)s of contract %(contract)s.")
    return _("Declined: contract %(contract)s, amendment %(number)s"), [first, goes_on]
