"""Who may read a row, as a condition that PostgreSQL holds under every query of a request.

A rule is SQL over the columns of its own table. What belongs to something else names that: whoever sees the contract
sees its terms, as the contract's own rule says. Where two tables would ask each other, a function that is the owner's
answers for one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

WORDS: Final = {
    "{me}": "(SELECT NULLIF(current_setting('app.org_id', true), '')::uuid)",
    "{person}": "(SELECT NULLIF(current_setting('app.person_id', true), '')::uuid)",
}
"""What stands in a rule for who was told to read: nobody is NULL, which equals nothing."""
UNKNOWN: Final = "({me} IS NULL AND {person} IS NULL)"
"""Nobody is known yet: signing in looks people up."""


def in_words(text: str) -> str:
    """Return a rule's SQL with those words put in."""
    for word, query in WORDS.items():
        text = text.replace(word, query)
    return text


@dataclass(frozen=True, slots=True)
class Rule:
    """Whose rows a reader sees: those for which any condition holds."""

    conditions: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    """Foreign keys whose row, where it is seen, shows this one too."""

    def __or__(self, other: Rule) -> Rule:
        return Rule(self.conditions + other.conditions, self.parents + other.parents)


@dataclass(frozen=True, slots=True)
class Open:
    """Everyone may read and write all rows, for a reason."""

    reason: str
    parents: tuple[str, ...] = field(default=(), init=False)


@dataclass(frozen=True, slots=True)
class Work:
    """No reader sees a row; use cases, jobs and the operator do, for a reason."""

    reason: str
    parents: tuple[str, ...] = field(default=(), init=False)


@dataclass(frozen=True, slots=True)
class View:
    """A view: what a reader sees of the tables that it is made of."""

    parents: tuple[str, ...] = field(default=(), init=False)


Declared = Rule | Open | Work | View


def own(*keys: str) -> Rule:
    """Rows that name the reader's organization in one of these foreign keys."""
    return Rule(tuple(f"{key}_id = {{me}}" for key in keys))


def via(*keys: str) -> Rule:
    """Rows whose parent, by one of these foreign keys, the reader sees."""
    return Rule(parents=keys)


def where(*conditions: str) -> Rule:
    """Rows for which one of these conditions holds."""
    return Rule(conditions)


def within(function: str, key: str) -> Rule:
    """Rows whose column is among what one of `FUNCTIONS` answers."""
    return Rule((f"{key} IN (SELECT {function}())",))


def partners(key: str) -> Rule:
    """Rows of the reader's organization, and of those that it has to do with.

    Conditions are asked in this order, and a function only once a row comes to it. Nearly every row that is read is the
    reader's own or of somebody under contract with it, and nearly every other the operator's; to know who else a large
    provider has to do with takes joining all its cards, forty times as long as its contracts take.
    """
    column = f"{key}_id" if key else "id"
    asked = ("app_contracted", "app_on_record", "app_partners")
    return Rule((f"{column} = {{me}}", *(f"{column} IN (SELECT {each}())" for each in asked)))


def person(key: str) -> Rule:
    """Rows of the person who reads, and of people who are being looked up while nobody is known."""
    return Rule((f"{key} = {{person}}", UNKNOWN))


