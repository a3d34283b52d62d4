from importlib import import_module

from django.db import migrations

first = import_module("metering.migrations.0031_fleet_hours")

# A card whose hours are written stays where it is until they are committed: a move sees all that there is to take along,
# and what is written after it counts where the card is then. Statements after the lock see what was waited for.
HELD = """
        PERFORM FROM clusters_accelerator WHERE id IN ({cards}) ORDER BY id FOR SHARE;
        IF FOUND THEN
            {body};
        END IF"""
CARDS = {
    "gauges": "SELECT accelerator_id FROM ({written}) AS one",
    "energy": "SELECT meter.accelerator_id FROM ({written}) AS one JOIN metering_meter meter ON meter.id = one.meter_id"
    " WHERE one.witness = 'energy'",
}
HOLD, LET = [], []
for of, rows in first.SOURCES.values():
    for event, written in first.PARTS.items():
        name = f"metering_fleet_{of}_{event}"
        body = first.ADD.format(rows=rows.format(written=written))
        replace = first.FUNCTION.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
        HOLD.append(replace.format(name=name, body=HELD.format(cards=CARDS[of].format(written=written), body=body)))
        LET.append(replace.format(name=name, body=body))


class Migration(migrations.Migration):

    dependencies = [
        ('metering', '0032_throttled_hours'),
    ]

    operations = [
        migrations.RunSQL(HOLD, LET),
    ]
