"""How a process that keeps much in memory collects its garbage."""

import gc

ALLOCATIONS_MIN = 20_000
GENERATIONS = (20, 50)


def settle() -> None:
    """What is loaded by now stays for the process' life: it is never looked at again.

    What comes later is looked at seldom; nearly all of it goes by its count of
    references, as values are never part of a cycle.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_MIN, *GENERATIONS)
