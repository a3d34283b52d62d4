"""Enrolment: a one-time token and the node's public key for the node's name in every later batch."""

import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from metering.agent import AGENT_VERSION, keys, state
from metering.wire import ENROL_PATH, STRING_CHARS_MAX, Enrolled, Enrolment, Problem


class EnrolmentRefused(Exception):
    """The server said no: its code and words."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"the server refused the enrolment: {code}: {detail}")
        self.code = code
        self.detail = detail


class EnrolmentFailed(Exception):
    """The server could not be asked, or its answer makes no sense; nothing changed, try again."""


class AlreadyEnrolled(Exception):
    """This state folder is a node already."""


def enroll(
    *, server: str, token: str, node_name: str | None, state_dir: Path, boot_id: str, client: httpx.Client
) -> tuple[state.Identity, bool]:
    """Make the key if there is none, register its public half, and write down who this node is.

    The same token and key again give the same answer, so a lost answer is mended by running it again. Also says
    whether the node was enrolled before and its chain goes on. Raises EnrolmentRefused, EnrolmentFailed,
    AlreadyEnrolled, KeyUnusable, StateUnusable, OSError.
    """
    base = base_url(server)
    state.prepare(state_dir)
    _refuse_second_node(state_dir, base)
    key = keys.load_or_create(state_dir)
    answer = _ask(base, _asked(token, key, node_name, boot_id), client)
    identity = state.Identity(server=base, node=answer.node, cluster=answer.cluster)
    state.save_identity(state_dir, identity)
    return identity, answer.continued


def enroll_again(
    *, server: str, token: str, node_name: str | None, state_dir: Path, boot_id: str, client: httpx.Client
) -> tuple[state.Identity, bool]:
    """Give this node, whose key was revoked or lost, a new key. Its spool stays as it is.

    The token must be for this very node: one that names another node is refused here, although the server took the
    key. Raises as `enroll`, and NotEnrolled.
    """
    base = base_url(server)
    known = state.load_identity(state_dir)
    key = keys.load_or_create_pending(state_dir)
    answer = _ask(base, _asked(token, key, node_name, boot_id), client)
    if answer.node != known.node:
        # The server trusts that key for the other node now; this one needs a key of its own.
        (state_dir / keys.PENDING_FILE).unlink()
        raise AlreadyEnrolled(
            f"the token enrolled another node, {answer.node}; this folder is node {known.node}: ask for a token for "
            "it, or enrol the other one with its own --state-dir"
        )
    identity = state.Identity(server=base, node=answer.node, cluster=answer.cluster)
    state.save_identity(state_dir, identity)
    keys.promote(state_dir)
    return identity, answer.continued


def _asked(token: str, key: Ed25519PrivateKey, node_name: str | None, boot_id: str) -> Enrolment:
    return Enrolment(
        token=token,
        public_key=keys.public_key_b64(key),
        node_name=(node_name or socket.gethostname())[:STRING_CHARS_MAX],
        agent_version=AGENT_VERSION,
        boot_id=boot_id,
    )


def _ask(base: str, asked: Enrolment, client: httpx.Client) -> Enrolled:
    try:
        response = client.post(
            f"{base}{ENROL_PATH}",
            content=msgspec.json.encode(asked),
            headers={"Content-Type": "application/json"},
        )
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as broken:
        raise EnrolmentFailed(f"{base} cannot be reached: {broken or type(broken).__name__}") from broken
    return _answer(response)


def base_url(server: str) -> str:
    """The server's base URL without a slash at its end. Raises EnrolmentFailed for what is none."""
    try:
        parts = urlsplit(server)
        usable = parts.scheme in {"http", "https"} and parts.hostname and not parts.query and not parts.fragment
    except ValueError:
        usable = False
    if not usable:
        raise EnrolmentFailed(f"--server: {server!r}; expected a base URL such as https://billing.example.com")
    return server.rstrip("/")


def _refuse_second_node(state_dir: Path, base: str) -> None:
    try:
        known = state.load_identity(state_dir)
    except state.NotEnrolled:
        return
    if known.server != base:
        raise AlreadyEnrolled(
            f"{state_dir} is already node {known.node} of {known.server}; use another --state-dir for another server"
        )
    if (state_dir / state.SPOOL_FILE).exists():
        raise AlreadyEnrolled(
            f"{state_dir} is already node {known.node} and has metered; nothing to do (--again gives it a new key, "
            "a new node needs a new folder)"
        )


def _answer(response: httpx.Response) -> Enrolled:
    if response.status_code in {httpx.codes.OK, httpx.codes.CREATED}:
        try:
            return msgspec.json.decode(response.content, type=Enrolled)
        except msgspec.MsgspecError as broken:
            raise EnrolmentFailed(f"the server's answer makes no sense: {broken}") from broken
    try:
        problem = msgspec.json.decode(response.content, type=Problem)
    except msgspec.MsgspecError:
        problem = Problem()
    if 400 <= response.status_code < 500 and problem.code:
        raise EnrolmentRefused(problem.code, problem.detail or problem.title)
    raise EnrolmentFailed(f"the server answered HTTP {response.status_code} {problem.detail}".rstrip())
