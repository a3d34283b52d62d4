"""Pages of which nothing tells whose they are: one register is gone on with, and a reset is believed when it lasts."""

from dataclasses import replace

from metering.agent.epochs import FALL_READS
from tests.metering.agent.test_epochs import HERE, epochs, sight, walk

NOBODY = replace(HERE, process="", hint="")


def test_servers_behind_a_balancer_that_say_nothing_of_themselves_are_not_counted_whole() -> None:
    steps = walk(
        *(sight(value, 10 * at, markers=NOBODY) for at, value in enumerate((1_000, 500, 1_010, 505, 506, 1_020), 1))
    )
    assert len(set(epochs(steps))) == 1
    assert [step.value for step in steps] == [1_000, None, 1_010, None, None, 1_020]
    assert [step.reason for step in steps] == [None, "fall_held", None, "fall_held", "fall_held", None]


def test_a_fall_that_lasts_is_a_reset_and_loses_nothing() -> None:
    lower = [sight(10 * at, 100 + at, markers=NOBODY) for at in range(1, FALL_READS + 2)]
    steps = walk(sight(1_000, 100, markers=NOBODY), *lower)
    assert {step.reason for step in steps[1:FALL_READS]} == {"fall_held"}
    assert (steps[FALL_READS].value, steps[FALL_READS].reason) == (10 * FALL_READS, "register_fell")
    assert (steps[-1].value, steps[-1].reason) == (10 * (FALL_READS + 1), None)
    assert steps[-1].state.epoch == steps[FALL_READS].state.epoch != steps[0].state.epoch
