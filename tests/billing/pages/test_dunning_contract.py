"""The schedule of one contract by mouse: its own, its provider's again, refused, read only, and nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from billing.dunning.policies import own_schedule
from billing.models import DunningPolicy
from tenants.models import Role
from tests.billing.pages.reading import text_of
from tests.factories import make_contract, make_user

if TYPE_CHECKING:
    from django.test import Client

    from billing.models import Contract
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
ALL = {"remind": "3, 10", "retry_card": "5", "notice": "12", "suspend": "20"}


@pytest.fixture
def contract(cast: Cast) -> Contract:
    return make_contract(cast.provider, cast.tenant)


def address(contract: Contract) -> str:
    return f"/p/dunning/contracts/{contract.pk}/"


def test_a_contract_gets_a_schedule_of_its_own_and_gives_it_up(cast: Cast, client: Client, contract: Contract) -> None:
    client.force_login(cast.petra)
    assert address(contract) in client.get(f"/p/contracts/{contract.pk}/").content.decode()
    client.post("/p/dunning/", ALL)
    page = text_of(client.get(address(contract)))
    assert "Your schedule for all contracts" in page
    assert "Day 20: Use suspended" in page
    assert "Use the schedule of all contracts again" not in page
    page = text_of(client.post(address(contract), {"remind": "30"}, follow=True))
    assert "Its own schedule" in page
    assert "Day 30: Reminder" in page
    assert "Day 20" not in page
    assert contract.number in text_of(client.get("/p/dunning/"))
    page = text_of(client.post(address(contract), {"action": "follow"}, follow=True))
    assert "Day 20: Use suspended" in page
    assert own_schedule(cast.provider.pk, contract.pk) is None


def test_an_empty_one_says_that_nothing_is_sent(cast: Cast, client: Client, contract: Contract) -> None:
    client.force_login(cast.petra)
    client.post("/p/dunning/", ALL)
    page = text_of(client.post(address(contract), {}, follow=True))
    assert "No schedule is set: nothing is sent, and nobody is suspended." in page
    assert own_schedule(cast.provider.pk, contract.pk) == ()


def test_a_wrong_one_is_said_and_not_kept(cast: Cast, client: Client, contract: Contract) -> None:
    client.force_login(cast.petra)
    wrong = client.post(address(contract), {**ALL, "notice": ""})
    assert wrong.status_code == 422
    assert "expected a notice at least 3 days before it" in text_of(wrong)
    assert not DunningPolicy.objects.exists()


def test_a_viewer_reads_and_an_outsider_finds_nothing(cast: Cast, client: Client, contract: Contract) -> None:
    client.force_login(make_user("viewer", cast.provider, Role.VIEWER))
    page = client.get(address(contract))
    assert (page.status_code, "Set it for this contract" in text_of(page)) == (200, False)
    assert client.post(address(contract), {"action": "follow"}).status_code == 403
    for person in (cast.charlie, cast.alice):
        client.force_login(person)
        assert client.get(address(contract)).status_code == 404
