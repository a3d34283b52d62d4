"""The node's key: private, durable, and refused when it cannot be trusted."""

import base64
import os
import stat
from pathlib import Path

import pytest

from metering import wire
from metering.agent import keys


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    first = keys.load_or_create(tmp_path)
    assert keys.load_or_create(tmp_path).private_bytes_raw() == first.private_bytes_raw()
    assert keys.load(tmp_path).private_bytes_raw() == first.private_bytes_raw()


def test_the_file_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keys.load_or_create(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / keys.KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [keys.KEY_FILE]


def test_the_public_half_verifies_what_the_key_signs(tmp_path: Path) -> None:
    key = keys.load_or_create(tmp_path)
    raw = base64.b64decode(keys.public_key_b64(key))
    assert len(raw) == 32
    assert wire.verify(raw, b"body", wire.sign(key, b"body"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    keys.load_or_create(tmp_path)
    (tmp_path / keys.KEY_FILE).chmod(mode)
    with pytest.raises(keys.KeyUnusable, match=f"{mode:04o}"):
        keys.load_or_create(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not base64 !", base64.b64encode(b"too short")])
def test_a_file_that_is_no_key_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / keys.KEY_FILE
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(keys.KeyUnusable, match="is not a node key"):
        keys.load_or_create(tmp_path)
    assert path.read_bytes() == content


def test_an_absent_key_is_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        keys.load(tmp_path)


def test_writing_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    keys.write_durably(path, b"long content")
    keys.write_durably(path, b"short")
    assert path.read_bytes() == b"short"
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_key_lies_beside_the_old_one_until_it_takes_its_place(tmp_path: Path) -> None:
    old = keys.load_or_create(tmp_path)
    assert keys.load_pending(tmp_path) is None
    new = keys.load_or_create_pending(tmp_path)
    assert keys.load_or_create_pending(tmp_path).private_bytes_raw() == new.private_bytes_raw()
    assert keys.load(tmp_path).private_bytes_raw() == old.private_bytes_raw() != new.private_bytes_raw()
    assert stat.S_IMODE((tmp_path / keys.PENDING_FILE).stat().st_mode) == 0o600
    keys.promote(tmp_path)
    assert keys.load(tmp_path).private_bytes_raw() == new.private_bytes_raw()
    assert keys.load_pending(tmp_path) is None


def public(key_ring: keys.KeyRing) -> str:
    return keys.public_key_b64(key_ring.key)


def test_a_running_agent_takes_the_key_that_another_command_put_in_force(tmp_path: Path) -> None:
    keys.load_or_create(tmp_path)
    key_ring = keys.KeyRing(tmp_path)
    assert not key_ring.try_another()
    new = keys.public_key_b64(keys.load_or_create_pending(tmp_path))
    keys.promote(tmp_path)
    assert key_ring.try_another()
    assert public(key_ring) == new
    key_ring.trusted()
    assert not key_ring.try_another()


def test_a_key_whose_registration_was_never_answered_is_tried_and_kept_if_it_is_trusted(tmp_path: Path) -> None:
    old = keys.public_key_b64(keys.load_or_create(tmp_path))
    key_ring = keys.KeyRing(tmp_path)
    new = keys.public_key_b64(keys.load_or_create_pending(tmp_path))
    assert (key_ring.try_another(), public(key_ring)) == (True, new)
    # Refused as well: the present one again, for a person to look at.
    assert (key_ring.try_another(), public(key_ring)) == (False, old)
    assert key_ring.try_another()
    key_ring.trusted()
    assert keys.public_key_b64(keys.load(tmp_path)) == new
    assert not (tmp_path / keys.PENDING_FILE).exists()


def test_keys_that_cannot_be_read_leave_the_ring_as_it_is(tmp_path: Path) -> None:
    old = keys.public_key_b64(keys.load_or_create(tmp_path))
    key_ring = keys.KeyRing(tmp_path)
    (tmp_path / keys.KEY_FILE).unlink()
    assert (key_ring.try_another(), public(key_ring)) == (False, old)
