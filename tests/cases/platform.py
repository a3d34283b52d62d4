"""Worked cases that need the platform: real batches and events through ingest and rollup, over the real database."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection
from django.db.models import Sum

from clusters.models import Node
from metering.control_models import Silence
from metering.event_calls import events_of
from metering.event_models import EventCall
from metering.events import ingest_events
from metering.hours import unix_ms_of
from metering.ingest import Sent, ingest_batch
from metering.models import Batch, Quality, UsageHour, Witness
from metering.rollup import roll_up_node
from metering.rollup_events import ChunkFailed, roll_up_events
from metering.watching import end_silences, find_silences
from metering.wire import FIRST_PREV_HASH, batch_hash, encode_batch, sign
from tests import factories
from tests.faults.metering.network import Struck, struck_at
from tests.metering import batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clusters.models import Deployment
    from tenants.models import Organization

Given = dict[str, Any]
Gives = dict[str, Any]
BILLED = (Quality.ACTUAL, Quality.ESTIMATED, Quality.SUBSTITUTED)
MODEL = "sample-model"
CALL = 10_000


def outage(given: Given) -> Gives:
    """A node reads every minute and sends every hour; for some hours nothing arrives, then all of it, twice."""
    found = {}
    for name, silent in (("undisturbed", []), ("with_outage", given["silent"])):
        found[name] = _metered(name, given, silent)
    return found


def _metered(name: str, given: Given, silent: Sequence[int]) -> Gives:
    provider = factories.make_organization(f"{name}-provider".replace("_", "-"), is_provider=True, is_tenant=False)
    tenant = factories.make_organization(f"{name}-tenant".replace("_", "-"))
    key = Ed25519PrivateKey.generate()
    node = factories.make_node(factories.make_cluster(provider), name, key.public_key().public_bytes_raw())
    start: datetime = given["from"]
    Node.objects.filter(id=node.id).update(enrolled_at=start, created_at=start)
    endpoint = factories.make_endpoint(node, MODEL, "http://127.0.0.1:8000")
    deployment = factories.make_deployment(provider, tenant, endpoint, MODEL)
    counts: Counter[str] = Counter()
    spool: list[tuple[bytes, str]] = []
    prev = FIRST_PREV_HASH
    for number, value in enumerate(given["register"]):
        now = start + timedelta(hours=number)
        before = given["register"][max(number - 1, 0)]
        minutes = range(1, 61) if number else [60]
        values = {minute: before + (value - before) * minute // 60 for minute in minutes}
        body = _batch(node, number + 1, prev, values, now)
        prev = batch_hash(body)
        spool.append((body, sign(key, body)))
        if number in silent:
            find_silences(now=now)
            continue
        for _time in range(2 if len(spool) > 1 else 1):
            for sent, signature in spool:
                answer = ingest_batch(sent=Sent(str(node.id), sent, "zstd", signature), now=now)
                counts["accepted"] += answer["accepted"]
        spool.clear()
        roll_up_node(node_id=node.id, now=now)
        end_silences(now=now)
    return {
        "tokens_by_hour": _by_hour(deployment, Witness.ENGINE),
        "tokens": _total(deployment, Witness.ENGINE),
        "batches_stored": Batch.objects.filter(node=node).count(),
        "silences": [one.end or "open" for one in Silence.objects.filter(node=node).order_by("from_at")],
    }


def _batch(node: Node, seq: int, prev: str, values: dict[int, int], now: datetime) -> bytes:
    """The batch of the hour that ends now, with a reading for each of its minutes that is given."""
    at_ms = unix_ms_of(now)
    first_seq = 1 if seq == 1 else 2 + (seq - 2) * 60
    read_at_ms = [at_ms - (60 - minute) * 60_000 for minute in values]
    column = batches.column(list(values.values()), first_seq=first_seq, read_at_ms=read_at_ms)
    made = batches.batch(
        node=str(node.id),
        seq=seq,
        prev_hash=prev,
        registers=[column],
        gauges=[],
        outcomes=[],
        accelerators=[],
        endpoints=[],
        created_at_ms=at_ms,
        metered_to_ms=at_ms,
        monotonic_ms=seq * 3_600_000,
    )
    return encode_batch(made)


def events(given: Given) -> Gives:
    """Requests reported by a gateway, as often and in whatever order is said."""
    tenant, deployment = _shared()
    items = _items(given)
    outcomes: Counter[str] = Counter()
    for time in range(given.get("deliveries", 1)):
        sent = random.Random(time).sample(items, len(items)) if given.get("shuffled") else items
        for begin in range(0, len(sent), CALL):
            taken = ingest_events(
                reporter=tenant, payload=json.dumps(sent[begin : begin + CALL]).encode(), now=given["now"]
            )
            outcomes["accepted"] += taken.accepted
            outcomes["duplicates"] += taken.duplicates
        _roll_up(given["now"])
    return {**outcomes, "tokens": _by_quantity(deployment), "groups": _groups(tenant)}


def killed(given: Given) -> Gives:
    """Every statement of taking events in, and of rolling them up, is the last one of a worker once."""
    tenant, deployment = _shared()
    payload = json.dumps(_items(given)).encode()
    strikes: Counter[str] = Counter()
    for name, work in (
        ("taking_in", lambda: ingest_events(reporter=tenant, payload=payload, now=given["now"])),
        ("rolling_up", lambda: roll_up_events(now=given["now"])),
    ):
        for statement in range(100):
            try:
                with struck_at(statement):
                    work()
            except (Struck, ChunkFailed):
                strikes[name] += 1
            else:
                break
        work()
    return {
        "struck_while_taking_in": strikes["taking_in"] > 0,
        "struck_while_rolling_up": strikes["rolling_up"] > 0,
        "tokens": _by_quantity(deployment),
    }


def many_workers(given: Given) -> Gives:
    """Workers that all do the same work at once, as after a restart; what is used of a budget is a sum of rows."""
    tenant, deployment = _shared()
    payload = json.dumps(_items(given)).encode()
    ready = threading.Barrier(given["workers"])

    def work() -> None:
        try:
            ready.wait(30)
            ingest_events(reporter=tenant, payload=payload, now=given["now"])
            _roll_up(given["now"])
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(given["workers"])]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    _roll_up(given["now"])
    return {"tokens": _by_quantity(deployment)}


def _shared() -> tuple[Organization, Deployment]:
    provider = factories.make_organization("provider", is_provider=True, is_tenant=False)
    tenant = factories.make_organization("tenant")
    return tenant, factories.make_deployment(provider, tenant)


def _items(given: Given) -> list[dict[str, object]]:
    """Requests that sum to the figures given, spread as evenly as whole tokens allow."""
    count = given["requests"]
    groups = given.get("groups", 1)
    at: datetime = given["from"]
    return [
        {
            "id": f"req-{number}",
            "source": "sample-gateway",
            "occurred_at": (at + timedelta(seconds=number % 3_000)).isoformat(),
            "model": f"{MODEL}-{number % groups}" if groups > 1 else MODEL,
            "key": f"key-{number % groups}",
            **{name: given[name] // count + (number < given[name] % count) for name in ("input", "output")},
        }
        for number in range(count)
    ]


def _roll_up(now: datetime) -> None:
    while roll_up_events(now=now):
        continue


def _hours(deployment: Deployment, witness: Witness) -> Any:
    return UsageHour.objects.filter(deployment=deployment, witness=witness, quality__in=BILLED)


def _by_hour(deployment: Deployment, witness: Witness) -> list[int]:
    rows = _hours(deployment, witness).values("hour_at").annotate(total=Sum("value")).order_by("hour_at")
    return [int(row["total"]) for row in rows]


def _total(deployment: Deployment, witness: Witness) -> int:
    return int(_hours(deployment, witness).aggregate(total=Sum("value"))["total"])


def _by_quantity(deployment: Deployment) -> Gives:
    rows = _hours(deployment, Witness.GATEWAY).filter(quantity__in=("input", "output"))
    found = rows.values_list("quantity").annotate(total=Sum("value")).order_by("quantity")
    return {quantity: int(total) for quantity, total in found}


def _groups(reporter: Organization) -> int:
    """How many distinct callers and models the stored events still tell apart."""
    calls = EventCall.objects.filter(reporter=reporter)
    return len({(one.tenant_id, one.model, one.key) for call in calls for one in events_of(call)})
