import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from forecourt.cli import COMMANDS, main
from forecourt.loading import LOOK_AFTER
from tests.forecourt.embedded.stacks import OWN_SETTINGS, ROOT, Site, site
from tests.plugins.measured_processes import measured

WITHOUT_SERVER_PACKAGES = """
import sys
for name in ("django", "celery", "psycopg", "psutil", "rest_framework"):
    sys.modules[name] = None
from forecourt.cli import main
sys.exit(main(sys.argv[1:]))
"""


def without_own_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in OWN_SETTINGS}


def run(*arguments: str, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "forecourt.cli", *arguments],
        cwd=cwd,
        env={**without_own_settings(), **measured(), "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in COMMANDS:
        assert f"\n  {name} " in shown


def test_no_command_shows_the_help_as_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().out.startswith("usage: forecourt COMMAND")


def test_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("forecourt 0.")


def test_version_of_a_checkout_that_is_not_installed_is_the_same() -> None:
    hide = "import importlib.metadata as m; m.Distribution.discover = lambda **_: iter([])"
    script = f"{hide}; from forecourt.cli import main; main(['-V'])"
    shown = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert shown == run("-V").stdout


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("agnet", "Did you mean `forecourt agent`?"),
        ("frobnicate", "There are: up, demo, seed, setup, manage, verify, agent."),
    ],
)
def test_unknown_command_is_met_with_a_hint(typed: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([typed]) == 2
    assert capsys.readouterr().err == f"forecourt: no command '{typed}'. {hint}\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--port", "http"], "'http' is no port"),
        (["--port", "65536"], "'65536' is no port"),
        (["--web", "0"], "'0' is no number of processes"),
        (["--workers", "257"], "'257' is no number of processes"),
        (["--prot", "1"], "unrecognized arguments"),
    ],
)
def test_wrong_option_of_up_is_a_usage_error(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["up", *arguments])
    assert caught.value.code == 2
    assert reason in capsys.readouterr().err


def test_wrong_setting_is_one_line_and_a_failure() -> None:
    result = run("up", FORECOURT_DEBUG="perhaps")
    assert result.returncode == 1
    assert result.stderr.startswith("forecourt up: FORECOURT_DEBUG: found 'perhaps'; expected one of ")
    assert "Traceback" not in result.stderr


def test_taken_port_is_one_line_and_a_failure() -> None:
    with socket.socket() as holder, site() as place:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = str(holder.getsockname()[1])
        result = run("up", "--port", port, FORECOURT_DATA_DIR=str(place.folder))
        assert result.returncode == 1
        assert f"forecourt up: Port {port} of 127.0.0.1 cannot be used (Address already in use)" in result.stderr
        assert place.processes() == []
        assert not (place.folder / "postgres").exists(), "it is looked at before anything is made or started"


def test_missing_server_packages_are_named() -> None:
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_SERVER_PACKAGES, "up", "--port", "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.endswith(": in a clone, pip install '.[server]'\n")
    assert result.stderr.startswith("forecourt up needs ")


def test_help_needs_no_server_packages() -> None:
    command = [sys.executable, "-c", WITHOUT_SERVER_PACKAGES, "--help"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def without_tables() -> Iterator[Site]:
    """A data folder whose database has no tables, as it was made by the first command that needed one."""
    with site() as place:
        yield place
        assert place.processes() == []


def test_manage_brings_the_database_up_for_as_long_as_the_command_runs(tmp_path: Path, without_tables: Site) -> None:
    """Wherever it is called from; what the command prints is all that is on standard output."""
    script = (
        "import json; from django.db import connection; cursor = connection.cursor();"
        "cursor.execute('SELECT current_database(), current_user'); print(json.dumps(cursor.fetchone()))"
    )
    folder = str(without_tables.folder)
    result = run("manage", "shell", "--no-imports", "-c", script, cwd=tmp_path, FORECOURT_DATA_DIR=folder)
    assert json.loads(result.stdout) == ["forecourt", "forecourt"], result.stderr
    assert without_tables.processes() == []


def test_manage_uses_the_database_that_is_up_and_answers_for_the_command(without_tables: Site) -> None:
    stack = without_tables.up()
    script = "import gc; from django.db import connection as c; c.ensure_connection(); print(*gc.get_threshold())"
    folder = str(without_tables.folder)
    result = run("manage", "shell", "--no-imports", "-c", script, FORECOURT_DATA_DIR=folder)
    assert result.stdout.startswith(f"{LOOK_AFTER} "), result.stderr
    wrong = run("manage", "no_such_command", FORECOURT_DATA_DIR=folder)
    assert wrong.returncode == 1
    assert "Unknown command: 'no_such_command'" in wrong.stderr
    assert stack.process.poll() is None
    assert stack.stop() == 0


def test_failure_in_a_database_without_tables_says_what_to_do(without_tables: Site) -> None:
    """The folder of an installation was mistyped: a database without tables is made there."""
    empty = run("manage", "check_books", FORECOURT_DATA_DIR=str(without_tables.folder))
    assert without_tables.processes() == []
    assert empty.returncode == 1
    found = re.search(r'forecourt manage: relation "billing_\w+" does not exist\. Are FORECOURT_DATA_DIR', empty.stderr)
    assert found, empty.stderr
    assert "Traceback" not in empty.stderr


@pytest.mark.stack
def test_up_serves_an_empty_platform_and_seed_fills_it(tmp_path: Path) -> None:
    """1. Up on a free port, 2. ready says so, 3. seed joins the running database, 4. Ctrl-C ends all of it."""
    with site() as place:
        environ = {**without_own_settings(), "PYTHONPATH": str(ROOT), "FORECOURT_DATA_DIR": str(place.folder)}
        up = subprocess.Popen(
            [sys.executable, "-m", "forecourt.cli", "up", "--port", "0", "--web", "1", "--workers", "1"],
            cwd=tmp_path,
            env=environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert up.stderr is not None
        lines = [up.stderr.readline(), up.stderr.readline()]
        address = lines[1].removeprefix("Forecourt serves at ").split()[0]
        with urllib.request.urlopen(f"{address}/health/ready", timeout=30) as answer:
            assert json.load(answer)["checks"] == {"database": "ok", "migrations": "ok", "broker": "ok", "clock": "ok"}
        seeded = run("seed", "--json", cwd=tmp_path, FORECOURT_DATA_DIR=str(place.folder))
        assert json.loads(seeded.stdout)["enrolment_token"], seeded.stderr
        up.send_signal(signal.SIGINT)
        _, rest = up.communicate(timeout=60)
        assert (up.returncode, rest) == (0, "Stopping\nStopped\n")
        assert place.processes() == []
