"""The commands as a person types them."""

import io
import sys
from pathlib import Path

import pytest

from metering.agent import state
from metering.agent.command import main
from tests.metering.agent.batch_server import BatchServer


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG", "TOKEN", "STATE_DIR", "ENDPOINTS"):
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
