"""Everything of metering at once, in place of the 27 migrations of the time before the first release."""

from datetime import UTC, datetime

from django.db import migrations
from django.db.migrations.operations import RunPython

from metering.migrations._first_guards import GUARDS
from metering.migrations._first_tables import TABLES
from metering.partition_plans import BATCHES, EVENT_CALLS
from metering.partition_tables import cut_table
from tenants.at_once import at_once


def cut(apps, schema_editor):
    """Cut what grows fastest by month of receipt. Its bodies are compressed already: no second try on every insert."""
    for plan in (BATCHES, EVENT_CALLS):
        schema_editor.execute(f"ALTER TABLE {plan.table} ALTER COLUMN body SET STORAGE EXTERNAL")
        cut_table(plan=plan, database=schema_editor.connection, now=datetime.now(UTC))


class Migration(migrations.Migration):
    initial = True
    replaces = [
        ("metering", "0001_initial"),
        ("metering", "0002_initial"),
        ("metering", "0003_guards"),
        ("metering", "0004_rollup_state"),
        ("metering", "0005_events_without_row_checks"),
        ("metering", "0006_control"),
        ("metering", "0007_batch_partitions"),
        ("metering", "0008_cursor_key_version"),
        ("metering", "0009_usual_pause"),
        ("metering", "0010_compat"),
        ("metering", "0011_cards"),
        ("metering", "0012_rollup_bounds"),
        ("metering", "0013_event_calls"),
        ("metering", "0014_retention"),
        ("metering", "0015_adjustments"),
        ("metering", "0016_event_retention"),
        ("metering", "0017_findings"),
        ("metering", "0018_batch_outcome"),
        ("metering", "0019_substitutions"),
        ("metering", "0020_cuts_applied"),
        ("metering", "0021_context_bands"),
        ("metering", "0022_unpriced_alert"),
        ("metering", "0023_event_owners"),
        ("metering", "0024_marks"),
        ("metering", "0025_inversion_alerts"),
        ("metering", "0026_billing_reporters"),
        ("metering", "0027_facts_grow"),
    ]
    dependencies = [
        ("clusters", "0001_squashed_0007_allocation_by_span"),
        ("tenants", "0001_squashed_0007_webhooks_out"),
    ]
    operations = [*at_once(TABLES), *GUARDS, RunPython(cut, RunPython.noop)]
