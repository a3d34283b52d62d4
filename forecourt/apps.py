"""The composition root as an application: its templates and commands."""

from importlib import import_module

from django.apps import AppConfig


class ForecourtConfig(AppConfig):
    """Django application that puts the others together."""

    name = "forecourt"

    def ready(self) -> None:
        """Let the API's document know our keys: its generator finds the scheme once the module is loaded."""
        import_module("forecourt.api_schema")
