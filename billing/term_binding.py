"""Binding deployments to terms: under one term that prices tokens at any instant, which the database holds."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from psycopg.errors import ExclusionViolation

from billing.holding import WrongTerms
from billing.models import Contract, Term, TermDeployment
from clusters.models import Deployment
from tenants.problems import Problem
from tenants.sentences import sentence


class DeploymentTaken(Problem):
    """A deployment's tokens are already priced by another term."""

    status = 409
    code = "deployment_taken"
    title = "A deployment belongs to another term"


def bind_deployments(
    term: Term, contract: Contract, deployments: Sequence[Deployment], from_at: datetime, to_at: datetime | None
) -> None:
    """Bind deployments of the contract's parties to a term over `[from_at, to_at)`, all or none.

    Raises `DeploymentTaken` where one is under another term in that time. Must run in the transaction of the use case.
    """
    require_deployments(contract, deployments)
    rows = [
        TermDeployment(term=term, deployment=deployment, from_at=from_at, to_at=to_at) for deployment in deployments
    ]
    try:
        with transaction.atomic():
            TermDeployment.objects.bulk_create(rows)
    except IntegrityError as error:
        if not isinstance(error.__cause__, ExclusionViolation):
            raise
        raise _taken(rows) from error


def require_deployments(contract: Contract, deployments: Sequence[Deployment]) -> None:
    """Raise `WrongTerms` unless every deployment is between the contract's parties and named once."""
    if not deployments:
        raise WrongTerms(sentence("A term that prices tokens needs at least one deployment."))
    parties = (contract.provider_id, contract.tenant_id)
    for deployment in deployments:
        if (deployment.provider_id, deployment.tenant_id) != parties:
            raise WrongTerms(
                sentence("%(slug)s is not between the contract's provider and tenant.", slug=deployment.slug)
            )
    if max(Counter(deployment.id for deployment in deployments).values()) > 1:
        raise WrongTerms(sentence("A deployment is named twice."))


def _taken(rows: Sequence[TermDeployment]) -> DeploymentTaken:
    for row in rows:
        others = TermDeployment.objects.filter(deployment=row.deployment).select_related("term", "deployment")
        for other in others.order_by("from_at"):
            begins = row.to_at is None or other.from_at < row.to_at
            if begins and (other.to_at is None or row.from_at < other.to_at):
                return DeploymentTaken(
                    sentence("%(slug)s is under %(ref)s.", slug=other.deployment.slug, ref=other.term.ref)
                )
    return DeploymentTaken(sentence("A deployment went to another term at this moment."))
