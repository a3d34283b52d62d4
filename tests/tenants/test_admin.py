"""The back office of people and organizations: pages open; secrets, keys and the log are only looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client

from tenants.models import ApiKey, AuditEntry, Membership, Organization, Role, User
from tests.admin_pages import assert_read_only, open_every_page, operator, page_of, tables_of
from tests.filled import api_key

if TYPE_CHECKING:
    from tests.factories import Cast


@pytest.fixture
def root(db: None) -> Client:
    return operator()


def test_every_page_opens(root: Client, cast: Cast) -> None:
    api_key(cast.tenant)
    opened = open_every_page(root, "tenants")
    assert opened == {"Organization": 3, "User": 3, "ApiKey": 1, "AuditEntry": 1}


@pytest.mark.parametrize("model", [ApiKey, AuditEntry])
def test_keys_and_the_log_are_only_looked_at(root: Client, cast: Cast, model: type[ApiKey | AuditEntry]) -> None:
    api_key(cast.tenant)
    assert_read_only(root, model)


def test_a_key_shows_neither_its_secret_nor_its_hash(root: Client, cast: Cast) -> None:
    secret = api_key(cast.tenant)
    key = ApiKey.objects.get()
    text = root.get(page_of(ApiKey, "change", key.pk)).content.decode()
    assert key.prefix in text
    assert secret not in text
    assert bytes(key.secret_sha256).hex() not in text
    assert "secret_sha256" not in text


def test_an_organization_is_edited_with_its_members_and_never_deleted(root: Client, cast: Cast) -> None:
    member = Membership.objects.get(user=cast.bob)
    form = {
        "slug": "tenant",
        "name": "Renamed",
        "is_tenant": "on",
        "country": "DE",
        "billing_email": "billing@tenant.example.com",
        "time_zone": "Europe/Berlin",
        "fee_percent": "99",
        "suspended_because": "not by this form",
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "1",
        "memberships-0-id": str(member.pk),
        "memberships-0-organization": str(cast.tenant.pk),
        "memberships-0-user": str(cast.bob.pk),
        "memberships-0-role": Role.BILLING,
        "memberships-0-created_at_0": "2026-03-01",
        "memberships-0-created_at_1": "00:00:00",
    }
    answer = root.post(page_of(Organization, "change", cast.tenant.pk), form)
    assert answer.status_code == 302, answer.content.decode()
    changed = Organization.objects.get(pk=cast.tenant.pk)
    assert changed.name == "Renamed"
    assert (changed.fee_percent, changed.suspended_because) == (cast.tenant.fee_percent, "")
    assert changed.created_at == cast.tenant.created_at
    assert Membership.objects.get(pk=member.pk).role == Role.BILLING
    assert root.post(page_of(Organization, "delete", cast.tenant.pk), {"post": "yes"}).status_code == 403


def test_a_persons_password_is_nowhere_on_their_page(root: Client, cast: Cast) -> None:
    text = root.get(page_of(User, "change", cast.alice.pk)).content.decode()
    assert cast.alice.password not in text
    assert 'name="password"' not in text
    form = {"email": "alice@example.com", "name": "Alice A.", "is_active": "on"}
    assert root.post(page_of(User, "change", cast.alice.pk), form).status_code == 302
    changed = User.objects.get(pk=cast.alice.pk)
    assert (changed.name, changed.password) == ("Alice A.", cast.alice.password)


def test_nobody_is_deleted_past_the_page_that_knows_last_owners_and_writes_the_log(root: Client, cast: Cast) -> None:
    delete = page_of(User, "delete", cast.alice.pk)
    assert [root.get(delete).status_code, root.post(delete, {"post": "yes"}).status_code] == [403, 403]
    chosen = {"action": "delete_selected", "_selected_action": [str(cast.alice.pk)], "post": "yes"}
    root.post(page_of(User, "changelist"), chosen)
    assert User.objects.filter(pk=cast.alice.pk).exists()


def test_roles_are_ours_so_djangos_groups_are_not_offered() -> None:
    assert not admin.site.is_registered(Group)
    assert set(tables_of("tenants")) == {Organization, User, ApiKey, AuditEntry}


def test_a_tenant_has_no_business_in_the_back_office(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.alice)
    answer = client.get("/admin/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/login/?next=/admin/")
