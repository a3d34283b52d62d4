"""Everything of clusters at once, in place of the 7 migrations of the time before the first release."""

from django.contrib.postgres.operations import BtreeGistExtension
from django.db import migrations

from clusters.migrations._first_guards import GUARDS
from clusters.migrations._first_tables import TABLES
from tenants.at_once import at_once


class Migration(migrations.Migration):
    initial = True
    replaces = [
        ("clusters", "0001_initial"),
        ("clusters", "0002_initial"),
        ("clusters", "0003_node_keys"),
        ("clusters", "0004_node_key_guard"),
        ("clusters", "0005_cards"),
        ("clusters", "0006_one_card_one_use"),
        ("clusters", "0007_allocation_by_span"),
    ]
    dependencies = [
        ("tenants", "0001_squashed_0007_webhooks_out"),
    ]
    operations = [BtreeGistExtension(), *at_once(TABLES), *GUARDS]
