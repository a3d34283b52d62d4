"""What the fields of a term's wording say where they choose from what our code knows: on its form and its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.utils.translation import pgettext_lazy

from billing.rating.on_demand import STATES
from billing.rating.quantities import QUANTITIES
from billing.rating.token_price_wording import WEEKDAYS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.utils.functional import Promise

CAUSES: Final = ("node_silent", "card_lost", "card_faulty")
VALUES: Final[Mapping[str, Promise]] = {
    "advance": pgettext_lazy("value", "in advance"),
    "arrears": pgettext_lazy("value", "in arrears"),
    "expire": pgettext_lazy("value", "it ends"),
    "renew": pgettext_lazy("value", "it is renewed"),
    "minimum_term": pgettext_lazy("value", "paid until the shortest time is over"),
    "none": pgettext_lazy("value", "none"),
    "notice": pgettext_lazy("value", "paid until the notice is over"),
    "share_of_remainder": pgettext_lazy("value", "a share of the remainder is paid"),
    "in_force": pgettext_lazy("value", "the book's in force then"),
    "locked": pgettext_lazy("value", "as the lease has it"),
    "engine": pgettext_lazy("value", "the engine"),
    "gateway": pgettext_lazy("value", "the gateway"),
    "input": pgettext_lazy("value", "input"),
    "cached_input": pgettext_lazy("value", "cached input"),
    "cache_write": pgettext_lazy("value", "cache writes"),
    "output": pgettext_lazy("value", "output"),
    "reasoning": pgettext_lazy("value", "reasoning"),
    "requests": pgettext_lazy("value", "requests"),
    "images": pgettext_lazy("value", "images"),
    "audio_seconds": pgettext_lazy("value", "seconds of audio"),
    "video_seconds": pgettext_lazy("value", "seconds of video"),
    "steps": pgettext_lazy("value", "steps"),
    "marginal": pgettext_lazy("value", "each part at the share of its tier"),
    "whole": pgettext_lazy("value", "all at the share of the tier reached"),
    "graduated": pgettext_lazy("value", "each unit at the tier it lies in"),
    "volume": pgettext_lazy("value", "all units at the tier reached"),
    "month": pgettext_lazy("value", "each month"),
    "quarter": pgettext_lazy("value", "each quarter"),
    "year": pgettext_lazy("value", "each year"),
    "period": pgettext_lazy("value", "each billing period"),
    "life": pgettext_lazy("value", "the whole term"),
    "lifetime": pgettext_lazy("value", "never"),
    "contract_year": pgettext_lazy("value", "with each year of the term"),
    "operator": pgettext_lazy("value", "the operator"),
    "tenant": pgettext_lazy("value", "the tenant"),
    "certified_revenue": pgettext_lazy("value", "certified revenue"),
    "list_price": pgettext_lazy("value", "list price"),
    "transfer_price": pgettext_lazy("value", "transfer price"),
    "cache_hits": pgettext_lazy("value", "cache hits"),
    "failed_streams": pgettext_lazy("value", "failed streams"),
    "free_tier": pgettext_lazy("value", "free tier"),
    "gateway_fees": pgettext_lazy("value", "gateway fees"),
    "refunds": pgettext_lazy("value", "refunds"),
    "taxes": pgettext_lazy("value", "taxes"),
    "tests": pgettext_lazy("value", "tests"),
    "carried": pgettext_lazy("value", "added to what follows"),
    "lost": pgettext_lazy("value", "lost"),
    "owed": pgettext_lazy("value", "owed"),
    "owed_recoupable": pgettext_lazy("value", "owed, and taken off what exceeds it later"),
    "recoupable": pgettext_lazy("value", "paid, and taken off what exceeds it later"),
    "agreed": pgettext_lazy("value", "agreed"),
    "natural": pgettext_lazy("value", "natural: rent divided by the share"),
    "calendar": pgettext_lazy("value", "on the first of the month"),
    "term": pgettext_lazy("value", "with the term"),
    "bill_engine": pgettext_lazy("value", "the engine's count bills"),
    "bill_lower": pgettext_lazy("value", "the lower count bills"),
    "bill_witness": pgettext_lazy("value", "the billing witness bills"),
    "hold_and_ask": pgettext_lazy("value", "held until both settle it"),
    "as_delivered": pgettext_lazy("value", "what reached the client"),
    "as_measured": pgettext_lazy("value", "what was made"),
    "not_billed": pgettext_lazy("value", "nothing"),
    "history": pgettext_lazy("value", "what earlier statements say"),
    "metered": pgettext_lazy("value", "what was metered"),
    "correction": pgettext_lazy("value", "correction"),
    "late_fee": pgettext_lazy("value", "late fee"),
    "starting": pgettext_lazy("value", "starting"),
    "running": pgettext_lazy("value", "running"),
    "unreachable": pgettext_lazy("value", "unreachable"),
    "stopped": pgettext_lazy("value", "stopped"),
    "batch": pgettext_lazy("value", "batch"),
    "failed": pgettext_lazy("value", "failed"),
    "free": pgettext_lazy("value", "free of charge"),
    "interrupted": pgettext_lazy("value", "interrupted"),
    "test": pgettext_lazy("value", "test"),
    "priority": pgettext_lazy("value", "priority"),
    "per_mtok": pgettext_lazy("value", "per 1M tokens"),
    "per_request": pgettext_lazy("value", "per request"),
    "per_image": pgettext_lazy("value", "per image"),
    "per_second": pgettext_lazy("value", "per second"),
    "per_step": pgettext_lazy("value", "per step"),
    "mon": pgettext_lazy("value", "Mondays"),
    "tue": pgettext_lazy("value", "Tuesdays"),
    "wed": pgettext_lazy("value", "Wednesdays"),
    "thu": pgettext_lazy("value", "Thursdays"),
    "fri": pgettext_lazy("value", "Fridays"),
    "sat": pgettext_lazy("value", "Saturdays"),
    "sun": pgettext_lazy("value", "Sundays"),
    "true": pgettext_lazy("value", "yes"),
    "false": pgettext_lazy("value", "no"),
    "early_end.none": pgettext_lazy("value", "nothing of the remainder"),
    "node_silent": pgettext_lazy("value", "the node was silent"),
    "card_lost": pgettext_lazy("value", "a GPU was lost"),
    "card_faulty": pgettext_lazy("value", "a GPU was faulty"),
    "maintenance": pgettext_lazy("value", "maintenance"),
}
"""By what a document says, or by field and that where it says something else there than elsewhere."""

KNOWN: Final[Mapping[str, Sequence[str]]] = {
    "quantity": tuple(QUANTITIES),
    "price_unit": tuple(dict.fromkeys(row.price_unit for row in QUANTITIES.values())),
}
"""What a field of text may say, where our code knows all of it."""
LISTED: Final[Mapping[str, Sequence[str]]] = {
    "quantities": tuple(QUANTITIES),
    "not_billed": tuple(QUANTITIES),
    "days": WEEKDAYS,
    "billed_states": STATES,
    "causes": CAUSES,
    "provider_fault": CAUSES,
}
"""What a field of several words may say, where our code knows all or most of it."""
CHOOSING: Final = frozenset(
    (
        "at_end",
        "base",
        "billed",
        "billed_states",
        "bought",
        "breakpoint",
        "cause",
        "causes",
        "collected_by",
        "days",
        "early_end",
        "extension_price",
        "interrupted_streams",
        "late_estimate",
        "mark",
        "mode",
        "not_billed",
        "outside_tolerance",
        "price_unit",
        "prorated_by_availability",
        "provider_fault",
        "quantities",
        "quantity",
        "rent_credited",
        "rule",
        "shortfall",
        "span",
        "spans_begin",
        "tier_mode",
        "tier_period",
        "together",
        "token_class",
        "witness",
    )
)
"""The fields whose values are of our code, or often are; a cause of an outage may be a provider's own word."""
