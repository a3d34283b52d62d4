"""`manage.py substitute_usage`: propose a value for a metered hour, list what waits, have a second person decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from metering.adjustment_models import Substitution, SubstitutionState
from metering.models import Meter
from metering.substituting import decide_substitution, propose_substitution
from tenants.models import Membership
from tenants.problems import Problem
from tenants.roles import CORRECT_USAGE, allows

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from datetime import datetime


class Command(BaseCommand):
    """Each step names the person who takes it: an owner or admin of the provider; two steps, two people."""

    help = "Put a value in the place of what was metered: propose, list, approve or refuse."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the step and what it is about."""
        steps = parser.add_subparsers(dest="step", required=True)
        propose = steps.add_parser("propose", help="propose a value for a part of an hour")
        propose.add_argument("--node", required=True, help="name of the node")
        propose.add_argument("--model", default="", help="served model; none for a card's energy")
        propose.add_argument("--class", dest="quantity", required=True, help="input, output, energy_mj, ...")
        propose.add_argument("--at", required=True, help="begin of the hour or of its part, RFC 3339")
        propose.add_argument("--value", required=True, type=int)
        propose.add_argument("--reason", required=True)
        steps.add_parser("list", help="list what waits for its second person")
        for step in ("approve", "refuse"):
            decide = steps.add_parser(step, help=f"{step} what another person proposed")
            decide.add_argument("substitution", type=UUID)
        for parser_of_step in steps.choices.values():
            parser_of_step.add_argument("--provider", required=True, help="slug of the provider")
            parser_of_step.add_argument("--by", required=True, help="e-mail address of the person who does this")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  Django's signature
        """Take one step in the name of one person."""
        member = (
            Membership.objects.select_related("organization", "user")
            .filter(user__email=options["by"], organization__slug=options["provider"], organization__is_provider=True)
            .first()
        )
        if member is None or not allows(member.role, CORRECT_USAGE):
            raise CommandError(f"{options['by']} is no owner or admin of the provider {options['provider']}.")
        try:
            if options["step"] == "propose":
                self._propose(member, options)
            elif options["step"] == "list":
                self._list(member)
            else:
                self._decide(member, options)
        except Problem as refused:
            raise CommandError(f"{refused.title}: {refused.detail}") from refused

    def _propose(self, member: Membership, options: dict[str, Any]) -> None:
        made = propose_substitution(
            provider=member.organization,
            by=member.user,
            meter_id=_meter(member, options),
            from_at=_instant(options["at"]),
            value=options["value"],
            reason=options["reason"],
            now=timezone.now(),
        )
        self.stdout.write(f"{made.id}: {made.value_before} -> {made.value} waits for a second person.")

    def _list(self, member: Membership) -> None:
        waiting = Substitution.objects.filter(provider=member.organization, state=SubstitutionState.PROPOSED)
        for one in waiting.select_related("meter__node", "proposed_by").order_by("proposed_at"):
            node = one.meter.node.name if one.meter.node else "-"
            self.stdout.write(
                f"{one.id}: {one.from_at:%Y-%m-%dT%H:%M:%SZ} {node} {one.meter.quantity} {one.meter.model} "
                f"{one.value_before} -> {one.value}, {one.proposed_by.email}: {one.reason}"
            )

    def _decide(self, member: Membership, options: dict[str, Any]) -> None:
        done = decide_substitution(
            provider=member.organization,
            by=member.user,
            substitution_id=options["substitution"],
            approve=options["step"] == "approve",
            now=timezone.now(),
        )
        self.stdout.write(f"{done.id}: {done.state}.")


def _meter(member: Membership, options: dict[str, Any]) -> UUID:
    found = Meter.objects.filter(
        node__cluster__provider=member.organization,
        node__name=options["node"],
        model=options["model"],
        quantity=options["quantity"],
        hours__from_at=_instant(options["at"]),
    ).distinct()
    ids = list(found.values_list("id", flat=True)[:2])
    if len(ids) != 1:
        raise CommandError(f"{'More than one' if ids else 'No'} meter of that node has usage that begins then.")
    return ids[0]


def _instant(text: str) -> datetime:
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise CommandError(f"{text!r} is no instant; expected one such as 2026-03-10T12:00:00Z.")
    return at
