"""Collectors: registers that a provider's own Prometheus or OpenTelemetry sends, without an agent.

1. Each API key that sends such series is one collector (`metering.compat.collectors`): a node of its own in the
   provider's cluster, whose batches are sealed here and stand in a signed chain like an agent's. They prove what this
   server took in, not what a GPU server read; the node's version says so.
2. The collector's row is locked, its targets' states are read, and the samples become readings.
3. The readings are sealed as batches of the wire and taken in by `metering.ingest.ingest_batch`, as any agent's.
   States, batches and counts are one transaction: a call that is sent again finds its readings there.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec
from django.db import transaction

from metering.agent.engines import load_mappings
from metering.compat.collectors import locked_collector
from metering.compat.engine_series import SeriesIndex, gen_ai_mapping
from metering.compat.models import CollectorEndpoint
from metering.compat.samples import Tally
from metering.compat.series import AHEAD_MS_MAX, BEHIND_MS_MAX, Bounds, TargetFold
from metering.compat.series_states import TargetState
from metering.fleet import SEALED_BY_SERVER
from metering.hours import unix_ms_of
from metering.ingest import Sent, ingest_batch
from metering.ingest_counts import Kind, count_outcomes
from metering.models import NodeCursor
from metering.wire import (
    ENDPOINTS_MAX,
    FIRST_PREV_HASH,
    MODELS_PER_ENDPOINT_MAX,
    WIRE_VERSION,
    Batch,
    EndpointSeen,
    Outcome,
    RegisterColumn,
    batch_hash,
    encode_batch,
    sign,
)
from tenants.ids import first_id_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from metering.compat.models import Collector
    from metering.compat.samples import Series
    from tenants.models import ApiKey

SETTLE_MS: Final = 60_000
"""The collector's other targets may be this far behind the newest sample."""
TARGETS_A_DAY: Final = 2_000
TARGETS_MAX: Final = 50_000
"""Of all days: addresses of containers change, and what a target counted is remembered, lest it count again."""
DAY: Final = timedelta(days=1)
BATCH_COLUMNS: Final = 2_000
BOOT_ID: Final = "server"


@lru_cache(maxsize=1)
def series_index() -> SeriesIndex:
    """Return what series are registers: by the engines that the agent knows, and by OpenTelemetry's conventions."""
    return SeriesIndex([*load_mappings().values(), gen_ai_mapping()])


def collect_series(
    *,
    key: ApiKey,
    source: str,
    series: Sequence[Series],
    faults: Iterable[tuple[str, int]] = (),
    cluster: str = "",
    now: datetime,
) -> Tally:
    """Take in the series of one call; what was taken is committed, also where other samples of it are refused.

    `source` is the interface, `faults` are series that could not be read, with their samples, `cluster` the slug that
    a provider of several clusters must name. Raises ClusterUnknown, CollectorRevoked and what ingest raises.
    """
    index = series_index()
    tally = Tally()
    for fault, count in faults:
        tally.refuse(fault, count)
    wanted = [one for one in series if index.wants(one.name)]
    tally.ignored += sum(len(one.samples) for one in series) - sum(len(one.samples) for one in wanted)
    with transaction.atomic():
        if any(index.is_register(one.name) for one in wanted):
            _collect(key=key, source=source, wanted=wanted, tally=tally, cluster=cluster, now=now)
        else:
            tally.ignored += sum(len(one.samples) for one in wanted)
        _count(key, source, tally, now)
    return tally


def count_refused(*, key: ApiKey, source: str, code: str, now: datetime) -> None:
    """Count a call that was refused as a whole, in a transaction of its own."""
    with transaction.atomic():
        counts: dict[tuple[Kind, str], int] = {("compat", f"{source}:{code}"): 1}
        count_outcomes(reporter=str(key.organization_id), counts=counts, now=now)


def _collect(*, key: ApiKey, source: str, wanted: Sequence[Series], tally: Tally, cluster: str, now: datetime) -> None:
    collector, private = locked_collector(key=key, cluster=cluster, now=now)
    bounds = Bounds(unix_ms_of(collector.created_at) - BEHIND_MS_MAX, unix_ms_of(now) + AHEAD_MS_MAX)
    by_target: dict[str, list[Series]] = defaultdict(list)
    for one in wanted:
        by_target[one.target].append(one)
    stored = {row.url: row for row in CollectorEndpoint.objects.filter(collector=collector, url__in=by_target)}
    if len(by_target) > len(stored):
        room, bound = _room(collector, now)
        for target in sorted(by_target.keys() - stored.keys())[room:]:
            count = sum(len(one.samples) for one in by_target.pop(target))
            tally.refuse(f"{target}: {bound}", count)
    folds = []
    for target, found in sorted(by_target.items()):
        fold = TargetFold(target, _state(stored.get(target)), series_index(), bounds, tally)
        fold.add(found)
        folds.append(fold)
    _seal(collector, private, source, folds, now)
    _remember(collector, stored, folds)


