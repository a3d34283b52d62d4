import django.db.models.deletion
from django.db import migrations, models

# What a statement does to sums of days is added to the sums of their weeks, in the same transaction. Days are summed by
# one at a time, so nobody waits here for another; rows are taken in one order.
ADD = """
    INSERT INTO metering_usageweek AS kept (utc_week, deployment_id, witness, quantity, model, quality, value)
    SELECT date_trunc('week', utc_day)::date, deployment_id, witness, quantity, model, quality, sum(sign * value)
    FROM ({written}) AS one
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (utc_week, deployment_id, witness, quantity, model, quality)
    DO UPDATE SET value = kept.value + EXCLUDED.value
"""
WRITTEN, BEFORE = "SELECT 1 AS sign, * FROM written", "SELECT -1 AS sign, * FROM before"
PARTS = {"insert": WRITTEN, "update": f"{WRITTEN} UNION ALL {BEFORE}", "delete": BEFORE}
TABLES = {
    "insert": "NEW TABLE AS written",
    "update": "NEW TABLE AS written OLD TABLE AS before",
    "delete": "OLD TABLE AS before",
}
FUNCTION = """
    CREATE FUNCTION metering_weeks_{event}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT AS $add$
    BEGIN
        {body};
        RETURN NULL;
    END $add$
"""
TRIGGER = """
    CREATE TRIGGER metering_weeks_{event} AFTER {event} ON metering_usageday REFERENCING {tables}
    FOR EACH STATEMENT EXECUTE FUNCTION metering_weeks_{event}()
"""
MAKE, DROP = [], []
for event, written in PARTS.items():
    MAKE += [
        FUNCTION.format(event=event, body=ADD.format(written=written)),
        TRIGGER.format(event=event, tables=TABLES[event]),
    ]
    DROP += [f"DROP TRIGGER metering_weeks_{event} ON metering_usageday", f"DROP FUNCTION metering_weeks_{event}()"]
# What was summed before. Making the triggers has locked the table: whoever writes waits, and is added by them.
MAKE.append(ADD.format(written="SELECT 1 AS sign, * FROM metering_usageday"))


class Migration(migrations.Migration):

    dependencies = [
        ('clusters', '0001_squashed_0007_allocation_by_span'),
        ('metering', '0034_gauges_by_hour'),
    ]

    operations = [
        migrations.CreateModel(
            name='UsageWeek',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('utc_week', models.DateField()),
                ('witness', models.CharField(max_length=8)),
                ('quantity', models.CharField(max_length=16)),
                ('model', models.CharField(max_length=200)),
                ('quality', models.CharField(max_length=1)),
                ('value', models.BigIntegerField()),
                ('deployment', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='clusters.deployment')),
            ],
            options={
                'indexes': [models.Index(fields=['deployment', 'utc_week'], name='usage_week_by_deployment')],
                'constraints': [models.UniqueConstraint(fields=('utc_week', 'deployment', 'witness', 'quantity', 'model', 'quality'), name='usage_week_once')],
            },
        ),
        migrations.RunSQL(MAKE, DROP),
    ]
