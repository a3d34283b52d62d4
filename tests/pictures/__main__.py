"""Take the documentation's pictures from a demo that is up: `python -m tests.pictures ADDRESS PASSWORD`."""

import sys

from tests.pictures.taking import take_all

USAGE = "usage: python -m tests.pictures ADDRESS PASSWORD   (both are printed by `make demo`)"

if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(USAGE)
    for path in take_all(sys.argv[1].rstrip("/"), sys.argv[2]):
        print(path)
