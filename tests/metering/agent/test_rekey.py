"""The agent's side of key rotation and of going on after a loss, against the real server over its own WSGI entry."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone

from clusters.enrolment import issue_token, revoke
from clusters.models import Cluster, Node, NodeKey
from metering.agent import keys, state
from metering.agent.clock import SystemClock, unix_ms
from metering.agent.delivery import Delivered, Refused, deliver
from metering.agent.enroll import AlreadyEnrolled, enroll, enroll_again
from metering.agent.rekey import IdentityRefused, IdentityUnanswered, rejoin, rotate
from metering.agent.seal import seal
from metering.agent.spool import Spool
from metering.models import Batch, NodeCursor, UsageGap
from metering.signing_keys import key_of_batch
from metering.wire import verify
from tests.factories import Cast, make_cluster
from tests.metering.agent.test_seal import ENGINE, context
from tests.metering.agent.test_spool import ROOMY, entry, store
from tests.metering.fleet import hours, roll_up

SERVER = "http://testserver"


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    """The server's entry would close the connection after each request, and with it the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    with httpx.Client(transport=httpx.WSGITransport(app=get_wsgi_application())) as client:
        yield client
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


class AtServer:
    """One node's folder, and the engine whose register it reads."""

    def __init__(self, folder: Path, client: httpx.Client, cluster: Cluster) -> None:
        self.folder, self.client, self.cluster = folder, client, cluster
        self.tokens = 0
        self.at_ms = unix_ms(SystemClock().now()) - 600_000
        enroll(**self.call())  # type: ignore[arg-type]  # its own names
        # Readings from before a node was known are not trusted.
        Node.objects.update(enrolled_at=timezone.now() - timedelta(hours=1))

    def call(self, for_node: Node | None = None) -> dict[str, object]:
        issued = issue_token(cluster=self.cluster, now=timezone.now(), valid_for=timedelta(hours=1), for_node=for_node)
        return {
            "server": SERVER,
            "token": issued.secret,
            "node_name": "gpu-1",
            "state_dir": self.folder,
            "boot_id": "boot-1",
            "client": self.client,
        }

    def read_and_ship(self, times: int = 1, *, ship: bool = True) -> list[object]:
        """The register rises by 100 at each read; one batch each."""
        spool = Spool(self.folder / state.SPOOL_FILE, ROOMY)
        identity = state.load_identity(self.folder)
        results: list[object] = []
        for _ in range(times):
            self.tokens, self.at_ms = self.tokens + 100, self.at_ms + 10_000
            store(spool, entry(self.tokens, at_ms=self.at_ms), at_ms=self.at_ms)
            seal(spool, context(self.at_ms, node=identity.node, endpoints=[ENGINE]))
        while ship and (batch := spool.head()) is not None:
            key = keys.load(self.folder)
            result = deliver(self.client, batch, identity=identity, key=key, now=SystemClock().now())
            results.append(result)
            if not isinstance(result, Delivered):
                break
            spool.acknowledge(batch.seq)
        spool.close()
        return results

    def billed(self) -> int:
        node = Node.objects.get()
        roll_up(node, now=timezone.now())
        return sum(value for _, quality, value in hours(quantity="input") if quality != "G")


@pytest.fixture
def node(tmp_path: Path, client: httpx.Client, cast: Cast) -> AtServer:
    return AtServer(tmp_path / "state", client, make_cluster(cast.provider))


def test_a_rotated_key_signs_on_and_all_evidence_stays_verifiable(node: AtServer) -> None:
    node.read_and_ship(2)
    first = keys.load(node.folder).private_bytes_raw()
    assert rotate(node.folder, node.client) == 2
    assert keys.load(node.folder).private_bytes_raw() != first
    assert not (node.folder / keys.PENDING_FILE).exists()
    node.read_and_ship(2)
    for stored in Batch.objects.all():
        key = key_of_batch(node_id=stored.node_id, seq=stored.seq)
        assert key is not None
        assert (key.version, verify(bytes(key.public_key), bytes(stored.body), stored.signature)) == (
            1 + (stored.seq > 2),
            True,
        )
    assert node.billed() == 300


def test_a_rotation_whose_answer_was_lost_ends_well_when_it_is_run_again(node: AtServer) -> None:
    def lose(request: httpx.Request) -> httpx.Response:
        node.client.send(request)
        raise httpx.ReadError("the line is dead")

    with httpx.Client(transport=httpx.MockTransport(lose)) as broken, pytest.raises(IdentityUnanswered):
        rotate(node.folder, broken)
    assert (node.folder / keys.PENDING_FILE).exists()
    assert NodeKey.objects.count() == 2
    assert rotate(node.folder, node.client) == 2
    assert isinstance(node.read_and_ship()[0], Delivered)


