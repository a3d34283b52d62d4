"""Adding a cluster and making tokens by form: who may, what is refused, and what is shown once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import translation

from clusters.models import Cluster, EnrolmentToken
from metering.pages.fleet_making import SLUG_CHARS_MAX, TOKEN_VALID_FOR, ClusterForm
from tenants.models import AuditEntry, Role
from tests.factories import make_cluster, make_user

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast


def filled(name: str, slug: str = "", country: str = "DE") -> ClusterForm:
    return ClusterForm({"name": name, "slug": slug, "country": country}, country="DE")


@pytest.mark.parametrize(
    ("name", "slug", "made"),
    [
        ("Harbour hall 2", "", "harbour-hall-2"),
        ("Harbour hall", "hh", "hh"),
        ("Straße", "", "strae"),
        ("x" * 200, "", "x" * SLUG_CHARS_MAX),
        ("y" * (SLUG_CHARS_MAX - 1) + " z", "", "y" * (SLUG_CHARS_MAX - 1)),
    ],
)
def test_the_short_name_is_made_from_the_name_where_none_is_given(name: str, slug: str, made: str) -> None:
    form = filled(name, slug)
    assert form.is_valid(), form.errors
    assert form.cleaned_data["slug"] == made


@pytest.mark.parametrize(
    ("name", "slug", "country", "field"),
    [
        ("机房", "", "DE", "slug"),
        ("Harbour", "no spaces", "DE", "slug"),
        ("Harbour", "x" * (SLUG_CHARS_MAX + 1), "DE", "slug"),
        ("", "", "DE", "name"),
        ("Harbour", "", "XX", "country"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_only_there(name: str, slug: str, country: str, field: str) -> None:
    assert set(filled(name, slug, country).errors) == {field}


def test_countries_are_offered_by_their_names_in_the_reader_s_language() -> None:
    offered: Any = filled("x").fields["country"]
    assert ("DE", "Germany") in offered.choices
    with translation.override("zh-hans"):
        offered = filled("x").fields["country"]
        assert ("DE", "德国") in offered.choices


@pytest.mark.django_db
def test_an_owner_adds_a_cluster_and_is_led_to_it(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    assert "No cluster yet" in client.get("/p/fleet/").content.decode()
    answer = client.post("/p/fleet/", {"name": "Harbour hall", "slug": "", "country": "DE"})
    assert (answer.status_code, answer["Location"]) == (302, "/p/fleet/harbour-hall/")
    made = Cluster.objects.get()
    assert (made.provider, made.slug, made.name, made.country) == (cast.provider, "harbour-hall", "Harbour hall", "DE")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.subject) == (cast.petra.email, "cluster.made", "harbour-hall")


@pytest.mark.django_db
def test_a_short_name_that_is_taken_is_refused_with_what_was_typed(cast: Cast, client: Client) -> None:
    make_cluster(cast.provider, "harbour")
    client.force_login(cast.petra)
    answer = client.post("/p/fleet/", {"name": "Other hall", "slug": "harbour", "country": "FR"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "is Harbour." in page
    assert 'value="Other hall"' in page
    assert Cluster.objects.count() == 1


@pytest.mark.django_db
def test_a_token_is_shown_once_and_kept_as_its_hash(cast: Cast, client: Client) -> None:
    make_cluster(cast.provider, "harbour")
    client.force_login(cast.petra)
    assert "fe_" not in client.get("/p/fleet/harbour/").content.decode()
    answer = client.post("/p/fleet/harbour/")
    (secret,) = set(re.findall(r"fe_[\w-]{20,}", answer.content.decode()))
    assert answer.status_code == 201
    token = EnrolmentToken.objects.get()
    assert token.cluster.slug == "harbour"
    assert secret.encode() not in bytes(token.secret_sha256)
    assert token.expires_at - token.created_at == TOKEN_VALID_FOR
    assert f"--token {secret}" in answer.content.decode()
    assert AuditEntry.objects.get(action="enrolment_token.issued").actor == cast.petra.email
    assert secret not in client.get("/p/fleet/harbour/").content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.VIEWER])
def test_who_may_not_is_refused_and_is_not_asked(cast: Cast, client: Client, role: Role) -> None:
    make_cluster(cast.provider, "harbour")
    client.force_login(make_user("vera@example.com", cast.provider, role))
    assert "Add this cluster" not in client.get("/p/fleet/").content.decode()
    page = client.get("/p/fleet/harbour/").content.decode()
    assert "Make a token" not in page
    assert "owner or admin" in page
    assert client.post("/p/fleet/", {"name": "x", "slug": "x", "country": "DE"}).status_code == 403
    assert client.post("/p/fleet/harbour/").status_code == 403
    assert (Cluster.objects.count(), EnrolmentToken.objects.count()) == (1, 0)


@pytest.mark.django_db
def test_nobody_makes_a_token_for_the_cluster_of_another(cast: Cast, client: Client) -> None:
    make_cluster(cast.provider, "harbour")
    client.force_login(cast.charlie)
    assert client.post("/p/fleet/harbour/").status_code == 404
    assert EnrolmentToken.objects.count() == 0
