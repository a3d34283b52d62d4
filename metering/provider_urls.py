"""The provider's pages of its fleet."""

from django.urls import path, register_converter

from metering.pages import fleet, node


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
    path("fleet/", fleet.provider_fleet, name="provider-fleet"),
    path("fleet/<slug:cluster>/", fleet.provider_cluster, name="provider-cluster"),
    path("fleet/<slug:cluster>/<nodename:node>/", node.provider_node, name="provider-node"),
]
