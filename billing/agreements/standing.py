"""What may be done with an amendment now, and what it would change."""

from datetime import datetime

from billing.agreements.drafting import read_for
from billing.agreements.previews import Preview, preview
from billing.models import OPEN_STATES, Amendment, AmendmentState
from tenants.limits.reader import whole
from tenants.models import Organization
from tenants.problems import Problem


def actions_of(amendment: Amendment, organization: Organization) -> tuple[str, ...]:
    """Return what an organization may do with an amendment that it sees, by name."""
    own = amendment.proposed_by_id == organization.pk
    if amendment.state == AmendmentState.DRAFT:
        return ("edit", "offer", "withdraw") if own else ()
    if amendment.state != AmendmentState.OFFERED:
        return ()
    accepted = any(each.organization_id == organization.pk for each in amendment.acceptances.all())
    decide = () if accepted else ("accept",)
    return (*decide, "withdraw") if own else (*decide, "decline")


@whole("an offer names slices that the tenant does not hold yet; what others hold decides whether it fits")
def preview_of(amendment: Amendment, now: datetime) -> Preview | None:
    """Return what an open amendment would change; None once it is decided, or where it no longer fits."""
    if amendment.state not in OPEN_STATES:
        return None
    try:
        changes = read_for(amendment.contract, amendment.changes, amendment.ends_at)
    except Problem:
        return None
    return preview(amendment.contract, changes, now)
