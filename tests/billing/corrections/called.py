"""Calls to the API of corrections, by keys of either party and of somebody outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.test import Client

from tenants.api_keys import issue_key
from tests.billing.issued import Line, make_issued
from tests.factories import make_organization

if TYPE_CHECKING:
    from billing.models import Invoice
    from tenants.models import Organization


@dataclass
class Callers:
    """An invoice of 120.00 in two lines, and keys of its provider, its tenant and an outsider."""

    invoice: Invoice = field(default_factory=lambda: make_issued([Line("100.00"), Line("20.00")]))

    def __post_init__(self) -> None:
        outsider = make_organization("charlie-inc", is_provider=True)
        self.keys = {
            name: _key(owner)
            for name, owner in (
                ("provider", self.invoice.issuer),
                ("tenant", self.invoice.tenant),
                ("charlie", outsider),
            )
        }

    def get(self, who: str, path: str) -> Any:
        return self._client(who).get(f"/api/v1/{path}")

    def post(self, who: str, path: str, body: Any = None, key: str = "") -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        return self._client(who).post(
            f"/api/v1/{path}", {} if body is None else body, content_type="application/json", headers=headers
        )

    def of_invoice(self, what: str) -> str:
        return f"invoices/{self.invoice.pk}/{what}"

    def _client(self, who: str) -> Client:
        return Client(headers={"Authorization": f"Bearer {self.keys[who]}"})


def _key(owner: Organization) -> str:
    issued = issue_key(
        organization=owner,
        name="Sample",
        scopes=["invoices:read", "invoices:correct"],
        actor="tests",
        now=datetime.now(UTC),
    )
    return issued.secret
