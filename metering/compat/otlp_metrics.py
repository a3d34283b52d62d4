"""OTLP metrics over HTTP: from a request to series; what cannot be metered is refused point by point. Pure.

Only what is cumulative and can only rise is a register. A delta that is lost is lost money and one that is sent again
is double money, so deltas are refused with the setting that helps. A point whose start is its own instant has an
unknown start (OTLP data model): it is a baseline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from metering.compat.samples import FAULTS_KEPT_MAX, Sample, Series
from metering.gzip_bodies import InflatesTooLarge, NotGzip, gunzip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BYTES_MAX: Final = 4 << 20
INFLATED_BYTES_MAX: Final = 8 << 20
JSON_BYTES_MAX: Final = 4 << 20
POINTS_MAX: Final = 50_000
TEXT_CHARS_MAX: Final = 4_096
NS_PER_MS: Final = 1_000_000
DEPTH_MAX: Final = 20
RESOURCE_LABELS: Final = {"service.instance.id": "instance", "service.name": "job", "k8s.cluster.name": "cluster"}
OTHERS: Final = "others"
SUFFIX: Final = "_total"
DELTA: Final = (
    "delta temporality cannot be metered without loss; set the exporter to cumulative "
    "(OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative)"
)


class NotMetrics(Exception):
    """Bytes that are no request of OTLP metrics."""


class TooMuch(Exception):
    """More bytes or points than a request may have."""


class Export:
    """What one request carries. `reasons` count points that could have been registers and cannot be metered."""

    def __init__(self) -> None:
        self.series: list[Series] = []
        self.points = 0
        self.ignored = 0
        self.reasons: dict[str, int] = {}

    def refuse(self, count: int, reason: str) -> None:
        """Count refused points by their reason, of which the first few are kept apart."""
        kept = reason if reason in self.reasons or len(self.reasons) < FAULTS_KEPT_MAX else OTHERS
        self.reasons[kept] = self.reasons.get(kept, 0) + count


def inflate(body: bytes) -> bytes:
    """Inflate a gzip body of at most INFLATED_BYTES_MAX. Raises NotMetrics, TooMuch."""
    try:
        return gunzip(body, INFLATED_BYTES_MAX)
    except NotGzip as broken:
        raise NotMetrics(f"The body is not one whole gzip member: {broken}") from broken
    except InflatesTooLarge as refused:
        raise TooMuch(str(refused)) from refused


def read_export(body: bytes, *, is_json: bool, wants: Callable[[str], bool]) -> Export:
    """Read a request; `wants` says which names may be registers. Raises NotMetrics, TooMuch."""
    if is_json and len(body) > JSON_BYTES_MAX:
        raise TooMuch(f"The body has more than {JSON_BYTES_MAX} bytes of JSON.")
    request = ExportMetricsServiceRequest()
    try:
        if is_json:
            json_format.Parse(body, request, ignore_unknown_fields=True, max_recursion_depth=DEPTH_MAX)
        else:
            request.ParseFromString(body)
    except (DecodeError, json_format.ParseError, UnicodeDecodeError, RecursionError, ValueError) as broken:
        raise NotMetrics(f"The body is no ExportMetricsServiceRequest: {broken}"[:300]) from broken
    export = Export()
    for resource in request.resource_metrics:
        target = _target(resource.resource.attributes)
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                _read_metric(export, metric, target, wants)
                if export.points > POINTS_MAX:
                    raise TooMuch(f"More than {POINTS_MAX} data points in a request.")
    return export


def _target(attributes: Iterable[Any]) -> dict[str, str]:
    """The labels of a resource: what names the target, and else what the sender put on it."""
    return {RESOURCE_LABELS.get(one.key, one.key): _text(one.value) for one in attributes if one.key}


def _read_metric(export: Export, metric: Any, target: dict[str, str], wants: Callable[[str], bool]) -> None:
    kind = metric.WhichOneof("data")
    points = list(getattr(metric, kind).data_points) if kind else []
    export.points += len(points)
    name = _known_name(metric.name, wants, kind)
    if kind is None or name is None:  # a metric may come without any data
        export.ignored += len(points)
        return
    data = getattr(metric, kind)
    if kind not in {"sum", "histogram"}:
        export.refuse(len(points), f"{name[:100]}: a {kind} is no cumulative sum")
    elif data.aggregation_temporality != AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE:
        export.refuse(len(points), f"{name[:100]}: {DELTA}")
    elif kind == "sum" and not data.is_monotonic:
        export.refuse(len(points), f"{name[:100]}: a sum that may fall is no register; export it as monotonic")
    else:
        for point in points:
            export.series.append(Series(name, {**target, **_labels(point)}, (_sample(point, kind),)))


def _known_name(name: str, wants: Callable[[str], bool], kind: str | None) -> str | None:
    """The name under which a register is known: collectors drop `_total`, a histogram's register is its sum."""
    tried = (f"{name}_sum",) if kind == "histogram" else (name, name + SUFFIX)
    return next((one for one in tried if wants(one)), None)


def _labels(point: Any) -> dict[str, str]:
    return {one.key: _text(one.value) for one in point.attributes if one.key}


def _sample(point: Any, kind: str) -> Sample:
    value: float = point.sum if kind == "histogram" else point.as_double
    if kind != "histogram" and point.WhichOneof("value") == "as_int":
        value = point.as_int  # exact, also where no float is
    at_ns, start_ns = point.time_unix_nano, point.start_time_unix_nano
    return Sample(value, at_ns // NS_PER_MS, start_ns // NS_PER_MS if 0 < start_ns < at_ns else None)


def _text(value: Any) -> str:
    kind = value.WhichOneof("value")
    if kind is None or kind in {"array_value", "kvlist_value", "bytes_value"}:
        return ""
    text = str(getattr(value, kind))[:TEXT_CHARS_MAX]
    return text.replace("\0", "�")
