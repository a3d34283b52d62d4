"""The strip about an announced price change that stands above a tenant's figures."""

from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _

from billing.basis import PeriodBasis
from billing.models import PriceNotice
from billing.pages.price_words import effect_words, headline
from billing.queries.price_effects import effect_of_notice
from portal.parts import Action, Notice


def price_notice(
    told: PriceNotice | None, now: datetime, locale: str, basis: PeriodBasis | None = None
) -> Notice | None:
    """Return the strip about the change that comes next, with what it would have made of the last 30 days.

    `basis` is what these are rated from, where it was read already (`billing.queries.price_effects.looked_at`).
    """
    if told is None:
        return None
    effect = effect_of_notice(told, now=now, basis=basis)
    if effect.takes_effect_at is None:
        return None
    return Notice(
        headline(effect, effect.takes_effect_at, told.contract.time_zone, locale),
        effect_words(effect, locale),
        tone="warn" if effect.difference > 0 else "info",
        link=Action(_("See the change"), reverse("tenant-price-change", args=[told.id])),
    )
