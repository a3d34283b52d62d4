"""The command's exit status says whether usage comes out as it stands."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from metering.event_models import ExplainingHour
from metering.models import UsageHour
from metering.rollup_events import roll_up_events
from tests.factories import make_deployment
from tests.metering.fleet import NOON, NOON_MS, FakeAgent, column, make_agent, meter, roll_up, total
from tests.metering.forging import forge
from tests.metering.test_events import event, send

if TYPE_CHECKING:
    from tests.factories import Cast


@pytest.fixture
def agent(cast: Cast) -> FakeAgent:
    agent = make_agent(cast.provider)
    agent.ship(column(meter(), [0, 700], [NOON_MS, NOON_MS + 10_000]))
    roll_up(agent.node)
    return agent


def run(*arguments: str) -> tuple[int, str]:
    out, status = StringIO(), 0
    try:
        call_command("rebuild_usage", *arguments, stdout=out, stderr=out)
    except SystemExit as ended:
        status = int(str(ended.code))
    return status, out.getvalue()


def test_sound_usage_exits_with_0(agent: FakeAgent) -> None:
    assert run() == (0, "Nothing differs.\n")
    assert run("--node", agent.node.name, "--from", "2026-03-10T12:00:00Z", "--to", "2026-03-10T13:00:00Z")[0] == 0


def test_forged_usage_exits_with_1_and_is_put_right_with_a_reason(agent: FakeAgent) -> None:
    forge(UsageHour.objects.filter(value=700), value=900)
    status, told = run("--node", str(agent.node.id))
    assert status == 1
    assert "2026-03-10T12:00:00Z output sample-model" in told
    assert "stored 900 of 1 records, recomputed 700 of 1" in told
    assert run("--apply", "Somebody wrote to the table.")[0] == 0
    assert total() == 700
    assert run()[0] == 0


def test_gateways_usage_is_told_apart_by_who_reported_it(cast: Cast) -> None:
    make_deployment(cast.provider, cast.tenant)
    for late, (reporter, source) in enumerate(((cast.tenant, "a"), (cast.tenant, "b"), (cast.provider, "a"))):
        told_at = NOON + timedelta(seconds=late)
        send(reporter, event(source=source, tenant=cast.tenant.slug, samples=2), now=told_at)
    roll_up_events(now=NOON)
    assert run("--events") == (0, "Nothing differs.\n")
    forge(UsageHour.objects.filter(quantity="input", meter__source="a"), value=7)
    ExplainingHour.objects.update(further_answers=7)
    status, told = run("--events")
    assert status == 1
    assert [line.split(": ")[0] for line in told.splitlines()[:3]] == [
        "events of provider, a",
        "events of tenant, a",
        "events",
    ]
    assert "recomputed 100 of 1" in told
    assert "to explain it, further_answers -5" in told
    assert run("--events", "--apply", "A sample.")[0] == 0
    assert run("--events") == (0, "Nothing differs.\n")


@pytest.mark.parametrize("arguments", [("--node", "nobody"), ("--from", "noon"), ("--to", "2026-03-10T12:00:00")])
def test_wrong_words_are_said_to_be_wrong(agent: FakeAgent, arguments: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match=r"nobody|no instant"):
        run(*arguments)
