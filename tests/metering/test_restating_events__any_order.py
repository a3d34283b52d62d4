"""Events, deployments, bindings, ends, cuts, rollups and sweeps in any order: the hours of what holds in the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clusters.models import Binding, Deployment, Endpoint, Node
from metering.context_bands import band_of
from metering.event_models import ExplainingHour
from metering.models import UsageCut, UsageHour
from metering.rebuild_events import apply_cuts, event_differences
from metering.rollup_events import roll_up_events
from tests.examples import examples
from tests.factories import make_cluster, make_deployment, make_endpoint, make_node
from tests.metering.fleet import NOON
from tests.metering.test_events import event, send
from tests.metering.test_restating_events import MINUTE, NOW, at, restate

if TYPE_CHECKING:
    from clusters.models import SpanQuerySet
    from tests.factories import Cast

HOUR = timedelta(hours=1)
MINUTES = st.integers(0, 150)
PLACES = st.integers(0, 2)
MODELS = st.sampled_from(["small", "large"])
STEPS = st.one_of(
    st.tuples(st.just("event"), MINUTES, MODELS, st.none() | PLACES, st.sampled_from([7, 200_001]), st.booleans()),
    st.tuples(st.just("deploy"), MINUTES, st.booleans()),
    st.tuples(st.just("bind"), PLACES, MODELS, MINUTES, st.none() | MINUTES),
    st.tuples(st.just("end"), PLACES, MINUTES),
    st.tuples(st.just("unbind"), PLACES),
    st.tuples(st.just("cut"), PLACES, MINUTES),
    st.tuples(st.just("roll up")),
    st.tuples(st.just("restate")),
)
Hours = Counter[tuple[datetime, UUID | None, int]]
"""Input tokens by part, deployment and band."""


@dataclass(frozen=True)
class Sent:
    """An event, and the deployment that it named if that was in force when it came."""

    minute: int
    model: str
    tokens: int
    samples: int
    named: Deployment | None
    found: Deployment | None
    by_provider: bool


@dataclass
class World:
    """What was done so far, with what the hours must come to."""

    cast: Cast
    node: Node
    now: datetime = NOW
    deployments: list[Deployment] = field(default_factory=list)
    events: list[Sent] = field(default_factory=list)

    def do(self, step: tuple[object, ...]) -> None:
        """Take one step; what is not possible yet is left out."""
        name, *given = step
        self.now += MINUTE
        if name in {"bind", "end", "unbind", "cut"}:
            if not self.deployments:
                return
            given[0] = self.deployments[int(str(given[0])) % len(self.deployments)]
        getattr(self, f"do_{name}".replace(" ", "_"))(*given)

    def do_event(self, minute: int, model: str, place: int | None, tokens: int, by_provider: bool) -> None:
        number = len(self.events)
        named = None if place is None or place >= len(self.deployments) else self.deployments[place]
        if by_provider and named is not None and named.provider != self.cast.provider:
            named = None
        reporter = self.cast.provider if by_provider else self.cast.tenant
        said = {"model": model, "input": tokens, "samples": 1 + number % 2, "tenant": self.cast.tenant.slug}
        said |= {} if named is None else {"deployment": named.slug}
        taken = send(reporter, event(f"e-{number}", occurred_at=at(minute), **said), now=self.now)
        if taken.accepted:
            found = named if named is not None and in_force(named, NOON + minute * MINUTE) else None
            self.events.append(Sent(minute, model, tokens, 1 + number % 2, named, found, by_provider))

    def do_deploy(self, minute: int, elsewhere: bool) -> None:
        if len(self.deployments) < 3:
            made = make_deployment(self.cast.outsider if elsewhere else self.cast.provider, self.cast.tenant)
            made.from_at = NOON + minute * MINUTE
            made.save()
            self.deployments.append(made)

    def do_bind(self, deployment: Deployment, model: str, minute: int, to_minute: int | None) -> None:
        to_at = None if to_minute is None else NOON + max(to_minute, minute + 1) * MINUTE
        endpoint: Endpoint = make_endpoint(self.node, model)
        Binding.objects.create(
            deployment=deployment, endpoint=endpoint, model=model, from_at=NOON + minute * MINUTE, to_at=to_at
        )

    def do_end(self, deployment: Deployment, minute: int) -> None:
        deployment.to_at = max(NOON + minute * MINUTE, deployment.from_at + MINUTE)
        deployment.save()

    def do_unbind(self, deployment: Deployment) -> None:
        deployment.bindings.all().delete()

    def do_cut(self, deployment: Deployment, minute: int) -> None:
        UsageCut.objects.get_or_create(deployment=deployment, at=NOON + minute * MINUTE)

    def do_roll_up(self) -> None:
        roll_up_events(now=self.now, chunk_events=2)

    def do_restate(self) -> None:
        self.now += HOUR
        restate(self.now)
        apply_cuts(now=self.now)

    def owner_of(self, one: Sent) -> Deployment | None:
        """Whose an event is in the end, told as plainly as can be."""
        if one.found is not None:
            return one.found
        instant = NOON + one.minute * MINUTE
        seen = [each for each in self.deployments if not one.by_provider or each.provider == self.cast.provider]
        seen = [each for each in seen if in_force(each, instant)]
        if one.named is not None:
            found = [each for each in seen if each == one.named]
        else:
            found = [each for each in seen if bindings_at(each, instant).filter(model=one.model).exists()]
            found = found or [each for each in seen if not each.bindings.filter(from_at__lte=instant).exists()]
        return found[0] if len(found) == 1 else None

    def expected(self) -> tuple[Hours, Counter[UUID]]:
        """Return input tokens as usage hours must have them, and repeated ones by deployment."""
        hours: Hours = Counter()
        repeated: Counter[UUID] = Counter()
        for one in self.events:
            owner, instant = self.owner_of(one), NOON + one.minute * MINUTE
            begins = instant.replace(minute=0)
            if owner is not None:
                edges = [owner.from_at, owner.to_at or begins, *owner.cuts.values_list("at", flat=True)]
                begins = max(begins, *(edge for edge in edges if edge <= instant), begins)
                repeated[owner.id] += (one.samples - 1) * one.tokens
            hours[begins, owner.id if owner else None, band_of(one.tokens)] += one.tokens
        return hours, +repeated


def in_force(deployment: Deployment, instant: datetime) -> bool:
    return deployment.from_at <= instant and (deployment.to_at is None or instant < deployment.to_at)


def bindings_at(deployment: Deployment, instant: datetime) -> SpanQuerySet:
    ending = Q(to_at__isnull=True) | Q(to_at__gt=instant)
    return Binding.objects.filter(ending, deployment=deployment, from_at__lte=instant)


def stored() -> tuple[Hours, Counter[UUID]]:
    hours: Hours = Counter()
    for begins, owner, band, value in UsageHour.objects.filter(quantity="input").values_list(
        "from_at", "deployment_id", "context_over", "value"
    ):
        hours[begins, owner, band] += value
    repeated: Counter[UUID] = Counter()
    for owner, tokens in ExplainingHour.objects.values_list("deployment_id", "repeated_input"):
        repeated[owner] += tokens
    return +hours, +repeated


@settings(max_examples=examples(20), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=4, max_size=16))
def test_any_order_gives_the_hours_of_what_holds_in_the_end(cast: Cast, steps: list[tuple[object, ...]]) -> None:
    with transaction.atomic():
        world = World(cast, make_node(make_cluster(cast.provider)))
        for step in steps:
            world.do(step)
        while roll_up_events(now=world.now):
            continue
        world.do(("restate",))
        assert stored() == world.expected()
        assert event_differences(from_at=None, to_at=None) == []
        world.do(("restate",))
        assert stored() == world.expected()
        transaction.set_rollback(True)
