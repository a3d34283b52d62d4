"""The file of API keys is the page with the same choice, and no secret is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from tenants.keys.files import HEAD
from tests.billing.pages.reading import rows_of
from tests.tenants.keys.made import make_keys

if TYPE_CHECKING:
    from django.test import Client

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def test_the_file_has_the_keys_in_use_and_with_all_those_that_are_over(cast: Cast, client: Client) -> None:
    new, full, gone = make_keys(cast.tenant)
    client.force_login(cast.alice)
    in_use = rows_of(client.get(reverse("tenant-keys-csv")))
    everything = rows_of(client.get(reverse("tenant-keys-csv"), {"show": "all"}))
    assert [tuple(row) for row in everything[:1]] == [HEAD]
    prefixes = [row["prefix"] for row in everything]
    assert {new.prefix, full.prefix, gone.prefix} <= set(prefixes)
    assert gone.prefix not in [row["prefix"] for row in in_use]
    assert {row["state"] for row in in_use} <= {"in_use", "ending"}
    by_prefix = {row["prefix"]: row for row in everything}
    assert by_prefix[gone.prefix]["state"] == "revoked"
    assert by_prefix[full.prefix]["scopes"].split() == list(full.scopes)
    assert by_prefix[new.prefix]["networks"] == " ".join(new.networks)
    page = client.get(reverse("tenant-keys")).content.decode()
    assert all(row["prefix"] in page for row in in_use)


def test_nothing_of_a_secret_and_no_key_of_another_is_in_it(cast: Cast, client: Client) -> None:
    make_keys(cast.tenant)
    (theirs, _, _) = make_keys(cast.outsider)
    client.force_login(cast.alice)
    text = b"".join(client.get(reverse("tenant-keys-csv"), {"show": "all"})).decode()
    assert theirs.prefix not in text
    assert "sha256" not in text
    assert "secret" not in text


def test_a_viewer_gets_no_file(cast: Cast, client: Client) -> None:
    client.force_login(cast.bob)
    assert client.get(reverse("tenant-keys-csv")).status_code == 403
