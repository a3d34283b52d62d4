"""Identity, the state folder and its lock."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from metering.agent import keys, state
from metering.agent.spool import Limits, Spool

NOBODY = 65_534
IDENTITY = state.Identity("https://billing.example.com", "00000000-0000-0000-0000-000000000007", "sample")


def test_identity_comes_back(tmp_path: Path) -> None:
    state.save_identity(tmp_path, IDENTITY)
    assert state.load_identity(tmp_path) == IDENTITY
    assert stat.S_IMODE((tmp_path / state.IDENTITY_FILE).stat().st_mode) == 0o600


def test_an_empty_folder_says_how_to_enrol(tmp_path: Path) -> None:
    with pytest.raises(state.NotEnrolled, match="forecourt agent enroll --server"):
        state.load_identity(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"server": 1}'])
def test_a_damaged_identity_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / state.IDENTITY_FILE).write_bytes(content)
    with pytest.raises(state.StateUnusable, match=state.IDENTITY_FILE):
        state.load_identity(tmp_path)


def test_the_folder_is_made_private(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    state.prepare(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    state.prepare(folder)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(state.StateUnusable, match="expected a folder"):
        state.prepare(tmp_path / "file" / "inside")


def test_two_in_one_folder_are_refused_with_the_holders_process(tmp_path: Path) -> None:
    with (
        state.StateLock(tmp_path),
        pytest.raises(state.AlreadyRunning, match=str(os.getpid())),
        state.StateLock(tmp_path),
    ):
        pytest.fail("the lock was given twice")


def test_the_lock_is_free_again_after_use_and_after_a_kill(tmp_path: Path) -> None:
    with state.StateLock(tmp_path):
        pass
    program = (
        "import sys, time, pathlib; from metering.agent.state import StateLock\n"
        "with StateLock(pathlib.Path(sys.argv[1])): print('held', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(state.AlreadyRunning, match=str(holder.pid)), state.StateLock(tmp_path):
            pytest.fail("the lock was given twice")
        holder.kill()
    with state.StateLock(tmp_path):
        assert (tmp_path / state.LOCK_FILE).read_text() == f"{os.getpid()}\n"


def test_the_default_folder_is_the_systems_or_the_users() -> None:
    assert state.default_state_dir() in {
        state.SYSTEM_STATE_DIR,
        Path.home() / ".local/state/forecourt-agent",
    }


def test_what_root_writes_belongs_to_whom_the_folder_belongs(tmp_path: Path) -> None:
    # An ordinary user's files are theirs in any case; root runs a stop hook's flush and a person's rotate-key.
    if os.geteuid() == 0:
        os.chown(tmp_path, NOBODY, NOBODY)
    elsewhere = tmp_path / "elsewhere"
    with state.StateLock(tmp_path):
        state.save_identity(tmp_path, IDENTITY)
        keys.load_or_create(tmp_path)
        spool = Spool(tmp_path / state.SPOOL_FILE, Limits(bytes_max=1 << 20, age_ms_max=1_000))
        made = {path.name: path.stat().st_uid for path in tmp_path.iterdir()}
        spool.close()
    assert {state.LOCK_FILE, state.IDENTITY_FILE, keys.KEY_FILE, state.SPOOL_FILE} < made.keys()
    assert set(made.values()) == {tmp_path.stat().st_uid}
    # A link in the folder gives nothing else away.
    elsewhere.mkdir()
    target = elsewhere / "file"
    target.touch()
    (tmp_path / "link").symlink_to(target)
    keys.give_to_owner(tmp_path / "link")
    assert target.stat().st_uid == os.geteuid()
