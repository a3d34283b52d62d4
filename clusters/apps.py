"""What and when: clusters, nodes, accelerators, slices, allocations, endpoints, deployments, enrolment."""

from django.apps import AppConfig


class ClustersConfig(AppConfig):
    """Django application of the fleet and who holds it."""

    name = "clusters"
    default_auto_field = "django.db.models.BigAutoField"
