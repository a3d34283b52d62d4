"""The OpenAPI document is made once, in each form, and is the same as made anew for whoever asks."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from django.test import Client
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from rest_framework.renderers import BaseRenderer

from forecourt.api_document import document, once

FORMS = ("application/vnd.oai.openapi+json", "application/json", "application/vnd.oai.openapi", "application/yaml")


def made_anew() -> dict[str, Any]:
    generator: Any = SchemaGenerator  # it has no types
    made: dict[str, Any] = json.loads(json.dumps(generator().get_schema(request=None, public=True)))
    return made


def test_it_is_made_once_and_says_what_the_code_says_in_every_language() -> None:
    assert document() is document()
    with translation.override("zh-hans"):
        assert json.loads(json.dumps(document())) == made_anew()


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_document_and_the_same_bytes_each_time(form: str) -> None:
    first, again = (Client().get("/api/v1/schema", headers={"Accept": form}) for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert first.headers["Content-Type"].startswith(form)
    assert first.headers["Content-Disposition"].startswith("inline; filename=")
    if "json" in form:
        assert json.loads(first.content) == json.loads(json.dumps(document()))
    else:
        assert first.content.startswith(b"openapi: 3.1.0\n")


def test_who_asks_for_nothing_in_particular_gets_json_laid_out_to_be_read() -> None:
    answer = Client().get("/api/v1/schema")
    assert answer.content.startswith(b'{\n    "openapi": "3.1.0",\n')


def test_a_document_in_yaml_is_read_as_the_same() -> None:
    answer = Client().get("/api/v1/schema", headers={"Accept": "application/yaml"})
    head = answer.content.partition(b"\npaths:")[0]
    assert yaml.safe_load(head)["info"] == document()["info"]


def test_who_calls_by_another_method_is_told_so_in_the_form_that_they_asked_for() -> None:
    answer = Client().post("/api/v1/schema", headers={"Accept": "application/json"})
    assert answer.status_code == 405
    assert "openapi" not in answer.json()


def test_what_is_not_the_document_is_written_for_itself() -> None:
    renderer = once(OpenApiJsonRenderer)()
    assert isinstance(renderer, BaseRenderer)
    assert json.loads(renderer.render({"a": 1})) == {"a": 1}
    assert json.loads(renderer.render(dict(document())))["openapi"] == "3.1.0"
