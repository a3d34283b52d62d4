import django.db.models.deletion
from django.db import migrations, models

# What is written of an instant that is settled is added beside the sums of its cluster, in the same transaction: each
# writer makes a row of its own, so that none waits for another. Instants of the running hour and of the one before, which
# every node writes all the time, make none (`metering.cluster_hours.SETTLED`). It goes by the clock and not by when the
# transaction began: one that has only read for an hour is not seen to run by who sums.
ADD = """
    INSERT INTO metering_clusterhour
        (cluster_id, at, utilisation_percent_sum, utilisation_samples, energy_mj, energy_hours)
    SELECT {cluster}, one.at, sum(sign * one.utilisation_percent_sum), sum(sign * one.utilisation_samples),
        sum(sign * one.energy_mj), sum(sign * one.energy_hours)
    FROM ({written}) AS one {beside}
    WHERE one.at < clock_timestamp() - interval '65 minutes'
    GROUP BY 1, 2
"""
WRITTEN, BEFORE = "SELECT 1 AS sign, * FROM written", "SELECT -1 AS sign, * FROM before"
PARTS = {"insert": WRITTEN, "update": f"{WRITTEN} UNION ALL {BEFORE}", "delete": BEFORE}
TABLES = {
    "insert": "NEW TABLE AS written",
    "update": "NEW TABLE AS written OLD TABLE AS before",
    "delete": "OLD TABLE AS before",
}
FUNCTION = """
    CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $add$
    BEGIN
        {body};
        RETURN NULL;
    END $add$
"""
MAKE, DROP = [], []
for event, written in PARTS.items():
    name = f"metering_cluster_{event}"
    of_node = ADD.format(
        cluster="node.cluster_id", written=written, beside="JOIN clusters_node node ON node.id = one.node_id"
    )
    MAKE += [
        FUNCTION.format(name=name, body=of_node),
        f"CREATE TRIGGER {name} AFTER {event} ON metering_fleethour REFERENCING {TABLES[event]} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
    ]
    DROP += [f"DROP TRIGGER {name} ON metering_fleethour", f"DROP FUNCTION {name}()"]
# A node that is of another cluster takes along what it showed.
MOVED = ADD.format(
    cluster="place.cluster_id",
    written="SELECT * FROM metering_fleethour WHERE node_id = NEW.id",
    beside=", (VALUES (OLD.cluster_id, -1), (NEW.cluster_id, 1)) AS place (cluster_id, sign)",
)
MAKE += [
    FUNCTION.format(name="metering_cluster_moved", body=MOVED),
    "CREATE TRIGGER metering_cluster_moved AFTER UPDATE OF cluster_id ON clusters_node "
    "FOR EACH ROW WHEN (OLD.cluster_id <> NEW.cluster_id) EXECUTE FUNCTION metering_cluster_moved()",
]
DROP += ["DROP TRIGGER metering_cluster_moved ON clusters_node", "DROP FUNCTION metering_cluster_moved()"]


class Migration(migrations.Migration):

    dependencies = [
        ('clusters', '0001_squashed_0007_allocation_by_span'),
        ('metering', '0035_usage_weeks'),
    ]

    operations = [
        migrations.CreateModel(
            name='ClusterHour',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('utilisation_percent_sum', models.BigIntegerField()),
                ('utilisation_samples', models.BigIntegerField()),
                ('energy_mj', models.BigIntegerField()),
                ('energy_hours', models.BigIntegerField(help_text='of how many usage hours the energy is')),
                ('cluster', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='hours', to='clusters.cluster')),
            ],
            options={
                'indexes': [models.Index(fields=['at'], name='cluster_hour_by_time')],
            },
        ),
        migrations.CreateModel(
            name='ClusterHoursSummed',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('from_at', models.DateTimeField()),
                ('to_at', models.DateTimeField()),
            ],
        ),
        migrations.RunSQL(MAKE, DROP),
    ]
