"""The page of a draft's header, and the same by the API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from billing.agreements.drafting import Actor, draft_contract
from billing.contract_headers import Header
from billing.models import PriceBook
from tests.billing.agreements.agreed import new_lease
from tests.billing.pages.reading import text_of
from tests.billing.pages.sending import sent_by_a_browser
from tests.billing.world import H100, MARCH, World, make_world
from tests.filled import api_key
from tests.kept import kept

if TYPE_CHECKING:
    from django.test import Client

    from billing.models import Amendment
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


@kept
def drafted(cast: Cast) -> Amendment:
    world: World = make_world(gpus={H100: "2"}, parties=(cast.provider, cast.tenant))
    made = Header(provider=cast.provider, tenant=cast.tenant, currency="USD", time_zone="Europe/Berlin", from_at=MARCH)
    by = Actor(cast.provider, cast.petra.email)
    return draft_contract(header=made, changes=[new_lease(world.make_slices(1))], by=by, now=MARCH)


def test_its_drafter_edits_it_on_its_page(cast: Cast, client: Client, drafted: Amendment) -> None:
    client.force_login(cast.petra)
    place = f"/p/contracts/{drafted.contract_id}/"
    assert "Edit the header" in text_of(client.get(place))
    sent = sent_by_a_browser(client.get(f"{place}header/").content.decode())
    assert (sent["begins_at"], sent["time_zone"], sent["due_days"]) == ("2026-03-01T01:00", "Europe/Berlin", "14")
    answer = client.post(f"{place}header/", {**sent, "name": "Spring cluster", "provider_reference": "SO-9"})
    assert answer.headers["Location"] == place
    page = text_of(client.get(place))
    for said in ("The draft is changed.", "Spring cluster", "SO-9"):
        assert said in page
    drafted.contract.refresh_from_db()
    assert drafted.contract.from_at == MARCH


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"time_zone": "Mars/Base"}, ("time_zone", "is no IANA time zone. Example: Europe/Berlin")),
        ({"currency": "EUR"}, ("price_book", "The price book must be in EUR")),
        ({"currency": "XQZ"}, ("currency", "is no active ISO 4217 currency code. Example: USD")),
        ({"begins_at": "2026-10-25T02:30"}, ("begins_at", "2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00")),
        ({"begins_at": "2026-03-29T02:30"}, ("begins_at", "does not exist")),
        ({"ends_at": "2026-03-01T01:00"}, ("ends_at", "must lie after the start")),
        ({"due_days": "-1"}, ("due_days", "greater than or equal to 0")),
    ],
)
def test_what_is_wrong_is_said_at_its_field_with_what_was_typed(
    cast: Cast, client: Client, drafted: Amendment, changed: dict[str, str], expected: tuple[str, str]
) -> None:
    client.force_login(cast.petra)
    place = f"/p/contracts/{drafted.contract_id}/header/"
    sent = sent_by_a_browser(client.get(place).content.decode())
    book = {"price_book": str(PriceBook.objects.get().pk)}
    answer = client.post(place, {**sent, **book, **changed, "name": "kept"})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert re.findall(r'<ul class="errorlist" id="id_([\w.-]+)_error">', page) == [expected[0]]
    assert expected[1] in text_of(answer)
    assert sent_by_a_browser(page)["name"] == "kept"
    drafted.contract.refresh_from_db()
    assert (drafted.contract.name, drafted.contract.currency) == ("", "USD")


def test_nobody_else_finds_the_draft_or_its_form(cast: Cast, client: Client, drafted: Amendment) -> None:
    for person, side in ((cast.alice, "t"), (cast.charlie, "p"), (cast.charlie, "t")):
        client.force_login(person)
        assert client.get(f"/{side}/contracts/{drafted.contract_id}/header/").status_code == 404


def test_a_program_replaces_the_header(cast: Cast, client: Client, drafted: Amendment) -> None:
    path = f"/api/v1/contracts/{drafted.contract_id}"
    headers = {"Authorization": f"Bearer {api_key(cast.provider)}"}
    body = {"currency": "USD", "time_zone": "UTC", "from_at": "2026-03-02T00:00:00Z", "name": "By API"}
    answer = client.put(path, body, content_type="application/json", headers=headers)
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["from_at"]) == ("By API", "2026-03-02T00:00:00Z")
    wrong = client.put(path, {**body, "time_zone": "Mars"}, content_type="application/json", headers=headers)
    assert (wrong.status_code, wrong.json()["field"]) == (422, "time_zone")
