"""Calls of the API with a key that has every scope, or some."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tenants.api_keys import SCOPES, issue_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.test import Client

    from tenants.models import Organization


def secret_of(caller: Organization, scopes: Sequence[str] = tuple(SCOPES)) -> str:
    return issue_key(organization=caller, name="Caller", scopes=scopes, actor="tests", now=datetime.now(UTC)).secret


def call(client: Client, secret: str, method: str, address: str, body: Any = None, **headers: str) -> Any:
    return getattr(client, method)(
        f"/api/v1/{address}",
        body if method == "get" else json.dumps(body or {}),
        **({} if method == "get" else {"content_type": "application/json"}),
        headers={"authorization": f"Bearer {secret}", **headers},
    )
