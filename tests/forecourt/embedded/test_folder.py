import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from forecourt.embedded.folder import (
    ACCOUNT_NAMES,
    FORMAT,
    Account,
    CannotStart,
    FolderBusy,
    folder_is_held,
    held_folder,
    service_account,
)
from forecourt.embedded.places import Places

ME = Account(name="me", uid=os.geteuid(), gid=os.getegid(), other=False)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(data=tmp_path / "data", sockets=tmp_path / "sockets")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_folder_is_made_private_and_locked_for_as_long(places: Places) -> None:
    assert not folder_is_held(places)
    with held_folder(places, ME):
        assert folder_is_held(places)
        for folder in (places.data, places.logs, places.broker, places.sockets):
            assert mode(folder) == 0o700
        assert places.lock.read_text() == f"{os.getpid()}\n"
        assert places.format.read_text() == f"{FORMAT}\n"
    assert not folder_is_held(places)


def test_folder_open_to_others_is_closed(places: Places) -> None:
    places.data.mkdir(mode=0o755)
    with held_folder(places, ME):
        assert mode(places.data) == 0o700


def test_second_holder_is_told_who_has_it(places: Places) -> None:
    with (
        held_folder(places, ME),
        pytest.raises(FolderBusy, match=f"in use by process {os.getpid()}"),
        held_folder(places, ME),
    ):
        pass


def test_lock_ends_with_its_process(places: Places) -> None:
    script = (
        "import os, sys; from pathlib import Path; from forecourt.embedded.folder import *;"
        "from forecourt.embedded.places import Places\n"
        "places = Places(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        "with held_folder(places, service_account()): os._exit(9)"
    )
    result = subprocess.run([sys.executable, "-c", script, places.data, places.sockets], check=False)
    assert result.returncode == 9
    with held_folder(places, service_account()):
        pass


def test_error_inside_is_not_mistaken_for_one_of_the_folder(places: Places) -> None:
    with pytest.raises(ConnectionError), held_folder(places, ME):
        raise ConnectionError
    assert not folder_is_held(places)


def test_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    places = Places(data=tmp_path / "file" / "data", sockets=tmp_path / "sockets")
    reason = r"cannot be written \(Not a directory\).*FORECOURT_DATA_DIR"
    with pytest.raises(CannotStart, match=reason), held_folder(places, ME):
        pass


def test_folder_in_the_way_of_a_file_is_refused(places: Places) -> None:
    places.data.mkdir()
    places.logs.touch()
    with pytest.raises(CannotStart, match=r"cannot be used: .*File exists"), held_folder(places, ME):
        pass


def test_folder_of_a_newer_version_is_refused(places: Places) -> None:
    places.data.mkdir()
    places.format.write_text(f"{FORMAT + 1}\n")
    with pytest.raises(CannotStart, match=f"newer version \\(format {FORMAT + 1}"), held_folder(places, ME):
        pass


def test_folder_whose_format_is_no_number_is_refused(places: Places) -> None:
    places.data.mkdir()
    places.format.write_text("photos of my cat")
    with pytest.raises(CannotStart, match=r"is .* a data folder"), held_folder(places, ME):
        pass


def test_full_disk_is_refused_before_anything_is_written(places: Places) -> None:
    with (
        pytest.raises(CannotStart, match=r"Only \d+ MiB are free"),
        held_folder(places, ME, free_bytes_min=2**70),
    ):
        pass
    assert not places.format.exists()


def test_link_in_place_of_the_socket_folder_is_refused(places: Places, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    places.sockets.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotStart, match="is no folder"), held_folder(places, ME):
        pass


def test_folder_that_another_user_made_first_is_refused(tmp_path: Path) -> None:
    foreign = Path("/")
    if foreign.stat().st_uid == ME.uid:
        foreign = tmp_path / "sockets"
        foreign.mkdir()
        os.chown(foreign, 12345, -1)
    places = Places(data=tmp_path / "data", sockets=foreign)
    with pytest.raises(CannotStart, match="belongs to another user"), held_folder(places, ME):
        pass


def test_account_is_never_root() -> None:
    account = service_account()
    assert account.uid != 0
    assert account.other == (os.geteuid() == 0)
    if account.other:
        assert pwd.getpwuid(account.uid).pw_name in ACCOUNT_NAMES


def test_other_account_drops_every_privilege() -> None:
    assert Account(name="x", uid=7, gid=8, other=True).spawn_options() == {
        "user": 7,
        "group": 8,
        "extra_groups": [],
        "umask": 0o077,
    }
    assert ME.spawn_options() == {"umask": 0o077}
