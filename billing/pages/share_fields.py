"""What the fields of a share of token revenue are called on the form of a contract and on its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils.translation import pgettext_lazy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.functional import Promise

FIELDS: Final[Mapping[str, Promise]] = {
    "tiers": pgettext_lazy("term", "tiers"),
    "share_by": pgettext_lazy("term", "shares by model and class"),
    "token_class": pgettext_lazy("term", "class of tokens"),
    "tier_mode": pgettext_lazy("term", "how tiers count in the share"),
    "tier_period": pgettext_lazy("term", "tiers begin again"),
    "from_base_amount": pgettext_lazy("term", "base from"),
    "to_base_amount": pgettext_lazy("term", "base below"),
    "schedule": pgettext_lazy("term", "steps over time"),
    "from_month": pgettext_lazy("term", "from month"),
    "base": pgettext_lazy("term", "what the share is taken of"),
    "transfer_prices": pgettext_lazy("term", "transfer prices"),
    "exclusions": pgettext_lazy("term", "exclusions"),
    "rule": pgettext_lazy("term", "what is excluded"),
    "guarantee": pgettext_lazy("term", "minimum guarantee"),
    "amount_per_span": pgettext_lazy("term", "amount per span"),
    "span": pgettext_lazy("term", "span"),
    "prorated_by_availability": pgettext_lazy("term", "prorated by availability"),
    "cap": pgettext_lazy("term", "cap"),
    "hybrid": pgettext_lazy("term", "base rent"),
    "rent_amount_per_span": pgettext_lazy("term", "rent per span"),
    "breakpoint": pgettext_lazy("term", "breakpoint"),
    "breakpoint_base_amount_per_span": pgettext_lazy("term", "agreed breakpoint, base per span"),
    "rent_credited": pgettext_lazy("term", "rent is credited against the share"),
    "spans_begin": pgettext_lazy("term", "spans begin"),
    "outside_tolerance": pgettext_lazy("term", "beyond the tolerance"),
    "interrupted_streams": pgettext_lazy("term", "interrupted streams"),
    "statements": pgettext_lazy("term", "certified statements"),
    "due_days": pgettext_lazy("term", "due within, days"),
    "late_estimate": pgettext_lazy("term", "what stands in for a late one"),
    "audit_tolerance_percent": pgettext_lazy("term", "tolerance of audits in percent"),
    "reserve": pgettext_lazy("term", "reserve"),
    "held_days": pgettext_lazy("term", "held for, days"),
    "settlement": pgettext_lazy("term", "settlement"),
    "cut_off_grace_hours": pgettext_lazy("term", "open for late reports, hours"),
    "dispute_days": pgettext_lazy("term", "can be disputed for, days"),
}
