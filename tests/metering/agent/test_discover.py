"""Engines found by the processes that listen, without asking any port."""

from pathlib import Path

import pytest

from metering.agent.clock import SystemClock
from metering.agent.config import EndpointSetting
from metering.agent.discover import discover, listens, probed
from metering.agent.engines import load_mappings
from metering.agent.machine import EngineProcess, LinuxMachine
from metering.agent.scrape import http_client
from tests.fakes.engine_pages import PageServer, page, recorded
from tests.metering.agent.test_machine import in_container, made_up

MAPPINGS = load_mappings()


def process(command_line: str) -> EngineProcess:
    return EngineProcess(1, 2, 3, "", command_line)


@pytest.mark.parametrize(
    ("command_line", "port", "engine"),
    [
        ("/usr/bin/python3 -m vllm.entrypoints.openai.api_server --model m", 8000, "vllm"),
        ("/usr/bin/python3 /usr/local/bin/vllm serve m --port 9001", 9001, "vllm"),
        ("/usr/bin/python3 /usr/local/bin/vllm serve m --port=9001", 9001, "vllm"),
        ("python3 -m sglang.launch_server --model-path m", 30000, "sglang"),
        ("/opt/llama-server -m model.gguf", 8080, "llamacpp"),
        ("text-generation-router -p 3100", 3100, "tgi"),
        ("lmdeploy serve api_server m --server-port 23400", 23400, "lmdeploy"),
        ("/opt/tritonserver/bin/tritonserver --model-repository /m", 8002, "triton"),
        ("/usr/local/bin/ollama serve", 11434, "ollama"),
        ("python3 /usr/local/bin/transformers serve", 8000, "transformers"),
    ],
)
def test_an_engine_is_known_by_its_command_line_and_its_own_port(command_line: str, port: int, engine: str) -> None:
    found = [name for name, mapping in MAPPINGS.items() if listens(process(command_line), port, mapping)]
    assert found == [engine]


@pytest.mark.parametrize(
    ("command_line", "port"),
    [
        # The same process listens on other ports for its workers.
        ("/usr/bin/python3 /usr/local/bin/vllm serve m", 29500),
        ("/usr/bin/python3 /usr/local/bin/vllm serve m --port 9001", 8000),
        ("/usr/bin/python3 /usr/local/bin/vllm serve m --port", 9001),
        ("/usr/bin/python3 /usr/local/bin/vllm serve m --port abc", 9001),
        ("/usr/bin/vim vllm-notes.txt", 8000),
        # A gateway shows the tokens of the engines behind it again.
        ("python3 /usr/local/bin/litellm --config c.yaml", 4000),
        ("nginx", 8000),
        ("", 8000),
    ],
)
def test_what_is_no_engine_is_left_alone(command_line: str, port: int) -> None:
    assert not any(listens(process(command_line), port, mapping) for mapping in MAPPINGS.values())


def test_the_engines_of_a_machine_are_found(tmp_path: Path) -> None:
    machine = LinuxMachine(made_up(tmp_path, pids={300: 400, 301: 401}))
    assert discover(machine, MAPPINGS.values()) == [EndpointSetting("http://127.0.0.1:8000", "vllm")]


def test_the_role_on_a_command_line_is_the_endpoints(tmp_path: Path) -> None:
    proc = made_up(tmp_path, pids={300: 400})
    words = ["vllm", "serve", "m", "--kv-transfer-config", '{"kv_role":"kv_producer"}', ""]
    (proc / "300/cmdline").write_bytes("\0".join(words).encode())
    (found,) = discover(LinuxMachine(proc), MAPPINGS.values())
    assert (found.engine, found.role) == ("vllm", "prefill")


@pytest.mark.parametrize(
    ("recording", "found"),
    [
        ("vllm", "vllm"),
        ("vllm_old", "vllm"),
        ("vllm_rust", "vllm"),
        ("sglang", "sglang"),
        ("sglang_decode", "sglang"),
        ("tgi", "tgi"),
        ("llamacpp_old", "llamacpp"),
        ("lmdeploy", "lmdeploy"),
        ("lightllm", "lightllm"),
        ("dynamo", "dynamo"),
        ("triton", "triton"),
        ("triton_trtllm", "triton"),
        ("ray_serve", "ray_serve"),
        # A gateway repeats its engines' tokens, names without a prefix could be anyone's.
        ("litellm", None),
        ("nim", None),
        ("mindie", None),
    ],
)
def test_a_page_that_is_probed_tells_its_engine(engine: PageServer, recording: str, found: str | None) -> None:
    engine.routes["/metrics"] = page(recorded(recording))
    with http_client([], "", trust_env=False) as client:
        mapping = probed(client, process("python3 -m surprise"), engine.url, MAPPINGS.values(), SystemClock())
        assert (mapping.engine if mapping is not None else None) == found
        harmful = process("python3 /usr/bin/trtllm-serve m")
        assert probed(client, harmful, engine.url, MAPPINGS.values(), SystemClock()) is None
    assert len(engine.requests) == 1


def test_a_machine_without_engines_has_none(tmp_path: Path) -> None:
    proc = made_up(tmp_path, pids={300: 400})
    (proc / "300/cmdline").write_bytes(b"sshd\0")
    assert discover(LinuxMachine(proc), MAPPINGS.values()) == []
    empty = tmp_path / "empty"
    empty.mkdir()
    assert discover(LinuxMachine(empty), MAPPINGS.values()) == []


def test_an_engine_in_a_container_is_found_at_its_own_address(tmp_path: Path) -> None:
    machine = LinuxMachine(in_container(tmp_path))
    url = "http://172.17.0.5:8000"
    assert discover(machine, MAPPINGS.values()) == [EndpointSetting(url, "vllm")]
    found = machine.process_behind(url)
    assert found is not None
    assert found.pid == 700
    (tmp_path / "700/stat").write_text("")
    assert machine.process_behind(url) is None
    assert machine.process_behind("http://172.17.0.9:8000") is None
