"""`python -m tests.second --first N --count M --processes P`: compare the two engines on M random contracts."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from random import Random
from typing import Final

from tests.second import compare_bills, compare_lives, compare_stays
from tests.second.compare import differences
from tests.second.given_bills import bills
from tests.second.given_lives import share_life
from tests.second.given_shares import share_contract
from tests.second.given_stays import stay
from tests.second.given_time import contract

CHUNK: Final = 200


def compare(seed: int) -> list[str]:
    """Return where the two differ on the contract of a seed."""
    make = (contract, share_contract)[seed % 2]
    return differences(make(Random(seed)))


def compare_life(seed: int) -> list[str]:
    """Return in which periods the two differ on the share of a seed."""
    return compare_lives.differences(share_life(Random(seed)))


def compare_bills_of(seed: int) -> list[str]:
    """Return in which months the bills of a seed differ."""
    return compare_bills.differences(bills(Random(seed)))


def compare_stay(seed: int) -> list[str]:
    """Return in which months the lease, the sessions or the credits of a seed differ."""
    return compare_stays.differences(stay(Random(seed)))


def compare_any(seed: int) -> list[str]:
    """Compare one period of a contract; of eight one is a share over its life, one its bills, one its stays."""
    return {0: compare_life, 4: compare_bills_of, 6: compare_stay}.get(seed % 8, compare)(seed)


def main() -> int:
    """Compare, and say which seeds differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=100_000, help="how many contracts")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.count)
    differing = 0
    with ProcessPoolExecutor(options.processes) as pool:
        for seed, found in zip(seeds, pool.map(compare_any, seeds, chunksize=CHUNK), strict=True):
            differing += bool(found)
            for each in found:
                print(f"seed {seed}: {each}")
    print(f"{options.count} contracts, {differing} differ")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
