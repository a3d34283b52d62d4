"""Usage events: a packed row a call and a narrow row a key, instead of a wide row each. What is stored is moved."""

from datetime import UTC, datetime
from itertools import groupby, islice

import django.contrib.postgres.fields
import django.db.models.deletion
import tenants.ids
import numpy as np
from django.db import migrations, models

from metering.event_columns import NOBODY, Owned, OwnedColumns, pointed_at, unix_us
from metering.event_keys import keys_of
from metering.event_pack import pack
from metering.partition_plans import EVENT_CALLS
from metering.partition_tables import cut_table
from tenants.guards import append_only
from tenants.ids import new_id
from tenants.at_once import at_once

CALL_EVENTS = 10_000
DIGEST_BYTES = 16


def move(apps, schema_editor):
    """Pack events that were received at one instant together, and take over their keys.

    The deployment's slug as it was sent was not kept; the content's digest, which holds it, was and is taken over.
    """
    event, queue = apps.get_model("metering", "UsageEvent"), apps.get_model("metering", "EventQueue")
    queued = models.Exists(queue.objects.filter(event_id=models.OuterRef("id")))
    rows = event.objects.annotate(waits=queued).order_by("waits", "reporter_id", "received_at", "id")
    for (waits, reporter, received_at), same in groupby(
        rows.iterator(chunk_size=CALL_EVENTS), key=lambda row: (row.waits, row.reporter_id, row.received_at)
    ):
        while chunk := list(islice(same, CALL_EVENTS)):
            store(schema_editor.connection, chunk, (waits, reporter, received_at))


def store(connection, rows, whose):
    waits, reporter, received_at = whose
    owners, owner = pointed_at(
        Owned(row.source, row.model, row.tenant_id, row.deployment_id or NOBODY, "") for row in rows
    )
    labels, label = pointed_at(row.key_label for row in rows)
    numbers = [
        (row.input, row.cached_input, row.cache_write, row.output, row.reasoning, row.samples, row.aborted)
        for row in rows
    ]
    occurred_us = np.array([unix_us(row.occurred_at) for row in rows], dtype=np.int64)
    ids = tuple(row.event_id for row in rows)
    events = OwnedColumns(ids, owners, owner, labels, label, occurred_us, np.array(numbers, dtype=np.int64))
    call = new_id()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO metering_eventcall "
            "(id, reporter_id, received_at, events, first_at, last_at, tenants, deployments, body) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s::uuid[], %s::uuid[], %s)",
            [
                call,
                reporter,
                received_at,
                len(rows),
                min(row.occurred_at for row in rows),
                max(row.occurred_at for row in rows),
                list({one.tenant_id for one in owners}),
                list({one.deployment_id for one in owners} - {NOBODY}),
                pack(events),
            ],
        )
        cursor.execute(
            "INSERT INTO metering_eventkey (key, content, call) "
            "SELECT key, content, %s FROM unnest(%s::uuid[], %s::uuid[]) AS given (key, content)",
            [
                call,
                [key.hex() for key in keys_of(reporter, events)],
                [bytes(row.content_sha256)[:DIGEST_BYTES].hex() for row in rows],
            ],
        )
        if waits:
            cursor.execute(
                "INSERT INTO metering_waitingevents (call, received_at, events) VALUES (%s, %s, %s)",
                [call, received_at, len(rows)],
            )


def cut(apps, schema_editor):
    # The bodies are compressed already: trying once more costs time on every insert.
    schema_editor.execute("ALTER TABLE metering_eventcall ALTER COLUMN body SET STORAGE EXTERNAL")
    cut_table(plan=EVENT_CALLS, database=schema_editor.connection, now=datetime.now(UTC))


class Migration(migrations.Migration):

    dependencies = [
        ('clusters', '0002_initial'),
        ('metering', '0012_rollup_bounds'),
        ('tenants', '0003_sign_in_attempts'),
    ]

    operations = at_once([
        migrations.CreateModel(
            name='WaitingEvents',
            fields=[
                ('call', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('received_at', models.DateTimeField()),
                ('events', models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='EventCall',
            fields=[
                ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('received_at', models.DateTimeField()),
                ('events', models.PositiveIntegerField()),
                ('first_at', models.DateTimeField(help_text='when the first of its events occurred')),
                ('last_at', models.DateTimeField(help_text='when the last of its events occurred')),
                ('tenants', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ('deployments', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ('body', models.BinaryField()),
                ('reporter', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.organization')),
            ],
        ),
        migrations.CreateModel(
            name='EventKey',
            fields=[
                ('key', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('content', models.UUIDField()),
                ('call', models.UUIDField(help_text='the call that brought it; its first bits are the time')),
            ],
        ),
        migrations.CreateModel(
            name='ExplainingHour',
            fields=[
                ('id', models.UUIDField(default=tenants.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('model', models.CharField(max_length=200)),
                ('hour_at', models.DateTimeField(help_text='start of the UTC hour in which the events occurred')),
                ('several_requests', models.BigIntegerField(help_text='requests whose prompt was given several answers')),
                ('several_input', models.BigIntegerField(help_text='input tokens of these')),
                ('repeated_input', models.BigIntegerField(help_text='input tokens times the answers after the first (n - 1)')),
                ('further_answers', models.BigIntegerField(help_text='answers after the first')),
                ('aborted_requests', models.BigIntegerField(help_text='requests whose caller left before the end')),
                ('deployment', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='explaining_hours', to='clusters.deployment')),
            ],
        ),
        migrations.RunPython(move, migrations.RunPython.noop),
        append_only("metering_eventcall"),
        migrations.RunPython(cut, migrations.RunPython.noop),
        migrations.DeleteModel(
            name='EventQueue',
        ),
        migrations.DeleteModel(
            name='UsageEvent',
        ),
        migrations.AddConstraint(
            model_name='explaininghour',
            constraint=models.UniqueConstraint(fields=('deployment', 'model', 'hour_at'), name='explaining_hour_once'),
        ),
    ])
