"""What must not come in: each bad batch and event gets its own clear refusal, is counted, and harms nothing else."""

from __future__ import annotations

import base64
import dataclasses
import gzip
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import zstandard

from clusters.models import Node
from forecourt.cli import main
from metering.checks import EVENT_TOKENS_MAX
from metering.event_items import EVENTS_BYTES_MAX
from metering.ingest import Sent
from metering.models import Batch, BatchConflict, IngestCount, NodeCursor
from metering.wire import (
    BATCH_BYTES_MAX,
    BATCH_INFLATED_BYTES_MAX,
    BATCHES_PATH,
    HEADER_NODE,
    HEADER_SIGNATURE,
    batch_hash,
    sign,
)
from tenants.api_keys import issue_key
from tests.factories import EPOCH
from tests.faults.demo_run import ROOT, environment
from tests.metering.fleet import NOON_MS, FakeAgent, column, make_agent, meter
from tests.metering.stored import how_many, stored_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django.live_server_helper import LiveServer

    from metering.wire import RegisterColumn
    from tests.factories import Cast

online = pytest.mark.django_db(transaction=True)


@pytest.fixture
def web(live_server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=live_server.url, timeout=60) as client:
        yield client


@pytest.fixture
def agent(transactional_db: None, cast: Cast) -> FakeAgent:
    return make_agent(cast.provider)


def readings(first_seq: int) -> list[RegisterColumn]:
    times = [NOON_MS + 10_000 * (first_seq + index) for index in range(3)]
    return [column(meter(), [7 * (first_seq + index) for index in range(3)], times, first_seq=first_seq)]


def post(web: httpx.Client, sent: Sent) -> httpx.Response:
    headers = {
        "Content-Type": "application/json",
        "Content-Encoding": sent.content_encoding,
        HEADER_NODE: sent.node,
        HEADER_SIGNATURE: sent.signature,
    }
    return web.post(BATCHES_PATH, content=sent.body, headers={name: value for name, value in headers.items() if value})


def unsigned(sent: Sent, agent: FakeAgent) -> Sent:
    return dataclasses.replace(sent, signature="")


def altered(sent: Sent, agent: FakeAgent) -> Sent:
    return dataclasses.replace(sent, body=sent.body[:-1] + bytes([sent.body[-1] ^ 1]))


def signed_by_another_key(sent: Sent, agent: FakeAgent) -> Sent:
    return dataclasses.replace(sent, signature=base64.b64encode(bytes(64)).decode())


def oversized(sent: Sent, agent: FakeAgent) -> Sent:
    return resigned(sent, agent, bytes(BATCH_BYTES_MAX + 1))


def zstd_bomb(sent: Sent, agent: FakeAgent) -> Sent:
    return resigned(sent, agent, zstandard.compress(bytes(64 * BATCH_INFLATED_BYTES_MAX)))


def gzip_bomb(sent: Sent, agent: FakeAgent) -> Sent:
    return resigned(sent, agent, gzip.compress(bytes(16 * BATCH_INFLATED_BYTES_MAX)), encoding="gzip")


