"""How much: batches, usage events, rollup, usage hours, witnesses."""

from django.apps import AppConfig


class MeteringConfig(AppConfig):
    """Django application of metered usage."""

    name = "metering"
    default_auto_field = "django.db.models.BigAutoField"
