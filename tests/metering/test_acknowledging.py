"""Saying what an alert was: with words, once for each party, in its own audit log, and only by a party."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from metering.acknowledging import NOTE_CHARS_MAX, AlertUnknown, NoteMissing, acknowledge
from metering.alerts import waiting_alerts
from metering.control_models import Alert, AlertSeen
from tenants.models import AuditEntry
from tests.kept import kept

if TYPE_CHECKING:
    from tests.factories import Cast

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 5, 9, tzinfo=UTC)


@kept
def alert(cast: Cast) -> Alert:
    return Alert.objects.create(
        kind="residual",
        subject="sample",
        from_at=NOW - timedelta(days=1),
        to_at=NOW,
        provider=cast.provider,
        tenant=cast.tenant,
        measured=7,
        bound=5,
        found_at=NOW,
        updated_at=NOW,
    )


def test_the_first_word_of_a_party_stays(cast: Cast, alert: Alert) -> None:
    said = [
        acknowledge(alert_id=alert.id, organization=cast.tenant, by=by, note=note, now=NOW)
        for by, note in (("alice", "  A lost tail. "), ("alice", "Another word."), ("bob", "A lost tail."))
    ]
    assert said == [True, False, False]
    seen = AlertSeen.objects.get()
    assert (seen.by, seen.note, seen.at) == ("alice", "A lost tail.", NOW)
    assert AuditEntry.objects.filter(action="alert.acknowledged").count() == 1


def test_each_party_speaks_for_itself(cast: Cast, alert: Alert) -> None:
    assert acknowledge(alert_id=alert.id, organization=cast.tenant, by="alice", note="One.", now=NOW)
    assert [waiting_alerts(one) for one in (cast.tenant, cast.provider)] == [0, 1]
    assert acknowledge(alert_id=alert.id, organization=cast.provider, by="petra", note="Two.", now=NOW)
    assert waiting_alerts(cast.provider) == 0
    entries = AuditEntry.objects.filter(action="alert.acknowledged")
    assert {(one.organization, one.actor, one.after["note"]) for one in entries if one.after} == {
        (cast.tenant, "alice", "One."),
        (cast.provider, "petra", "Two."),
    }
    # Nothing of the alert's figures is changed by words.
    alert.refresh_from_db()
    assert (alert.state, alert.measured, alert.bound) == ("open", 7, 5)


@pytest.mark.parametrize("note", ["", "   ", "x" * (NOTE_CHARS_MAX + 1), "a\0b"])
def test_words_are_needed_and_have_a_bound(cast: Cast, alert: Alert, note: str) -> None:
    with pytest.raises(NoteMissing) as refused:
        acknowledge(alert_id=alert.id, organization=cast.tenant, by="alice", note=note, now=NOW)
    assert refused.value.extra["field"] == "note"
    assert not AlertSeen.objects.exists()
    assert acknowledge(alert_id=alert.id, organization=cast.tenant, by="alice", note="x" * NOTE_CHARS_MAX, now=NOW)


def test_an_alert_of_others_does_not_exist(cast: Cast, alert: Alert) -> None:
    for organization, alert_id in ((cast.outsider, alert.id), (cast.tenant, uuid4())):
        with pytest.raises(AlertUnknown):
            acknowledge(alert_id=alert_id, organization=organization, by="charlie", note="Mine.", now=NOW)
    assert not AlertSeen.objects.exists()
    assert not AuditEntry.objects.filter(action="alert.acknowledged").exists()
