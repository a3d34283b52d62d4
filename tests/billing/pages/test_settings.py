"""The pages of how an organization stands on bills."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from billing.pages.settings import country_choices
from tenants.models import BillingProfile, Role
from tenants.profiles import profile_of
from tests.billing.pages.reading import text_of
from tests.factories import make_user
from tests.tenants.test_logos import picture

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db

FORM = {
    "legal_name": "Sample Compute GmbH",
    "address": "Musterstraße 1\r\nHaus B",
    "city": "Berlin",
    "postcode": "10115",
    "country": "DE",
    "vat_id": "DE 136 695 976",
    "email": "bills@sample.example",
    "iban": "DE89 3704 0044 0532 0130 00",
    "bic": "COBADEFFXXX",
    "language": "en",
}


def test_both_sides_keep_their_profile(cast: Cast, client: Client) -> None:
    for person, address, organization in (
        (cast.alice, "/t/settings/", cast.tenant),
        (cast.petra, "/p/settings/", cast.provider),
    ):
        client.force_login(person)
        before = client.get(address)
        assert "Nothing was kept yet" in text_of(before)
        assert f'value="{organization.name}"' in before.content.decode()
        after = text_of(client.post(address, FORM, follow=True))
        assert "Kept. Bills that are issued from now on say so." in after
        assert "DE136695976" in after
        assert person.email in after
        profile = profile_of(organization)
        assert profile.address_lines == ["Musterstraße 1", "Haus B"]
        assert "Nothing was changed." in text_of(client.post(address, FORM, follow=True))
        assert profile_of(organization).version == 1


@pytest.mark.usefixtures("told_contexts")
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("vat_id", "DE136695970", "has not the form or the check digits of a VAT id of DE"),
        ("iban", "DE00", "its length, form or check digits are wrong"),
        ("country", "XX", "Select a valid choice"),
        ("email", "nobody", "Enter a valid email address"),
        ("address", "1\n2\n3\n4", "expected at most 3 lines"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(cast: Cast, client: Client, field: str, value: str, said: str) -> None:
    client.force_login(cast.alice)
    answer = client.post("/t/settings/", {**FORM, field: value})
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert field in answer.context["form"].errors
    assert not BillingProfile.objects.exists()


def test_a_logo_is_shown_and_taken_off(cast: Cast, client: Client) -> None:
    client.force_login(cast.petra)
    png = picture("PNG")
    client.post("/p/settings/", {**FORM, "logo": SimpleUploadedFile("a.png", png)})
    shown = client.get("/p/settings/logo/")
    assert (shown.content, shown["Content-Type"]) == (png, "image/png")
    assert 'src="/p/settings/logo/"' in client.get("/p/settings/").content.decode()
    client.post("/p/settings/", {**FORM, "without_logo": "on"})
    assert client.get("/p/settings/logo/").status_code == 404
    refused = client.post("/p/settings/", {**FORM, "logo": SimpleUploadedFile("a.png", b"<svg/>")})
    assert "neither PNG nor JPEG" in text_of(refused)
    large = client.post("/p/settings/", {**FORM, "logo": SimpleUploadedFile("a.png", b"x" * 204_801)})
    assert "too large" in text_of(large)


def test_a_viewer_reads_and_changes_nothing(cast: Cast, client: Client) -> None:
    client.force_login(cast.bob)
    page = client.get("/t/settings/")
    assert page.status_code == 200
    assert "Keep this profile" not in text_of(page)
    assert "Your role reads it; these roles change it: owner, admin, billing." in text_of(page)
    refused = client.post("/t/settings/", FORM)
    assert refused.status_code == 403
    assert "Your role does not include this" in text_of(refused)
    developer = make_user("dora@example.com", cast.tenant, Role.DEVELOPER)
    client.force_login(developer)
    assert client.get("/t/settings/").status_code == 403
    assert not BillingProfile.objects.exists()


def test_countries_are_named_in_the_readers_language() -> None:
    choices = dict(country_choices())
    assert len(choices) == 249
    assert choices["DE"] == "Germany"
