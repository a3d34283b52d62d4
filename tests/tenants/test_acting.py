"""How those who acted are said to an organization: its own by their names, others as they were recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tenants.acting import named_actors
from tenants.api_keys import SCOPES, issue_key

if TYPE_CHECKING:
    from tenants.models import ApiKey
    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def make_key(cast: Cast) -> ApiKey:
    """A key of the tenant."""
    return issue_key(
        organization=cast.tenant, name="Billing", scopes=list(SCOPES), actor="tests", now=datetime.now(UTC)
    ).key


def test_an_organization_reads_its_own_people_and_keys_by_name(cast: Cast) -> None:
    key = make_key(cast)
    recorded = {cast.alice.email, cast.petra.email, f"key {key.prefix}", f"API key {key.prefix}", "sweep"}
    own = named_actors(cast.tenant, recorded)
    assert own[cast.alice.email] == f"{cast.alice.name}, {cast.tenant.name}"
    assert own[f"key {key.prefix}"] == own[f"API key {key.prefix}"] == f"{key.name}, {cast.tenant.name}"
    assert (own[cast.petra.email], own["sweep"]) == (cast.petra.email, "sweep")
    others = named_actors(cast.provider, recorded)
    assert (others[cast.alice.email], others[f"key {key.prefix}"]) == (cast.alice.email, f"key {key.prefix}")


def test_the_characters_of_a_key_alone_are_no_key(cast: Cast) -> None:
    key = make_key(cast)
    assert named_actors(cast.tenant, {key.prefix, f"not {key.prefix}"}) == {
        key.prefix: key.prefix,
        f"not {key.prefix}": f"not {key.prefix}",
    }
