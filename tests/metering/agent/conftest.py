"""Shared by the agent's tests: real servers, a compiled NVML stub, an enrolled state folder."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from metering.agent.enroll import enroll
from tests.fakes.engine_pages import PageServer
from tests.fakes.nvml import StubMachine, compile_stub
from tests.metering.agent.batch_server import BatchServer


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_stub(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def gpu_machine(nvml_library: Path, tmp_path: Path) -> StubMachine:
    return StubMachine(nvml_library, tmp_path / "nvml_script")


@pytest.fixture
def engine() -> Iterator[PageServer]:
    with PageServer() as server:
        yield server


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as server:
        yield server


@pytest.fixture
def state_dir(tmp_path: Path, server: BatchServer) -> Path:
    """A folder whose node is enrolled at `server`."""
    folder = tmp_path / "state"
    with httpx.Client() as client:
        enroll(
            server=server.url,
            token="good-token",
            node_name="node-1",
            state_dir=folder,
            boot_id="boot-1",
            client=client,
        )
    return folder
