"""How much: batches, usage events, rollup, usage hours, witnesses."""

from importlib import import_module

from django.apps import AppConfig


class MeteringConfig(AppConfig):
    """Django application of metered usage."""

    name = "metering"
    default_auto_field = "django.db.models.BigAutoField"

    def import_models(self) -> None:
        """Load the models of the compatible inputs too, which stand in their own package."""
        super().import_models()
        import_module("metering.compat.models")
