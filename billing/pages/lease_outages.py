"""Outages on a lease's page: those that are on record in words, and the form by which its provider states one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from billing.outage_stating import state_outage
from billing.pages.lease_forms import OutageForm
from billing.pages.occupancy_chart import gpus_words
from billing.pages.term_values import CAUSES, VALUES
from billing.queries.lease_list import lease_of
from billing.queries.outages import OutageRow, counted_causes, outages_of_lease
from portal.figures import moment
from portal.punctuation import joined
from tenants.telling import told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from billing.models import Term
    from billing.queries.leases import LeaseDetail
    from billing.share_stating import By
    from tenants.models import Organization
    from tenants.problems import Problem

OUTAGES_SHOWN: Final = 50
CARDS_NAMED: Final = 4
WHOLE_PERMILLE: Final = 1000
OFFERED: Final = (*CAUSES, "maintenance")
"""The causes that the form offers beside those which the contract counts."""
FIELDS: Final = {"cause": "cause", "from": "from_at", "to": "to_at", "accelerator_ids": "what"}
"""What the form calls the fields of an outage."""


@dataclass(frozen=True, slots=True)
class OutageLine:
    """One outage in words; `at` is when it was stated, "" where the meter says so."""

    cause: str
    from_words: str
    to_words: str
    cards: str
    by: str
    at: str


def outage_context(lease: Term, now: datetime, locale: str, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the latest outages of a lease in words; cards are named by their ids where there are `names`."""
    rows = outages_of_lease(lease, now)
    zone = ZoneInfo(lease.contract.time_zone)
    return {
        "outages": [_line(row, zone, locale, names) for row in rows[:OUTAGES_SHOWN]],
        "outages_left_out": len(rows[OUTAGES_SHOWN:]),
    }


def tenant_outages(organization: Organization, ref: str, now: datetime, locale: str) -> dict[str, Any]:
    """Return the same for a lease's tenant, which is not told which cards they were."""
    lease = lease_of(organization, ref)
    return {} if lease is None else outage_context(lease, now, locale, {})


def card_names(lease: LeaseDetail) -> dict[str, str]:
    """Return what a provider calls the cards of a lease, by their ids."""
    rows = sorted(lease.allocations, key=lambda row: (row.node, row.position))
    return {str(row.accelerator_id): f"{row.node} · GPU {row.position}" for row in rows}


def outage_form(data: Mapping[str, Any] | None, lease: LeaseDetail, now: datetime) -> OutageForm:
    """Return the form for an outage of a lease: the causes that its contract counts stand first."""
    counted = sorted(counted_causes(lease.term, now))
    others = [cause for cause in OFFERED if cause not in counted]
    idle = [(cause, _("%(cause)s (takes off nothing by this contract)") % {"cause": _cause(cause)}) for cause in others]
    return OutageForm(
        data,
        cards=list(card_names(lease).items()),
        causes=[*((cause, _cause(cause)) for cause in counted), *idle],
        zone=lease.time_zone,
        prefix="out",
        auto_id="out-%s",
    )


def keep_outage(form: OutageForm, lease: Term, by: By, now: datetime) -> bool:
    """State what a valid form says; whether that was new. Raises what `state_outage` raises."""
    given = form.cleaned_data
    stated = state_outage(
        lease=lease,
        cause=given["cause"],
        from_at=given["from_at"],
        to_at=given["to_at"],
        accelerators=form.accelerators(),
        by=by,
        now=now,
    )
    return stated.is_new


def say_outage_refused(form: OutageForm, refused: Problem) -> None:
    """Say at the field of a form why an outage was refused; its boxes show themselves what may stand in them."""
    form.add_error(FIELDS.get(str(refused.extra.get("field"))), told(refused.said))


def _line(row: OutageRow, zone: ZoneInfo, locale: str, names: Mapping[str, str]) -> OutageLine:
    known = [names[card] for card in row.accelerators if card in names]
    named = len(known) == len(row.accelerators) <= CARDS_NAMED
    return OutageLine(
        cause=_cause(row.cause),
        from_words=moment(row.from_at, zone, locale=locale),
        to_words=moment(row.to_at, zone, locale=locale),
        cards=joined(sorted(known)) if named else gpus_words(len(row.accelerators) * WHOLE_PERMILLE),
        by=row.stated_by or pgettext("outage", "the meter"),
        at=moment(row.stated_at, zone, locale=locale) if row.stated_at else "",
    )


def _cause(cause: str) -> str:
    return str(VALUES.get(cause, cause))
