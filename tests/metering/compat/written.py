"""Makers of remote-write calls and of the samples in them."""

from __future__ import annotations

from typing import Any

import cramjam

from metering.compat.remote_write import MESSAGES, V2
from metering.compat.samples import Sample, Series

MODEL = "sample-model"
TARGET = {"job": "vllm", "instance": "10.0.0.5:8000"}
LABELS = {**TARGET, "model_name": MODEL, "engine": "0"}
PROMPT = "vllm:prompt_tokens_total"
GENERATED = "vllm:generation_tokens_total"


def series(name: str, *samples: tuple[float, int], start_ms: int | None = None, **labels: str) -> Series:
    """A series of vLLM's page with `(value, instant)`."""
    return Series(name, {**LABELS, **labels}, tuple(Sample(value, at_ms, start_ms) for value, at_ms in samples))


def call_v1(*found: Series, raw: bool = False) -> bytes:
    """The body of a 1.0 call."""
    request = MESSAGES["RequestV1"]()
    for one in found:
        made = request.timeseries.add()
        for name, value in sorted({"__name__": one.name, **one.labels}.items()):
            made.labels.add(name=name, value=value)
        for sample in one.samples:
            made.samples.add(value=sample.value, timestamp=sample.at_ms)
    text: bytes = request.SerializeToString()
    return text if raw else snappy(text)


def call_v2(*found: Series, on_series: bool = False, **extra: Any) -> bytes:
    """The body of a 2.0 call; `on_series` puts the start where an earlier draft had it."""
    request = MESSAGES["RequestV2"]()
    symbols = [""]

    def ref(text: str) -> int:
        if text not in symbols:
            symbols.append(text)
        return symbols.index(text)

    for one in found:
        made = request.timeseries.add()
        for name, value in sorted({"__name__": one.name, **one.labels}.items()):
            made.labels_refs.extend([ref(name), ref(value)])
        for sample in one.samples:
            start = 0 if on_series else sample.start_ms or 0
            made.samples.add(value=sample.value, timestamp=sample.at_ms, start_timestamp=start)
            made.created_timestamp = (sample.start_ms or 0) if on_series else 0
        made.histograms.extend(extra.get("histograms", []))
    request.symbols.extend(symbols)
    return snappy(request.SerializeToString())


def snappy(text: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(text))


HEADERS_V1 = {"Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"}
MEDIA_V1 = "application/x-protobuf"
MEDIA_V2 = f"application/x-protobuf;proto={V2}"
