"""The schedule and the steps by the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.models import Invoice
from tests.billing.banking.test_api import call
from tests.billing.dunning.overdue import STEPS, after, make_overdue, sweep
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


invoice = kept(make_overdue)


def test_a_schedule_is_set_and_read(cast: Cast, client: Client) -> None:
    assert call(client, cast.provider, "dunning-schedule").json() == {"steps": []}
    answer = call(client, cast.provider, "dunning-schedule", {"steps": STEPS}, "put")
    assert (answer.status_code, answer.json()) == (200, {"steps": STEPS})
    assert call(client, cast.provider, "dunning-schedule").json() == {"steps": STEPS}
    wrong = call(client, cast.provider, "dunning-schedule", {"steps": STEPS[3:]}, "put")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "wrong_dunning")
    assert call(client, cast.provider, "dunning-schedule", {"steps": [{}]}, "put").json()["code"] == "dunning_malformed"
    assert call(client, cast.tenant, "dunning-schedule").status_code == 404


def test_both_parties_read_the_steps(cast: Cast, client: Client, invoice: Invoice) -> None:
    for days in (3, 10):
        sweep(after(invoice, days))
    for party in (cast.tenant, cast.provider):
        steps = call(client, party, f"invoices/{invoice.pk}/dunning").json()["steps"]
        assert [step["action"] for step in steps] == ["remind", "retry_card", "notice"]
        assert steps[2]["announces_at"] is not None
        assert (steps[0]["taken_back"], steps[0]["lifted_at"]) == (False, None)
    assert call(client, cast.outsider, f"invoices/{invoice.pk}/dunning").status_code == 404


def test_a_contract_has_a_schedule_of_its_own_that_both_parties_read(
    cast: Cast, client: Client, invoice: Invoice
) -> None:
    address = f"contracts/{invoice.contract_id}/dunning-schedule"
    general = call(client, cast.provider, "dunning-schedule").json()
    assert call(client, cast.tenant, address).json() == general
    fee = {"after_days": 20, "action": "late_fee", "amount": "40.000", "percent": "1.500"}
    answer = call(client, cast.provider, address, {"steps": [fee]}, "put")
    assert (answer.status_code, answer.json()) == (200, {"steps": [fee]})
    for party in (cast.tenant, cast.provider):
        assert call(client, party, address).json() == {"steps": [fee]}
    assert call(client, cast.provider, "dunning-schedule").json() == general
    free = {"after_days": 20, "action": "late_fee"}
    assert call(client, cast.provider, address, {"steps": [free]}, "put").json()["code"] == "wrong_dunning"
    assert call(client, cast.tenant, address, {"steps": []}, "put").status_code == 404
    assert call(client, cast.outsider, address).status_code == 404


def test_a_step_is_taken_back_once_and_by_its_provider(cast: Cast, client: Client, invoice: Invoice) -> None:
    sweep(after(invoice, 3))
    [step] = call(client, cast.provider, f"invoices/{invoice.pk}/dunning").json()["steps"][:1]
    address = f"dunning-steps/{step['id']}/take-back"
    assert call(client, cast.tenant, address, {"reason": "Mine."}).status_code == 404
    assert call(client, cast.provider, address, {}).json()["code"] == "dunning_malformed"
    assert call(client, cast.provider, address, {"reason": "Sent in error."}).json()["taken_back"] is True
    again = call(client, cast.provider, address, {"reason": "Sent in error."})
    assert (again.status_code, again.json()["code"]) == (409, "dunning_step_taken_back")


def test_a_hold_lets_no_step_come_before_it_is_over(cast: Cast, client: Client, invoice: Invoice) -> None:
    address, until = f"invoices/{invoice.pk}/dunning/hold", after(invoice, 20).isoformat()
    assert call(client, cast.tenant, address, {"until": until, "reason": "Mine."}).status_code == 404
    assert call(client, cast.provider, address, {"until": "soon", "reason": "x"}).json()["code"] == "dunning_malformed"
    held = call(client, cast.provider, address, {"until": until, "reason": "They pay on Friday."})
    assert (held.status_code, held.json()["reason"]) == (201, "They pay on Friday.")
    sweep(after(invoice, 10))
    assert call(client, cast.provider, f"invoices/{invoice.pk}/dunning").json()["steps"] == []
    sweep(after(invoice, 21))
    assert call(client, cast.provider, f"invoices/{invoice.pk}/dunning").json()["steps"] != []
