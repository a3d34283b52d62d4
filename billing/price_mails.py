"""The letter about a price change: what, from when, and where to read what it means."""

from datetime import UTC
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.models import PriceMail, PriceNotice
from billing.price_versions import all_versions
from billing.rating.price_lists import Direction, changes, prices_of
from portal.figures import moment
from portal.locales import active_locale
from tenants.reading_languages import language_of_letter


def send_price_mail(*, mail: PriceMail, public_url: str) -> None:
    """Send one letter. Raises whatever the server of letters answers."""
    with override(language_of_letter(addresses=[mail.address], organization_id=mail.tenant_id)):
        message = price_message(mail, public_url)
    message.send(fail_silently=False)


def price_message(mail: PriceMail, public_url: str) -> EmailMessage:
    """Return the letter; sent twice (a worker died in between) it has the same id, and is one letter to its reader."""
    version = mail.version
    words = {
        "provider": version.book.provider.name,
        "book": version.book.name,
        "number": version.number,
        "day": moment(version.effective_at, UTC, locale=active_locale()),
    }
    notices = PriceNotice.objects.filter(version=version, contract__tenant=mail.tenant, takes_effect_at__isnull=False)
    lines = [
        _("%(provider)s changes its prices: %(book)s, version %(number)s, from %(day)s.") % words,
        _counts(mail),
        "",
    ]
    for notice in notices.select_related("contract").order_by("takes_effect_at", "contract__number"):
        assert notice.takes_effect_at is not None
        told = {
            "contract": notice.contract.number,
            "day": moment(notice.takes_effect_at, ZoneInfo(notice.contract.time_zone), locale=active_locale()),
            "address": f"{public_url}{reverse('tenant-price-change', args=[notice.id])}",
        }
        lines.append(_("Contract %(contract)s pays them from %(day)s.") % told)
        lines.append(_("What it would have made of your last 30 days: %(address)s") % told)
    message_id = f"<price-{mail.id}@{urlsplit(public_url).hostname}>"
    return EmailMessage(
        subject=_("Prices change on %(day)s: %(book)s") % words,
        body="\n".join([*lines, ""]),
        to=[mail.address],
        headers={"Message-ID": message_id, "Auto-Submitted": "auto-generated"},
    )


def _counts(mail: PriceMail) -> str:
    versions = all_versions([mail.version.book_id])[mail.version.book_id]
    place = [version.version_id for version in versions].index(str(mail.version_id))
    found = changes(prices_of(versions[place - 1]) if place else {}, prices_of(versions[place]))
    counted = {each: sum(change.direction is each for change in found) for each in Direction}
    return _("%(rises)s prices rise, %(falls)s fall, %(new)s are new, %(gone)s are gone.") % {
        "rises": counted[Direction.RISE],
        "falls": counted[Direction.FALL],
        "new": counted[Direction.NEW],
        "gone": counted[Direction.GONE],
    }
