"""The strip about an announced price change that stands above a tenant's figures."""

from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.pages.price_words import effect_words, headline
from billing.queries.price_books import next_notice
from billing.queries.price_effects import effect_of_notice
from portal.parts import Action, Notice
from tenants.models import Organization


def price_notice(organization: Organization, now: datetime, locale: str) -> Notice | None:
    """Return the strip about the change that comes next, with what it would have made of the last 30 days."""
    told = next_notice(organization, now)
    if told is None:
        return None
    effect = effect_of_notice(told, now=now)
    if effect.takes_effect_at is None:
        return None
    return Notice(
        headline(effect, effect.takes_effect_at, told.contract.time_zone, locale),
        effect_words(effect, locale),
        tone="warn" if effect.difference > 0 else "info",
        link=Action(_("See the change"), reverse("tenant-price-change", args=[told.id])),
    )
