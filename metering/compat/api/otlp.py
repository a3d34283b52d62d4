"""OTLP over HTTP: `POST /v1/metrics` in protobuf or JSON; what cannot be metered is told as a partial success."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from clusters.bodies import BodyTooLarge, read_body
from metering.admission import ingest_gate
from metering.compat.api.prometheus import MediaNotOffered, WriteTooLarge, WriteUnreadable
from metering.compat.callers import WRITE, endpoint, key_of
from metering.compat.collecting import collect_series, count_refused, series_index
from metering.compat.otlp_metrics import BYTES_MAX, Export, NotMetrics, TooMuch, inflate, read_export
from tenants.problems import Problem

if TYPE_CHECKING:
    from django.http import HttpRequest

SOURCE: Final = "otlp"
PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
CODES: Final = {400: 3, 401: 16, 403: 7, 404: 5, 413: 8, 503: 14}
"""`google.rpc.Code` by HTTP status."""
UNKNOWN: Final = 2


def refuse(problem: Problem) -> HttpResponse:
    """Return a refusal as a `google.rpc.Status` in JSON, which every exporter can show."""
    body = {"code": CODES.get(problem.status, UNKNOWN), "message": problem.detail}
    return HttpResponse(msgspec.json.encode(body), status=problem.status, content_type=JSON)


def export_metrics(request: HttpRequest) -> HttpResponse:
    """Take the points of one request."""
    now = timezone.now()
    key = key_of(request, WRITE, now)
    is_json = request.headers.get("Content-Type", "").partition(";")[0].strip().lower() == JSON
    try:
        export = _read(request, is_json=is_json)
    except (Problem, BodyTooLarge) as problem:
        count_refused(key=key, source=SOURCE, code=problem.code, now=now)
        raise
    tally = collect_series(
        key=key,
        source=SOURCE,
        series=export.series,
        faults=list(export.reasons.items()),
        cluster=request.GET.get("cluster", ""),
        now=now,
    )
    response = ExportMetricsServiceResponse()
    rejected = tally.invalid + tally.conflicts
    if rejected:
        response.partial_success.rejected_data_points = rejected
        response.partial_success.error_message = "; ".join(tally.faults)
    if is_json:
        return HttpResponse(json_format.MessageToJson(response), content_type=JSON)
    return HttpResponse(response.SerializeToString(), content_type=PROTOBUF)


def _read(request: HttpRequest, *, is_json: bool) -> Export:
    media = request.headers.get("Content-Type", "")
    if not is_json and media.partition(";")[0].strip().lower() != PROTOBUF:
        raise MediaNotOffered(f"Content-Type {media[:60]!r}; expected {PROTOBUF} or {JSON}")
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise MediaNotOffered(f"Content-Encoding {encoding[:60]!r}; expected gzip or none")
    body = read_body(request, BYTES_MAX)
    try:
        inflated = inflate(body) if encoding == "gzip" else body
        return read_export(inflated, is_json=is_json, wants=series_index().is_register)
    except NotMetrics as refused:
        raise WriteUnreadable(str(refused)) from refused
    except TooMuch as refused:
        raise WriteTooLarge(str(refused)) from refused


metrics = endpoint(refuse, gate=ingest_gate, POST=export_metrics)
