"""What organizations did stands: the database refuses all else."""

from tenants.guards import REFUSE_CHANGE, append_only


GUARDS = [
    REFUSE_CHANGE,
    append_only("tenants_auditentry"),
    append_only("tenants_billingprofile"),
    append_only("tenants_logo"),
    append_only("tenants_webhookattempt"),
    append_only("tenants_webhookevent"),
]
