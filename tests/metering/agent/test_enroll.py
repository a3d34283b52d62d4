"""Enrolment against a real server: once, again after a lost answer, and never over another node."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from metering.agent import AGENT_VERSION, keys, state
from metering.agent.enroll import AlreadyEnrolled, EnrolmentFailed, EnrolmentRefused, base_url, enroll
from tests.metering.agent.batch_server import BatchServer


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5) as client:
        yield client


def enrol(
    client: httpx.Client, url: str, folder: Path, token: str = "good-token", name: str | None = "n"
) -> state.Identity:
    identity, _ = enroll(server=url, token=token, node_name=name, state_dir=folder, boot_id="boot-1", client=client)
    return identity


def test_the_node_is_made_known_and_written_down(client: httpx.Client, server: BatchServer, tmp_path: Path) -> None:
    identity = enrol(client, server.url + "/", tmp_path / "new" / "state")
    assert identity == state.Identity(server.url, server.node, "sample")
    assert state.load_identity(tmp_path / "new" / "state") == identity
    (asked,) = server.enrolments
    assert asked.public_key == keys.public_key_b64(keys.load(tmp_path / "new" / "state"))
    assert (asked.node_name, asked.agent_version, asked.boot_id) == ("n", AGENT_VERSION, "boot-1")


def test_the_hosts_name_is_the_default(client: httpx.Client, server: BatchServer, tmp_path: Path) -> None:
    enrol(client, server.url, tmp_path, name=None)
    assert server.enrolments[0].node_name


def test_again_with_the_same_token_gives_the_same_node(
    client: httpx.Client, server: BatchServer, tmp_path: Path
) -> None:
    first = enrol(client, server.url, tmp_path)
    (tmp_path / state.IDENTITY_FILE).unlink()
    assert enrol(client, server.url, tmp_path) == first
    assert server.enrolments[0].public_key == server.enrolments[1].public_key


def test_a_refusal_is_told_with_its_code_and_writes_nothing(
    client: httpx.Client, server: BatchServer, tmp_path: Path
) -> None:
    with pytest.raises(EnrolmentRefused, match="token_unknown: no such token") as refused:
        enrol(client, server.url, tmp_path, token="bad")
    assert refused.value.code == "token_unknown"
    with pytest.raises(state.NotEnrolled):
        state.load_identity(tmp_path)


def test_a_server_that_is_gone_can_be_asked_again(client: httpx.Client, tmp_path: Path) -> None:
    with pytest.raises(EnrolmentFailed, match="cannot be reached"):
        enrol(client, "http://127.0.0.1:9", tmp_path)


def test_a_node_that_has_metered_is_never_enrolled_over(
    client: httpx.Client, server: BatchServer, tmp_path: Path
) -> None:
    enrol(client, server.url, tmp_path)
    (tmp_path / state.SPOOL_FILE).write_bytes(b"")
    with pytest.raises(AlreadyEnrolled, match="has metered"):
        enrol(client, server.url, tmp_path)


def test_another_server_needs_another_folder(client: httpx.Client, server: BatchServer, tmp_path: Path) -> None:
    enrol(client, server.url, tmp_path)
    with pytest.raises(AlreadyEnrolled, match="another --state-dir"):
        enrol(client, "http://127.0.0.1:9", tmp_path)


@pytest.mark.parametrize(
    ("status", "content"),
    [(200, b"<html>"), (201, b"{}"), (500, b"{}"), (404, b"not here"), (302, b"")],
)
def test_an_answer_that_makes_no_sense_is_a_failure(tmp_path: Path, status: int, content: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=content))
    with httpx.Client(transport=transport) as client, pytest.raises(EnrolmentFailed):
        enrol(client, "http://server", tmp_path)
    assert not (tmp_path / state.IDENTITY_FILE).exists()


@pytest.mark.parametrize("url", ["", "server", "ftp://server", "http://", "http://h?x", "http://h#x", "http://[h"])
def test_a_server_must_be_a_base_url(url: str) -> None:
    with pytest.raises(EnrolmentFailed, match="--server"):
        base_url(url)


def test_a_base_url_loses_its_last_slash() -> None:
    assert base_url("https://h/under/") == "https://h/under"
