"""The sections of the API: the tags of its OpenAPI document in the order of reading, with what each is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise


@dataclass(frozen=True)
class Tag:
    """A tag of operations; `summary` says in a line what they are for."""

    name: str
    title: _StrPromise
    summary: _StrPromise


TAGS: Final = (
    Tag("usage", _("Usage"), _("What was used and what it cost, by hour, day, model, key and project")),
    Tag("events", _("Events of gateways"), _("Requests as gateways count them")),
    Tag("budgets", _("Budgets"), _("Warnings before money is gone, and stops")),
    Tag("invoices", _("Invoices"), _("Drafts, invoices, their lines, documents and evidence")),
    Tag("corrections", _("Corrections"), _("Credit notes, debits, questions, balances and refunds")),
    Tag("payments", _("Payments"), _("What came in, bank statements, and reminders")),
    Tag("statements", _("Statements"), _("What a provider earned, and accounts between two parties")),
    Tag("payouts", _("Payouts"), _("Money sent to providers")),
    Tag("contracts", _("Contracts"), _("Terms from draft to acceptance, amendments, credit and shares")),
    Tag("prices", _("Prices"), _("Price books, their versions and public prices")),
    Tag("leases", _("Leases"), _("Quotes, leases, sessions and volumes")),
    Tag("economics", _("Economics"), _("Costs and margins, and what other prices would have come to")),
    Tag("fleet", _("Fleet"), _("Clusters, nodes, cards, slices and deployments")),
    Tag("nodes", _("Nodes"), _("What agents send, and their keys")),
    Tag("organization", _("Organization"), _("Members, keys, the billing profile and the audit log")),
    Tag("webhooks", _("Webhooks"), _("Endpoints, deliveries, and the events that are sent")),
    Tag("taxes", _("Taxes"), _("Rates, exemptions and who works taxes out")),
    Tag("books", _("Books"), _("Accounts, postings and the journal")),
    Tag("exports", _("Exports"), _("Files for other programs")),
    Tag("reconciliation", _("Reconciliation"), _("The books beside what Stripe says")),
    Tag("operation", _("Operation"), _("What waits, and steps that stopped")),
)
"""Every tag that an operation has, each once."""


def tags_told() -> list[dict[str, str]]:
    """Return the tags as the document tells them, in English, whoever asks first."""
    with override("en"):
        return [{"name": tag.name, "description": str(tag.summary)} for tag in TAGS]
