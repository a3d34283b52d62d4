"""Two people put a value in, step by step; one alone cannot."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from metering.adjustment_models import Substitution
from tenants.models import Role
from tests.factories import make_user
from tests.metering.fleet import MODEL, NOON_MS, FakeAgent, column, make_agent, meter, roll_up, total

if TYPE_CHECKING:
    from tests.factories import Cast

PETRA, PAUL = ("--provider", "provider", "--by", "petra@example.com"), ("--provider", "provider", "--by", "paul@x.io")
NOON = ("--at", "2026-03-10T12:00:00Z")


@pytest.fixture
def agent(cast: Cast) -> FakeAgent:
    make_user("paul@x.io", cast.provider, Role.ADMIN)
    agent = make_agent(cast.provider)
    agent.ship(column(meter(), [0, 700], [NOON_MS, NOON_MS + 10_000]))
    roll_up(agent.node)
    return agent


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("substitute_usage", *arguments, stdout=out)
    return out.getvalue()


def propose(agent: FakeAgent, *by: str, quantity: str = "output", at: tuple[str, str] = NOON) -> str:
    what = ("--node", agent.node.name, "--model", MODEL, "--class", quantity, *at, "--value", "900")
    return run("propose", *by, *what, "--reason", "The gateway's log says so.")


def test_one_proposes_another_sees_and_approves(agent: FakeAgent) -> None:
    assert "700 -> 900 waits" in propose(agent, *PETRA)
    waiting = run("list", *PAUL)
    made = Substitution.objects.get()
    assert waiting.startswith(f"{made.id}: 2026-03-10T12:00:00Z")
    assert "700 -> 900, petra@example.com: The gateway's log says so." in waiting
    with pytest.raises(CommandError, match="Another person must approve"):
        run("approve", *PETRA, str(made.id))
    assert run("approve", *PAUL, str(made.id)) == f"{made.id}: approved.\n"
    assert total() == total(quality="S") == 900
    assert run("list", *PAUL) == ""


def test_a_refused_proposal_changes_nothing(agent: FakeAgent) -> None:
    propose(agent, *PETRA)
    assert "refused" in run("refuse", *PAUL, str(Substitution.objects.get().id))
    assert total() == 700


@pytest.mark.parametrize("by", ["bob@example.com", "charlie@example.com", "nobody@example.com"])
def test_others_may_not(agent: FakeAgent, by: str) -> None:
    with pytest.raises(CommandError, match="no owner or admin"):
        propose(agent, "--provider", "provider", "--by", by)


def test_what_is_not_there_is_said_so(agent: FakeAgent) -> None:
    with pytest.raises(CommandError, match="No meter"):
        propose(agent, *PETRA, quantity="input")
    with pytest.raises(CommandError, match="no instant"):
        propose(agent, *PETRA, at=("--at", "noon"))
