"""Whose the rows are: clusters and what was metered on them.

What stands on a card or node is its provider's, and its tenant's who holds a part of it; how a node is managed is its
provider's alone.
"""

from __future__ import annotations

from typing import Final

from forecourt.rows.rules import Declared, Open, Rule, View, Work, own, partners, via, where, within

# What a function answers is asked once for a query and looked up for each row. A condition on the rows of another table
# would carry that table's own rule into each look-up, and the rules below it into each of those.
PROVIDED: Final = within("app_provided_nodes", "node_id")
OF_METER: Final = """EXISTS (SELECT FROM metering_meter meter
    WHERE meter.id = meter_id AND (meter.reporter_id = {me} OR meter.node_id IN (SELECT app_provided_nodes())))"""


def cluster_provided() -> Rule:
    """Rows of a cluster that the reader provides."""
    return where(
        "EXISTS (SELECT FROM clusters_cluster cluster WHERE cluster.id = cluster_id AND cluster.provider_id = {me})"
    )


CLUSTERS: Final[dict[str, Declared]] = {
    "clusters.cluster": own("provider") | within("app_held_clusters", "id"),
    "clusters.node": cluster_provided() | within("app_held_nodes", "id"),
    "clusters.enrolmenttoken": cluster_provided(),
    "clusters.nodekey": PROVIDED,
    "clusters.accelerator": PROVIDED | within("app_held_accelerators", "id"),
    "clusters.acceleratorhealth": via("accelerator"),
    "clusters.slice": within("app_provided_accelerators", "accelerator_id") | within("app_held_slices", "id"),
    "clusters.allocation": own("tenant") | within("app_provided_slices", "slice_id"),
    "clusters.endpoint": PROVIDED | within("app_bound_endpoints", "id"),
    "clusters.deployment": own("provider", "tenant"),
    "clusters.binding": via("deployment"),
}

METERING: Final[dict[str, Declared]] = {
    "metering.acceleratorhour": via("accelerator"),
    "metering.fleethour": via("node"),
    "metering.clusterhour": cluster_provided(),
    "metering.clusterhourssummed": Open("the instants between which clusters are summed"),
    "metering.partitionhour": via("slice"),
    "metering.acceleratorevent": via("accelerator"),
    "metering.nodehour": via("node"),
    "metering.nodepresence": via("node"),
    "metering.silence": via("node"),
    "metering.usagegap": via("node"),
    "metering.nodecursor": via("node"),
    "metering.rollupcursor": via("node"),
    "metering.nodevalidation": via("node"),
    "metering.batch": PROVIDED,
    "metering.batchconflict": PROVIDED,
    "metering.rollupcheckpoint": PROVIDED,
    "metering.rollupowners": PROVIDED,
    "metering.meter": PROVIDED | within("app_held_nodes", "node_id") | partners("reporter"),
    "metering.meterstate": via("meter"),
    "metering.usagehour": own("tenant") | via("deployment") | where(OF_METER),
    "metering.usageday": own("tenant") | via("deployment"),
    "metering.usageweek": via("deployment"),
    "metering.usagedaychange": Open("ids of deployments and days of which hours came late: they tell what is stale"),
    "metering.usagedayssummed": Open("the day up to which days are summed"),
    "metering.usagekey": own("tenant"),
    "metering.keyhour": own("tenant"),
    "metering.project": own("tenant"),
    "metering.projectkey": own("tenant"),
    "metering.keyedusage": View(),
    "metering.usageadjustment": PROVIDED
    | where(
        "EXISTS (SELECT FROM metering_usagehour hour WHERE hour.adjustment_id = metering_usageadjustment.id)",
    ),
    "metering.usagecut": via("deployment"),
    "metering.usagefinding": via("node"),
    "metering.substitution": own("provider", "tenant") | via("deployment"),
    "metering.comparisonterms": via("deployment"),
    "metering.explaininghour": via("deployment"),
    "metering.billingreporter": own("reporter") | via("deployment"),
    "metering.gatewaysource": partners("reporter"),
    "metering.alert": own("provider", "tenant") | via("deployment"),
    "metering.alertseen": own("organization"),
    "metering.eventowners": own("tenant"),
    "metering.eventcall": partners("reporter") | where("{me} = ANY (tenants)"),
    "metering.eventconflict": own("reporter"),
    "metering.eventparttotal": own("reporter"),
    "metering.subjectalias": own("reporter", "tenant"),
    "metering.heldreport": own("reporter"),
    "metering.rejectedsample": own("reporter"),
    "metering.collector": PROVIDED,
    "metering.collectorendpoint": via("collector"),
    "metering.ingestcount": where(
        "reporter = {me}::text", "reporter IN (SELECT node::text FROM app_provided_nodes() AS node)"
    ),
    "metering.eventkey": Open("hashes of reporter, source and id: they tell whether an event is known, no more"),
    "metering.waitingevents": Work("on the way to usage hours"),
    "metering.eventkeypass": Work("how far old keys were searched for"),
    "metering.partitionarchive": Work("parts hold all organizations' facts"),
    "metering.retentionhold": Work("what keeps parts of all organizations"),
}
