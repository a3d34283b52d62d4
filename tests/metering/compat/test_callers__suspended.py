"""An organization that the operator keeps out reads nothing by imitated interfaces, and loses no usage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import RequestFactory

from metering.compat.callers import KeyLacksScope, key_of
from tenants.authentication import OrganizationSuspended
from tests.factories import EPOCH
from tests.tenants.calling import secret_of
from tests.tenants.members.people import NOW

if TYPE_CHECKING:
    from django.http import HttpRequest

    from tests.factories import Cast

pytestmark = pytest.mark.django_db


def request_of(secret: str) -> HttpRequest:
    return RequestFactory().get("/compat/", headers={"Authorization": f"Bearer {secret}"})


def test_it_reads_nothing_and_sends_on(cast: Cast) -> None:
    request = request_of(secret_of(cast.tenant, ["usage:read", "events:write"]))
    assert key_of(request, "usage:read", NOW).organization == cast.tenant
    cast.tenant.suspended_at = EPOCH
    cast.tenant.save()
    with pytest.raises(OrganizationSuspended, match="Tenant"):
        key_of(request, "usage:read", NOW)
    assert key_of(request, "events:write", NOW).organization == cast.tenant


def test_what_a_key_lacks_it_lacks_all_the_same(cast: Cast) -> None:
    request = request_of(secret_of(cast.tenant, ["usage:read"]))
    cast.tenant.suspended_at = EPOCH
    cast.tenant.save()
    with pytest.raises(KeyLacksScope):
        key_of(request, "events:write", NOW)
