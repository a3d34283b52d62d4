"""`manage.py seed`: what it prints is enough to enrol a node, send events, read usage and sign in."""

from __future__ import annotations

import json
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from billing.models import Contract, PriceVersion, Term
from billing.rating.share_wording import TokenShareWording
from clusters.enrolment import enrol
from tenants.models import ApiKey, Organization, User
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def seed(*options: str) -> str:
    said = StringIO()
    call_command("seed", *options, stdout=said)
    return said.getvalue()


@kept
def made() -> dict[str, str]:
    found: dict[str, str] = json.loads(seed("--json"))
    return found


def program(key: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {key}"})


def event(made: dict[str, str]) -> dict[str, Any]:
    return {
        "id": "r-1",
        "source": "sample",
        "occurred_at": timezone.now().isoformat(),
        "model": made["model"],
        "deployment": made["deployment"],
        "input": 10,
        "output": 5,
    }


def test_the_token_enrols_a_node(made: dict[str, str]) -> None:
    done = enrol(
        secret=made["enrolment_token"],
        public_key=bytes(range(32)),
        node_name="sample-node",
        agent_version="0.1.0",
        now=timezone.now(),
    )
    assert done.created
    assert done.node.cluster.slug == made["cluster"]


@pytest.mark.parametrize("key", ["tenant_api_key", "provider_api_key"])
def test_the_keys_read_usage_and_invoices(made: dict[str, str], key: str) -> None:
    client = program(made[key])
    window = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-02T00:00:00Z"}
    assert client.get("/api/v1/usage", window).status_code == 200
    assert client.get("/api/v1/invoices").status_code == 200


def test_the_tenants_key_sends_events_of_the_deployment(made: dict[str, str]) -> None:
    answer = program(made["tenant_api_key"]).post("/api/v1/events", json.dumps([event(made)]), "application/json")
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)


def test_only_the_providers_key_makes_enrolment_tokens(made: dict[str, str]) -> None:
    answers = [
        program(made[key]).post("/api/v1/enrolment-tokens", {"cluster": made["cluster"]}, "application/json")
        for key in ("provider_api_key", "tenant_api_key")
    ]
    assert [answer.status_code for answer in answers] == [201, 403]


@pytest.mark.parametrize(("person", "room"), [("tenant_person", "/t/usage/"), ("provider_person", "/p/")])
def test_the_people_can_sign_in_and_start(made: dict[str, str], client: Client, person: str, room: str) -> None:
    answer = client.post("/sign-in/", {"login": made[person], "password": made["password"]}, follow=True)
    assert answer.status_code == 200
    assert answer.redirect_chain[-1][0] == room


def test_prices_and_contract_are_in_force(made: dict[str, str]) -> None:
    contract = Contract.objects.get(number=made["contract"])
    assert contract.from_at <= timezone.now()
    share = Term.objects.get(contract=contract).wording_at(contract.from_at)
    assert isinstance(share, TokenShareWording)
    assert share.share_percent == 30
    version = PriceVersion.objects.get()
    assert version.effective_at <= contract.from_at
    assert set(version.token_prices.values_list("model", flat=True)) == {made["model"]}


def test_for_people_it_prints_lines() -> None:
    lines = seed().splitlines()
    assert lines[0].split() == ["operator", "operator"]
    assert any(line.startswith("password ") for line in lines)


def test_a_database_in_use_is_refused_and_left_alone(cast: Cast) -> None:
    before = (Organization.objects.count(), User.objects.count())
    with pytest.raises(CommandError, match="expected a database without organizations"):
        seed()
    assert (Organization.objects.count(), User.objects.count(), ApiKey.objects.count()) == (*before, 0)


def test_secrets_are_printed_and_not_stored(made: dict[str, str]) -> None:
    for key in ApiKey.objects.all():
        assert bytes(key.secret_sha256).hex() not in json.dumps(made)
    assert made["password"] not in User.objects.get(email=made["tenant_person"]).password
