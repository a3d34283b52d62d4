"""`manage.py revoke_node gpu-1 --cluster my-cluster`: accept nothing more that a node's key signs."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from clusters.enrolment import revoke
from clusters.models import Node


class Command(BaseCommand):
    """Revokes one node's key; the node is enrolled again with a new token."""

    help = "Revoke a node's key: its batches are refused until it is enrolled again. What it shipped before stands."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("node", help="the node's name")
        parser.add_argument("--cluster", required=True, help="the cluster's slug")
        parser.add_argument("--provider", default="", help="the provider's slug, where two have a cluster of that name")
        parser.add_argument("--reason", default="", help="for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  Django's signature
        nodes = Node.objects.filter(name=options["node"], cluster__slug=options["cluster"])
        if options["provider"]:
            nodes = nodes.filter(cluster__provider__slug=options["provider"])
        found = list(nodes.select_related("cluster__provider")[:2])
        where = f"{options['node']} in cluster {options['cluster']}"
        if len(found) != 1:
            raise CommandError(f"There is no node {where}." if not found else f"Two nodes are {where}: say --provider.")
        if not revoke(node=found[0], now=datetime.now(UTC), actor="revoke_node", reason=options["reason"]):
            raise CommandError(f"{where} has no key in force.")
        self.stdout.write(f"The key of {where} is revoked. Enrol the node again with a token to let it go on.")