def test_a_lost_spool_is_a_gap_on_record_and_not_a_token_is_missing(node: AtServer) -> None:
    node.read_and_ship(3)
    node.read_and_ship(2, ship=False)
    (node.folder / state.SPOOL_FILE).write_bytes(b"not a database, after the disk was mended")
    end, batches, readings = rejoin(node.folder, node.client, "the disk was mended", node.at_ms)
    assert (end.next_seq, end.next_reading_seq, batches, readings) == (4, 4, 0, 0)
    assert len(list(node.folder.glob("spool.sqlite3.broken-*"))) == 1
    assert all(isinstance(result, Delivered) for result in node.read_and_ship(2))
    gap = UsageGap.objects.get(reason="chain_rejoined")
    assert gap.detail == "after batch 3: the disk was mended"
    assert NodeCursor.objects.get().last_seq == 5
    # 7 reads of which 2 are lost: first contact is a baseline, all that rose since is billed.
    assert node.billed() == 600


def test_a_state_restored_from_an_older_backup_goes_on_after_rejoining(node: AtServer) -> None:
    node.read_and_ship(1)
    backup = (node.folder / state.SPOOL_FILE).read_bytes()
    node.read_and_ship(3)
    (node.folder / state.SPOOL_FILE).write_bytes(backup)
    (refused,) = node.read_and_ship(1)
    assert isinstance(refused, Refused)
    assert refused.code == "batch_conflict"
    _, batches, readings = rejoin(node.folder, node.client, "restored from a backup", node.at_ms)
    assert (batches, readings) == (1, 1)
    node.read_and_ship(1)
    assert node.billed() == 500


def test_a_revoked_node_gets_a_new_key_and_keeps_its_spool(node: AtServer) -> None:
    node.read_and_ship(2)
    revoke(node=Node.objects.get(), now=timezone.now(), actor="petra")
    (refused,) = node.read_and_ship(1)
    assert isinstance(refused, Refused)
    assert refused.code == "node_revoked"
    with pytest.raises(IdentityRefused, match="node_revoked"):
        rotate(node.folder, node.client)
    (node.folder / keys.PENDING_FILE).unlink()
    identity, continued = enroll_again(**node.call())  # type: ignore[arg-type]  # its own names
    assert (identity.node, continued) == (str(Node.objects.get().id), True)
    # What waited goes out, and the chain has no break.
    assert [type(result) for result in node.read_and_ship(1)] == [Delivered, Delivered]
    assert not UsageGap.objects.filter(reason="chain_rejoined").exists()
    assert node.billed() == 300


def test_a_node_that_lost_everything_goes_on_with_a_token_of_its_own(node: AtServer, tmp_path: Path) -> None:
    node.read_and_ship(2)
    node.folder = tmp_path / "new disk"
    identity, continued = enroll(**node.call(Node.objects.get()))  # type: ignore[arg-type]  # its own names
    assert (Node.objects.count(), continued) == (1, True)
    end, _, _ = rejoin(node.folder, node.client, "a new disk", node.at_ms)
    assert (end.node, end.next_seq) == (identity.node, 3)
    assert isinstance(node.read_and_ship(1)[0], Delivered)
    assert node.billed() == 200


def test_a_token_for_another_node_is_not_taken_for_this_one(node: AtServer) -> None:
    wrong = {**node.call(), "node_name": "gpu-2"}
    with pytest.raises(AlreadyEnrolled, match="another node"):
        enroll_again(**wrong)  # type: ignore[arg-type]  # its own names
    assert isinstance(node.read_and_ship()[0], Delivered)
    assert rotate(node.folder, node.client) == 2


@pytest.mark.parametrize(
    ("status", "content", "error"),
    [
        (200, b"<html>", IdentityUnanswered),
        (200, b'{"node":"another","version":2}', IdentityUnanswered),
        (500, b'{"node":"another","version":2}', IdentityUnanswered),
        (403, b"<html>", IdentityRefused),
    ],
)
def test_an_answer_that_makes_no_sense_changes_no_key(
    node: AtServer, status: int, content: bytes, error: type[Exception]
) -> None:
    before = keys.load(node.folder).private_bytes_raw()
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=content))
    with httpx.Client(transport=transport) as strange, pytest.raises(error):
        rotate(node.folder, strange)
    assert keys.load(node.folder).private_bytes_raw() == before


def test_a_chain_that_moves_on_meanwhile_is_another_agent(node: AtServer) -> None:
    """Each call is told another end: somebody ships under this node's name."""
    numbers = iter(range(10))

    def moving(_: httpx.Request) -> httpx.Response:
        content = {"code": "out_of_chain", "expected_seq": 9, "expected_prev_hash": f"{next(numbers):064x}"}
        return httpx.Response(409, json=content)

    with (
        httpx.Client(transport=httpx.MockTransport(moving)) as client,
        pytest.raises(IdentityUnanswered, match="another agent"),
    ):
        rejoin(node.folder, client, "why", node.at_ms)
