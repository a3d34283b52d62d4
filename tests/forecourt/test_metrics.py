"""Figures for Prometheus: right, readable, and for the operator alone."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from forecourt.metrics import as_text
from metering.hours import unix_ms_of
from metering.metered_figures import Figure, figures
from metering.partition_plans import PLANS
from metering.partition_tables import make_parts, parts_of
from metering.partitions import months_after
from metering.retention_models import PartitionArchive, RetentionHold
from tenants.limits.roles import WEB_ROLE
from tests.factories import Cast
from tests.metering.fleet import column, make_agent, meter
from tests.metering.test_events import event, send

pytestmark = pytest.mark.django_db
TOKEN = "only-for-tests-0123456789-abcdef"


def asked(**meta: Any) -> Any:
    return Client().get("/metrics", **meta)


def value(name: str, **labels: str) -> float:
    every = [one for one in figures(timezone.now()) if one.name == name]
    found = [one.value for one in every if labels.items() <= dict(one.labels).items()]
    assert len(found) == 1, name
    return found[0]


def test_what_came_in_and_what_waits_is_told(cast: Cast) -> None:
    agent, now = make_agent(cast.provider), timezone.now()
    for plan, at in product(PLANS, (now - timedelta(minutes=9), now)):
        make_parts(plan=plan, now=at)  # the events below may be of the month before
    agent.ship(column(meter(), [1, 2, 3], [unix_ms_of(now - timedelta(seconds=one)) for one in (30, 20, 10)]), now=now)
    assert value("forecourt_ingest_outcomes", kind="reading", outcome="accepted", hour="this") == 3
    assert value("forecourt_rollup_batches_waiting") == 1
    assert value("forecourt_rollup_nodes_waiting") == 1
    assert value("forecourt_rollup_lag_seconds") >= 0
    assert value("forecourt_rollup_events_waiting") == value("forecourt_rollup_events_lag_seconds") == 0
    send(cast.tenant, event("1"), event("2"), now=now - timedelta(minutes=9))
    assert value("forecourt_rollup_events_waiting") == 2
    assert value("forecourt_rollup_events_lag_seconds") >= 540
    for plan in PLANS:
        assert value("forecourt_parts_ahead", table=plan.table) == plan.ahead
        assert value("forecourt_rest_rows", table=plan.table) == 0
        assert value("forecourt_parts_blocked", table=plan.table) == 0


def test_a_part_that_something_keeps_is_told() -> None:
    later = months_after(timezone.now(), 40)
    blocked = {one.labels: one.value for one in figures(later) if one.name == "forecourt_parts_blocked"}
    assert all(count > 0 for count in blocked.values())


def test_a_web_process_which_owns_no_table_tells_them_too() -> None:
    """It reads no part of a table by the part's own name, also where parts are old enough to be dropped."""
    now = months_after(timezone.now(), 40)
    for plan in PLANS:
        RetentionHold.objects.update_or_create(name="billing", defaults={"stated_at": now, "needed_from_at": None})
        for part in parts_of(plan):
            if part.span and part.span.to_at and part.span.to_at <= now:
                PartitionArchive.objects.create(
                    table_name=plan.table, partition=part.name, from_at=part.span.from_at, to_at=part.span.to_at,
                    rows=0, file=part.name, file_bytes=0, file_sha256="", archived_at=now,
                )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {WEB_ROLE}")
    assert asked().status_code == 200
    assert {one.value for one in figures(now) if one.name == "forecourt_parts_blocked"} == {0}
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")


def test_the_text_is_what_a_scraper_reads() -> None:
    counter = Figure("a_total", "counter", "What.", (("x", 'q"\\\n'),), 12_345_678_901)
    text = as_text([counter, Figure("b", "gauge", "B.", (), 0.5)])
    assert text == (
        '# HELP a_total What.\n# TYPE a_total counter\na_total{x="q\\"\\\\\\n"} 12345678901\n'
        "# HELP b B.\n# TYPE b gauge\nb 0.5\n"
    )


def test_it_is_told_on_loopback_but_not_through_a_proxy() -> None:
    assert asked().status_code == 200
    assert asked()["Content-Type"].startswith("text/plain; version=0.0.4")
    assert asked(REMOTE_ADDR="::1").status_code == 200
    assert asked(REMOTE_ADDR="203.0.113.7").status_code == 404
    assert asked(REMOTE_ADDR="").status_code == 404
    assert asked(HTTP_X_FORWARDED_FOR="127.0.0.1").status_code == 404


def test_the_token_opens_it_from_anywhere(settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    far = {"REMOTE_ADDR": "203.0.113.7", "HTTP_X_FORWARDED_FOR": "203.0.113.7"}
    assert asked(**far, HTTP_AUTHORIZATION=f"Bearer {TOKEN}").status_code == 200
    assert asked(**far, HTTP_AUTHORIZATION=f"Bearer {TOKEN}x").status_code == 404
    assert asked(**far).status_code == 404
    settings.METRICS_TOKEN = ""
    assert asked(**far, HTTP_AUTHORIZATION="Bearer ").status_code == 404
