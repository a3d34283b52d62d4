"""What a billing period still waits for: nodes that have not reported past its end, events not yet rolled up."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Max, Q, Value
from django.db.models.functions import Coalesce

from billing.bases import window_of
from billing.models import BillingPeriod, Term, TermAllocation, TermDeployment
from billing.usage_spans import usage_spans
from clusters.models import Binding, Node
from metering.completeness import pending_events, reported_to, source_reaches
from metering.models import Witness


def missing_reports(
    *, period: BillingPeriod, now: datetime | None = None, terms: Sequence[Term] | None = None
) -> list[dict[str, Any]]:
    """Return a row for every node that served the contract and is not rolled up as far as it served within the
    period, for every gateway whose events bill and that has not sent everything of the period, and one for the
    tenant's events of before the period's end that wait to be rolled up.

    Nodes without an agent, or whose agent was revoked before the period, are not expected to report. A gateway that
    never says how far it is gets the contract's time for it, by `now`. `terms` are the contract's, if they were read.
    """
    needed = serving_nodes(period=period)
    nodes = Node.objects.filter(
        Q(revoked_at__isnull=True) | Q(revoked_at__gt=period.from_at),
        id__in=list(needed),
        public_key__isnull=False,
    ).order_by("name", "id")
    found: list[dict[str, Any]] = []
    reported = reported_to(list(needed))
    for key, name in nodes.values_list("id", "name"):
        rolled_to_at = reported[key]
        if rolled_to_at is None or rolled_to_at < needed[key]:
            found.append(
                {
                    "kind": "node",
                    "node": str(key),
                    "name": name,
                    "rolled_to_at": rolled_to_at.isoformat() if rolled_to_at else None,
                    "needed_to_at": needed[key].isoformat(),
                }
            )
    found += _gateways_behind(period, now, terms)
    events = _events_waiting(period)
    if events:
        found.append({"kind": "events", "waiting": events})
    return found


def serving_nodes(*, period: BillingPeriod) -> dict[UUID, datetime]:
    """Return the nodes that serve the contract in the period, and until when within it."""
    to_at = period.to_at
    held = (
        TermAllocation.objects.filter(
            Q(allocation__to_at__isnull=True) | Q(allocation__to_at__gt=period.from_at),
            allocation__from_at__lt=to_at,
            term__contract_id=period.contract_id,
        )
        .values_list("allocation__slice__accelerator__node_id")
        .annotate(last_at=Max(Coalesce("allocation__to_at", Value(to_at))))
    )
    bound = TermDeployment.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=period.from_at), term__contract_id=period.contract_id, from_at__lt=to_at
    )
    serving = (
        Binding.objects.filter(
            Q(to_at__isnull=True) | Q(to_at__gt=period.from_at),
            from_at__lt=to_at,
            deployment_id__in=bound.values("deployment_id"),
        )
        .values_list("endpoint__node_id")
        .annotate(last_at=Max(Coalesce("to_at", Value(to_at))))
    )
    needed: dict[UUID, datetime] = {}
    for node, last_at in [*held, *serving]:
        needed[node] = max(needed.get(node, period.from_at), min(last_at, to_at))
    return needed


def _gateways_behind(
    period: BillingPeriod, now: datetime | None, terms: Sequence[Term] | None
) -> Iterator[dict[str, Any]]:
    spans = usage_spans([window_of(period)], terms)
    ids = sorted({span.deployment_id for span in spans if span.witness == Witness.GATEWAY})
    if not ids:
        return
    contract = period.contract
    silent_until = period.to_at + timedelta(minutes=contract.event_grace_minutes)
    for one in source_reaches(deployment_ids=ids, tenant=contract.tenant, from_at=period.from_at, to_at=period.to_at):
        told = one.complete_to_at
        if told is None and (now is None or now >= silent_until):
            continue
        if told is None or told < period.to_at:
            yield {
                "kind": "source",
                "reporter": one.reporter,
                "source": one.source,
                "complete_to_at": told.isoformat() if told else None,
                "needed_to_at": period.to_at.isoformat(),
            }


def _events_waiting(period: BillingPeriod) -> int:
    if not TermDeployment.objects.filter(term__contract_id=period.contract_id).exists():
        return 0
    return pending_events(before=period.to_at, tenant=period.contract.tenant)
