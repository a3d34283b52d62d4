"""Prometheus remote write 1.0 and 2.0: from the bytes of a call to series, within bounds. Pure.

No package has these messages, so their descriptors are made here from the published field numbers; the decoding itself
is protobuf's own. Of 2.0 both drafts of the start are read: on the sample, and on the series (field 6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from metering.compat.samples import Sample, Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

V1: Final = "prometheus.WriteRequest"
V2: Final = "io.prometheus.write.v2.Request"
BYTES_MAX: Final = 4 << 20
INFLATED_BYTES_MAX: Final = 8 << 20
SAMPLES_MAX: Final = 50_000
SERIES_MAX: Final = 20_000
LABELS_MAX: Final = 128
LABEL_CHARS_MAX: Final = 4_096
NAME_LABEL: Final = "__name__"
VARINT_BYTES_MAX: Final = 5


class NotRemoteWrite(Exception):
    """Bytes that are no call of remote write."""


class TooMuch(Exception):
    """More bytes, series or samples than a call may have."""


_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES: Final = {
    "string": _FIELD.TYPE_STRING,
    "double": _FIELD.TYPE_DOUBLE,
    "int64": _FIELD.TYPE_INT64,
    "uint32": _FIELD.TYPE_UINT32,
    "bytes": _FIELD.TYPE_BYTES,
}
# message: {field: (number, type or message, repeated)}. Histograms and exemplars are counted, not read.
_MESSAGES: Final[dict[str, dict[str, tuple[int, str, bool]]]] = {
    "Label": {"name": (1, "string", False), "value": (2, "string", False)},
    "SampleV1": {"value": (1, "double", False), "timestamp": (2, "int64", False)},
    "SeriesV1": {
        "labels": (1, "Label", True),
        "samples": (2, "SampleV1", True),
        "exemplars": (3, "bytes", True),
        "histograms": (4, "bytes", True),
    },
    "RequestV1": {"timeseries": (1, "SeriesV1", True)},
    "SampleV2": {
        "value": (1, "double", False),
        "timestamp": (2, "int64", False),
        "start_timestamp": (3, "int64", False),
    },
    "SeriesV2": {
        "labels_refs": (1, "uint32", True),
        "samples": (2, "SampleV2", True),
        "histograms": (3, "bytes", True),
        "exemplars": (4, "bytes", True),
        "created_timestamp": (6, "int64", False),
    },
    "RequestV2": {"symbols": (4, "string", True), "timeseries": (5, "SeriesV2", True)},
}


def _message_classes() -> dict[str, Any]:
    package = "forecourt.remote_write"
    file = descriptor_pb2.FileDescriptorProto(name="forecourt_remote_write.proto", package=package, syntax="proto3")
    for message_name, fields in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for field_name, (number, kind, repeated) in fields.items():
            label = _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            made = message.field.add(name=field_name, number=number, label=label)
            if kind in _TYPES:
                made.type = _TYPES[kind]
            else:
                made.type, made.type_name = _FIELD.TYPE_MESSAGE, f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in _MESSAGES
    }


MESSAGES: Final = _message_classes()


class Call:
    """What one call carries. Series that cannot be read are faults with the number of their samples."""

    def __init__(self) -> None:
        self.series: list[Series] = []
        self.faults: list[tuple[str, int]] = []
        self.histograms = 0
        self.exemplars = 0

    @property
    def samples(self) -> int:
        """Samples that could be read."""
        return sum(len(one.samples) for one in self.series)


def inflate(body: bytes) -> bytes:
    """Decompress a snappy block; how large it will be is read before, so that no bomb is unpacked.

    Raises NotRemoteWrite, TooMuch.
    """
    size = _announced(body)
    if size > INFLATED_BYTES_MAX:
        raise TooMuch(f"The body inflates to {size} bytes; at most {INFLATED_BYTES_MAX} are taken.")
    try:
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as broken:
        raise NotRemoteWrite(f"The body is no snappy block: {broken}") from broken


def _announced(body: bytes) -> int:
    size = 0
    for index, byte in enumerate(body[:VARINT_BYTES_MAX]):
        size |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return size
    raise NotRemoteWrite("The body is no snappy block: it does not say its length.")


def read_call(message: str, body: bytes) -> Call:
    """Read an uncompressed body of `message` (V1 or V2). Raises NotRemoteWrite, TooMuch."""
    request = MESSAGES["RequestV2" if message == V2 else "RequestV1"]()
    try:
        request.ParseFromString(body)
    except (DecodeError, UnicodeDecodeError) as broken:
        raise NotRemoteWrite(f"The body is no {message}: {broken}") from broken
    if len(request.timeseries) > SERIES_MAX:
        raise TooMuch(f"{len(request.timeseries)} series; at most {SERIES_MAX} are taken in a call.")
    if sum(len(one.samples) for one in request.timeseries) > SAMPLES_MAX:
        raise TooMuch(f"More than {SAMPLES_MAX} samples in a call.")
    call = Call()
    symbols = list(request.symbols) if message == V2 else []
    if message == V2 and (not symbols or symbols[0]):
        raise NotRemoteWrite("symbols: the first must be empty")
    for one in request.timeseries:
        call.histograms += len(one.histograms)
        call.exemplars += len(one.exemplars)
        _read_series(call, one, symbols, is_v2=message == V2)
    return call


def _read_series(call: Call, one: Any, symbols: list[str], *, is_v2: bool) -> None:
    pairs = _pairs(one.labels_refs, symbols) if is_v2 else [(label.name, label.value) for label in one.labels]
    fault = "labels refer to symbols that are not there" if pairs is None else _label_fault(pairs)
    if fault is not None or pairs is None:
        call.faults.append((str(fault), max(1, len(one.samples))))
        return
    labels = dict(pairs)
    name = labels.pop(NAME_LABEL)
    created_ms = one.created_timestamp if is_v2 else 0
    starts = [(sample.start_timestamp if is_v2 else 0) or created_ms for sample in one.samples]
    samples = tuple(
        Sample(sample.value, sample.timestamp, start_ms if 0 < start_ms < sample.timestamp else None)
        for sample, start_ms in zip(one.samples, starts, strict=True)
    )
    call.series.append(Series(name, labels, samples))


def _pairs(refs: Iterable[int], symbols: list[str]) -> list[tuple[str, str]] | None:
    numbers = list(refs)
    if len(numbers) % 2 or any(number >= len(symbols) for number in numbers):
        return None
    texts: Iterator[str] = (symbols[number] for number in numbers)
    return list(zip(texts, texts, strict=True))


def _label_fault(pairs: list[tuple[str, str]]) -> str | None:
    names = [name for name, _ in pairs]
    if len(pairs) > LABELS_MAX:
        return f"more than {LABELS_MAX} labels"
    if len(set(names)) != len(names):
        return f"label {max(names, key=names.count)[:100]!r} is twice in one series"
    if not dict(pairs).get(NAME_LABEL):
        return "a series without a name"
    for name, value in pairs:
        if not name or len(name) > LABEL_CHARS_MAX or len(value) > LABEL_CHARS_MAX or "\0" in name + value:
            return f"label {name[:100]!r} is empty, too long, or has a NUL"
    return None
