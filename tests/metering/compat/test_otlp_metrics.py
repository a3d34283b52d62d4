"""OTLP metrics: what is a register, what is refused and why."""

from __future__ import annotations

import gzip

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric

from metering.compat import otlp_metrics
from metering.compat.otlp_metrics import INFLATED_BYTES_MAX, OTHERS, Export, NotMetrics, TooMuch, inflate, read_export
from metering.compat.samples import FAULTS_KEPT_MAX, Sample, Series
from tests.examples import examples
from tests.metering.compat.written import GENERATED, PROMPT

CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
DELTA = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
NS = 1_000_000
T0 = 1_773_144_000_000


def request_of(*metrics: Metric) -> ExportMetricsServiceRequest:
    """A request of one resource."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    for name, value in {"service.name": "gateway", "service.instance.id": "g-1", "odd": ""}.items():
        resource.resource.attributes.add(key=name).value.string_value = value
    resource.scope_metrics.add().metrics.extend(metrics)
    return request


def sum_of(
    name: str,
    value: float = 5,
    *,
    temporality: int = CUMULATIVE,
    monotonic: bool = True,
    start_ms: int = T0 - 1_000,
    at_ms: int = T0,
    **labels: str,
) -> Metric:
    """A sum with one point."""
    metric = Metric(name=name)
    metric.sum.aggregation_temporality = temporality  # type: ignore[assignment]  # an enumeration's number
    metric.sum.is_monotonic = monotonic
    point = metric.sum.data_points.add(start_time_unix_nano=start_ms * NS, time_unix_nano=at_ms * NS)
    if isinstance(value, int):
        point.as_int = value
    else:
        point.as_double = value
    for label, text in labels.items():
        point.attributes.add(key=label).value.string_value = text
    return metric


def wants(name: str) -> bool:
    return name in {PROMPT, GENERATED, "tgi_request_input_length_sum"}


def read(*metrics: Metric, is_json: bool = False) -> Export:
    request = request_of(*metrics)
    body = json_format.MessageToJson(request).encode() if is_json else request.SerializeToString()
    return read_export(body, is_json=is_json, wants=wants)


@pytest.mark.parametrize("is_json", [False, True])
def test_a_cumulative_sum_is_a_series_of_its_target(is_json: bool) -> None:
    export = read(sum_of(PROMPT, model_name="m"), is_json=is_json)
    labels = {"job": "gateway", "instance": "g-1", "odd": "", "model_name": "m"}
    assert export.series == [Series(PROMPT, labels, (Sample(5.0, T0, T0 - 1_000),))]
    assert (export.points, export.ignored, export.reasons) == (1, 0, {})


def test_a_dropped_suffix_is_found() -> None:
    assert read(sum_of(PROMPT.removesuffix("_total"))).series[0].name == PROMPT


def test_a_start_at_its_own_instant_is_unknown() -> None:
    assert read(sum_of(PROMPT, start_ms=T0)).series[0].samples[0].start_ms is None
    assert read(sum_of(PROMPT, start_ms=0)).series[0].samples[0].start_ms is None
    metric = sum_of(PROMPT)
    metric.sum.data_points[0].start_time_unix_nano = T0 * NS - 1
    assert read(metric).series[0].samples[0].start_ms == T0 - 1


def test_what_cannot_be_metered_is_refused_point_by_point_with_the_reason() -> None:
    gauge = Metric(name=PROMPT)
    gauge.gauge.data_points.add()
    export = read(
        sum_of(PROMPT, temporality=DELTA), sum_of(PROMPT, monotonic=False), gauge, sum_of("other"), sum_of(GENERATED)
    )
    assert (len(export.series), export.ignored, sum(export.reasons.values())) == (1, 1, 3)
    told = " ".join(export.reasons)
    assert "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative" in told
    assert "monotonic" in told
    assert "gauge" in told


def test_a_histograms_sum_is_a_register_where_the_mapping_reads_one() -> None:
    metric = Metric(name="tgi_request_input_length")
    metric.histogram.aggregation_temporality = CUMULATIVE
    metric.histogram.data_points.add(time_unix_nano=T0 * NS, start_time_unix_nano=NS, sum=12.0, count=3)
    (found,) = read(metric).series
    assert (found.name, found.samples[0].value) == ("tgi_request_input_length_sum", 12.0)
    usual = Metric(name="gen_ai.client.token.usage")
    usual.histogram.data_points.add(sum=1)
    assert read(usual).ignored == 1


def test_attributes_of_any_kind_are_texts() -> None:
    metric = sum_of(PROMPT)
    attributes = metric.sum.data_points[0].attributes
    attributes.add(key="number").value.int_value = 7
    attributes.add(key="yes").value.bool_value = True
    attributes.add(key="list").value.array_value.values.add().string_value = "x"
    attributes.add(key="nul").value.string_value = "a\0b"
    attributes.add(key="").value.string_value = "dropped"
    labels = read(metric).series[0].labels
    assert {name: labels[name] for name in ("number", "yes", "list", "nul")} == {
        "number": "7",
        "yes": "True",
        "list": "",
        "nul": "a�b",
    }
    assert "" not in labels


def test_a_metric_without_data_is_passed_over() -> None:
    export = read(Metric(name=PROMPT), sum_of(GENERATED))
    assert [one.name for one in export.series] == [GENERATED]


def test_an_integer_stays_exact() -> None:
    metric = sum_of(PROMPT)
    metric.sum.data_points[0].as_int = 2**53 + 1
    (one,) = read(metric).series
    assert one.samples[0].value == 2**53 + 1
    assert isinstance(one.samples[0].value, int)


def test_reasons_are_bounded() -> None:
    export = Export()
    for number in range(FAULTS_KEPT_MAX + 5):
        export.refuse(1, str(number))
    assert (len(export.reasons), export.reasons[OTHERS]) == (FAULTS_KEPT_MAX + 1, 5)


def test_bombs_and_floods_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(b"\0" * (INFLATED_BYTES_MAX + 1))
    with pytest.raises(TooMuch):
        inflate(bomb)
    for broken in (b"", b"nothing", gzip.compress(b"x")[:-1], gzip.compress(b"x") + b"y"):
        with pytest.raises(NotMetrics):
            inflate(broken)
    assert inflate(gzip.compress(b"x")) == b"x"
    monkeypatch.setattr(otlp_metrics, "POINTS_MAX", 1)
    with pytest.raises(TooMuch):
        read(sum_of("a"), sum_of("b"))
    monkeypatch.setattr(otlp_metrics, "JSON_BYTES_MAX", 1)
    with pytest.raises(TooMuch):
        read(sum_of("a"), is_json=True)


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"resourceMetrics":' * 5_000, b"nothing", b'{"resourceMetrics":5}'])
def test_json_that_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(NotMetrics):
        read_export(body, is_json=True, wants=wants)


@settings(max_examples=examples(25))
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    for is_json in (False, True):
        try:
            export = read_export(body, is_json=is_json, wants=wants)
        except (NotMetrics, TooMuch):
            continue
        assert export.points >= 0
