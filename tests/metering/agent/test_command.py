"""The commands as a person types them."""

import io
import os
import socket
import sqlite3
import sys
from pathlib import Path

import pytest

from metering.agent import keys, state
from metering.agent.command import main
from metering.agent.status import StatusPage
from tests.fakes.engine_pages import PageServer, page
from tests.metering.agent.batch_server import BatchServer, Fault
from tests.metering.agent.test_collect import llamacpp


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "TOKEN", "STATE_DIR", "ENDPOINTS", "STATUS_PORT", "DISCOVER"):
        monkeypatch.delenv(f"FORECOURT_AGENT_{name}", raising=False)
    monkeypatch.setenv("FORECOURT_AGENT_NVML", "false")


def test_enrolling_says_who_the_node_is_and_what_comes_next(
    server: BatchServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "state"
    status = main(
        ["enroll", "--server", server.url, "--token", "good-token", "--name", "n7", "--state-dir", str(folder)]
    )
    out = capsys.readouterr().out
    assert status == 0
    assert f"This is node {server.node} of cluster sample.\n" in out
    assert "never leaves this machine" in out
    assert "Next: forecourt agent doctor" in out
    assert server.enrolments[0].node_name == "n7"
    assert state.load_identity(folder).server == server.url


@pytest.mark.parametrize("way", ["environment", "standard input"])
def test_the_token_need_not_be_on_the_command_line(
    server: BatchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    arguments = ["enroll", "--server", server.url, "--state-dir", str(tmp_path)]
    if way == "environment":
        monkeypatch.setenv("FORECOURT_AGENT_TOKEN", "good-token")
    else:
        monkeypatch.setattr(sys, "stdin", io.StringIO("good-token\n"))
        arguments += ["--token", "-"]
    assert main(arguments) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["enroll", "--server", "http://127.0.0.1:9"], 2, "--token: missing; expected the one-time token"),
        (["enroll", "--server", "nonsense", "--token", "t"], 1, "--server: 'nonsense'; expected a base URL"),
        (["enroll", "--server", "http://127.0.0.1:9", "--token", "t"], 1, "http://127.0.0.1:9 cannot be reached"),
        (["run"], 1, "holds no enrolled node; run: forecourt agent enroll"),
        (["run", "--config", "/nonexistent.toml"], 2, "/nonexistent.toml: No such file"),
    ],
)
def test_what_fails_says_why_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, message: str
) -> None:
    assert main([*arguments, "--state-dir", str(tmp_path)]) == status
    err = capsys.readouterr().err
    assert err.startswith(f"forecourt agent: {message}") or message in err
    assert err.count("\n") == 1


