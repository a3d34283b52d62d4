"""OTLP over HTTP: protobuf and JSON, gzip, partial success."""

from __future__ import annotations

import gzip
import time
from typing import TYPE_CHECKING

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from metering.compat.otlp_metrics import BYTES_MAX, INFLATED_BYTES_MAX
from metering.models import Batch
from tests.factories import make_cluster
from tests.metering.compat.callers import Program, counted
from tests.metering.compat.test_otlp_metrics import DELTA, request_of, sum_of
from tests.metering.compat.written import PROMPT

if TYPE_CHECKING:
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

    from tests.factories import Cast

METRICS = "otlp/v1/metrics"
PROTOBUF = "application/x-protobuf"
JSON = "application/json"


@pytest.fixture
def program(cast: Cast) -> Program:
    make_cluster(cast.provider)
    return Program(cast.provider)


def tokens(value: int = 5, **changes: int) -> Metric:
    at = int(time.time() * 1_000)
    metric = sum_of(PROMPT, value, start_ms=at - 1_000, at_ms=at, model_name="m")
    metric.sum.aggregation_temporality = changes.get("temporality", 2)  # type: ignore[assignment]  # its number
    return metric


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_a_request_is_200_and_its_points_are_taken(program: Program, media: str, encoding: str) -> None:
    request = request_of(tokens(), sum_of("other"))
    body = json_format.MessageToJson(request).encode() if media == JSON else request.SerializeToString()
    headers = {"Content_Encoding": encoding} if encoding else {}
    answer = program.post(METRICS, gzip.compress(body) if encoding else body, media, **headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, media)
    assert answer.content == (b"{}" if media == JSON else b"")
    assert Batch.objects.get().readings == 1
    assert counted(program.key.organization) == {"otlp:accepted": 1}


def test_deltas_are_refused_point_by_point(program: Program) -> None:
    answer = program.post(METRICS, request_of(tokens(), tokens(temporality=DELTA)).SerializeToString(), PROTOBUF)
    response = ExportMetricsServiceResponse.FromString(answer.content)
    assert response.partial_success.rejected_data_points == 1
    assert "cumulative" in response.partial_success.error_message
    assert Batch.objects.count() == 1
    assert counted(program.key.organization) == {"otlp:accepted": 1, "otlp:invalid": 1}


def test_what_cannot_be_read(program: Program) -> None:
    assert program.post(METRICS, b"{", JSON).status_code == 400
    assert program.post(METRICS, b"\xff", PROTOBUF).json()["code"] == 3
    assert program.post(METRICS, b"", "text/plain").status_code == 415
    assert program.post(METRICS, b"", PROTOBUF, Content_Encoding="zstd").status_code == 415
    assert program.post(METRICS, b"no gzip", PROTOBUF, Content_Encoding="gzip").status_code == 400
    bomb = gzip.compress(b"\0" * (INFLATED_BYTES_MAX + 1))
    assert program.post(METRICS, bomb, PROTOBUF, Content_Encoding="gzip").status_code == 413
    assert program.post(METRICS, b"\0" * (BYTES_MAX + 1), PROTOBUF).status_code == 413
    assert sum(counted(program.key.organization).values()) == 7


def test_who_may_send(cast: Cast, program: Program) -> None:
    body = request_of(tokens()).SerializeToString()
    refused = program.post(METRICS, body, PROTOBUF, Authorization="Bearer nobody")
    assert (refused.status_code, refused.json()["code"]) == (401, 16)
    assert Program(cast.provider, "usage:read").post(METRICS, body, PROTOBUF).status_code == 403
    assert Program(cast.tenant).post(METRICS, body, PROTOBUF).status_code == 400
