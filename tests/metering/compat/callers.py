"""Programs that call the compatible inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from django.test import Client
from django.utils import timezone

from metering.models import IngestCount
from tenants.api_keys import issue_key

if TYPE_CHECKING:
    from tenants.models import ApiKey, Organization


class Program:
    """One program with a key of its own."""

    def __init__(self, organization: Organization, *scopes: str) -> None:
        scopes = scopes or ("events:write", "usage:read")
        issued = issue_key(organization=organization, name="sample", scopes=scopes, actor="test", now=timezone.now())
        self.key: ApiKey = issued.key
        self.secret = issued.secret
        self._client = Client(headers={"Authorization": f"Bearer {issued.secret}"})

    def get(self, path: str, **headers: str) -> Any:
        return self._client.get(f"/compat/{path}", headers=headers)

    def post(self, path: str, body: object, media: str = "application/json", **headers: str) -> Any:
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._client.post(f"/compat/{path}", content, content_type=media, headers=named)


def counted(organization: Organization, kind: str = "compat") -> dict[str, int]:
    """What was counted of an organization, by outcome."""
    rows = IngestCount.objects.filter(reporter=str(organization.id), kind=kind)
    return dict(rows.values_list("outcome", "count"))
