"""What strangers' bytes go through first: each decoder either reads them or refuses them in its own words.

A target takes any bytes. It lets through the refusals that its decoder promises, and nothing else; what was read is
within the bounds that the decoder promises. Seeds are well-formed inputs from which mutations start.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import zstandard
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from metering.agent.engines import load_mappings
from metering.agent.exposition import parse_page
from metering.agent.observe import Source, observe
from metering.columns import read_batch
from metering.compat.cloudevents import NotCloudEvents, read_cloud_events
from metering.compat.lago_events import NotLagoEvents, decode_event, decode_events, read_event
from metering.compat.litellm_logs import NotLogs, read_logs
from metering.compat.otlp_metrics import INFLATED_BYTES_MAX, NotMetrics, read_export
from metering.compat.otlp_metrics import TooMuch as TooManyPoints
from metering.compat.otlp_metrics import inflate as inflate_points
from metering.compat.remote_write import V2, NotRemoteWrite, TooMuch, inflate, read_call
from metering.event_items import EventsMalformed, read_events
from metering.received import read_received
from metering.wire import (
    BATCH_INFLATED_BYTES_MAX,
    BATCH_READINGS_MAX,
    VALUE_MAX,
    BatchRefused,
    decode_batch,
    encode_batch,
    reading_count,
    verify,
)
from metering.wire import inflate as inflate_batch
from metering.wire_blocks import pack
from tests.metering import batches
from tests.metering.compat import written

if TYPE_CHECKING:
    from collections.abc import Callable

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAGES: Final = Path(__file__).parents[1] / "fakes" / "engine_pages"
MAPPINGS: Final = tuple(load_mappings().values())


@dataclass(frozen=True)
class Target:
    """One decoder under test, and the refusals that it promises."""

    read: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]

    def take(self, data: bytes) -> bool:
        """Whether the bytes were read; False if they were refused, with a reason."""
        try:
            self.read(data)
        except self.refusals as refused:
            if not str(refused):
                raise
            return False
        return True


def _batch(data: bytes) -> None:
    """A body as it comes: the first byte chooses its encoding."""
    encoding = ("zstd", "gzip", "", "identity")[data[0] % 4] if data else "zstd"
    _decode_batch(data[1:], encoding)


def _batch_text(data: bytes) -> None:
    """The JSON of a batch, well compressed, so that mutations reach the reader of JSON."""
    _decode_batch(_compressor.compress(data), "zstd")


_compressor = zstandard.ZstdCompressor(level=1)


def _decode_batch(body: bytes, encoding: str) -> None:
    batch = decode_batch(body, encoding)
    assert 0 <= reading_count(batch) <= BATCH_READINGS_MAX
    for column in batch.registers:
        assert len(column.values) == len(column.read_at_ms)
        assert all(0 <= value <= VALUE_MAX for value in column.values)
    assert len(msgspec.json.encode(batch)) <= 2 * BATCH_INFLATED_BYTES_MAX
    # What ingest and rollup read of it is the same.
    received = read_received(inflate_batch(body, encoding))
    if received is not None:
        assert [list(one.values) for one in received[1]] == [column.values for column in batch.registers]
    assert read_batch(body, encoding).values.tolist() == [
        value for column in batch.registers for value in column.values
    ]


def _signature(data: bytes) -> None:
    """A signature and a key from anywhere fit nothing."""
    assert not verify(data[:32], data, data.decode("latin-1"))


def _events(data: bytes) -> None:
    events, rejected = read_events(data, NOW)
    assert sorted([*(one.index for one in events), *(one.index for one in rejected)]) == list(
        range(len(events) + len(rejected))
    )
    assert all(0 <= count <= 100_000_000 for one in events for count in one.counts)


def _page(data: bytes) -> None:
    """A page as every engine would be read from it."""
    mapping = MAPPINGS[data[0] % len(MAPPINGS)] if data else MAPPINGS[0]
    page = parse_page(data[1:], mapping.register_names | mapping.hint_names)
    seen = observe(page, Source("http://127.0.0.1:8000", mapping, "sample-model"))
    assert all(0 <= part.value <= VALUE_MAX for meter in seen.meters for part in meter.parts.values())


def _remote_write(data: bytes) -> None:
    """A body as it comes (first byte below 128) or taken as already inflated, in the version that the byte says."""
    kind, body = data[0] if data else 0, data[1:]
    call = read_call((V2, "prometheus.WriteRequest")[kind % 2], inflate(body) if kind < 128 else body)
    assert call.samples >= 0


def _otlp(data: bytes) -> None:
    """A body in protobuf or in JSON."""
    export = read_export(data[1:], is_json=bool(data and data[0] % 2), wants=lambda name: "token" in name)
    assert export.points >= 0


def _gunzip(data: bytes) -> None:
    assert len(inflate_points(data)) <= INFLATED_BYTES_MAX


def _cloud_events(data: bytes) -> None:
    kinds = ("application/cloudevents+json", "application/cloudevents-batch+json", "application/json")
    read_cloud_events(kinds[data[0] % 3] if data else kinds[0], data[1:], NOW)


def _lago(data: bytes) -> None:
    for event in [decode_event(data[1:])] if data[:1] < b"\x80" else decode_events(data[1:]):
        read_event(event, NOW)


def _litellm(data: bytes) -> None:
    read_logs(data, NOW)


_EVENT: Final = {
    "id": "req-1",
    "source": "sample-gateway",
    "occurred_at": "2026-11-23T10:00:00Z",
    "model": "sample-model",
    "input": 120,
    "cached_input": 20,
    "output": "45",
    "samples": 2,
    "status": "aborted",
    "marks": ["batch", "test"],
    "quantities": {"images": 2, "audio_seconds": "12"},
}
_CLOUD_EVENT: Final = {
    "specversion": "1.0",
    "type": "litellm_tokens",
    "id": "chatcmpl-1",
    "time": "2026-11-23T10:00:00+00:00",
    "subject": "sample-tenant",
    "source": "litellm-proxy",
    "data": {"model": "sample-model", "prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
}
_LAGO: Final = {
    "transaction_id": "one",
    "external_subscription_id": "sample-tenant",
    "code": "tokens",
    "timestamp": "1795427999.5",
    "properties": {"model": "sample-model", "prompt_tokens": 10, "completion_tokens": 5},
}
_LOG: Final = {
    "id": "chatcmpl-1",
    "litellm_call_id": "one",
    "status": "success",
    "model": "sample-model",
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "startTime": 1795427999.5,
    "endTime": 1795428000.5,
    "end_user": "sample-tenant",
    "metadata": {"usage_object": {"prompt_tokens_details": {"cached_tokens": 3}}},
}
_OTLP: Final = {
    "resourceMetrics": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "engine"}}]},
            "scopeMetrics": [
                {
                    "metrics": [
                        {
                            "name": "vllm:prompt_tokens",
                            "sum": {
                                "aggregationTemporality": 2,
                                "isMonotonic": True,
                                "dataPoints": [
                                    {
                                        "startTimeUnixNano": "1795427000000000000",
                                        "timeUnixNano": "1795428000000000000",
                                        "asInt": "42",
                                    }
                                ],
                            },
                        }
                    ]
                }
            ],
        }
    ]
}


_OTLP_BYTES: Final = json_format.ParseDict(_OTLP, ExportMetricsServiceRequest()).SerializeToString()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _batch_seeds() -> tuple[bytes, ...]:
    text = msgspec.json.encode(batches.batch())
    blocks = batches.batch(version=2)
    return (b"\0" + encode_batch(batches.batch()), b"\0" + encode_batch(blocks), b"\1" + gzip.compress(text, mtime=0))


def _batch_text_seeds() -> tuple[bytes, ...]:
    columns = [batches.column(), batches.column([5, 3, 9], meter=batches.meter("output", labels={"tenant": "a"}))]
    blocks = pack(batches.batch(version=2, registers=columns))
    return (msgspec.json.encode(batches.batch()), msgspec.json.encode(blocks))


def _page_seeds() -> tuple[bytes, ...]:
    return tuple(
        bytes([number]) + path.read_bytes()[:4_000].rpartition(b"\n")[0] + b"\n"
        for path in sorted(PAGES.glob("*.txt"))
        for number, mapping in enumerate(MAPPINGS)
        if path.stem.startswith(mapping.engine)
    )


def _remote_write_seeds() -> tuple[bytes, ...]:
    found = written.series(written.PROMPT, (10.0, 1_000), (12.0, 2_000))
    return (
        b"\1" + written.call_v1(found),
        b"\0" + written.call_v2(found),
        b"\x81" + written.call_v1(found, raw=True),
    )


TARGETS: Final[dict[str, Target]] = {
    "batch": Target(_batch, (BatchRefused,), _batch_seeds()),
    "batch_text": Target(_batch_text, (BatchRefused,), _batch_text_seeds()),
    "signature": Target(_signature, (), (b"c2FtcGxl" * 12,)),
    "events": Target(_events, (EventsMalformed,), (_json([_EVENT, {**_EVENT, "id": "req-2", "input": "7"}]),)),
    "page": Target(_page, (), _page_seeds()),
    "remote_write": Target(_remote_write, (NotRemoteWrite, TooMuch), _remote_write_seeds()),
    "otlp": Target(_otlp, (NotMetrics, TooManyPoints), (b"\1" + _json(_OTLP), b"\0" + _OTLP_BYTES)),
    "gunzip": Target(_gunzip, (NotMetrics, TooManyPoints), (gzip.compress(_json(_OTLP), mtime=0),)),
    "cloud_events": Target(
        _cloud_events, (NotCloudEvents,), (b"\0" + _json(_CLOUD_EVENT), b"\1" + _json([_CLOUD_EVENT]))
    ),
    "lago": Target(
        _lago, (NotLagoEvents,), (b"\0" + _json({"event": _LAGO}), b"\xff" + _json({"events": [_LAGO, _LAGO]}))
    ),
    "litellm": Target(_litellm, (NotLogs,), (_json([_LOG]), _json(_LOG) + b"\n" + _json(_LOG))),
}
