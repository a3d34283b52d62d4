"""The tables that are cut into parts, each with its plan. Pure."""

from __future__ import annotations

from typing import Final

from metering.partitions import PartitionPlan

BATCHES: Final = PartitionPlan(
    table="metering_batch",
    column="received_at",
    unit="month",
    ahead=2,
    keep_months=13,
    # Across parts the node's cursor makes the number unique: a batch is stored by the statement that moves the cursor
    # from the number before, and each number is passed once.
    unique=(("node_id", "seq"), ("id",)),
    order_by=("node_id", "seq"),
    still_needed="""
        SELECT EXISTS (
            SELECT FROM metering_nodecursor chain LEFT JOIN metering_rollupcursor rolled USING (node_id)
            WHERE EXISTS (
                SELECT FROM {part} kept WHERE kept.node_id = chain.node_id AND kept.seq > coalesce(rolled.rolled_seq, 0)
            )
        )
    """,
    keys="""
        SELECT concat_ws(' ', node_id, first_seq, version), encode(public_key, 'hex')
        FROM clusters_nodekey WHERE first_seq IS NOT NULL
        UNION ALL
        SELECT concat_ws(' ', id, 1, key_version), encode(public_key, 'hex') FROM clusters_node
        WHERE public_key IS NOT NULL AND NOT EXISTS (SELECT FROM clusters_nodekey WHERE node_id = clusters_node.id)
        ORDER BY 1
    """,
)
EVENT_CALLS: Final = PartitionPlan(
    table="metering_eventcall",
    column="received_at",
    unit="month",
    ahead=2,
    keep_months=13,
    # The id is made anew for each call.
    unique=(("id",),),
    order_by=("id",),
    indexes=(("reporter_id", "last_at"), ("last_at",)),
    still_needed="SELECT EXISTS (SELECT FROM {part} kept JOIN metering_waitingevents ON call = kept.id)",
)
PLANS: Final = (BATCHES, EVENT_CALLS)
