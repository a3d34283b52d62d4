"""Makers of whole, valid wire structures for tests."""

from metering import wire

NODE = "00000000-0000-0000-0000-000000000007"


def meter(quantity: wire.RegisterQuantity = "input", **changes: object) -> wire.MeterKey:
    fields: dict[str, object] = {
        "subject": "endpoint",
        "subject_id": "http://127.0.0.1:8000",
        "engine": "vllm",
        "model": "sample-model",
        "quantity": quantity,
        "labels": {},
        **changes,
    }
    return wire.MeterKey(**fields)  # type: ignore[arg-type]  # fields of one known struct


def column(values: list[int] | None = None, **changes: object) -> wire.RegisterColumn:
    values = [10, 20, 30] if values is None else values
    fields: dict[str, object] = {
        "meter": meter(),
        "epoch": "e1",
        "epoch_started_ms": None,
        "epoch_proof": "none",
        "first_seq": 1,
        "values": values,
        "read_at_ms": [1_795_000_000_000 + 10_000 * i for i in range(len(values))],
        **changes,
    }
    return wire.RegisterColumn(**fields)  # type: ignore[arg-type]  # fields of one known struct


def gauge(values: list[int | None] | None = None, **changes: object) -> wire.GaugeColumn:
    values = [98, None] if values is None else values
    fields: dict[str, object] = {
        "accelerator": "GPU-1",
        "quantity": "utilisation_percent",
        "values": values,
        "read_at_ms": [1_795_000_000_000 + 10_000 * i for i in range(len(values))],
        **changes,
    }
    return wire.GaugeColumn(**fields)  # type: ignore[arg-type]  # fields of one known struct


def batch(**changes: object) -> wire.Batch:
    fields: dict[str, object] = {
        "version": 1,
        "node": NODE,
        "seq": 1,
        "prev_hash": wire.FIRST_PREV_HASH,
        "agent_version": "0.1.0",
        "boot_id": "boot-1",
        "created_at_ms": 1_795_000_030_000,
        "monotonic_ms": 123_456,
        "metered_to_ms": 1_795_000_030_000,
        "registers": [column()],
        "gauges": [gauge()],
        "outcomes": [wire.Outcome("endpoint", "http://127.0.0.1:8000", 1_795_000_000_000, "timeout", "slow", 2)],
        "accelerators": [
            wire.AcceleratorSeen("GPU-1", None, "NVIDIA H100", 81_559, None, True, [], "580.65.06"),
        ],
        "endpoints": [wire.EndpointSeen("http://127.0.0.1:8000", "vllm", ["sample-model"], None)],
        **changes,
    }
    return wire.Batch(**fields)  # type: ignore[arg-type]  # fields of one known struct
