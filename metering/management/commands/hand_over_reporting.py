"""`manage.py hand_over_reporting my-deployment --tenant acme --to gpu-house --from 2026-12-01T00:00Z`."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from clusters.models import Deployment
from metering.billing_reporters import HandOverRefused, hand_over
from tenants.models import Organization


class Command(BaseCommand):
    """Names the organization whose reports bill a deployment from an hour on."""

    help = "Let another organization's reports bill a deployment from a full UTC hour on; what was counted stays."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("deployment", help="the deployment's slug")
        parser.add_argument("--tenant", required=True, help="its tenant's slug")
        parser.add_argument("--to", required=True, help="slug of the tenant, the provider or the operator")
        parser.add_argument("--from", required=True, dest="from_at", help="a full UTC hour, an hour ahead or more")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  Django's signature
        try:
            deployment = Deployment.objects.get(slug=options["deployment"], tenant__slug=options["tenant"])
        except Deployment.DoesNotExist as unknown:
            raise CommandError(f"{options['tenant']} has no deployment {options['deployment']}.") from unknown
        to = Organization.objects.filter(slug=options["to"]).first()
        if to is None:
            raise CommandError(f"There is no organization {options['to']}.")
        try:
            from_at = datetime.fromisoformat(options["from_at"])
        except ValueError as refused:
            raise CommandError(f"--from: {refused}; expected an instant such as 2026-12-01T00:00Z.") from refused
        if from_at.tzinfo is None:
            raise CommandError("--from names no time zone; expected an instant such as 2026-12-01T00:00Z.")
        from_at = from_at.astimezone(UTC)
        try:
            hand_over(
                deployment=deployment,
                to=to,
                from_at=from_at,
                by=None,
                actor="hand_over_reporting",
                now=datetime.now(UTC),
            )
        except HandOverRefused as refused:
            raise CommandError(refused.detail) from refused
        self.stdout.write(f"The reports of {to.slug} bill {deployment.slug} from {from_at.isoformat()} on.")
