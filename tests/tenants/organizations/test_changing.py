"""What is changed of an organization, by whom, and that the log of both sides says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tenants.models import AuditEntry, Organization
from tenants.organizations import changing
from tenants.organizations.changing import Facts, WrongOrganization
from tests.tenants.members.people import NOW, acting

if TYPE_CHECKING:
    from tests.factories import Cast

FACTS = Facts(name="Tenant", country="de", billing_email=" bills@tenant.example ", time_zone="Asia/Shanghai")


def test_facts_are_kept_and_only_what_changed_is_on_record(cast: Cast) -> None:
    for _ in range(2):
        kept = changing.change_organization(actor=acting(cast.tenant), given=FACTS, now=NOW)
    assert (kept.country, kept.billing_email, kept.time_zone) == ("DE", "bills@tenant.example", "Asia/Shanghai")
    entry = AuditEntry.objects.get()
    assert entry.before == {"billing_email": "billing@tenant.example.com", "time_zone": "UTC"}
    assert entry.after == {"billing_email": "bills@tenant.example", "time_zone": "Asia/Shanghai"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("name", "x" * 201),
        ("name", "a\0"),
        ("country", "XX"),
        ("country", ""),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("time_zone", ""),
        ("billing_email", "nobody"),
    ],
)
def test_what_cannot_be_kept_is_named(cast: Cast, field: str, value: str) -> None:
    with pytest.raises(WrongOrganization) as refused:
        changing.change_organization(actor=acting(cast.tenant), given=replace(FACTS, **{field: value}), now=NOW)
    assert refused.value.extra["field"] == field
    assert not AuditEntry.objects.exists()


def test_the_operator_keeps_one_out_and_lets_it_in_again(cast: Cast) -> None:
    operator = acting(cast.operator, name="olga@example.com")
    for _ in range(2):
        changing.suspend(actor=operator, organization_id=cast.tenant.pk, because=" not  paid ", now=NOW)
    kept = Organization.objects.get(pk=cast.tenant.pk)
    assert (kept.suspended_at, kept.suspended_because) == (NOW, "not paid")
    for _ in range(2):
        kept = changing.reinstate(actor=operator, organization_id=cast.tenant.pk, now=NOW)
    assert (kept.suspended_at, kept.suspended_because) == (None, "")
    for organization in (cast.tenant, cast.operator):
        found = AuditEntry.objects.filter(organization=organization).order_by("pk")
        assert [(one.action, one.actor, one.subject) for one in found] == [
            ("organization.suspended", "olga@example.com", "tenant"),
            ("organization.reinstated", "olga@example.com", "tenant"),
        ]


def test_the_operator_stays_and_a_reason_is_asked_for(cast: Cast) -> None:
    operator = acting(cast.operator)
    with pytest.raises(changing.OperatorStays):
        changing.suspend(actor=operator, organization_id=cast.operator.pk, because="a", now=NOW)
    for because in ("", " ", "x" * 201):
        with pytest.raises(WrongOrganization, match="because"):
            changing.suspend(actor=operator, organization_id=cast.tenant.pk, because=because, now=NOW)
    assert not Organization.objects.filter(suspended_at__isnull=False).exists()
