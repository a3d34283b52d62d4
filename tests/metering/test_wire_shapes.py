"""The bounds that the types of the wire carry."""

from typing import Any

import msgspec
import pytest

from metering import wire, wire_shapes
from tests.metering import batches


def changed(path: list[str | int], value: object) -> Any:
    whole: Any = msgspec.to_builtins(batches.batch())
    place = whole
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return whole


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["registers", 0, "values", 0], 2**63 - 1),
        (["registers", 0, "values", 0], 0),
        (["registers", 0, "epoch_started_ms"], wire.INSTANT_MS_MAX),
        (["gauges", 0, "values", 0], None),
        (["registers", 0, "meter", "model"], ""),
        (["outcomes", 0, "reason"], "a"),
    ],
)
def test_values_on_the_edge_pass(path: list[str | int], value: object) -> None:
    msgspec.convert(changed(path, value), wire.Batch)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["registers", 0, "values", 0], 2**63),
        (["registers", 0, "values", 0], -1),
        (["registers", 0, "values", 0], None),
        (["registers", 0, "values", 0], 1.5),
        (["registers", 0, "values", 0], "1"),
        (["registers", 0, "values", 0], True),
        (["registers", 0, "values"], []),
        (["registers", 0, "first_seq"], 0),
        (["registers", 0, "epoch"], ""),
        (["registers", 0, "epoch_proof"], "hearsay"),
        (["registers", 0, "read_at_ms", 0], wire.INSTANT_MS_MAX + 1),
        (["registers", 0, "meter", "subject"], "node"),
        (["registers", 0, "meter", "quantity"], "tokens"),
        (["registers", 0, "meter", "subject_id"], ""),
        (["registers", 0, "meter", "labels"], {str(n): "" for n in range(wire.LABELS_MAX + 1)}),
        (["registers", 0, "meter", "labels"], {"": "empty"}),
        (["registers", 0, "meter", "extra"], 1),
        (["gauges", 0, "quantity"], "temperature"),
        (["gauges", 0, "values"], []),
        (["outcomes", 0, "count"], 0),
        (["outcomes", 0, "reason"], "Not A Code"),
        (["outcomes", 0, "reason"], ""),
        (["outcomes", 0, "subject"], "gpu"),
        (["prev_hash"], "A" * 64),
        (["prev_hash"], "0" * 63),
        (["metered_to_ms"], -1),
        (["accelerators", 0, "mig"], [{"uuid": "m", "profile": "", "memory_mib": 1}] * 65),
        (["endpoints", 0, "models"], ["m"] * 257),
    ],
)
def test_values_over_the_edge_are_refused(path: list[str | int], value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(changed(path, value), wire.Batch)


@pytest.mark.parametrize("field", ["version", "node", "seq", "registers", "metered_to_ms", "endpoints"])
def test_every_field_must_be_there(field: str) -> None:
    whole = msgspec.to_builtins(batches.batch())
    del whole[field]
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert(whole, wire.Batch)


def test_structs_are_frozen() -> None:
    with pytest.raises(AttributeError):
        batches.batch().seq = 2  # type: ignore[misc]  # the point of the test


def test_the_public_face_carries_every_shape() -> None:
    missing = [
        name
        for name, value in vars(wire_shapes).items()
        if isinstance(value, type) and value.__module__ == wire_shapes.__name__ and not hasattr(wire, name)
    ]
    assert missing == []
    assert sorted(wire.__all__) == sorted(set(wire.__all__))
