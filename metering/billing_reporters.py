"""Whose gateways' reports bill a deployment, where more than one party reports it.

A tenant's gateway and its provider's may both tell of the same requests under names of their own, and nothing in an
event says so. So one organization's reports bill: whose came first, until it hands over. What others report is usage of
quality `C`: kept, shown, compared and alerted, never billed. Several sources of one organization are its gateways side
by side and are added.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction

from clusters.models import Deployment
from metering.control_models import BillingReporter
from metering.event_columns import NOBODY
from tenants.models import AuditEntry
from tenants.problems import Problem
from tenants.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from uuid import UUID

    from metering.event_sums import ReceivedEvents
    from tenants.models import Organization

EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Since when whoever reported first bills."""
AHEAD: Final = timedelta(hours=1)
"""A hand-over lies further ahead than any event does, so that no hour is counted by two rules."""


class HandOverRefused(Problem):
    """The right to bill cannot be handed over like this."""

    status = 409
    code = "hand_over_refused"
    title = "The reports that bill stay whose they are"


class Reporting:
    """Whose reports bill some deployments, hour by hour."""

    def __init__(self, rows: Iterable[tuple[UUID, datetime, UUID]]) -> None:
        """Keep (deployment, from, reporter), in any order."""
        self._named: dict[UUID, list[tuple[datetime, UUID]]] = defaultdict(list)
        for deployment_id, from_at, reporter_id in sorted(rows):
            self._named[deployment_id].append((from_at, reporter_id))

    def bills(self, deployment_id: UUID | None, reporter_id: UUID, hour_at: datetime) -> bool:
        """Whether a reporter's events of an hour bill; those of no deployment, or of one nobody reported yet, may."""
        named = self._named.get(deployment_id) if deployment_id is not None else None
        if not named:
            return True
        place = bisect_right(named, hour_at, key=lambda one: one[0])
        return place == 0 or named[place - 1][1] == reporter_id


def reporting_of(deployment_ids: Collection[UUID]) -> Reporting:
    """Return whose reports bill these deployments; one query."""
    rows = BillingReporter.objects.filter(deployment_id__in=deployment_ids)
    return Reporting(rows.values_list("deployment_id", "from_at", "reporter_id"))


def note_reporters(calls: Iterable[ReceivedEvents], now: datetime) -> None:
    """Keep who reported each deployment of these calls first, where nobody did before; that party bills from EVER on.

    Must run in the transaction that adds to usage hours: of two at once the second waits and finds the first.
    """
    first: dict[UUID, UUID] = {}
    for call in sorted(calls, key=lambda one: (one.received_at, one.reporter_id)):
        for owner in call.events.owners:
            if owner.deployment_id != NOBODY:
                first.setdefault(owner.deployment_id, call.reporter_id)
    # A hand-over may have been named before anybody reported: who bills until then is still to be kept.
    known = BillingReporter.objects.filter(deployment_id__in=first, from_at=EVER).values_list(
        "deployment_id", flat=True
    )
    missing = sorted(first.keys() - set(known))
    BillingReporter.objects.bulk_create(
        [BillingReporter(deployment_id=one, reporter_id=first[one], from_at=EVER, named_at=now) for one in missing],
        ignore_conflicts=True,
    )


def hand_over(
    *, deployment: Deployment, to: Organization, from_at: datetime, by: Organization | None, actor: str, now: datetime
) -> BillingReporter:
    """Let another organization's reports bill a deployment from a UTC hour on.

    `by` is whose word it is: the organization whose reports bill by then, so that nobody can take what another has;
    None is the operator's. The same hand-over again is the one that stands. Raises HandOverRefused.
    """
    with transaction.atomic():
        Deployment.objects.select_for_update().get(id=deployment.id)
        last = BillingReporter.objects.filter(deployment=deployment).order_by("from_at").last()
        if last is not None and (last.from_at, last.reporter_id) == (from_at, to.id):
            return last
        _refuse_wrong(deployment, to, from_at, now)
        if last is not None and last.from_at >= from_at:
            raise HandOverRefused(
                sentence(
                    "A hand-over at %(from_at)s is settled; expected a later one.", from_at=last.from_at.isoformat()
                )
            )
        if by is not None and (last is None or last.reporter_id != by.id):
            raise HandOverRefused(
                sentence("The reports of %(slug)s do not bill then; only whose do can hand over.", slug=by.slug)
            )
        if last is not None and last.reporter_id == to.id:
            raise HandOverRefused(sentence("The reports of %(slug)s bill then already.", slug=to.slug))
        named = BillingReporter.objects.create(
            deployment=deployment, reporter=to, from_at=from_at, named_by=actor, named_at=now
        )
        for party_id in {deployment.provider_id, deployment.tenant_id}:
            AuditEntry.objects.create(
                organization_id=party_id,
                # The other party is told which organization it was, not which of its people.
                actor=actor if by is None or by.id == party_id else by.slug,
                action="deployment.reporter_named",
                subject=str(deployment.id),
                after={"deployment": deployment.slug, "reporter": to.slug, "from_at": from_at.isoformat()},
                at=now,
            )
    return named


def _refuse_wrong(deployment: Deployment, to: Organization, from_at: datetime, now: datetime) -> None:
    if from_at != from_at.replace(minute=0, second=0, microsecond=0) or from_at < now + AHEAD:
        raise HandOverRefused(
            sentence(
                "It begins at %(from_at)s; expected a full UTC hour, an hour ahead or more.",
                from_at=from_at.isoformat(),
            )
        )
    if not to.is_operator and to.id not in (deployment.tenant_id, deployment.provider_id):
        raise HandOverRefused(
            sentence(
                "%(slug)s is no party of %(deployment_slug)s; expected its tenant or its provider.",
                slug=to.slug,
                deployment_slug=deployment.slug,
            )
        )
