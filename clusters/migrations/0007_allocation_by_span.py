"""The capacity calendar reads every booking that touches a span."""

from django.contrib.postgres.fields.ranges import RangeBoundary
from django.contrib.postgres.indexes import GistIndex
from django.db import migrations

import clusters.models


class Migration(migrations.Migration):
    dependencies = [("clusters", "0006_one_card_one_use"), ("tenants", "0003_sign_in_attempts")]
    operations = [
        migrations.AddIndex(
            model_name="allocation",
            index=GistIndex(
                clusters.models.HalfOpenRange(
                    "from_at", "to_at", RangeBoundary(inclusive_lower=True, inclusive_upper=False)
                ),
                name="allocation_by_span",
            ),
        )
    ]
