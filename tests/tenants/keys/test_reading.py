"""Which keys are listed, and where each stands."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tenants.api_keys import issue_key
from tenants.keys.reading import keys_of, state_of
from tests.tenants.members.people import NOW

if TYPE_CHECKING:
    from datetime import datetime

    from tests.factories import Cast

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("expires_at", "revoked_at", "state"),
    [
        (None, None, "in_use"),
        (NOW + DAY, None, "ending"),
        (NOW, None, "expired"),
        (NOW + DAY, NOW, "revoked"),
        (NOW, NOW, "revoked"),
    ],
)
def test_a_key_stands_where_its_instants_say(
    cast: Cast, expires_at: datetime | None, revoked_at: datetime | None, state: str
) -> None:
    issue_key(organization=cast.outsider, name="other", scopes=["usage:read"], actor="charlie", now=NOW)
    key = issue_key(
        organization=cast.tenant, name="a", scopes=["usage:read"], actor="alice", now=NOW - DAY, expires_at=expires_at
    ).key
    key.revoked_at = revoked_at
    key.save()
    assert state_of(key, NOW) == state
    assert list(keys_of(cast.tenant, NOW)) == ([key] if state in ("in_use", "ending") else [])
    assert list(keys_of(cast.tenant, NOW, over=True)) == [key]
