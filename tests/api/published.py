"""The OpenAPI document as programs get it, made once for a run of tests: making it takes seconds."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from django.test import Client


@cache
def _published() -> bytes:
    answer = Client().get("/api/v1/schema")
    assert answer.status_code == 200
    return bytes(answer.content)


def published() -> dict[str, Any]:
    """The document, each time a new one, so that nobody changes another's."""
    document: dict[str, Any] = json.loads(_published())
    return document
