"""What fields of events hold is said in the document, and every event of every test is held to it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from tenants.hooks import emitting
from tenants.hooks.kinds import FIELDS, KINDS
from tenants.hooks.shapes import HEADERS, SHAPES, misfits, misnamed, webhooks
from tenants.hooks.signing import headers, new_secret, payload
from tests.tenants.hooks.test_delivering import NOW, body_of


def test_each_field_of_each_kind_has_a_shape_and_no_other_has_one() -> None:
    assert set(SHAPES) == {name for fields in FIELDS.values() for name in fields.split()}
    assert [name for name, shape in SHAPES.items() if not shape.means] == []


def test_tests_hold_events_to_the_shapes() -> None:
    assert emitting.wrong_fields is misfits


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "7"),
        ("id", None),
        ("total", "1.5e"),
        ("total", 12),
        ("due_at", "2026-04-01T12:00:00+00:00"),
        ("due_at", "2026-04-01"),
        ("number", 7),
    ],
)
def test_a_value_that_does_not_fit_is_found(field: str, value: object) -> None:
    body: dict[str, Any] = body_of("invoice.issued")
    assert misfits("invoice.issued", body) == []
    assert misfits("invoice.issued", {**body, field: value}) == [field]
    assert misnamed("invoice.issued", {**body, field: value}) == []


def test_what_is_missing_or_too_much_is_found_by_either() -> None:
    body: dict[str, Any] = {**body_of("dispute.opened"), "surprise": 1}
    del body["state"]
    assert misfits("dispute.opened", body) == misnamed("dispute.opened", body) == ["state", "surprise"]
    assert misfits("dispute.opened", {**body_of("dispute.opened"), "line": True}) == ["line"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_document_describes_what_is_sent(kind: str) -> None:
    call = webhooks()[kind]["post"]
    shape = call["requestBody"]["content"]["application/json"]["schema"]
    sent = payload(kind, NOW, body_of(kind))
    Draft202012Validator(shape, validate_formats=True).validate(json.loads(sent))
    assert {one["name"] for one in call["parameters"]} == set(HEADERS) == set(headers([new_secret()], "m", NOW, sent))
