"""Remote write over HTTP: media types, statuses, headers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from clusters.models import Node
from metering.compat.remote_write import BYTES_MAX, INFLATED_BYTES_MAX
from metering.models import Batch
from tests.factories import make_cluster
from tests.metering.compat.callers import Program, counted
from tests.metering.compat.written import HEADERS_V1, MEDIA_V1, MEDIA_V2, PROMPT, call_v1, call_v2, series, snappy

if TYPE_CHECKING:
    from tests.factories import Cast

WRITE = "prometheus/api/v1/write"
WRITTEN = "X-Prometheus-Remote-Write-{}-Written"


@pytest.fixture
def program(cast: Cast) -> Program:
    make_cluster(cast.provider)
    return Program(cast.provider)


def post(program: Program, body: bytes, media: str = MEDIA_V1, **headers: str) -> Any:
    return program.post(WRITE, body, media, **(headers or HEADERS_V1))


def now_ms() -> int:
    return int(time.time() * 1_000)


@pytest.mark.parametrize("version", [1, 2])
def test_a_call_is_204_and_says_what_was_written(program: Program, version: int) -> None:
    at = now_ms()
    found = [series(PROMPT, (1, at), (2, at + 1)), series("up", (1, at))]
    for _ in range(2):
        answer = post(program, call_v1(*found)) if version == 1 else post(program, call_v2(*found), MEDIA_V2)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers[WRITTEN.format("Samples")] == "3"
        assert answer.headers[WRITTEN.format("Histograms")] == "0"
        assert answer.headers[WRITTEN.format("Exemplars")] == "0"
    assert Batch.objects.count() == 1
    assert Node.objects.get().name.startswith("collector fk_")


def test_invalid_samples_are_400_and_the_valid_ones_kept(program: Program) -> None:
    at = now_ms()
    answer = post(program, call_v2(series(PROMPT, (1, at), (1.5, at + 1), (2, at + 2))), MEDIA_V2)
    assert answer.status_code == 400
    assert answer.headers[WRITTEN.format("Samples")] == "2"
    assert "1.5 is no whole count" in answer.content.decode()
    assert Batch.objects.get().readings == 2


def test_another_value_for_an_instant_is_400(program: Program) -> None:
    at = now_ms()
    post(program, call_v1(series(PROMPT, (1, at))))
    answer = post(program, call_v1(series(PROMPT, (2, at))))
    assert (answer.status_code, answer.headers[WRITTEN.format("Samples")]) == (400, "0")
    assert "1 in conflict" in answer.content.decode()


@pytest.mark.parametrize(
    ("media", "encoding"),
    [
        ("application/json", "snappy"),
        ("application/x-protobuf;proto=some.Other", "snappy"),
        (MEDIA_V1, "zstd"),
        (MEDIA_V2, "gzip"),
    ],
)
def test_other_media_are_415(program: Program, media: str, encoding: str) -> None:
    answer = program.post(WRITE, call_v1(series(PROMPT, (1, now_ms()))), media, Content_Encoding=encoding)
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("media", "encoding"),
    [("application/x-protobuf; proto=prometheus.WriteRequest", "snappy"), ("application/x-protobuf", "Snappy")],
)
def test_the_media_may_be_spelled_in_full(program: Program, media: str, encoding: str) -> None:
    answer = program.post(WRITE, call_v1(series(PROMPT, (1, now_ms()))), media, Content_Encoding=encoding)
    assert answer.status_code == 204


def test_bodies_that_cannot_be_read(program: Program) -> None:
    assert post(program, b"nonsense" * 9).status_code == 400
    assert post(program, snappy(b"\xff" * 9)).status_code == 400
    assert post(program, snappy(b"\0" * (INFLATED_BYTES_MAX + 1))).status_code == 413
    assert post(program, b"\0" * (BYTES_MAX + 1)).status_code == 413
    found = counted(program.key.organization)
    assert found == {"prometheus:write_malformed": 2, "prometheus:write_too_large": 1, "prometheus:body_too_large": 1}


def test_who_may_write(cast: Cast, program: Program) -> None:
    body = call_v1(series(PROMPT, (1, now_ms())))
    assert post(program, body, Authorization="Bearer nobody", **HEADERS_V1).status_code == 401
    assert post(Program(cast.provider, "usage:read"), body).status_code == 403
    refused = post(Program(cast.tenant), body)
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert b"has no cluster: this must be called with a key of its provider" in refused.content
    assert program.get(WRITE).status_code == 405
