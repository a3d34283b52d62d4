"""What was metered stands: the database refuses all else."""

from tenants.guards import append_only, grows_only


GUARDS = [
    append_only("metering_alertseen"),
    append_only("metering_batch"),
    append_only("metering_batchconflict"),
    append_only("metering_billingreporter"),
    append_only("metering_eventcall"),
    append_only("metering_eventconflict"),
    append_only("metering_meter"),
    append_only("metering_usageadjustment"),
    grows_only(
        "metering_usagehour",
        [
            "id", "meter_id", "witness", "quantity", "model", "hour_at", "from_at", "deployment_id", "tenant_id",
            "quality", "rule", "version", "context_over", "marks", "adjustment_id", "adjusts_id",
        ],
        writer="usage_hours",
    ),
    grows_only("metering_explaininghour", ["id", "deployment_id", "model", "hour_at"]),
    grows_only("metering_usagegap", ["id", "node_id", "subject", "subject_id", "from_at", "reason"]),
    grows_only("metering_eventkey", ["key", "content", "call"], forgetter="key_pass"),
]
