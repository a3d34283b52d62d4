import django.db.models.deletion
from django.db import migrations, models

# Whoever writes: hours of a day that is over are noted beside it, as rows that
# nobody waits for.
NOTE = """
    CREATE FUNCTION metering_note_late_usage() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT AS $note$
    BEGIN
        INSERT INTO metering_usagedaychange (deployment_id, day)
        SELECT DISTINCT deployment_id, (hour_at AT TIME ZONE 'UTC')::date FROM written
        WHERE hour_at < date_trunc('day', clock_timestamp(), 'UTC') AND deployment_id IS NOT NULL;
        RETURN NULL;
    END $note$
"""
# Nothing else can happen to an hour: it grows, and stays with its deployment.
EVENTS = ("insert", "update")
NOTED = [
    f"CREATE TRIGGER usage_late_{event} AFTER {event} ON metering_usagehour REFERENCING NEW TABLE AS written "
    "FOR EACH STATEMENT EXECUTE FUNCTION metering_note_late_usage()"
    for event in EVENTS
]


class Migration(migrations.Migration):

    dependencies = [
        ('clusters', '0001_squashed_0007_allocation_by_span'),
        ('metering', '0029_held_usage'),
        ('tenants', '0013_provider_fees'),
    ]

    operations = [
        migrations.CreateModel(
            name='UsageDaysSummed',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
            ],
        ),
        migrations.CreateModel(
            name='UsageDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('utc_day', models.DateField()),
                ('witness', models.CharField(max_length=8)),
                ('quantity', models.CharField(max_length=16)),
                ('model', models.CharField(max_length=200)),
                ('quality', models.CharField(max_length=1)),
                ('context_over', models.PositiveIntegerField()),
                ('marks', models.CharField(max_length=48)),
                ('value', models.BigIntegerField()),
                ('from_at', models.DateTimeField()),
                ('to_at', models.DateTimeField()),
                ('deployment', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='clusters.deployment')),
                ('tenant', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.organization')),
            ],
            options={
                'indexes': [models.Index(fields=['deployment', 'witness', 'from_at'], name='usage_day_by_deployment'), models.Index(fields=['utc_day'], name='usage_day_by_day')],
            },
        ),
        migrations.CreateModel(
            name='UsageDayChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('deployment', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='clusters.deployment')),
            ],
            options={
                'indexes': [models.Index(fields=['deployment', 'day'], name='usage_day_changed')],
            },
        ),
        migrations.RunSQL(
            [NOTE, *NOTED],
            [
                *(f"DROP TRIGGER usage_late_{event} ON metering_usagehour" for event in EVENTS),
                "DROP FUNCTION metering_note_late_usage()",
            ],
        ),
    ]