def truncated(sent: Sent, agent: FakeAgent) -> Sent:
    return resigned(sent, agent, sent.body[: len(sent.body) // 2])


def not_a_batch(sent: Sent, agent: FakeAgent) -> Sent:
    return resigned(sent, agent, zstandard.compress(b'{"version": 1, "seq": "two"}'))


def of_an_unknown_node(sent: Sent, agent: FakeAgent) -> Sent:
    return dataclasses.replace(sent, node=str(uuid.UUID(int=404)))


def of_a_revoked_node(sent: Sent, agent: FakeAgent) -> Sent:
    Node.objects.filter(id=agent.node.id).update(revoked_at=EPOCH)
    return sent


def out_of_chain(sent: Sent, agent: FakeAgent) -> Sent:
    return FakeAgent(agent.node, agent.key, seq=7, prev_hash=batch_hash(b"other")).seal(registers=readings(4))


def other_bytes_of_the_first(sent: Sent, agent: FakeAgent) -> Sent:
    return FakeAgent(agent.node, agent.key).seal(registers=readings(4))


def resigned(sent: Sent, agent: FakeAgent, body: bytes, encoding: str = "zstd") -> Sent:
    return dataclasses.replace(sent, body=body, content_encoding=encoding, signature=sign(agent.key, body))


@online
@pytest.mark.parametrize(
    ("spoil", "refusal"),
    [
        (unsigned, (401, "signature_invalid", "Forecourt-Signature")),
        (altered, (401, "signature_invalid", "exactly this body")),
        (signed_by_another_key, (401, "signature_invalid", "this node's signature")),
        (oversized, (413, "batch_too_large", str(BATCH_BYTES_MAX))),
        (zstd_bomb, (413, "batch_too_large", str(BATCH_INFLATED_BYTES_MAX))),
        (gzip_bomb, (413, "batch_too_large", str(BATCH_INFLATED_BYTES_MAX))),
        (truncated, (400, "batch_malformed", "zstd")),
        (not_a_batch, (400, "batch_malformed", "$")),
        (of_an_unknown_node, (404, "node_unknown", "enrol it first")),
        (of_a_revoked_node, (401, "node_revoked", "was revoked at")),
        (out_of_chain, (409, "out_of_chain", "expected 2 after")),
        (other_bytes_of_the_first, (409, "batch_conflict", "both are kept")),
    ],
)
def test_a_bad_batch_is_refused_counted_and_takes_nothing_with_it(
    web: httpx.Client,
    agent: FakeAgent,
    spoil: Callable[[Sent, FakeAgent], Sent],
    refusal: tuple[int, str, str],
) -> None:
    status, code, says = refusal
    first, second = agent.seal(registers=readings(1)), agent.seal(registers=readings(4))
    assert post(web, first).status_code == 200
    before = NodeCursor.objects.get(node=agent.node)
    answer = post(web, spoil(second, agent))
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert problem["title"]
    assert says in problem["detail"]
    assert IngestCount.objects.get(kind="batch", outcome=code).count == 1
    # Nothing moved, and the good batch comes in after it.
    after = NodeCursor.objects.get(node=agent.node)
    assert (after.last_seq, after.last_hash) == (before.last_seq, before.last_hash)
    assert Batch.objects.count() == 1
    assert BatchConflict.objects.count() == (code == "batch_conflict")
    Node.objects.update(revoked_at=None)
    assert post(web, second).json() == {
        "seq": 2,
        "received": 3,
        "accepted": 3,
        "duplicates": 0,
        "conflicts": 0,
        "quarantined": 0,
        "next_seq": 3,
        "wire_version": 2,
    }
    assert IngestCount.objects.get(reporter=str(agent.node.id), kind="batch", outcome="accepted").count == 2


@online
def test_out_of_chain_tells_where_to_go_on(web: httpx.Client, agent: FakeAgent) -> None:
    first, second = agent.seal(registers=readings(1)), agent.seal(registers=readings(4))
    problem = post(web, second).json()
    assert (problem["expected_seq"], problem["expected_prev_hash"]) == (1, "0" * 64)
    assert [post(web, sent).status_code for sent in (first, second, first, second)] == [200] * 4
    assert Batch.objects.count() == 2


def event(name: str, **changes: object) -> dict[str, object]:
    occurred_at = datetime.now(UTC) - timedelta(hours=1)
    return {
        "id": name,
        "source": "sample-gateway",
        "occurred_at": occurred_at.isoformat(),
        "model": "sample-model",
        "input": 100,
        "cached_input": 40,
        "output": 20,
        **changes,
    }


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in event("bad").items() if key != name}


@pytest.fixture
def key(transactional_db: None, cast: Cast) -> str:
    return issue_key(
        organization=cast.tenant, name="gateway", scopes=["events:write"], actor="test", now=datetime.now(UTC)
    ).secret


def post_events(web: httpx.Client, key: str, events: object) -> httpx.Response:
    return web.post("/api/v1/events", json=events, headers={"Authorization": f"Bearer {key}"})


def counted() -> dict[str, int]:
    return dict(IngestCount.objects.filter(kind="event").values_list("outcome", "count"))


@online
@pytest.mark.parametrize(
    ("bad", "code", "field"),
    [
        (without("input"), "missing", "input"),
        (without("id"), "missing", "id"),
        (event("bad", input=-1), "negative", "input"),
        (event("bad", output="-5"), "negative", "output"),
        (event("bad", output=1.5), "fractional", "output"),
        (event("bad", output="1.5"), "fractional", "output"),
        (event("bad", input=EVENT_TOKENS_MAX + 1), "absurd", "input"),
        (event("bad", input=2**70), "absurd", "input"),
        (event("bad", input="many"), "not_a_number", "input"),
        (event("bad", input=True), "wrong_type", "input"),
        (event("bad", tokens=3), "unknown_field", "tokens"),
        (event("bad", occurred_at="2099-01-01T00:00:00Z"), "time_in_future", "occurred_at"),
        (event("bad", occurred_at="yesterday"), "bad_time", "occurred_at"),
        (event("bad", occurred_at="2026-03-10T12:00:00"), "bad_time", "occurred_at"),
        (event("bad", cached_input=101), "cached_exceeds_input", "cached_input"),
        (event("bad", reasoning=21), "reasoning_exceeds_output", "reasoning"),
        (event("bad", deployment="nobodys"), "unknown_deployment", "deployment"),
        (event("bad", tenant="outsider"), "unknown_tenant", "tenant"),
        (event("bad", model="a\0b"), "bad_character", ""),
    ],
)
def test_a_bad_event_is_named_and_counted_and_its_neighbours_are_taken(
    web: httpx.Client, key: str, bad: dict[str, object], code: str, field: str
) -> None:
    answer = post_events(web, key, [event("before"), bad, event("after")])
    assert answer.status_code == 200
    (rejected,) = answer.json().pop("rejected")
    assert answer.json() | {"rejected": 1} == {"accepted": 2, "duplicates": 0, "conflicts": 0, "rejected": 1}
    assert (rejected["index"], rejected["code"], rejected["field"]) == (1, code, field)
    assert rejected["detail"].endswith(".") or code == "wrong_type"
    assert counted() == {"accepted": 2, f"rejected:{code}": 1}
    assert stored_events().keys() == {"before", "after"}
    assert how_many() == (2, 2, 2)


@online
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "events_malformed"),
        (b"[]", 400, "events_malformed"),
        (b'{"id": "one"}', 400, "events_malformed"),
        (b"[" * 100_000, 400, "events_malformed"),
        (b" " * (EVENTS_BYTES_MAX + 1), 413, "events_too_large"),
    ],
    ids=["nothing", "empty list", "no list", "deep", "large"],
)
def test_a_call_that_is_no_list_of_events_is_refused_and_counted(
    web: httpx.Client, key: str, body: bytes, status: int, code: str
) -> None:
    answer = web.post("/api/v1/events", content=body, headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert counted() == {code: 1}
    assert post_events(web, key, [event("good")]).json()["accepted"] == 1


SECRET = "s3cret-of-somebody"
WRONG: list[Any] = [
    ({"DATABASE_URL": f"mysql://me:{SECRET}@host/db"}, "DATABASE_URL", "expected postgresql://user:password@host"),
    ({"DATABASE_URL": f"postgres://me:{SECRET}@host:port/db"}, "DATABASE_URL", "expected a URL"),
    ({"BROKER_URL": f"kafka://me:{SECRET}@host"}, "BROKER_URL", "expected amqp://"),
    ({"STRIPE_SECRET_KEY": f"pk_live_{SECRET}"}, "STRIPE_SECRET_KEY", "expected a secret or restricted key"),
    ({"STRIPE_WEBHOOK_SECRET": SECRET}, "STRIPE_WEBHOOK_SECRET", "whsec_"),
    ({"STRIPE_API_BASE": "http://stripe.example"}, "STRIPE_API_BASE", "expected https"),
    ({"FORECOURT_SECRET_KEY": SECRET}, "FORECOURT_SECRET_KEY", "at least 50 random characters"),
    ({"FORECOURT_DATA_DIRR": "x"}, "FORECOURT_DATA_DIRR", "perhaps FORECOURT_DATA_DIR"),
    ({"FORECOURT_DEBUG": "perhaps"}, "FORECOURT_DEBUG", "one of 1, true, yes, on"),
    ({"FORECOURT_PUBLIC_URL": "billing.example"}, "FORECOURT_PUBLIC_URL", "expected https://host"),
]


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What any shell has in its environment, and an empty folder to be in."""
    kept = environment()
    for name in set(os.environ) - set(kept):
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


@pytest.mark.parametrize(
    ("settings", "name", "expected"), WRONG, ids=[f"{name}-{said[:20]}" for _, name, said in WRONG]
)
def test_a_wrong_setting_names_itself_and_what_is_expected(
    tmp_path: Path,
    bare: pytest.MonkeyPatch,
    *,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, str],
    name: str,
    expected: str,
) -> None:
    for setting, value in settings.items():
        bare.setenv(setting, value)
    for command in (["up", "--port", "0"], ["demo", "--once"], ["manage", "check"]):
        assert main(command) == 1
        said = capsys.readouterr()
        assert f"{name}: found " in said.err.strip().splitlines()[-1]
        assert expected in said.err.strip().splitlines()[-1]
        assert SECRET not in said.out + said.err
    assert list(tmp_path.iterdir()) == []


def test_a_process_says_it_too(tmp_path: Path) -> None:
    settings, name, expected = WRONG[0]
    for command in (("-m", "forecourt.cli", "up", "--port", "0"), (str(ROOT / "manage.py"), "check")):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env={**environment(), **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode != 0
        assert f"{name}: found " in done.stderr.strip().splitlines()[-1]
        assert expected in done.stderr.strip().splitlines()[-1]
        assert SECRET not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--port", "70000"], "argument --port: '70000' is no port: 0 to 65535"),
        (["--port", "http"], "argument --port: 'http' is no port: 0 to 65535"),
        (["--web", "0"], "argument --web: '0' is no number of processes: 1 to 256"),
        (["--prot", "80"], "unrecognized arguments: --prot 80"),
    ],
)
def test_a_wrong_option_of_up_is_named_and_nothing_is_started(
    tmp_path: Path, bare: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["up", *options])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