FUNCTIONS: Final = {
    "app_provided_nodes": """
        SELECT node.id FROM clusters_node node JOIN clusters_cluster cluster ON cluster.id = node.cluster_id
        WHERE cluster.provider_id = {me}""",
    "app_provided_accelerators": """
        SELECT accelerator.id FROM clusters_accelerator accelerator
        JOIN clusters_node node ON node.id = accelerator.node_id
        JOIN clusters_cluster cluster ON cluster.id = node.cluster_id WHERE cluster.provider_id = {me}""",
    "app_provided_slices": """
        SELECT slice.id FROM clusters_slice slice
        JOIN clusters_accelerator accelerator ON accelerator.id = slice.accelerator_id
        JOIN clusters_node node ON node.id = accelerator.node_id
        JOIN clusters_cluster cluster ON cluster.id = node.cluster_id WHERE cluster.provider_id = {me}""",
    "app_held_slices": "SELECT slice_id FROM clusters_allocation WHERE tenant_id = {me}",
    "app_held_accelerators": """
        SELECT slice.accelerator_id FROM clusters_allocation allocation
        JOIN clusters_slice slice ON slice.id = allocation.slice_id WHERE allocation.tenant_id = {me}""",
    "app_bound_endpoints": """
        SELECT binding.endpoint_id FROM clusters_binding binding
        JOIN clusters_deployment deployment ON deployment.id = binding.deployment_id
        WHERE deployment.tenant_id = {me} OR deployment.provider_id = {me}""",
    "app_held_nodes": """
        SELECT node_id FROM clusters_accelerator WHERE id IN (SELECT app_held_accelerators())
        UNION SELECT node_id FROM clusters_endpoint WHERE id IN (SELECT app_bound_endpoints())""",
    "app_held_clusters": "SELECT cluster_id FROM clusters_node WHERE id IN (SELECT app_held_nodes())",
    "app_contracted": """
        SELECT tenant_id FROM billing_contract WHERE provider_id = {me}
        UNION ALL SELECT provider_id FROM billing_contract WHERE tenant_id = {me}""",
    "app_on_record": """
        SELECT {me}
        UNION SELECT id FROM tenants_organization WHERE is_operator AND {me} IS NOT NULL
        UNION SELECT id FROM tenants_organization WHERE introduced_by_id = {me}
        UNION SELECT tenant_id FROM billing_contract WHERE provider_id = {me}
        UNION SELECT provider_id FROM billing_contract WHERE tenant_id = {me}
        UNION SELECT tenant_id FROM billing_balanceaccount WHERE issuer_id = {me}
        UNION SELECT issuer_id FROM billing_balanceaccount WHERE tenant_id = {me}
        UNION SELECT tenant_id FROM clusters_deployment WHERE provider_id = {me}
        UNION SELECT provider_id FROM clusters_deployment WHERE tenant_id = {me}
        UNION SELECT reporter.reporter_id FROM metering_billingreporter reporter
            JOIN clusters_deployment deployment ON deployment.id = reporter.deployment_id
            WHERE deployment.tenant_id = {me} OR deployment.provider_id = {me}
        UNION SELECT tenant_id FROM metering_subjectalias WHERE reporter_id = {me}
        UNION SELECT reporter_id FROM metering_subjectalias WHERE tenant_id = {me}""",
    "app_partners": """
        SELECT app_on_record()
        UNION SELECT allocation.tenant_id FROM clusters_allocation allocation
            JOIN clusters_slice slice ON slice.id = allocation.slice_id
            JOIN clusters_accelerator accelerator ON accelerator.id = slice.accelerator_id
            JOIN clusters_node node ON node.id = accelerator.node_id
            JOIN clusters_cluster cluster ON cluster.id = node.cluster_id WHERE cluster.provider_id = {me}
            AND allocation.tenant_id NOT IN (SELECT tenant_id FROM billing_contract WHERE provider_id = {me})
        UNION SELECT cluster.provider_id FROM clusters_cluster cluster
            WHERE cluster.id IN (SELECT app_held_clusters())""",
}
"""Answers of the tables' owner, which see all rows: `{name: query}` of ids, each after those that it asks."""

TOUCHES: Final = (
    "app_touches_my_account",
    """
        SELECT EXISTS (SELECT FROM billing_ledgerentry entry
            JOIN billing_ledgeraccount account ON account.id = entry.account_id
            WHERE entry.posting_id = $1 AND account.organization_id = {me})""",
)
"""The one that is asked about a row: an entry is seen by its posting's book, so a posting asks past entries' rule."""

OLDEST_RUNNING: Final = (
    "app_oldest_running",
    """
        SELECT least(clock_timestamp(), min(xact_start)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xid IS NOT NULL""",
)
"""When the oldest other transaction that writes began, else now. A role is shown this of its own sessions alone: asked
as a reader the jobs' would be missing, and what they are about to commit would be passed over.
"""
