"""`manage.py make_operator`: in an empty database its link makes the first person, who may do what an operator may."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from forecourt.embedded.folder import held_folder, service_account
from forecourt.embedded.places import places_of
from forecourt.embedded.served import tell_address
from forecourt.env import PUBLIC_URL
from tenants.invitation_models import Invitation
from tenants.models import AuditEntry, Membership, Organization
from tests.factories import make_organization

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.django_db

BOSS = "boss@house.example"


def make(*options: str) -> str:
    said = StringIO()
    call_command("make_operator", *options, stdout=said)
    return said.getvalue()


def test_the_link_brings_the_first_person_in(client: Client) -> None:
    said = make(BOSS, "--name", "House")
    link = said.splitlines()[1]
    assert said.startswith(f"House operates this installation. {BOSS} joins it as its owner at\nhttp")
    assert make(BOSS).splitlines()[1] == link, "until somebody has joined it is told again"
    assert Organization.objects.count() == Invitation.objects.count() == 1
    password = "a long password of ours"
    client.post(link, {"name": "Bo", "password1": password, "password2": password, "password": password})
    joined = Membership.objects.get()
    assert (joined.user.email, joined.role, joined.organization.is_operator) == (BOSS, "owner", True)
    assert client.get("/o/organizations/").status_code == 200
    with pytest.raises(CommandError, match="House operates this installation and has an owner, who invites"):
        make("other@house.example")


def test_the_link_leads_to_where_the_platform_serves(settings: Any, tmp_path: Path) -> None:
    settings.PUBLIC_URL = PUBLIC_URL
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, data_dir=tmp_path)
    places = places_of(tmp_path)
    unknown = make(BOSS)
    assert f"\n{PUBLIC_URL}/" in unknown
    assert "FORECOURT_PUBLIC_URL is not set and nothing serves from this data folder" in unknown
    tell_address(places, "http://127.0.0.1:8097")
    assert make(BOSS) == unknown, "it was told by one that runs no more"
    with held_folder(places, service_account(), free_bytes_min=0):
        told = make(BOSS)
        assert "\nhttp://127.0.0.1:8097/" in told
        assert "FORECOURT_PUBLIC_URL" not in told
        settings.PUBLIC_URL = "https://forecourt.example"
        assert "\nhttps://forecourt.example/" in make(BOSS)


def test_what_is_wrong_is_named_and_makes_nothing() -> None:
    with pytest.raises(CommandError, match="'nonsense' is no e-mail address"):
        make("nonsense")
    assert not Organization.objects.exists()
    make_organization("operator")
    with pytest.raises(CommandError, match="FORECOURT_OPERATOR_SLUG: found 'operator'"):
        make(BOSS)
    assert not Invitation.objects.exists()


def test_an_operator_without_people_gets_its_owner_under_its_own_name() -> None:
    house = Organization.objects.create(
        slug="gpu-house", name="GPU house", is_operator=True, created_at=make_organization("x").created_at
    )
    assert make(BOSS, "--name", "Another").startswith("GPU house operates")
    assert Invitation.objects.get().organization == house
    assert AuditEntry.objects.filter(organization=house, action="invitation.made", actor="Forecourt").exists()
