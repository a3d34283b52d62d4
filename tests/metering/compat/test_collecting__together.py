"""Several calls of one collector at once, as Prometheus' shards send: one node, one chain, each sample once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from clusters.models import Node
from metering.models import Batch
from tests.factories import make_cluster
from tests.metering.compat.callers import Program, counted
from tests.metering.compat.written import HEADERS_V1, MEDIA_V1, PROMPT, call_v1, series

if TYPE_CHECKING:
    from tests.factories import Cast


@pytest.mark.django_db(transaction=True)
def test_calls_at_once_take_turns(cast: Cast) -> None:
    make_cluster(cast.provider)
    program = Program(cast.provider)
    at = int(time.time() * 1_000)
    found = [series(PROMPT, (1, at), (2, at + 1), instance=f"h-{number % 3}:1") for number in range(6)]

    def post(number: int) -> int:
        try:
            answer = program.post("prometheus/api/v1/write", call_v1(found[number]), MEDIA_V1, **HEADERS_V1)
            return int(answer.status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(post, range(6))) == [204] * 6
    assert Node.objects.count() == 1
    assert list(Batch.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3]
    assert counted(cast.provider) == {"prometheus:accepted": 6, "prometheus:duplicates": 6}
