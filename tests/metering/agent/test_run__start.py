"""What cannot work fails at start, with its name."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from metering.agent import keys, state
from metering.agent.config import Config, ConfigError, EndpointSetting, checked_mappings
from metering.agent.engines import MappingError
from metering.agent.spool import SpoolBroken
from tests.metering.agent.simulated import SimulatedClock
from tests.metering.agent.test_run import config, go


def test_two_agents_on_one_folder_are_refused(state_dir: Path) -> None:
    with state.StateLock(state_dir), pytest.raises(state.AlreadyRunning):
        go(config(state_dir), SimulatedClock(ticks=0))


def test_a_status_port_in_use_is_named(state_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"status_port: {port}: Address already in use.*; expected a free port"):
            go(config(state_dir, status_port=port), SimulatedClock(ticks=0))


def broken_key(folder: Path) -> None:
    (folder / keys.KEY_FILE).chmod(0o644)


def no_identity(folder: Path) -> None:
    (folder / state.IDENTITY_FILE).unlink()


def broken_spool(folder: Path) -> None:
    (folder / state.SPOOL_FILE).write_text("no database, but long enough to be taken for one")


@pytest.mark.parametrize(
    ("damage", "error"),
    [(broken_key, keys.KeyUnusable), (no_identity, state.NotEnrolled), (broken_spool, SpoolBroken)],
)
def test_what_cannot_work_fails_at_start(
    state_dir: Path, damage: Callable[[Path], None], error: type[Exception]
) -> None:
    damage(state_dir)
    with pytest.raises(error):
        go(config(state_dir), SimulatedClock(ticks=0))


def test_an_unknown_engine_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"endpoints\[0\].engine: 'vlm'; expected one of .*vllm"):
        checked_mappings(Config(endpoints=[EndpointSetting("http://h:1", "vlm")]))
    with pytest.raises(MappingError):
        checked_mappings(Config(engines_dir=str(tmp_path / "absent")))
