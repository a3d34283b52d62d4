"""Usage events a second: JSON over HTTP in calls of 1,000 until they are committed, against raw COPY of the same rows.

    python bench/events.py [--events 120000]

Two web processes; 4 connections with an API key; every event is new, checked, attributed, stored under its unique key
and waits for rollup. The anchor is COPY of the same events in the same chunks, a row each with a column for everything
known of an event, into a table without key or index, over 2 connections, a commit for each chunk. Rounds lie side by
side; the median ratio counts.
"""

import argparse
import json
import random
import statistics
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench._platform import installation, rate, ratio, report
from bench._senders import Request, copy_all, post_all

CONNECTIONS = 4
COPY_CONNECTIONS = 2
CALL_EVENTS = 1_000
ROUNDS = 3
PATH = "/api/v1/events"
COLUMNS = """id uuid, reporter_id uuid, source varchar, event_id varchar, content_sha256 bytea, tenant_id uuid,
    deployment_id uuid, model varchar, occurred_at timestamptz, input bigint, cached_input bigint, cache_write bigint,
    output bigint, reasoning bigint, key_label varchar, received_at timestamptz"""
FILL = """
    CREATE TEMP TABLE filled AS
    SELECT gen_random_uuid() AS id, gen_random_uuid() AS reporter_id, source, given.id AS event_id,
        sha256(given.id::bytea) AS content, gen_random_uuid() AS tenant_id, gen_random_uuid() AS deployment_id, model,
        occurred_at, input, cached_input, 0::bigint AS cache_write, output, 0::bigint AS reasoning, '' AS key_label,
        now() AS received_at
    FROM jsonb_to_recordset(%s::jsonb) AS given (
        id varchar, source varchar, model varchar, occurred_at timestamptz, input bigint, cached_input bigint,
        output bigint
    )
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=120_000, help="over all rounds")
    arguments = parser.parse_args()
    now = datetime.now(UTC)  # noqa: TID251  a benchmark is an entry point
    calls = max(1, arguments.events // (ROUNDS * CONNECTIONS * CALL_EVENTS))
    count = calls * CONNECTIONS * CALL_EVENTS
    noise = random.Random(7)  # noqa: S311  noise, not a secret
    ours_s, anchor_s = [], []
    latencies_s: list[float] = []
    with installation(web_processes=2) as here:
        headers = {"Authorization": f"Bearer {_key(now)}", "Content-Type": "application/json"}
        post_all(here.port, [[event_call(noise, headers, now, -one)] for one in range(1, CONNECTIONS + 1)], [])
        for number in range(ROUNDS):
            lanes = [
                [event_call(noise, headers, now, (number * calls + call) * CONNECTIONS + lane) for call in range(calls)]
                for lane in range(CONNECTIONS)
            ]
            ours_s.append(post_all(here.port, lanes, latencies_s))
            chunks = _chunks(lanes, f"raw_{number}")
            copies = [chunks[one::COPY_CONNECTIONS] for one in range(COPY_CONNECTIONS)]
            anchor_s.append(copy_all(here.database_url, f"raw_{number}", copies))
    report(
        {
            "web_processes": 2,
            "connections": CONNECTIONS,
            "events_a_call": CALL_EVENTS,
            "events_per_s": rate(count, ours_s),
            "raw_copy_rows_per_s": rate(count, anchor_s),
            "ratio": ratio(ours_s, anchor_s),
            "ms_p50": round(1000 * statistics.median(latencies_s), 1),
            "ms_p99": round(1000 * statistics.quantiles(latencies_s, n=100)[98], 1),
        }
    )
    return 0


def _key(now: datetime) -> str:
    """Store a tenant with a deployment, and return an API key of it."""
    from tenants.api_keys import issue_key
    from tests.factories import make_deployment, make_organization

    provider = make_organization("bench-provider", is_provider=True, is_tenant=False)
    tenant = make_organization("bench-tenant")
    make_deployment(provider, tenant)
    return issue_key(organization=tenant, name="bench", scopes=["events:write"], actor="bench", now=now).secret


def event_call(noise: random.Random, headers: dict[str, str], now: datetime, number: int) -> Request:
    """Make one call of new events of the hour before `now`."""
    events = [
        {
            "id": f"{number}-{index}",
            "source": "bench-gateway",
            "occurred_at": (now - timedelta(seconds=noise.randrange(3_600))).isoformat(),
            "model": f"model-{noise.randrange(8)}",
            "input": noise.randrange(8_000) + 1_000,
            "cached_input": noise.randrange(1_000),
            "output": noise.randrange(1_000),
        }
        for index in range(CALL_EVENTS)
    ]
    return PATH, json.dumps(events).encode(), headers


def _chunks(lanes: list[list[Request]], table: str) -> list[bytes]:
    """Make an empty table with a column for everything known of an event, and these calls as binary COPY for it."""
    from django.db import connection

    connection.ensure_connection()
    chunks = []
    with connection.connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {table} ({COLUMNS})")
        for body in (body for lane in lanes for _, body, _ in lane):
            cursor.execute(FILL, [body.decode()])
            with cursor.copy("COPY filled TO STDOUT (FORMAT binary)") as copy:
                chunks.append(b"".join(bytes(part) for part in copy))
            cursor.execute("DROP TABLE filled")
    return chunks


if __name__ == "__main__":
    sys.exit(main())
