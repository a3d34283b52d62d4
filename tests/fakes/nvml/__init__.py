"""A stub `libnvidia-ml.so.1`, compiled from C when a test asks for it, that plays what a script file says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parent / "stub_nvml.c"
LIBRARY = "libnvidia-ml.so.1"


def compile_stub(folder: Path) -> Path:
    """Compile the stub into `folder` and return the folder, for `LD_LIBRARY_PATH`."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler is not None, "a C compiler (cc or gcc) is needed to build the NVML stub"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(folder / LIBRARY), str(SOURCE)],
        check=True,
        capture_output=True,
        text=True,
    )
    return folder


class StubMachine:
    """One simulated GPU machine: `play` writes its script, `command` starts the real NVML child on it."""

    def __init__(self, library_folder: Path, script: Path) -> None:
        self._library_folder = library_folder
        self._script = script
        self.play()

    def play(self, *instructions: str) -> None:
        """From the next NVML call on, do this."""
        partial = self._script.with_suffix(".partial")
        partial.write_text("".join(f"{line}\n" for line in instructions), encoding="utf-8")
        partial.replace(self._script)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make a process meet this machine."""
        return {"LD_LIBRARY_PATH": str(self._library_folder), "FORECOURT_STUB_NVML": str(self._script)}

    @property
    def command(self) -> list[str]:
        """A child command that meets this machine, whatever the environment of its parent."""
        settings = [f"{name}={value}" for name, value in self.environment.items()]
        env = shutil.which("env") or "/usr/bin/env"
        return [env, *settings, sys.executable, "-m", "metering.agent.nvml_child"]


def without_library() -> list[str]:
    """A child command on a machine where no NVML library can be found."""
    env = shutil.which("env") or "/usr/bin/env"
    return [env, f"LD_LIBRARY_PATH={os.devnull}", sys.executable, "-m", "metering.agent.nvml_child"]
