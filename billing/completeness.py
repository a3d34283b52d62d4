"""What billing periods still wait for: nodes that have not reported past their end, events not yet rolled up.

Everything is asked for many periods at once: the number of queries does not grow with periods of the same bounds.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Max, Q, Value
from django.db.models.functions import Coalesce

from billing.bases import window_of
from billing.models import BillingPeriod, Term, TermAllocation, TermDeployment
from billing.usage_spans import Span, usage_spans
from clusters.models import Binding, Node
from metering.completeness import SourceReach, reaches_of, reported_to
from metering.event_calls import waiting_by_tenant
from metering.models import Witness

Serving = Mapping[UUID, Mapping[UUID, datetime]]
"""By period, the nodes that serve its contract, and until when within it."""


def missing_reports(
    *, period: BillingPeriod, now: datetime | None = None, terms: Sequence[Term] | None = None
) -> list[dict[str, Any]]:
    """Do `missing_by_period` for one."""
    spans = usage_spans([window_of(period)], terms)
    return missing_by_period([period], now=now, spans=spans, serving=serving_by_period([period]))[period.pk]


def missing_by_period(
    periods: Sequence[BillingPeriod], *, now: datetime | None, spans: Sequence[Span], serving: Serving
) -> dict[UUID, list[dict[str, Any]]]:
    """Return by period a row for every node that served the contract and is not rolled up as far as it served within
    the period, for every gateway whose events bill and that has not sent everything of the period, and one for the
    tenant's events of before the period's end that wait to be rolled up.

    Nodes without an agent, or whose agent was revoked before the period, are not expected to report. A gateway that
    never says how far it is gets the contract's time for it, by `now`. `spans` are of the periods' windows, in order.
    """
    found: dict[UUID, list[dict[str, Any]]] = _nodes_behind(periods, serving)
    for period, rows in zip(periods, _gateways_behind(periods, now, spans), strict=True):
        found[period.pk] += rows
    for period_id, count in _events_waiting(periods).items():
        found[period_id].append({"kind": "events", "waiting": count})
    return found


def _nodes_behind(periods: Sequence[BillingPeriod], serving: Serving) -> dict[UUID, list[dict[str, Any]]]:
    every = sorted({node for nodes in serving.values() for node in nodes})
    expected = Node.objects.filter(id__in=every, public_key__isnull=False).order_by("name", "id") if every else None
    nodes = [] if expected is None else list(expected.values_list("id", "name", "revoked_at"))
    reported = reported_to(every) if nodes else {}
    found: dict[UUID, list[dict[str, Any]]] = {period.pk: [] for period in periods}
    for period in periods:
        needed = serving[period.pk]
        for key, name, revoked_at in nodes:
            if key not in needed or (revoked_at is not None and revoked_at <= period.from_at):
                continue
            rolled_to_at = reported[key]
            if rolled_to_at is None or rolled_to_at < needed[key]:
                found[period.pk].append(
                    {
                        "kind": "node",
                        "node": str(key),
                        "name": name,
                        "rolled_to_at": rolled_to_at.isoformat() if rolled_to_at else None,
                        "needed_to_at": needed[key].isoformat(),
                    }
                )
    return found


def serving_nodes(*, period: BillingPeriod) -> Mapping[UUID, datetime]:
    """Return the nodes that serve the contract in the period, and until when within it."""
    return serving_by_period([period])[period.pk]


def serving_by_period(periods: Sequence[BillingPeriod]) -> Serving:
    """Do `serving_nodes` for many; three queries for all of the same bounds."""
    found: dict[UUID, dict[UUID, datetime]] = {}
    for (from_at, to_at), some in _by_bounds(periods).items():
        contracts = {period.contract_id: period.pk for period in some}
        needed: dict[UUID, dict[UUID, datetime]] = {period.pk: {} for period in some}
        for contract_id, node, last_at in _serving(list(contracts), from_at, to_at):
            nodes = needed[contracts[contract_id]]
            nodes[node] = max(nodes.get(node, from_at), min(last_at, to_at))
        found |= needed
    return found


def _serving(contract_ids: Sequence[UUID], from_at: datetime, to_at: datetime) -> Iterator[tuple[UUID, UUID, datetime]]:
    """Yield contract, node, and until when: of slices held, and of deployments that run somewhere."""
    held = (
        TermAllocation.objects.filter(
            Q(allocation__to_at__isnull=True) | Q(allocation__to_at__gt=from_at),
            allocation__from_at__lt=to_at,
            term__contract_id__in=contract_ids,
        )
        .values_list("term__contract_id", "allocation__slice__accelerator__node_id")
        .annotate(last_at=Max(Coalesce("allocation__to_at", Value(to_at))))
    )
    yield from held
    bound: dict[UUID, set[UUID]] = defaultdict(set)
    rows = TermDeployment.objects.filter(
        Q(to_at__isnull=True) | Q(to_at__gt=from_at), term__contract_id__in=contract_ids, from_at__lt=to_at
    ).values_list("deployment_id", "term__contract_id")
    for deployment_id, contract_id in rows:
        bound[deployment_id].add(contract_id)
    if not bound:
        return
    serving = (
        Binding.objects.filter(
            Q(to_at__isnull=True) | Q(to_at__gt=from_at), from_at__lt=to_at, deployment_id__in=list(bound)
        )
        .values_list("deployment_id", "endpoint__node_id")
        .annotate(last_at=Max(Coalesce("to_at", Value(to_at))))
    )
    for deployment_id, node, last_at in serving:
        for contract_id in bound[deployment_id]:
            yield contract_id, node, last_at


def _by_bounds(periods: Sequence[BillingPeriod]) -> Mapping[tuple[datetime, datetime], list[BillingPeriod]]:
    found: dict[tuple[datetime, datetime], list[BillingPeriod]] = defaultdict(list)
    for period in periods:
        found[period.from_at, period.to_at].append(period)
    return found


def _gateways_behind(
    periods: Sequence[BillingPeriod], now: datetime | None, spans: Sequence[Span]
) -> Iterator[list[dict[str, Any]]]:
    billing: dict[int, set[UUID]] = defaultdict(set)
    for span in spans:
        if span.witness == Witness.GATEWAY:
            billing[span.window].add(span.deployment_id)
    places = {period.pk: place for place, period in enumerate(periods)}
    reaches: dict[UUID, list[SourceReach]] = {}
    for (from_at, to_at), some in _by_bounds([period for period in periods if places[period.pk] in billing]).items():
        asked = [(billing[places[period.pk]], period.contract.tenant_id) for period in some]
        of_each = reaches_of(asked, from_at=from_at, to_at=to_at)
        reaches |= {period.pk: each for period, each in zip(some, of_each, strict=True)}
    for period in periods:
        yield [row for one in reaches.get(period.pk, ()) if (row := _source_row(one, period, now)) is not None]


def _source_row(one: SourceReach, period: BillingPeriod, now: datetime | None) -> dict[str, Any] | None:
    told = one.complete_to_at
    silent_until = period.to_at + timedelta(minutes=period.contract.event_grace_minutes)
    if told is None and (now is None or now >= silent_until):
        return None
    if told is not None and told >= period.to_at:
        return None
    return {
        "kind": "source",
        "reporter": one.reporter,
        "source": one.source,
        "complete_to_at": told.isoformat() if told else None,
        "needed_to_at": period.to_at.isoformat(),
    }


def _events_waiting(periods: Sequence[BillingPeriod]) -> dict[UUID, int]:
    ids = [period.contract_id for period in periods]
    bound = set(TermDeployment.objects.filter(term__contract_id__in=ids).values_list("term__contract_id", flat=True))
    metered = [period for period in periods if period.contract_id in bound]
    found: dict[UUID, int] = {}
    for (_, to_at), some in _by_bounds(metered).items():
        waiting = waiting_by_tenant(before=to_at, tenant_ids={period.contract.tenant_id for period in some})
        found |= {
            period.pk: waiting[period.contract.tenant_id] for period in some if period.contract.tenant_id in waiting
        }
    return found
