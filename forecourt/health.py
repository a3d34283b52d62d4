"""Is it alive, and can it do its work? For load balancers and supervisors."""

import time
from datetime import UTC, datetime

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from kombu import Connection
from kombu.exceptions import OperationalError

from forecourt.celery import BROKER_URL
from forecourt.clock import clock_off, off_words

BROKER_TIMEOUT_S = 2


@require_safe
def live(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  a view takes the request
    """Answer as long as the process serves requests."""
    return JsonResponse({"status": "live"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:  # noqa: ARG001  a view takes the request
    """Check database, migrations, broker and this server's clock; 503 names what is missing."""
    started = time.monotonic()
    checks = {"database": _database(), "migrations": _migrations(), "broker": _broker(), "clock": _clock()}
    status = 200 if all(one == "ok" for one in checks.values()) else 503
    took_ms = round((time.monotonic() - started) * 1000)
    return JsonResponse(
        {"status": "ready" if status == 200 else "not ready", "checks": checks, "took_ms": took_ms},
        status=status,
    )


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return type(error).__name__
    return "ok"


def _migrations() -> str:
    try:
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return type(error).__name__
    return f"{len(waiting)} not applied" if waiting else "ok"


def _clock() -> str:
    try:
        off = clock_off(datetime.now(UTC))
    except DatabaseError as error:
        return type(error).__name__
    return off_words(off) or "ok"


def _broker() -> str:
    try:
        with Connection(BROKER_URL, connect_timeout=BROKER_TIMEOUT_S) as broker:
            broker.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
    except (OperationalError, OSError) as error:
        return type(error).__name__
    return "ok"
