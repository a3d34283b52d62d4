"""One target under libFuzzer, in a process of its own: `python -m tests.fuzz.one_target NAME FOLDER -runs=N …`."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Write the seeds where libFuzzer finds them, and run it; it ends the process itself."""
    import atheris  # only `make fuzz` installs it

    with atheris.instrument_imports(include=["metering"]):
        from tests.fuzz.targets import TARGETS
    name, folder, *options = sys.argv[1:]
    target = TARGETS[name]
    corpus = Path(folder) / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)

    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={corpus}-", str(corpus)], target.take)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
