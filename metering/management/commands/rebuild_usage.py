"""`manage.py rebuild_usage`: work usage out again from stored batches and events, and compare; the exit status says."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from clusters.models import Node
from metering.adjustment_models import AdjustmentCause
from metering.carrying import carry_substituted
from metering.models import Meter
from metering.rebuild import BatchesArchived, Difference, node_differences, rebuild_node
from metering.rebuild_events import event_differences, rebuild_events

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from metering.rebuild_events import EventDifference

SHOWN_MAX = 100


class Command(BaseCommand):
    """Exits with 0 if what is stored is what comes out again, with 1 if not."""

    help = (
        "Work usage hours out again from stored evidence, print what is stored otherwise, and correct it with --apply."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take which nodes, which hours, and whether to correct."""
        parser.add_argument(
            "--node", action="append", default=[], help="name or id of a node; again for more; else all"
        )
        parser.add_argument("--events", action="store_true", help="the gateways' events and no node")
        parser.add_argument("--from", dest="from_at", help="first hour, RFC 3339; else from the first batch on")
        parser.add_argument("--to", dest="to_at", help="end of the last hour, RFC 3339")
        parser.add_argument("--apply", metavar="REASON", help="correct by adjusting rows, with this reason")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002  Django's signature
        """Compare node by node; say how many differences there are."""
        from_at, to_at = _instant(options["from_at"]), _instant(options["to_at"])
        reason = options["apply"]
        found = 0
        try:
            for name, differences in self._differences(options, from_at, to_at):
                self._show(name, differences)
                found += len(differences)
        except BatchesArchived as missing:
            raise CommandError(str(missing)) from missing
        if found and reason:
            self.stdout.write(f"{found} usage hours were corrected.")
        elif found:
            self.stderr.write(f"{found} usage hours are stored otherwise than they come out again.")
            raise SystemExit(1)
        else:
            self.stdout.write("Nothing differs.")

    def _differences(
        self, options: dict[str, Any], from_at: datetime | None, to_at: datetime | None
    ) -> Iterator[tuple[str, Sequence[EventDifference]]]:
        """Yield what differs node by node, and of the gateways; corrected already where that is asked for."""
        window: dict[str, Any] = {"from_at": from_at, "to_at": to_at}
        applied = {"cause": AdjustmentCause.REBUILT, "reason": options["apply"], "now": timezone.now()}
        nodes = () if options["events"] else _nodes(options["node"])
        for node in nodes:
            if options["apply"]:
                with transaction.atomic():
                    corrected = rebuild_node(node=node, **window, **applied)
                    carry_substituted(node=node, **window, now=applied["now"])
                yield node.name, corrected
            else:
                yield node.name, node_differences(node=node, **window)
        if not options["node"]:
            yield from _by_source(
                rebuild_events(**window, **applied) if options["apply"] else event_differences(**window)
            )

    def _show(self, node: str, differences: Iterable[EventDifference]) -> None:
        for number, difference in enumerate(differences):
            if number == SHOWN_MAX:
                self.stdout.write(f"{node}: and more")
                break
            self.stdout.write(f"{node}: {difference}")


def _by_source(differences: Iterable[EventDifference]) -> Iterator[tuple[str, Sequence[EventDifference]]]:
    """Yield what differs by the gateway that reported it; last what explains differences to the engines."""
    usage: dict[UUID, list[EventDifference]] = {}
    explaining: list[EventDifference] = []
    for one in differences:
        if isinstance(one, Difference):
            usage.setdefault(one.key[0], []).append(one)
        else:
            explaining.append(one)
    named: dict[str, list[EventDifference]] = {}
    sources = Meter.objects.filter(id__in=usage).values_list("reporter__slug", "source", "id")
    for reporter, source, meter_id in sorted(sources, key=str):
        named.setdefault(f"events of {reporter}, {source}", []).extend(usage[meter_id])
    yield from named.items()
    yield "events", explaining


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = parse_datetime(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise CommandError(f"{text!r} is no instant; expected one such as 2026-03-10T12:00:00Z.")
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _nodes(wanted: Iterable[str]) -> Iterable[Node]:
    nodes = Node.objects.filter(rollup_cursor__isnull=False).order_by("name", "id")
    wanted = set(wanted)
    if not wanted:
        return nodes
    chosen = [node for node in nodes if node.name in wanted or str(node.id) in wanted]
    missing = wanted - {node.name for node in chosen} - {str(node.id) for node in chosen}
    if missing:
        raise CommandError(f"No node is called {', '.join(sorted(missing))}.")
    return chosen
