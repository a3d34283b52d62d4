"""What the fields of prices by the unit are called on the form of a contract and on its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils.translation import pgettext_lazy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.functional import Promise

FIELDS: Final[Mapping[str, Promise]] = {
    "prices": pgettext_lazy("term", "prices of its own"),
    "price": pgettext_lazy("term", "price"),
    "price_unit": pgettext_lazy("term", "unit of the price"),
    "model": pgettext_lazy("term", "model"),
    "models": pgettext_lazy("term", "models"),
    "quantity": pgettext_lazy("term", "what is counted"),
    "quantities": pgettext_lazy("term", "what is counted, of these"),
    "context_over": pgettext_lazy("term", "for input above, tokens"),
    "name": pgettext_lazy("term", "name"),
    "mode": pgettext_lazy("term", "how tiers count"),
    "together": pgettext_lazy("term", "counted together"),
    "up_to": pgettext_lazy("term", "up to, units"),
    "packages": pgettext_lazy("term", "packages"),
    "units": pgettext_lazy("term", "units in a package"),
    "amount_per_package": pgettext_lazy("term", "amount per package"),
    "allowances": pgettext_lazy("term", "free allowances"),
    "units_per_period": pgettext_lazy("term", "free units per period"),
    "multipliers": pgettext_lazy("term", "factors of marks"),
    "mark": pgettext_lazy("term", "mark"),
    "factor": pgettext_lazy("term", "factor"),
    "off_peak": pgettext_lazy("term", "off-peak times"),
    "from_local": pgettext_lazy("term", "from, local time"),
    "to_local": pgettext_lazy("term", "to, local time"),
    "days": pgettext_lazy("term", "weekdays"),
    "not_billed": pgettext_lazy("term", "not billed"),
    "price_per_mtok": pgettext_lazy("term", "price per 1M tokens"),
    "price_per_request": pgettext_lazy("term", "price per request"),
    "price_per_image": pgettext_lazy("term", "price per image"),
    "price_per_second": pgettext_lazy("term", "price per second"),
    "price_per_step": pgettext_lazy("term", "price per step"),
    "shortfall": pgettext_lazy("term", "what becomes of a shortfall"),
}
