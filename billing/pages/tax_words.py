"""Taxes in words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from babel import Locale
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.money import less, round_to_minor
from billing.pages.paper_words import tax_reason_said
from billing.queries.invoice_taxes import RateRow
from billing.tax_rules.treatments import Category, Source
from portal.figures import money, percent

CATEGORY_WORDS: Mapping[str, Promise] = {
    Category.STANDARD: gettext_lazy("Value added tax"),
    Category.ZERO: gettext_lazy("Zero rated"),
    Category.EXEMPT: gettext_lazy("Exempt"),
    Category.REVERSE_CHARGE: gettext_lazy("Reverse charge"),
    Category.INTRA_COMMUNITY: gettext_lazy("Supply within the EU"),
    Category.EXPORT: gettext_lazy("Supplied abroad"),
    Category.NOT_SUBJECT: gettext_lazy("Not subject to tax"),
}


@dataclass(frozen=True, slots=True)
class TaxLine:
    """One rate of an invoice in words."""

    name: str
    base: str
    note: str
    amount: Decimal


def tax_lines(rates: Iterable[RateRow], currency: str, locale: str) -> tuple[TaxLine, ...]:
    """Return the rates of an invoice as its page and its paper name them, with the reason where no tax is charged."""
    return tuple(
        TaxLine(
            _name(rate, locale), money(rate.taxable, currency, locale=locale), _note(rate, currency, locale), rate.tax
        )
        for rate in rates
    )


def rate_words(category: str, rate: Decimal) -> str:
    """Return a category with its percentage, where it has one."""
    words = CATEGORY_WORDS.get(category)
    if category != Category.STANDARD:
        return str(words or _("By the built-in rules"))
    return f"{words} {percent(rate)}"


def country_words(country: str, locale: str) -> str:
    """Return a country's name, or its code where no name is known."""
    return str(Locale.parse(locale).territories.get(country, country))


def without_room(rate: RateRow, currency: str) -> Decimal:
    """Return what of the tax that credits take back found no room on a bill, which never comes to less than nothing.

    What a tax service answered need not be its percentage, so of that nothing is said.
    """
    if rate.source == Source.STRIPE or rate.taxable >= 0:
        return Decimal(0)
    whole = round_to_minor(Fraction(rate.taxable) * Fraction(rate.percent) / 100, currency)
    return max(Decimal(0), less(rate.tax, whole))


def _note(rate: RateRow, currency: str, locale: str) -> str:
    rest = without_room(rate, currency)
    reason = tax_reason_said(rate.reason)
    if not rest:
        return reason
    said = _("%(amount)s of tax found no room on this bill: a credit note for the earlier invoice gives it back.")
    return " · ".join(filter(None, (reason, said % {"amount": money(rest, currency, locale=locale)})))


def _name(rate: RateRow, locale: str) -> str:
    words = rate_words(rate.category, rate.percent)
    if rate.category != Category.STANDARD or not rate.country:
        return words
    return _("%(tax)s (%(country)s)") % {"tax": words, "country": country_words(rate.country, locale)}
