"""Installs what a lock file names into this environment: by uv where pip can get it, else by pip itself.

uv unpacks the same files in an eighth of pip's processor time. It is told what pip is told (package indexes, local
folders, certificates), so that a machine that pip can install on needs nothing more; whatever uv cannot do, pip does.

Of the standard library alone: nothing is installed yet when it runs.

    python -m forecourt.installing requirements.lock
"""

import ast
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

UV_LOCK = Path(__file__).parents[1] / "requirements-uv.lock"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
PIP_INSTALL = (*PIP, "--quiet", "install", "--no-compile", "--no-deps", "--require-hashes")
# Whichever index has it: the hash decides what is installed.
UV_INSTALL = ("pip", "install", "--quiet", "--no-deps", "--require-hashes", "--system-certs")
UV_ANY_INDEX = ("--index-strategy", "unsafe-best-match")
OPTIONS = {
    "index-url": "--default-index",
    "extra-index-url": "--index",
    "find-links": "--find-links",
    "trusted-host": "--allow-insecure-host",
}
"""An option of pip with its values, and the same of uv, which is said once for each."""
VARIABLES = {"cert": "SSL_CERT_FILE", "proxy": "ALL_PROXY"}
SWITCHES = {"no-index": "--no-index", "no-cache-dir": "--no-cache"}
ON = frozenset({"1", "true", "yes", "on"})

Settings = dict[str, str]
Run = Callable[[Sequence[str], Settings], int]


def main(locks: Sequence[str]) -> int:
    """Install what the lock files name; return the exit status."""
    if not locks:
        print("usage: python -m forecourt.installing LOCK_FILE…", file=sys.stderr)
        return 2
    settings = settings_of_pip(_said_by((*PIP, "config", "list")))
    return install(locks, settings=settings, run=_run)


def install(locks: Sequence[str], *, settings: Settings, run: Run) -> int:
    """Install by uv, and by pip where uv is not to be had or cannot; return the exit status of the last."""
    uv = str(Path(sys.executable).parent / "uv")
    named = [word for lock in locks for word in ("-r", lock)]
    quick_pip = (*PIP_INSTALL, "--retries", "1", "-r", str(UV_LOCK))
    if not run(quick_pip, {}) and not run((uv, *UV_INSTALL, *options_of_uv(settings), *named), variables_of(settings)):
        return 0
    print("uv could not install it; pip does, which takes longer.", file=sys.stderr)
    return run((*PIP_INSTALL, *named), {})


def settings_of_pip(listed: str) -> Settings:
    """Return pip's settings by name from what `pip config list` prints, the one that pip heeds where several are there.

    For every command, then for `install`, then from the environment: the later one counts.
    """
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        key, is_one, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if is_one and section in found:
            found[section][name] = str(ast.literal_eval(value))
    return {**found["global"], **found["install"], **found[":env:"]}


def options_of_uv(settings: Settings) -> list[str]:
    """Return how uv is told the same."""
    options = [
        word for name, option in OPTIONS.items() for value in settings.get(name, "").split() for word in (option, value)
    ]
    options += [switch for name, switch in SWITCHES.items() if settings.get(name, "").lower() in ON]
    return [*UV_ANY_INDEX, "--python", sys.executable, *options]


def variables_of(settings: Settings) -> Settings:
    """Return what uv reads from its environment alone."""
    return {variable: settings[name] for name, variable in VARIABLES.items() if settings.get(name)}


def _said_by(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _run(command: Sequence[str], variables: Settings) -> int:
    try:
        return subprocess.run(command, env={**os.environ, **variables}, check=False).returncode
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
