"""The provider's pages of its fleet."""

from django.urls import path, register_converter

from metering.pages import fleet, gaps, node, witnesses


class NodeNameConverter:
    r"""A node's name as its agent gave it: a host's name, but nothing keeps one from a slash or a blank."""

    regex = r"[\s\S]+"

    def to_python(self, value: str) -> str:
        """Read a name."""
        return value

    def to_url(self, value: str) -> str:
        """Write a name."""
        return value


register_converter(NodeNameConverter, "nodename")

urlpatterns = [
    path("witnesses/", witnesses.provider_witnesses, name="provider-witnesses"),
    path("witnesses.csv", witnesses.provider_witnesses_csv, name="provider-witnesses-csv"),
    path("witnesses/<uuid:alert>/seen/", witnesses.provider_alert_seen, name="provider-alert-seen"),
    path("gaps/", gaps.provider_gaps, name="provider-gaps"),
    path("fleet/", fleet.provider_fleet, name="provider-fleet"),
    path("fleet/<slug:cluster>/", fleet.provider_cluster, name="provider-cluster"),
    path("fleet/<slug:cluster>/<nodename:node>/", node.provider_node, name="provider-node"),
]
