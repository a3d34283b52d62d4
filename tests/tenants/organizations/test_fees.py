"""The operator's fees: what counts when, announced and set for good, and on record once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError, connection, transaction

from tenants.actors import Actor
from tenants.fee_models import ProviderFee
from tenants.models import AuditEntry, Organization, Role
from tenants.organizations.changing import WrongOrganization
from tenants.organizations.fees import AHEAD_MAX, fee_at, fees_of, set_fee, standings, with_fee

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def put(cast: Cast, percent: str, at: datetime | None = None, now: datetime = NOW) -> ProviderFee | None:
    actor = Actor(cast.operator, "olga@example.com", Role.OWNER)
    fee = Decimal(percent)
    return set_fee(actor=actor, organization_id=cast.provider.pk, fee_percent=fee, from_at=at, now=now)


def test_a_fee_is_on_record_once_in_the_logs_of_both(cast: Cast) -> None:
    assert put(cast, "2.50") is not None
    assert put(cast, "2.5", now=NOW + DAY) is None
    for organization in (cast.provider, cast.operator):
        entry = AuditEntry.objects.get(organization=organization)
        assert (entry.action, entry.before, entry.after) == (
            "organization.fee_set", {"fee_percent": "0"}, {"fee_percent": "2.5"},
        )  # fmt: skip


def test_what_is_announced_counts_from_its_day_and_the_last_word_for_a_day_counts(cast: Cast) -> None:
    put(cast, "2")
    put(cast, "3", NOW + 10 * DAY)
    put(cast, "4", NOW + 20 * DAY)
    put(cast, "3.5", NOW + 10 * DAY, now=NOW + DAY)
    said = [fee_at(cast.provider, NOW + days * DAY) for days in (-1, 0, 9, 10, 20)]
    assert said == [Decimal(text) for text in ("0", "2", "2", "3.5", "4")]
    (found,) = [one for one in standings(NOW + 2 * DAY) if one.organization == cast.provider]
    assert (found.fee_percent, found.since) == (Decimal(2), NOW)
    assert [(fee.fee_percent, fee.from_at) for fee in found.announced] == [
        (Decimal("3.5"), NOW + 10 * DAY), (Decimal(4), NOW + 20 * DAY),
    ]  # fmt: skip
    assert with_fee(Organization.objects.all(), NOW + 10 * DAY).get(pk=cast.provider.pk).fee_now == Decimal("3.5")  # type: ignore[attr-defined]  # annotated
    assert fees_of(cast.provider).count() == fees_of().count() == 4
    assert AuditEntry.objects.filter(action="organization.fee_announced", organization=cast.provider).count() == 3


def test_what_counted_before_the_first_fee_was_set_goes_on(cast: Cast) -> None:
    Organization.objects.filter(pk=cast.provider.pk).update(fee_percent=Decimal("1.25"))
    cast.provider.refresh_from_db()
    put(cast, "2", NOW + DAY)
    assert fee_at(cast.provider, NOW) == Decimal("1.25")
    (found,) = standings(NOW, cast.provider)
    assert (found.fee_percent, found.since) == (Decimal("1.25"), None)


@pytest.mark.parametrize(
    ("percent", "at", "field"),
    [
        ("-1", None, "fee_percent"),
        ("100.1", None, "fee_percent"),
        ("NaN", None, "fee_percent"),
        ("Infinity", None, "fee_percent"),
        ("1.00001", None, "fee_percent"),
        ("1", NOW - timedelta(seconds=1), "from_at"),
        ("1", NOW + AHEAD_MAX + DAY, "from_at"),
    ],
)
def test_what_is_no_fee_or_no_time_to_come_is_refused(
    cast: Cast, percent: str, at: datetime | None, field: str
) -> None:
    with pytest.raises(WrongOrganization) as refused:
        put(cast, percent, at)
    assert refused.value.extra["field"] == field
    assert not ProviderFee.objects.exists()


def test_who_is_no_provider_pays_none(cast: Cast) -> None:
    actor = Actor(cast.operator, "olga@example.com", Role.OWNER)
    with pytest.raises(WrongOrganization, match="is no provider"):
        set_fee(actor=actor, organization_id=cast.tenant.pk, fee_percent=Decimal(1), now=NOW)


def test_a_fee_that_was_set_never_changes(cast: Cast) -> None:
    put(cast, "2")
    for sql in ("UPDATE tenants_providerfee SET fee_percent = 9", "DELETE FROM tenants_providerfee"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
