"""Plays seeds: `python -m tests.simulation --seeds 100000`, or one: `--seed 7 --trace`.

A run that broke a promise is named with its seed, which plays it again exactly. See
docs/how-to/replay-a-seed.md.
"""

import argparse
import gc
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.running import Result, run
from tests.simulation.scenes import SCENES

CHUNK = 20
SHOWN_MAX = 20


def main() -> int:
    """Play what is asked for; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", choices=[*SCENES, "all"], default="all")
    parser.add_argument(
        "--seeds", type=int, default=1000, help="how many of each scene"
    )
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="N")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="tell all that happens")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--stop", action="store_true", help="at the first broken one")
    options = parser.parse_args()
    names = list(SCENES) if options.scene == "all" else [options.scene]
    if options.seed is not None:
        return max(_one(name, options.seed, options.trace) for name in names)
    return max(_many(name, options) for name in names)


def _one(name: str, seed: int, tracing: bool) -> int:
    result = run(SCENES[name], seed, tracing=tracing)
    for line in result.lines:
        print(line)
    for violation in result.violations:
        print(f"BROKEN {violation}")
    print(f"{name} {seed}: {result.fingerprint} after {result.seconds:.3f} s")
    return 1 if result.violations else 0


def _many(name: str, options: argparse.Namespace) -> int:
    began_at = time.monotonic()
    last = options.first + options.seeds
    played, broken = 0, 0
    for result in _played(name, options.first, last, options.jobs):
        played += 1
        if result.violations:
            broken += 1
            if broken <= SHOWN_MAX:
                print(
                    f"BROKEN {name} {result.seed}: {result.violations[0]}", flush=True
                )
            if options.stop:
                break
    seconds = time.monotonic() - began_at
    print(
        f"{name}: {played} seeds from {options.first}, {broken} broken, "
        f"{played / seconds:.1f} seeds/s",
        flush=True,
    )
    return 1 if broken else 0


def _played(name: str, first: int, last: int, jobs: int) -> Iterator[Result]:
    """The results of all seeds, in their order."""
    if jobs == 1:
        for seed in range(first, last):
            yield run(SCENES[name], seed)
        return
    gc.freeze()
    with ProcessPoolExecutor(jobs) as pool:
        seeds = range(first, last)
        try:
            yield from pool.map(_play, [name] * len(seeds), seeds, chunksize=CHUNK)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _play(name: str, seed: int) -> Result:
    return run(SCENES[name], seed)


if __name__ == "__main__":
    sys.exit(main())
