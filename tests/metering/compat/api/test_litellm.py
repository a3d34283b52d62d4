"""LiteLLM's generic logger, as it sends."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from metering.compat.api import litellm
from tests.factories import make_deployment
from tests.metering.compat.callers import Program, counted
from tests.metering.compat.test_litellm_logs import SECRET, call_log
from tests.metering.stored import counts_of, how_many, stored_events

if TYPE_CHECKING:
    from tests.factories import Cast

LOGS = "litellm/logs"


@pytest.fixture
def provider(cast: Cast) -> Program:
    make_deployment(cast.provider, cast.tenant)
    return Program(cast.provider)


def test_calls_are_taken_with_their_split_and_the_rest_is_counted(provider: Program) -> None:
    body = [call_log(), call_log(litellm_call_id="hit", cache_hit=True), call_log(litellm_call_id="2", end_user="who")]
    answer = provider.post(LOGS, body)
    assert answer.status_code == 200
    assert answer.json() == {"accepted": 1, "duplicates": 0, "conflicts": 0, "held": 1, "rejected": 1}
    counts = counts_of(stored_events()["call-1"])
    assert counts == {"input": 10, "cached_input": 4, "cache_write": 0, "output": 5, "reasoning": 2}
    assert counted(provider.key.organization)["litellm:rejected:cache_hit"] == 1
    assert provider.post(LOGS, body).json()["duplicates"] == 2


def test_lines_under_the_media_type_of_an_array(provider: Program) -> None:
    lines = "\n".join(json.dumps(call_log(litellm_call_id=f"c-{number}")) for number in range(3))
    assert provider.post(LOGS, lines.encode()).json()["accepted"] == 3


def test_what_was_said_is_neither_stored_nor_logged(provider: Program, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bad = call_log(litellm_call_id="bad", prompt_tokens=SECRET, model=None)
    provider.post(LOGS, [call_log(), bad, call_log(litellm_call_id="w", end_user="who")])
    provider.post(LOGS, f'[{{"messages": "{SECRET}"'.encode())
    stored = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'metering_%'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT count(*) FROM {table} AS one WHERE one::text LIKE %s", [f"%{SECRET}%"])
            stored += [table] * cursor.fetchone()[0]
    assert not stored
    assert SECRET not in caplog.text
    assert how_many()[0] == 1


def test_only_what_is_no_log_is_refused(cast: Cast, provider: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    assert provider.post(LOGS, b"nonsense").status_code == 400
    assert Program(cast.provider, "usage:read").post(LOGS, []).status_code == 403
    assert provider.get(LOGS).status_code == 405
    monkeypatch.setattr(litellm, "BYTES_MAX", 10)
    assert provider.post(LOGS, [call_log()]).status_code == 413
    assert counted(provider.key.organization) == {"litellm:logs_malformed": 1, "litellm:body_too_large": 1}
