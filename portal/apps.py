"""Django's registration of the look; without models, so without migrations."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    """The look: templates, style sheets, charts and words."""

    name = "portal"
    verbose_name = "Portal"
