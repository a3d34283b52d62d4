"""Without a container engine: what the files name exists, what they run works, and nothing runs as root."""

import configparser
import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from forecourt.env import NAMES, read_environment
from metering.agent.config import Config

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILES = [DOCKER / "server.Dockerfile", DOCKER / "agent.Dockerfile"]


def instructions(path: Path) -> list[tuple[str, str]]:
    """Each instruction with its continued lines joined, comments left out."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined.splitlines() if line.strip()]


def copies(path: Path) -> list[tuple[list[str], str]]:
    """(sources in the checkout, folder in the image) of every COPY that is not from another stage."""
    words = [shlex.split(value) for name, value in instructions(path) if name == "COPY" and "--from" not in value]
    return [(line[:-1], line[-1]) for line in words]


def staged(path: Path, folder: Path) -> Path:
    """What the image has under /srv/forecourt, copied as its Dockerfile says."""
    for sources, target in copies(path):
        if target.startswith("/srv/forecourt"):
            for source in (found for pattern in sources for found in ROOT.glob(pattern)):
                place = folder / target.removeprefix("/srv/forecourt").strip("/")
                if source.is_dir():
                    shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    place.mkdir(parents=True, exist_ok=True)
                    shutil.copy(source, place)
    return folder


def python(*arguments: str, path: Path, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(path), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_every_copied_file_exists_and_reaches_the_build(path: Path) -> None:
    allowed = path.with_name(f"{path.name}.dockerignore").read_text(encoding="utf-8").splitlines()
    for sources, _ in copies(path):
        for source in sources:
            assert list(ROOT.glob(source)), source
            assert f"!{source}" in allowed


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_images_are_pinned_and_drop_root(path: Path) -> None:
    found = instructions(path)
    bases = [value.split()[0] for name, value in found if name == "FROM"]
    assert all(":" in base and not base.endswith(":latest") for base in bases)
    users = [value for name, value in found if name == "USER"]
    assert users
    assert int(users[-1].split(":")[0]) > 0
    assert any("--require-hashes" in value for name, value in found if name == "RUN")


def test_agent_image_has_exactly_the_packages_of_a_plain_install() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted: set[str] = set()
    waiting = list(project["dependencies"])
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if applies and name not in wanted:
            wanted.add(name)
            waiting += distribution(name).requires or []
    (argument,) = [value for name, value in instructions(DOCKER / "agent.Dockerfile") if name == "ARG"]
    assert shlex.split(argument)[0].removeprefix("PACKAGES=").split() == sorted(wanted)


def test_packages_of_the_agent_image_are_picked_from_the_lock_with_their_hashes(tmp_path: Path) -> None:
    (run,) = [value for name, value in instructions(DOCKER / "agent.Dockerfile") if name == "RUN" and "awk" in value]
    awk = run.split("&&")[0].replace("/build/requirements.lock", str(ROOT / "requirements.lock"))
    (argument,) = [value for name, value in instructions(DOCKER / "agent.Dockerfile") if name == "ARG"]
    packages = shlex.split(argument)[0].removeprefix("PACKAGES=")
    script = awk.replace("/build/agent.lock", str(tmp_path / "agent.lock"))
    subprocess.run(["sh", "-c", script], env={"PATH": os.environ["PATH"], "PACKAGES": packages}, check=True)
    lock = (tmp_path / "agent.lock").read_text()
    names = re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)
    assert names == packages.split()
    assert all("--hash=sha256:" in block for block in re.split(r"\n(?=[a-z])", lock.strip()))


def test_agent_runs_from_what_its_image_holds(tmp_path: Path) -> None:
    tree = staged(DOCKER / "agent.Dockerfile", tmp_path / "tree")
    modules = sorted(path.stem for path in (tree / "metering" / "agent").glob("[a-z]*.py"))
    imports = "; ".join(f"import metering.agent.{name}" for name in modules)
    blocked = "import sys; sys.modules.update(dict.fromkeys(['django', 'forecourt', 'billing', 'clusters', 'tenants']))"
    result = python("-c", f"{blocked}; {imports}", path=tree, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    result = python("-m", "metering.agent", "doctor", "--help", path=tree, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
    return found


def test_services_of_compose_run_commands_that_exist() -> None:
    services = compose()["services"]
    assert set(services) == {"migrate", "web", "worker", "beat", "postgres", "valkey"}
    for name in ("worker", "beat"):
        target = services[name]["command"][2]
        module, _, attribute = target.partition(":")
        assert hasattr(importlib.import_module(module), attribute)
    (command,) = [value for name, value in instructions(DOCKER / "server.Dockerfile") if name == "CMD"]
    assert "forecourt.wsgi:application" in command
    for name in ("migrate", "web", "worker", "beat"):
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["read_only"]


def test_settings_of_compose_are_accepted(tmp_path: Path) -> None:
    given = {
        "POSTGRES_PASSWORD": "a1b2c3",
        "POSTGRES_WEB_PASSWORD": "d4e5f6",
        "FORECOURT_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST",
        "FORECOURT_PUBLIC_URL": "https://forecourt.example",
    }
    settings = compose()["services"]["web"]["environment"]
    filled = {
        name: re.sub(r"\$\{(\w+):[-?]([^}]*)\}", lambda m: given.get(m[1], m[2] if ":-" in m[0] else ""), value)
        for name, value in settings.items()
    }
    assert set(filled) <= set(NAMES)
    environment = read_environment(filled, tmp_path)
    assert not environment.database_embedded
    assert not environment.broker_embedded
    assert environment.secure


def test_database_of_compose_is_made_for_a_role_without_superuser() -> None:
    script = DOCKER / "postgres-init.sh"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    text = script.read_text(encoding="utf-8")
    assert "CREATE ROLE forecourt LOGIN CREATEROLE PASSWORD :'password'" in text
    assert "SUPERUSER" not in text


def test_compose_is_accepted_by_docker_where_there_is_one() -> None:
    """The plugin reads the file alone; it needs no engine."""
    environ = {
        "PATH": os.environ["PATH"],
        "POSTGRES_PASSWORD": "a",
        "POSTGRES_WEB_PASSWORD": "b",
        "FORECOURT_SECRET_KEY": "b",
        "FORECOURT_PUBLIC_URL": "https://c.example",
    }
    asked = ["docker", "compose", "--file", str(DOCKER / "compose.yaml"), "config", "--quiet"]
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        result = subprocess.run(asked, env=environ, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr


def unit() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep the case
    parser.read(DOCKER / "forecourt-agent.service", encoding="utf-8")
    return parser


def test_unit_gives_the_agent_time_for_its_last_reading() -> None:
    service = unit()["Service"]
    config = Config()
    needed_s = config.scrape_timeout_s + config.nvml_timeout_s + config.flush_timeout_s + config.ship_timeout_s
    assert service["KillSignal"] == "SIGTERM"
    assert int(service["TimeoutStopSec"]) > needed_s
    assert service["Restart"] == "always"
    daemon = yaml.safe_load((DOCKER / "daemonset.yaml").read_text(encoding="utf-8"))
    assert daemon["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > needed_s


def test_unit_is_understood_by_systemd(tmp_path: Path) -> None:
    """With a program that exists here, since the check looks for it."""
    text = (DOCKER / "forecourt-agent.service").read_text(encoding="utf-8")
    assert unit()["Service"]["NoNewPrivileges"] == "yes"
    here = tmp_path / "forecourt-agent.service"
    here.write_text(
        text.replace("/opt/forecourt/bin/forecourt", "/bin/true").replace("User=forecourt-agent", "User=daemon")
    )
    if shutil.which("systemd-analyze"):
        result = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, "")


def test_pods_are_unprivileged_keep_their_state_and_use_the_image_s_user() -> None:
    daemon = yaml.safe_load((DOCKER / "daemonset.yaml").read_text(encoding="utf-8"))
    pod = daemon["spec"]["template"]["spec"]
    assert daemon["spec"]["selector"]["matchLabels"] == daemon["spec"]["template"]["metadata"]["labels"]
    (user,) = [value for name, value in instructions(DOCKER / "agent.Dockerfile") if name == "USER"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    (agent,) = pod["containers"]
    assert f"{agent['securityContext']['runAsUser']}:{agent['securityContext']['runAsGroup']}" == user
    assert {"name": "state", "mountPath": "/state"} in agent["volumeMounts"]


def test_commands_of_the_daemonset_are_the_agent_s() -> None:
    from metering.agent.state import IDENTITY_FILE

    daemon = yaml.safe_load((DOCKER / "daemonset.yaml").read_text(encoding="utf-8"))
    enroll = daemon["spec"]["template"]["spec"]["initContainers"][1]
    assert f"/{IDENTITY_FILE}" in enroll["command"][2]
    help_text = python("-m", "metering.agent", "enroll", "--help", path=ROOT, cwd=ROOT).stdout
    for option in re.findall(r"--[a-z]+", enroll["command"][2]):
        assert option in help_text


def test_settings_are_read_again_and_engines_are_read_once_more_before_they_stop() -> None:
    """The signal and the command that the files name are the ones that the agent knows."""
    assert unit()["Service"]["ExecReload"] == "/bin/kill -HUP $MAINPID"
    text = (DOCKER / "forecourt-agent.service").read_text(encoding="utf-8")
    assert "#   ExecStop=-/opt/forecourt/bin/forecourt agent flush\n" in text
    daemon = yaml.safe_load((DOCKER / "daemonset.yaml").read_text(encoding="utf-8"))
    (agent,) = daemon["spec"]["template"]["spec"]["containers"]
    before_stop = agent["lifecycle"]["preStop"]["exec"]["command"]
    assert before_stop[:3] == ["python", "-m", "metering.agent"]
    help_text = python(*before_stop[1:], "--help", path=ROOT, cwd=ROOT)
    assert help_text.returncode == 0, help_text.stderr
    assert "stop hook" in python("-m", "metering.agent", "--help", path=ROOT, cwd=ROOT).stdout


def test_pods_see_the_nodes_processes_and_stay_on_a_node_in_trouble() -> None:
    daemon = yaml.safe_load((DOCKER / "daemonset.yaml").read_text(encoding="utf-8"))
    pod = daemon["spec"]["template"]["spec"]
    assert (pod["hostPID"], pod["hostNetwork"]) == (True, True)
    tolerated = {one["key"] for one in pod["tolerations"]}
    assert {"node.kubernetes.io/unschedulable", "node.kubernetes.io/disk-pressure", "nvidia.com/gpu"} <= tolerated
    (agent,) = pod["containers"]
    for probe in ("readinessProbe", "livenessProbe"):
        (asked,) = [agent[probe][kind] for kind in ("httpGet", "tcpSocket") if kind in agent[probe]]
        assert (asked["host"], asked["port"]) == ("127.0.0.1", Config().status_port)
    assert agent["resources"]["limits"]["memory"] == "256Mi"
