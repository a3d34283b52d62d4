"""A contract's price rule in words: notice, lock, pin, cap and prices of its own, one row each."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.models import PriceVersion
from billing.pages.price_words import name_of, price_words, what_of
from billing.rating.price_rules import PriceRule
from billing.rating.wording import plain
from portal.figures import moment


def rule_words(rule: PriceRule | None, zone: str, currency: str, locale: str) -> dict[str, str]:
    """Return what a rule says, by what it is about; one that says nothing follows the price book."""
    if rule is None:
        return {}
    said = dict(_said(rule, zone, locale))
    said |= {
        _("own price: %(name)s, %(what)s") % {"name": name_of(key), "what": what_of(key)}: price_words(
            key, price, currency, locale
        )
        for key, price in sorted(rule.prices().items())
    }
    return said or {_("prices"): _("as the price book's version in force")}


def _said(rule: PriceRule, zone: str, locale: str) -> Iterator[tuple[str, str]]:
    def at(instant: datetime) -> str:
        return moment(instant, ZoneInfo(zone), locale=locale)

    def until(end: datetime | None) -> str:
        return _("until %(end)s") % {"end": at(end)} if end else _("as long as the contract runs")

    if rule.notice_days:
        days = ngettext("%(days)s day after it is announced", "%(days)s days after it is announced", rule.notice_days)
        yield _("a price rise holds at the earliest"), days % {"days": rule.notice_days}
    if rule.lock:
        words = {"start": at(rule.lock.from_at), "end": until(rule.lock.to_at)}
        yield _("prices are locked"), _("as in force at %(start)s, %(end)s") % words
    if rule.pin:
        number = PriceVersion.objects.filter(pk=rule.pin.price_version_id).values_list("number", flat=True).first()
        named = {"number": number or rule.pin.price_version_id, "end": until(rule.pin.to_at)}
        yield _("prices are those of one version"), _("version %(number)s, %(end)s") % named
    if rule.rise_cap:
        cap = {"percent": plain(rule.rise_cap.percent_per_year), "start": at(rule.rise_cap.from_at)}
        yield _("a price rises at most by"), _("%(percent)s%% within a year, counted from %(start)s") % cap