def _room(collector: Collector, now: datetime) -> tuple[int, str]:
    """Return how many more targets a collector may have now, and the words for one that is too many."""
    known = CollectorEndpoint.objects.filter(collector=collector)
    today = TARGETS_A_DAY - known.filter(id__gte=first_id_of(now - DAY)).count()
    room = min(today, TARGETS_MAX - known.count())
    if room == today:
        return max(0, room), f"more than {TARGETS_A_DAY} new targets of one key in 24 hours; send it again later"
    return max(0, room), f"more than {TARGETS_MAX} targets of one key; are their names stable?"


def _state(row: CollectorEndpoint | None) -> TargetState:
    return TargetState() if row is None else msgspec.msgpack.decode(bytes(row.state), type=TargetState)


def _remember(collector: Collector, stored: dict[str, CollectorEndpoint], folds: Sequence[TargetFold]) -> None:
    encode = msgspec.msgpack.encode
    for fold in folds:
        if fold.target in stored:
            CollectorEndpoint.objects.filter(id=stored[fold.target].id).update(state=encode(fold.state))
        elif fold.state.series:
            CollectorEndpoint.objects.create(collector=collector, url=fold.target, state=encode(fold.state))


def _seal(
    collector: Collector, private: Ed25519PrivateKey, source: str, folds: Sequence[TargetFold], now: datetime
) -> None:
    """Seal what was read into batches of the collector's chain, and have them taken in."""
    columns = [column for fold in folds for column in fold.columns]
    outcomes = [outcome for fold in folds for outcome in fold.outcomes]
    if not columns and not outcomes:
        return
    cursor = NodeCursor.objects.get(node_id=collector.node_id)
    seq, prev_hash = cursor.last_seq, cursor.last_hash or FIRST_PREV_HASH
    newest_ms = max(fold.newest_ms for fold in folds)
    metered_to_ms = max(unix_ms_of(cursor.metered_to_at or collector.created_at), newest_ms - SETTLE_MS)
    seen = [one for fold in folds if fold.found_more for one in _endpoints(fold)][:ENDPOINTS_MAX]
    starts = range(0, max(1, len(columns)), BATCH_COLUMNS)
    for start in starts:
        is_last = start == starts[-1]
        batch = _batch(
            collector,
            source,
            seq=seq + 1,
            prev_hash=prev_hash,
            columns=columns[start : start + BATCH_COLUMNS],
            outcomes=outcomes if is_last else [],
            endpoints=seen if start == 0 else [],
            metered_to_ms=metered_to_ms if is_last else unix_ms_of(cursor.metered_to_at or collector.created_at),
            now=now,
        )
        body = encode_batch(batch)
        sent = Sent(str(collector.node_id), body, "zstd", sign(private, body), now.isoformat())
        ingest_batch(sent=sent, now=now)
        seq, prev_hash = seq + 1, batch_hash(body)


def _batch(
    collector: Collector,
    source: str,
    *,
    seq: int,
    prev_hash: str,
    columns: list[RegisterColumn],
    outcomes: list[Outcome],
    endpoints: list[EndpointSeen],
    metered_to_ms: int,
    now: datetime,
) -> Batch:
    now_ms = unix_ms_of(now)
    return Batch(
        version=WIRE_VERSION,
        node=str(collector.node_id),
        seq=seq,
        prev_hash=prev_hash,
        agent_version=f"{SEALED_BY_SERVER}: {source}"[:32],
        boot_id=BOOT_ID,
        created_at_ms=now_ms,
        monotonic_ms=now_ms,
        metered_to_ms=metered_to_ms,
        registers=columns,
        gauges=[],
        outcomes=outcomes,
        accelerators=[],
        endpoints=endpoints,
    )


def _endpoints(fold: TargetFold) -> Iterable[EndpointSeen]:
    """One target is one endpoint, whatever its engines; its models are those of all of them."""
    engines = fold.state.engines
    models = sorted({model for found in engines.values() for model in found if model})
    yield EndpointSeen(fold.target, next(iter(engines)), models[:MODELS_PER_ENDPOINT_MAX], None)


def _count(key: ApiKey, source: str, tally: Tally, now: datetime) -> None:
    names = ("accepted", "duplicates", "late", "stale", "ignored", "conflicts", "invalid")
    counts: dict[tuple[Kind, str], int] = {("compat", f"{source}:{name}"): getattr(tally, name) for name in names}
    count_outcomes(reporter=str(key.organization_id), counts=counts, now=now)
