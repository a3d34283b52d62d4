"""The API of members and invitations, by a program with a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tenants.models import IdempotentCall, Membership
from tests.factories import PASSWORD, make_user
from tests.tenants.calling import call, secret_of
from tests.tenants.members.people import DORA

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

BODY = {"email": DORA, "role": "developer"}


def test_a_person_is_invited_once_joins_gets_a_role_and_goes(cast: Cast, client: Client, settings: Any) -> None:
    settings.MAIL_READY = False
    caller = secret_of(cast.tenant)
    first = call(client, caller, "post", "invitations", BODY, **{"Idempotency-Key": "one"})
    assert first.status_code == 201
    address = first.json()["address"]
    again = call(client, caller, "post", "invitations", BODY, **{"Idempotency-Key": "one"}).json()
    assert again == {**first.json(), "address": None}
    assert address.rsplit("/", 2)[1] not in str(list(IdempotentCall.objects.values()))
    (listed,) = call(client, caller, "get", "invitations").json()["invitations"]
    assert (listed["state"], listed["letter"], listed["invited_by"][:7]) == ("open", "waiting", "API key")
    joined = client.post(address.removeprefix("http://testserver"), {"name": "Dora", "password": PASSWORD})
    assert joined.status_code == 302
    members = call(client, caller, "get", "members").json()["members"]
    dora = next(one for one in members if one["email"] == DORA)
    assert (dora["role"], dora["name"], dora["is_active"]) == ("developer", "Dora", True)
    changed = call(client, caller, "put", f"members/{dora['id']}", {"role": "viewer"}).json()
    assert changed == {**dora, "role": "viewer"} == call(client, caller, "get", f"members/{dora['id']}").json()
    assert call(client, caller, "delete", f"members/{dora['id']}").status_code == 204
    assert call(client, caller, "get", f"members/{dora['id']}").status_code == 404


def test_with_letters_no_address_is_told_and_one_is_sent_again_and_revoked(
    cast: Cast, client: Client, settings: Any
) -> None:
    settings.MAIL_READY = True
    caller = secret_of(cast.tenant)
    made = call(client, caller, "post", "invitations", BODY).json()
    assert made["address"] is None
    again = call(client, caller, "post", f"invitations/{made['id']}/resend")
    assert (again.status_code, again.json()["address"]) == (201, None)
    assert call(client, caller, "delete", f"invitations/{made['id']}").status_code == 204
    assert call(client, caller, "delete", f"invitations/{made['id']}").status_code == 404
    assert call(client, caller, "get", "invitations").json() == {"invitations": [], "next_cursor": None}


def test_a_program_neither_makes_nor_unmakes_owners(cast: Cast, client: Client) -> None:
    caller = secret_of(cast.tenant)
    for method, address, body in (
        ("post", "invitations", {**BODY, "role": "owner"}),
        ("put", f"members/{cast.bob.pk}", {"role": "owner"}),
        ("put", f"members/{cast.alice.pk}", {"role": "viewer"}),
        ("delete", f"members/{cast.alice.pk}", None),
    ):
        answer = call(client, caller, method, address, body)
        assert (answer.status_code, answer.json()["code"]) == (403, "role_out_of_reach")


def test_members_of_another_are_not_there_and_pages_hold_all(cast: Cast, client: Client) -> None:
    caller, charlie = secret_of(cast.tenant), secret_of(cast.outsider)
    for method in ("get", "put", "delete"):
        assert call(client, charlie, method, f"members/{cast.bob.pk}", {"role": "admin"}).status_code == 404
    for number in range(3):
        make_user(f"m{number}@example.com", cast.tenant)
    found, cursor = [], None
    while True:
        page = call(client, caller, "get", "members", {"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        found += [one["email"] for one in page["members"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == list(
        Membership.objects.filter(organization=cast.tenant).order_by("pk").values_list("user__email", flat=True)
    )
    table = call(client, caller, "get", "members", accept="text/csv")
    assert b"".join(table.streaming_content).decode().splitlines()[0].startswith("id,email,name,role")
