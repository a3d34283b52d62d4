"""The API of taxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from billing.models import TaxRate
from tests.billing.world import make_world
from tests.filled import api_key

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

RATE = {"country": "US", "category": "S", "percent": "8.875", "from_on": "2026-03-01"}
CERTIFICATE = {"tenant": "tenant", "reference": "C-1", "reason": "resale", "from_on": "2026-03-01"}


class Caller:
    def __init__(self, client: Client, key: str) -> None:
        self.client, self.headers = client, {"authorization": f"Bearer {key}"}

    def get(self, name: str) -> Any:
        return self.client.get(f"/api/v1/{name}", headers=self.headers).json()

    def send(self, method: str, name: str, body: object, **headers: str) -> tuple[int, Any]:
        call = getattr(self.client, method)
        headers = {**self.headers, **headers}
        answer = call(f"/api/v1/{name}", body, content_type="application/json", headers=headers)
        return answer.status_code, answer.json()


@pytest.fixture
def caller(cast: Cast, client: Client) -> Caller:
    make_world(parties=(cast.provider, cast.tenant))
    return Caller(client, api_key(cast.provider))


def test_who_works_taxes_out_is_said_and_read(caller: Caller) -> None:
    assert caller.get("tax-settings") == {"method": "none", "no_tax_reason": "", "stripe_tax_code": ""}
    status, said = caller.send("put", "tax-settings", {"method": "rules"})
    assert (status, said["method"]) == (200, "rules")
    assert caller.get("tax-settings") == said
    status, wrong = caller.send("put", "tax-settings", {"method": "guess"})
    assert (status, wrong["code"]) == (422, "wrong_tax")


def test_rates_are_entered_once_under_a_key(caller: Caller) -> None:
    first = caller.send("post", "tax-rates", RATE, **{"Idempotency-Key": "rate-1"})
    assert first[0] == 201
    assert caller.send("post", "tax-rates", RATE, **{"Idempotency-Key": "rate-1"}) == first
    assert TaxRate.objects.count() == 1
    assert caller.get("tax-rates") == {"tax_rates": [first[1]], "next_cursor": None}
    assert (first[1]["percent"], first[1]["buyers"]) == ("8.875", "all")
    status, wrong = caller.send("post", "tax-rates", {**RATE, "category": "Z"})
    assert (status, wrong["code"]) == (422, "wrong_tax")
    assert "percent" in wrong["detail"]


def test_certificates_are_kept_and_ended(caller: Caller) -> None:
    status, made = caller.send("post", "tax-exemptions", CERTIFICATE)
    assert (status, made["to_on"]) == (201, None)
    assert caller.get("tax-exemptions") == {"tax_exemptions": [made], "next_cursor": None}
    end = f"tax-exemptions/{made['id']}/end"
    assert caller.send("post", end, {"to_on": "2026-04-01"}) == (200, {**made, "to_on": "2026-04-01"})
    assert caller.send("post", end, {"to_on": "2026-05-01"})[1]["code"] == "exemption_ended"
    status, wrong = caller.send("post", "tax-exemptions", {**CERTIFICATE, "tenant": "outsider"})
    assert (status, wrong["code"]) == (404, "tax_tenant_unknown")


def test_a_tenant_has_no_taxes_to_say(cast: Cast, client: Client, caller: Caller) -> None:
    tenant = Caller(client, api_key(cast.tenant))
    assert tenant.get("tax-settings")["code"] == "not_found"
    assert caller.get("tax-settings")["method"] == "none"
