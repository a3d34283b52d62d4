"""The provider's pages of its fleet."""

from django.urls import path, register_converter

from metering.pages import (
    card,
    findings,
    fleet,
    fleet_file,
    gaps,
    hand_over,
    health,
    node,
    proposal,
    substitutions,
    witnesses,
)


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
    path("witnesses/<uuid:alert>/hand-over/", hand_over.provider_hand_over, name="provider-hand-over"),
    path("gaps/", gaps.provider_gaps, name="provider-gaps"),
    path("gaps.csv", gaps.provider_gaps_csv, name="provider-gaps-csv"),
    path("findings/", findings.provider_findings, name="provider-findings"),
    path("findings.csv", findings.provider_findings_csv, name="provider-findings-csv"),
    path("substitutions/", substitutions.provider_substitutions, name="provider-substitutions"),
    path("substitutions.csv", substitutions.provider_substitutions_csv, name="provider-substitutions-csv"),
    path("substitutions/hour/", proposal.provider_hour, name="provider-hour"),
    path("substitutions/new/", proposal.provider_substitution_new, name="provider-substitution-new"),
    path(
        "substitutions/<uuid:substitution_id>/decide/",
        substitutions.provider_substitution_decide,
        name="provider-substitution-decide",
    ),
    path("health/", health.provider_health, name="provider-health"),
    path("health.csv", health.provider_health_csv, name="provider-health-csv"),
    path("fleet/", fleet.provider_fleet, name="provider-fleet"),
    path("fleet.csv", fleet_file.provider_fleet_csv, name="provider-fleet-csv"),
    path("fleet/<slug:cluster>/", fleet.provider_cluster, name="provider-cluster"),
    path("fleet/<slug:cluster>/<nodename:node>/<uuid:card_id>/", card.provider_card, name="provider-card"),
    path(
        "fleet/<slug:cluster>/<nodename:node>/<uuid:card_id>/holders.csv",
        card.provider_card_holders_csv,
        name="provider-card-holders-csv",
    ),
    path("fleet/<slug:cluster>/<nodename:node>/", node.provider_node, name="provider-node"),
]
