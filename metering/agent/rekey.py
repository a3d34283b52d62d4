"""What a node asks the server about its own identity: to trust another key, and to go on after its spool was lost."""

from pathlib import Path
from typing import Final, TypeVar

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from metering.agent import AGENT_VERSION, keys, state
from metering.agent.mend import rebase
from metering.agent.spool import Limits, Spool, SpoolBroken
from metering.wire import FIRST_PREV_HASH, HEADER_NODE, HEADER_SIGNATURE, Problem
from metering.wire_keys import (
    REJOIN_PATH,
    REJOIN_PREFIX,
    ROTATE_PATH,
    ROTATE_PREFIX,
    ChainEnd,
    KeyRotated,
    KeyRotation,
    Rejoin,
    proof_statement,
    sign_statement,
)

Answer = TypeVar("Answer", KeyRotated, ChainEnd)
REJOIN_TRIES: Final = 3
_ANY_SIZE: Final = Limits(bytes_max=1 << 62, age_ms_max=1 << 62)


class IdentityRefused(state.IdentityCallFailed):
    """The server said no: its code and words, and where the chain ends if it told."""

    def __init__(self, problem: Problem, status: int) -> None:
        code = problem.code or f"http_{status}"
        super().__init__(f"the server refused: {code}: {problem.detail or problem.title}")
        self.code = code
        self.expected_prev_hash = problem.expected_prev_hash


class IdentityUnanswered(state.IdentityCallFailed):
    """The server could not be asked, or its answer makes no sense; run the same command again."""


def rotate(state_dir: Path, client: httpx.Client) -> int:
    """Make a new key, have the server trust it, and sign with it from now on; returns the key's version.

    May run beside an agent, which takes the new key at its next batch. A lost answer is mended by running it again.
    Raises IdentityRefused, IdentityUnanswered, NotEnrolled, StateUnusable, KeyUnusable, OSError.
    """
    identity = state.load_identity(state_dir)
    old, new = keys.load(state_dir), keys.load_or_create_pending(state_dir)
    old_key, new_key = keys.public_key_b64(old), keys.public_key_b64(new)
    proof = sign_statement(new, proof_statement(identity.node, old_key, new_key))
    asked = KeyRotation(identity.node, old_key, new_key, proof, AGENT_VERSION)
    answer = _ask(client, f"{identity.server}{ROTATE_PATH}", ROTATE_PREFIX, asked, key=old, kind=KeyRotated)
    keys.promote(state_dir)
    return answer.version


def rejoin(state_dir: Path, client: httpx.Client, reason: str, at_ms: int) -> tuple[ChainEnd, int, int]:
    """Go on at the end of the server's chain, with the break on record there; the agent must not run meanwhile.

    A spool that cannot be read is moved beside, one that can gives up what waits in it. Returns the end of the chain
    and how many batches and readings are left out. Raises as `rotate`, and SpoolBroken.
    """
    identity, key = state.load_identity(state_dir), keys.load(state_dir)
    prev_hash = FIRST_PREV_HASH
    for _ in range(REJOIN_TRIES):
        asked = Rejoin(identity.node, prev_hash, AGENT_VERSION, reason)
        try:
            end = _ask(client, f"{identity.server}{REJOIN_PATH}", REJOIN_PREFIX, asked, key=key, kind=ChainEnd)
            break
        except IdentityRefused as refused:
            # The end of the chain is told to whoever holds the key, and must be named to be believed.
            if refused.code != "out_of_chain" or refused.expected_prev_hash is None:
                raise
            prev_hash = refused.expected_prev_hash
    else:
        raise IdentityUnanswered("the chain goes on meanwhile: another agent ships under this node's name")
    spool = _open(state_dir / state.SPOOL_FILE, at_ms)
    try:
        batches, readings = rebase(spool, end, at_ms)
    finally:
        spool.close()
    return end, batches, readings


def _open(path: Path, at_ms: int) -> Spool:
    try:
        return Spool(path, _ANY_SIZE)
    except SpoolBroken:
        move_beside(path, at_ms)
        return Spool(path, _ANY_SIZE)


def move_beside(path: Path, at_ms: int) -> Path:
    """Put a spool that cannot be used out of the way, with its journal; returns its new name. Raises OSError."""
    moved = path.with_name(f"{path.name}.broken-{at_ms}")
    path.replace(moved)
    for suffix in ("-wal", "-shm"):
        journal = path.with_name(path.name + suffix)
        if journal.exists():
            journal.replace(moved.with_name(moved.name + suffix))
    return moved


def _ask(
    client: httpx.Client,
    url: str,
    prefix: bytes,
    asked: KeyRotation | Rejoin,
    *,
    key: Ed25519PrivateKey,
    kind: type[Answer],
) -> Answer:
    body = msgspec.json.encode(asked)
    headers = {
        "Content-Type": "application/json",
        HEADER_NODE: asked.node,
        HEADER_SIGNATURE: sign_statement(key, prefix + body),
    }
    try:
        response = client.post(url, content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as broken:
        raise IdentityUnanswered(f"{url} cannot be reached: {broken or type(broken).__name__}") from broken
    if 400 <= response.status_code < 500:
        raise IdentityRefused(_problem(response), response.status_code)
    try:
        answer = msgspec.json.decode(response.content, type=kind)
    except msgspec.MsgspecError as broken:
        raise IdentityUnanswered(f"the server answered HTTP {response.status_code}, which is no answer") from broken
    if response.status_code != httpx.codes.OK or answer.node != asked.node:
        raise IdentityUnanswered(f"the server answered HTTP {response.status_code} about node {answer.node}")
    return answer


def _problem(response: httpx.Response) -> Problem:
    try:
        return msgspec.json.decode(response.content, type=Problem)
    except msgspec.MsgspecError:
        return Problem()
