"""Events that were stored a row each are moved with their keys: sent again they are known, and count once."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from metering.event_models import EventCall
from metering.rollup_events import roll_up_events
from tests.factories import make_deployment
from tests.metering.fleet import MODEL, NOON, total
from tests.metering.stored import how_many, stored_events
from tests.metering.test_events import NOW, event, outcome, send

if TYPE_CHECKING:
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor

    from tests.factories import Cast

MIGRATION = "0013_event_calls"
BEFORE = ("metering", "0012_rollup_bounds")


@pytest.fixture(scope="module")
def before() -> Any:
    """The models as they were."""
    return MigrationLoader(None, ignore_no_migrations=True).project_state(BEFORE).apps


def first_digest(cast: Cast, named: str) -> bytes:
    """As the first releases made it."""
    said = f"{cast.tenant.id}\0{named}\0{MODEL}\0team\0{NOON.isoformat()}\0(100, 0, 0, 20, 0)"
    return hashlib.sha256(said.encode()).digest()


def test_stored_events_keep_their_names_and_are_counted_once(cast: Cast, before: Any) -> None:
    deployment = make_deployment(cast.provider, cast.tenant)
    usage_event = before.get_model("metering", "UsageEvent")
    queue = before.get_model("metering", "EventQueue")
    editor: BaseDatabaseSchemaEditor
    with connection.schema_editor() as editor:
        for model in (usage_event, queue):
            editor.create_model(model)
        for number in range(6):
            row = usage_event.objects.create(
                reporter_id=cast.tenant.id,
                source="gateway-1",
                event_id=f"e-{number}",
                content_sha256=first_digest(cast, deployment.slug if number == 5 else ""),
                tenant_id=cast.tenant.id,
                deployment_id=deployment.id,
                model=MODEL,
                occurred_at=NOON,
                input=100,
                output=20,
                key_label="team",
                received_at=NOW + timedelta(minutes=number // 2),
            )
            if number >= 4:
                queue.objects.create(event_id=row.id)
        import_module(f"metering.migrations.{MIGRATION}").move(before, editor)
    assert sorted(EventCall.objects.values_list("events", flat=True)) == [2, 2, 2]
    assert how_many() == (6, 6, 2)
    assert {one.deployment_id for one in stored_events().values()} == {deployment.id}
    named = {5: {"deployment": deployment.slug}}
    again = [event(f"e-{number}", key="team", **named.get(number, {})) for number in range(6)]
    assert outcome(send(cast.tenant, *again)) == (0, 6, 0, [])
    assert outcome(send(cast.tenant, event("e-0"), event("e-6"))) == (1, 0, 1, [])
    assert roll_up_events(now=NOW) == 3
    assert total(quantity="input") == 300