def test_a_refused_token_is_told(server: BatchServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["enroll", "--server", server.url, "--token", "bad", "--state-dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        "forecourt agent: the server refused the enrolment: token_unknown: no such token\n"
    )


def test_a_wrong_setting_ends_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORECOURT_AGENT_INTERVAL_S", "fast")
    assert main(["run", "--state-dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err == ("forecourt agent: FORECOURT_AGENT_INTERVAL_S: 'fast'; expected a whole number\n")


def test_the_doctors_status_says_whether_something_must_be_fixed(
    tmp_path: Path, state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--state-dir", str(tmp_path / "bare")]) == 1
    assert "this node is not enrolled" in capsys.readouterr().out
    assert main(["doctor", "--state-dir", str(state_dir)]) == 0
    assert "This node can be metered" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["fly"], ["enroll"]])
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: forecourt agent" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["enroll", "--help"], ["run", "--help"], ["doctor", "--help"]])
def test_every_command_explains_itself(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert "usage: forecourt agent" in out
    assert len(out) > 250


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == "forecourt agent 0.1.0\n"


def test_importing_the_loop_hides_httpx_own_command_line_for_the_moment_only() -> None:
    from metering.agent.command import _lean_httpx

    before = {name: sys.modules.get(name) for name in ("click", "rich", "pygments")}
    with _lean_httpx():
        assert all(name in sys.modules for name in before)
    assert {name: sys.modules.get(name) for name in before} == before


@pytest.fixture
def agent_settings(monkeypatch: pytest.MonkeyPatch, state_dir: Path) -> Path:
    monkeypatch.setenv("FORECOURT_AGENT_STATE_DIR", str(state_dir))
    monkeypatch.setenv("FORECOURT_AGENT_DISCOVER", "false")
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("FORECOURT_AGENT_STATUS_PORT", str(free.getsockname()[1]))
    return state_dir


def test_a_stop_hook_asks_the_running_agent(agent_settings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = ["read and shipped", "read; 3 batches wait on disk for the server", ""]
    page = StatusPage(
        int(os.environ["FORECOURT_AGENT_STATUS_PORT"]),
        health=dict,
        metrics=str,
        read_now=bool,
        flush=lambda: answers[0],
    )
    page.start()
    statuses = []
    while answers:
        statuses.append(main(["flush"]))
        answers.pop(0)
    page.close()
    assert statuses == [0, 0, 1]
    out = capsys.readouterr().out
    assert "read and shipped\n" in out
    assert "3 batches wait" in out


def test_a_stop_hook_without_a_running_agent_reads_and_ships_itself(
    agent_settings: Path,
    server: BatchServer,
    engine: PageServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine.routes["/metrics"] = page(llamacpp(77))
    monkeypatch.setenv("FORECOURT_AGENT_ENDPOINTS", f"llamacpp={engine.url}")
    assert main(["flush"]) == 0
    assert server.values("input")[-1] == 77
    assert "no agent runs here" in capsys.readouterr().out
    with state.StateLock(agent_settings):
        assert main(["flush"]) == 1
    assert "already runs" in capsys.readouterr().err


def test_a_key_is_rotated_and_a_chain_rejoined_by_a_person(
    agent_settings: Path, server: BatchServer, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keys.load(agent_settings).private_bytes_raw()
    assert main(["rotate-key"]) == 0
    assert "key number 2 is in force" in capsys.readouterr().out
    assert keys.load(agent_settings).private_bytes_raw() != before
    assert main(["rejoin", "--reason", "a new disk"]) == 0
    assert "goes on with batch 8" in capsys.readouterr().out
    assert server.rejoinings[-1].reason == "a new disk"
    with state.StateLock(agent_settings):
        assert main(["rejoin"]) == 1
    assert "already runs" in capsys.readouterr().err
    server.always = Fault(status=401, body={"code": "node_revoked", "detail": "the node was sold"})
    assert main(["rotate-key"]) == 1
    assert "the server refused: node_revoked: the node was sold" in capsys.readouterr().err


def test_a_node_is_enrolled_again_with_a_new_key(
    agent_settings: Path, server: BatchServer, capsys: pytest.CaptureFixture[str]
) -> None:
    (agent_settings / state.SPOOL_FILE).write_bytes(b"")
    arguments = ["enroll", "--server", server.url, "--token", "good-token"]
    assert main(arguments) == 1
    assert "--again gives it a new key" in capsys.readouterr().err
    before = keys.load(agent_settings).private_bytes_raw()
    server.public_key, server.continues = b"", True
    assert main([*arguments, "--again"]) == 0
    assert "as before" in capsys.readouterr().out
    assert keys.load(agent_settings).private_bytes_raw() != before


def test_a_node_on_a_new_disk_is_told_where_its_chain_goes_on(
    server: BatchServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.continues = True
    folder = tmp_path / "new"
    assert main(["enroll", "--server", server.url, "--token", "good-token", "--state-dir", str(folder)]) == 0
    assert server.rejoinings[-1].reason == "enrolled again without its spool"
    db = sqlite3.connect(folder / state.SPOOL_FILE)
    meta = dict(db.execute("SELECT name, content FROM meta").fetchall())
    db.close()
    assert (meta["last_seq"], meta["first_reading_seq"]) == ("7", "100")
