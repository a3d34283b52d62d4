"""Who: organizations, people, roles, API keys, scoping, audit."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Django application of organizations and people."""

    name = "tenants"
    default_auto_field = "django.db.models.BigAutoField"
