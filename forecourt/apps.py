"""The composition root as an application: its templates and commands."""

from django.apps import AppConfig


class ForecourtConfig(AppConfig):
    """Django application that puts the others together."""

    name = "forecourt"
