"""What has just started is no garbage: nothing of it is looked at while it loads, nor taken apart at the end."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from forecourt.loading import LOOK_AFTER, SERVES_LOOK_AFTER, loading

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ENDS: Final = """
import gc
from forecourt.loading import short_lived

class Circle:
    def __init__(self):
        self.itself = self

    def __del__(self):
        print("taken apart", flush=True)

{before}
kept = Circle()
print(gc.isenabled(), *gc.get_threshold())
"""


def said_to_its_end(before: str) -> list[str]:
    """What a process says that does something before it makes an object that refers to itself."""
    program = ENDS.format(before=before)
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()


@pytest.fixture(autouse=True)
def usual() -> Iterator[tuple[int, int, int]]:
    """How often this process looks for garbage, whatever a test says."""
    thresholds = gc.get_threshold()
    yield thresholds
    gc.set_threshold(*thresholds)


def test_garbage_is_looked_for_again_once_everything_is_loaded() -> None:
    assert gc.isenabled()
    with loading():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_was_loaded_is_never_looked_at_again() -> None:
    with loading():
        loaded = [[number] for number in range(1_000)]
    frozen = gc.get_freeze_count()
    assert frozen >= len(loaded)
    assert not any(found is loaded for found in gc.get_objects())


def test_who_looks_for_no_garbage_at_all_still_does_not() -> None:
    gc.disable()
    try:
        with loading():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize(("before", "after"), [(700, SERVES_LOOK_AFTER), (LOOK_AFTER, LOOK_AFTER)])
def test_a_process_that_serves_looks_less_often_at_least_and_among_its_older_objects_as_ever(
    before: int, after: int
) -> None:
    gc.set_threshold(before, 11, 12)
    with loading():
        assert gc.get_threshold() == (before, 11, 12)
    assert gc.get_threshold() == (after, 11, 12)
    assert 700 < SERVES_LOOK_AFTER < LOOK_AFTER


def test_a_failure_while_loading_leaves_the_collector_on() -> None:
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.isenabled()


def test_a_command_looks_rarely_and_leaves_what_it_has_to_the_system() -> None:
    [(on, youngest, *older)] = [line.split() for line in said_to_its_end("short_lived()")]
    assert (on, youngest) == ("True", str(LOOK_AFTER))
    # Without a word it is looked for at the end, among everything else that there is.
    [(_, _, *usual), end] = [line.split() for line in said_to_its_end("")]
    assert end == ["taken", "apart"]
    assert older == usual
