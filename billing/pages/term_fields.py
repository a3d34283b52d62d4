"""What the fields of leases, sessions, credit and other terms of a contract are called on its form and its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils.translation import pgettext_lazy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.functional import Promise

FIELDS: Final[Mapping[str, Promise]] = {
    "flat_amount_per_day": pgettext_lazy("term", "flat amount per day"),
    "billed": pgettext_lazy("term", "billed"),
    "provider_fault": pgettext_lazy("term", "causes that are the provider's fault"),
    "at_end": pgettext_lazy("term", "at the end"),
    "renew_days": pgettext_lazy("term", "renewed by, days"),
    "early_end": pgettext_lazy("term", "ended early"),
    "early_end_notice_days": pgettext_lazy("term", "notice of an early end, days"),
    "early_end_percent_of_remainder": pgettext_lazy("term", "early end, percent of the remainder"),
    "minimum_term_days": pgettext_lazy("term", "shortest time, days"),
    "holdover_price_per_gpu_hour": pgettext_lazy("term", "price per GPU-hour past the end"),
    "holdover_percent": pgettext_lazy("term", "percent of the price past the end"),
    "extension_price": pgettext_lazy("term", "price of an extension"),
    "price_percent": pgettext_lazy("term", "percent of the price"),
    "minimum_seconds": pgettext_lazy("term", "least time billed, seconds"),
    "billed_states": pgettext_lazy("term", "states that are billed"),
    "notice_seconds": pgettext_lazy("term", "notice, seconds"),
    "unkept_notice_free_seconds": pgettext_lazy("term", "free without notice, seconds"),
    "ladder": pgettext_lazy("term", "steps"),
    "below_percent": pgettext_lazy("term", "below, percent"),
    "credit_percent": pgettext_lazy("term", "credit in percent"),
    "causes": pgettext_lazy("term", "causes"),
    "refs": pgettext_lazy("term", "terms meant"),
    "amount_per_year": pgettext_lazy("term", "amount per year"),
    "terms": pgettext_lazy("term", "terms that count"),
    "grants": pgettext_lazy("term", "grants"),
    "amount": pgettext_lazy("term", "amount"),
    "expires_at": pgettext_lazy("term", "expires"),
    "priority": pgettext_lazy("term", "priority"),
    "bought": pgettext_lazy("term", "bought"),
    "hard_stop": pgettext_lazy("term", "hard stop"),
    "check_every_s": pgettext_lazy("term", "looked at every, seconds"),
    "counted_within_s": pgettext_lazy("term", "counted within, seconds"),
    "spend_amount_per_hour_most": pgettext_lazy("term", "most spent an hour"),
    "stop_at_amount": pgettext_lazy("term", "stops at"),
    "overdrawn_amount_most": pgettext_lazy("term", "most overdrawn"),
    "cause": pgettext_lazy("term", "cause"),
    "invoice": pgettext_lazy("term", "invoice"),
    "reason": pgettext_lazy("term", "reason"),
    "line": pgettext_lazy("term", "line"),
    "coupon": pgettext_lazy("term", "coupon"),
    "code": pgettext_lazy("term", "code"),
    "periods_most": pgettext_lazy("term", "periods at most"),
}
