import django.db.models.deletion
from django.db import migrations, models

# What a statement wrote is added to the sums of its nodes, in the same transaction. A node's hours are written by its
# own rollup, so that writers of different nodes do not wait for each other; rows are taken in one order.
ADD = """
    INSERT INTO metering_fleethour AS kept
        (node_id, at, utilisation_percent_sum, utilisation_samples, energy_mj, energy_hours)
    {rows}
    ON CONFLICT (node_id, at) DO UPDATE SET
        utilisation_percent_sum = kept.utilisation_percent_sum + EXCLUDED.utilisation_percent_sum,
        utilisation_samples = kept.utilisation_samples + EXCLUDED.utilisation_samples,
        energy_mj = kept.energy_mj + EXCLUDED.energy_mj,
        energy_hours = kept.energy_hours + EXCLUDED.energy_hours
"""
GAUGES = """
    SELECT card.node_id, one.hour_at, sum(sign * one.utilisation_percent_sum), sum(sign * one.utilisation_samples), 0, 0
    FROM ({written}) AS one JOIN clusters_accelerator card ON card.id = one.accelerator_id
    GROUP BY 1, 2 ORDER BY 1, 2
"""
ENERGY = """
    SELECT card.node_id, one.from_at, 0, 0, sum(sign * one.value), sum(sign)
    FROM ({written}) AS one JOIN metering_meter meter ON meter.id = one.meter_id
    JOIN clusters_accelerator card ON card.id = meter.accelerator_id
    WHERE one.witness = 'energy' AND one.quality IN ('A', 'E', 'S')
    GROUP BY 1, 2 ORDER BY 1, 2
"""
WRITTEN, BEFORE = "SELECT 1 AS sign, * FROM written", "SELECT -1 AS sign, * FROM before"
PARTS = {"insert": WRITTEN, "update": f"{WRITTEN} UNION ALL {BEFORE}", "delete": BEFORE}
TABLES = {
    "insert": "NEW TABLE AS written",
    "update": "NEW TABLE AS written OLD TABLE AS before",
    "delete": "OLD TABLE AS before",
}
SOURCES = {"metering_acceleratorhour": ("gauges", GAUGES), "metering_usagehour": ("energy", ENERGY)}
FUNCTION = """
    CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $add$
    BEGIN
        {body};
        RETURN NULL;
    END $add$
"""
TRIGGER = """
    CREATE TRIGGER {name} AFTER {event} ON {table} REFERENCING {tables}
    FOR EACH STATEMENT EXECUTE FUNCTION {name}()
"""
# A card that moves takes what it showed along.
MOVED = """
    SELECT place.node_id, one.at, sum(place.sign * one.percents), sum(place.sign * one.samples),
        sum(place.sign * one.energy), sum(place.sign * one.hours)
    FROM (
        SELECT hour_at AS at, utilisation_percent_sum AS percents, utilisation_samples AS samples, 0 AS energy, 0 AS hours
        FROM metering_acceleratorhour WHERE accelerator_id = NEW.id
        UNION ALL
        SELECT hour.from_at, 0, 0, hour.value, 1
        FROM metering_usagehour hour JOIN metering_meter meter ON meter.id = hour.meter_id
        WHERE meter.accelerator_id = NEW.id AND hour.witness = 'energy' AND hour.quality IN ('A', 'E', 'S')
    ) AS one, (VALUES (OLD.node_id, -1), (NEW.node_id, 1)) AS place (node_id, sign)
    GROUP BY 1, 2 ORDER BY 1, 2
"""
MAKE, DROP = [], []
for table, (of, rows) in SOURCES.items():
    for event, written in PARTS.items():
        name = f"metering_fleet_{of}_{event}"
        MAKE += [
            FUNCTION.format(name=name, body=ADD.format(rows=rows.format(written=written))),
            TRIGGER.format(name=name, event=event, table=table, tables=TABLES[event]),
        ]
        DROP += [f"DROP TRIGGER {name} ON {table}", f"DROP FUNCTION {name}()"]
MAKE += [
    FUNCTION.format(name="metering_fleet_moved", body=ADD.format(rows=MOVED)),
    "CREATE TRIGGER metering_fleet_moved AFTER UPDATE OF node_id ON clusters_accelerator "
    "FOR EACH ROW WHEN (OLD.node_id <> NEW.node_id) EXECUTE FUNCTION metering_fleet_moved()",
    # What was written before, in the order of time, as what is written from here on.
    *(
        ADD.format(rows=rows.format(written=f"SELECT 1 AS sign, * FROM {table}").replace("ORDER BY 1, 2", "ORDER BY 2, 1"))
        for table, (_of, rows) in SOURCES.items()
    ),
]
DROP += ["DROP TRIGGER metering_fleet_moved ON clusters_accelerator", "DROP FUNCTION metering_fleet_moved()"]


class Migration(migrations.Migration):

    dependencies = [
        ('clusters', '0001_squashed_0007_allocation_by_span'),
        ('metering', '0030_usage_days'),
    ]

    operations = [
        migrations.CreateModel(
            name='FleetHour',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('utilisation_percent_sum', models.BigIntegerField()),
                ('utilisation_samples', models.BigIntegerField()),
                ('energy_mj', models.BigIntegerField()),
                ('energy_hours', models.BigIntegerField(help_text='of how many usage hours the energy is')),
                ('node', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='fleet_hours', to='clusters.node')),
            ],
            options={
                'indexes': [models.Index(fields=['at'], name='fleet_hour_by_time')],
                'constraints': [models.UniqueConstraint(fields=('node', 'at'), name='fleet_hour_once')],
            },
        ),
        migrations.RunSQL(MAKE, DROP),
    ]
