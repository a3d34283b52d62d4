"""What the README says is so: settings, commands, calls."""

from __future__ import annotations

import json
import re
import shlex
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from forecourt.cli import COMMANDS
from forecourt.env import NAMES, read_environment
from forecourt.rows.applying import by_hand
from metering.agent.config import load_config
from metering.rollup_events import roll_up_events
from tests.docs.pages import ROOT, blocks_of, code, rows_of, text_of

if TYPE_CHECKING:
    from pathlib import Path

README = "README.md"
ON_OFF = {True: "on", False: "off"}


def settings() -> dict[str, str]:
    """Each setting's default as the table gives it."""
    return {code(row[0]): row[1] for row in rows_of(README, "setting")}


def test_the_table_has_every_setting_in_the_order_of_the_code() -> None:
    assert tuple(settings()) == NAMES


def test_the_roles_of_an_own_server_are_those_that_the_start_asks_for() -> None:
    (shown,) = blocks_of(README, "sql")
    given = [line.rstrip(";") for line in shown.splitlines()]
    assert given[-4:] == by_hand("forecourt")


def test_the_example_file_has_the_same_settings() -> None:
    assert set(re.findall(r"^([A-Z_]+)=", text_of(".env.example"), re.MULTILINE)) == set(NAMES)


def test_defaults_are_those_of_the_code(tmp_path: Path) -> None:
    found = read_environment({}, tmp_path)
    said = settings()
    assert found.database_embedded
    assert found.broker_embedded
    assert said["DATABASE_URL"] == said["BROKER_URL"] == "embedded"
    assert found.stripe_secret_key == found.stripe_webhook_secret == ""
    assert said["STRIPE_SECRET_KEY"] == said["STRIPE_WEBHOOK_SECRET"] == "none"
    assert code(said["STRIPE_API_BASE"]) == found.stripe_api_base
    assert (tmp_path / code(said["FORECOURT_DATA_DIR"])).resolve() == found.data_dir
    assert code(said["FORECOURT_DEBUG"]) == ON_OFF[found.debug]
    assert code(said["FORECOURT_PUBLIC_URL"]) == found.public_url
    assert code(said["FORECOURT_OPERATOR_SLUG"]) == found.operator_slug
    assert found.data_dir / code(said["FORECOURT_ARCHIVE_DIR"].split(" ")[0]) == found.archive_dir
    assert code(said["FORECOURT_PREPARED_STATEMENTS"].split(" ")[0]) == ON_OFF[found.prepared_statements]
    assert said["FORECOURT_METRICS_TOKEN"] == "none"
    assert found.metrics_token == ""
    assert said["FORECOURT_MAIL_URL"] == "none"
    assert found.mail_url == ""
    assert found.mail_from == f"{code(said['FORECOURT_MAIL_FROM'].split(' ')[0])}@127.0.0.1"


def test_https_is_the_default_off_loopback(tmp_path: Path) -> None:
    key = {"FORECOURT_SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQ"}
    assert not read_environment({}, tmp_path).secure
    assert code(settings()["FORECOURT_SECURE"]) == "on"
    assert read_environment({**key, "FORECOURT_PUBLIC_URL": "https://forecourt.example"}, tmp_path).secure


def test_every_forecourt_command_exists() -> None:
    for page in ("README.md", "docs/operating.md", "docs/ledger.md"):
        commands = re.findall(r"`[^`]+`|^\S*bin/.*$", text_of(page), re.MULTILINE)
        names = re.findall(r"\bforecourt (\w+)", "\n".join(commands))
        assert names
        assert set(names) <= COMMANDS.keys(), page


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md", "docs/operating.md", "docs/benchmarks.md"):
        for name in re.findall(r"(?:^|`)make ([a-z-]+)", text_of(page), re.MULTILINE):
            assert name in targets, f"{page}: make {name}"


def test_the_agent_takes_the_endpoints_as_shown() -> None:
    shown = re.search(r'FORECOURT_AGENT_ENDPOINTS="([^"]+)"', text_of(README))
    assert shown
    config = load_config(None, {"FORECOURT_AGENT_ENDPOINTS": shown[1]})
    assert [one.engine for one in config.endpoints] == ["vllm", "llamacpp"]


def test_files_that_are_named_are_there() -> None:
    for name in ("docker/compose.yaml", "docker/forecourt-agent.service", "docker/daemonset.yaml", ".env.example"):
        assert (ROOT / name).exists()


@pytest.mark.django_db
def test_the_five_calls_work() -> None:
    made = StringIO()
    call_command("seed", json=True, stdout=made)
    seeded = json.loads(made.getvalue())
    now = timezone.now()
    block = next(text for text in blocks_of(README, "sh") if "curl" in text)
    calls = [line for line in block.splitlines() if line.startswith("curl")]
    assert len(calls) == 5
    assert "AT=$(date -u +%FT%TZ)" in block.splitlines()
    answers = [_call(line, seeded["tenant_api_key"], f"{now:%FT%TZ}") for line in calls[:1]]
    roll_up_events(now=now)
    answers += [_call(line, seeded["tenant_api_key"], f"{now:%FT%TZ}") for line in calls[1:]]
    said = re.search(r'answers `(\{"accepted".*?\})`', text_of(README))
    assert said
    assert answers[0] == json.loads(said[1])
    assert {row["class"]: row["value"] for row in answers[1]["usage"]} == {
        "input": "1200",
        "output": "340",
        "requests": "1",
    }
    assert answers[2]["gaps"] == []
    assert {row["gateway"] for row in answers[3]["residuals"]} >= {"1200", "340"}
    assert answers[4]["invoices"] == []


def _call(line: str, key: str, now: str) -> dict[str, list[dict[str, str]]]:
    """Make the call that a line of curl makes."""
    line = line.replace("$AT", now).replace("$(date -u +%F)", now[:10]).replace("$KEY", key)
    words = shlex.split(line.replace("$URL", "/api/v1"))
    address = next(word for word in words[1:] if word.startswith("/api/"))
    headers = {"Authorization": f"Bearer {key}"}
    assert f"Authorization: Bearer {key}" in words
    if "-d" in words:
        body = words[words.index("-d") + 1]
        answer = Client().post(address, body, content_type="application/json", headers=headers)
    else:
        answer = Client().get(address, headers=headers)
    assert answer.status_code == 200, answer.content
    found: dict[str, list[dict[str, str]]] = answer.json()
    return found


@pytest.mark.django_db
def test_the_call_for_a_token_works() -> None:
    made = StringIO()
    call_command("seed", json=True, stdout=made)
    shown = re.search(r"`curl [^`]*/enrolment-tokens[^`]*-d '([^']+)'`", text_of(README))
    assert shown
    headers = {"Authorization": f"Bearer {json.loads(made.getvalue())['provider_api_key']}"}
    answer = Client().post(
        "/api/v1/enrolment-tokens", shown[1], content_type="application/x-www-form-urlencoded", headers=headers
    )
    assert answer.status_code == 201, answer.content
