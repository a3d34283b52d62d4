"""Batches as older agents wrote them stay readable, verifiable and acceptable: the rule of every later version."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from clusters.models import Node
from metering.agent import keys
from metering.ingest import Sent, ingest_batch
from metering.models import Batch, UsageGap
from metering.wire import (
    BatchAccepted,
    Enrolled,
    Problem,
    batch_hash,
    decode_batch,
    encode_batch,
    reading_count,
    verify,
)
from metering.wire_keys import ChainEnd, KeyRotated
from tests.factories import make_cluster

if TYPE_CHECKING:
    from tests.factories import Cast

RECORDED = sorted((Path(__file__).parent / "recorded").glob("batch_v*.json"))
AT = datetime(2026, 3, 10, 12, 1, tzinfo=UTC)


def read(path: Path) -> tuple[dict[str, Any], bytes]:
    recorded = json.loads(path.read_text(encoding="utf-8"))
    return recorded, base64.b64decode("".join(recorded["body"]))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_batch_is_read_and_verified(path: Path) -> None:
    recorded, body = read(path)
    assert batch_hash(body) == recorded["sha256"]
    assert verify(base64.b64decode(recorded["public_key"]), body, recorded["signature"])
    batch = decode_batch(body, recorded["content_encoding"])
    assert reading_count(batch) == recorded["readings"]
    # What it says is what it said: written again by today's code it reads the same.
    assert decode_batch(encode_batch(batch), "zstd") == batch


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_batch_is_taken_by_todays_server(cast: Cast, path: Path) -> None:
    recorded, body = read(path)
    batch = decode_batch(body, "zstd")
    node = Node.objects.create(
        id=uuid.UUID(batch.node),
        cluster=make_cluster(cast.provider),
        name="gpu-1",
        public_key=base64.b64decode(recorded["public_key"]),
        enrolled_at=AT.replace(hour=11),
        created_at=AT.replace(hour=11),
    )
    sent = Sent(batch.node, body, recorded["content_encoding"], recorded["signature"])
    answer = ingest_batch(sent=sent, now=AT)
    assert (answer["received"], answer["accepted"]) == (recorded["readings"], recorded["readings"])
    assert bytes(Batch.objects.get(node=node).body) == body
    # What the agent could not read, and what its full spool refused, are gaps on record.
    assert set(UsageGap.objects.values_list("reason", flat=True)) == {one.reason for one in batch.outcomes}


def test_there_is_one_recording_of_the_first_form_of_each_version() -> None:
    assert [path.stem for path in RECORDED] == ["batch_v1_first", "batch_v2_first"]
    first, second = (decode_batch(read(path)[1], "zstd") for path in RECORDED)
    assert msgspec.structs.replace(first, version=2) == second


@pytest.mark.parametrize(
    ("shape", "answer"),
    [
        (Enrolled, {"node": "n", "cluster": "c", "server_time": "t"}),
        (
            BatchAccepted,
            {"seq": 1, "received": 0, "accepted": 0, "duplicates": 0, "conflicts": 0, "quarantined": 0, "next_seq": 2},
        ),
        (Problem, {"code": "out_of_chain"}),
        (KeyRotated, {"node": "n", "version": 2}),
        (ChainEnd, {"node": "n", "next_seq": 1, "prev_hash": "0" * 64, "next_reading_seq": 1}),
    ],
)
def test_an_agent_passes_over_what_a_newer_server_adds_to_an_answer(shape: Any, answer: dict[str, object]) -> None:
    plain = msgspec.json.decode(json.dumps(answer), type=shape)
    newer = {**answer, "added_in_a_later_version": {"deep": [1]}}
    assert msgspec.json.decode(json.dumps(newer), type=shape) == plain


def test_an_agent_of_an_older_server_takes_its_answer_without_the_newer_field() -> None:
    told = msgspec.json.decode(b'{"node":"n","cluster":"c","server_time":"t"}', type=Enrolled)
    assert told.continued is False


def test_a_key_file_of_the_first_form_is_read(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.from_private_bytes(b"\7" * 32)
    path = tmp_path / keys.KEY_FILE
    path.write_bytes(base64.b64encode(key.private_bytes_raw()) + b"\n")
    path.chmod(0o600)
    assert keys.load(tmp_path).private_bytes_raw() == key.private_bytes_raw()
