"""Examples have the shape that their document asks for."""

from __future__ import annotations

from typing import Any

from jsonschema_rs import Draft202012Validator

from forecourt.api_samples import resolved, sample_of
from tests.api.published import published


def bodies() -> dict[str, tuple[Any, dict[str, Any]]]:
    """The example and the shape of every body of JSON, by operation."""
    found = {}
    for methods in published()["paths"].values():
        for operation in methods.values():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            if "example" in content:
                found[operation["operationId"]] = (content["example"], content["schema"])
    return found


def test_every_example_of_a_body_fits_its_shape() -> None:
    document = published()
    found = bodies()
    assert len(found) > 80
    for name, (example, shape) in found.items():
        whole = {**shape, "components": document["components"]}
        wrong = [
            f"{error.instance_path}: {error.message}" for error in Draft202012Validator(whole).iter_errors(example)
        ]
        assert wrong == [], name


def test_a_node_is_sampled_by_what_it_says_of_itself() -> None:
    shapes = {"Thing": {"type": "object", "required": ["currency"], "properties": {
        "currency": {"type": "string"}, "paid_at": {"type": "string"}, "kind": {"enum": ["a", "b"]},
        "count": {"type": "integer", "minimum": 3}, "rest": {"type": "array", "items": {"type": "boolean"}},
    }}}  # fmt: skip
    schema = {"components": {"schemas": shapes}}
    node = {"$ref": "#/components/schemas/Thing"}
    assert sample_of(schema, node, whole=False) == {"currency": "EUR"}
    assert sample_of(schema, node, whole=True) == {
        "currency": "EUR", "paid_at": "2026-03-01T00:00:00Z", "kind": "a", "count": 3, "rest": [True],
    }  # fmt: skip
    assert sample_of(schema, {"example": 7}, whole=False) == 7
    assert sample_of(schema, {"const": "x"}, whole=False) == "x"
    assert sample_of(schema, {"type": "string"}, whole=False, name="zebra") == "…"


def test_a_shape_that_holds_itself_ends() -> None:
    shapes: dict[str, Any] = {"Node": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}}
    found = sample_of({"components": {"schemas": shapes}}, shapes["Node"], whole=True)
    depth = 0
    while found := found.get("next"):
        depth += 1
    assert depth < 10


def test_what_can_be_null_is_read_as_what_else_it_can_be() -> None:
    shapes = {"Thing": {"type": "string"}}
    node = {"oneOf": [{"$ref": "#/components/schemas/Thing"}, {"type": "null"}]}
    assert resolved({"components": {"schemas": shapes}}, {"allOf": [node]}) == {"type": "string"}
