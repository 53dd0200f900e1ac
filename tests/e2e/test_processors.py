"""What the operating system was told of the shop's processes."""

import os

import psutil
import pytest

from tests.e2e.shops import LiveShop
from tests.e2e.test_starts import processes_of

pytestmark = pytest.mark.skipif(
    not hasattr(os, "SCHED_BATCH"), reason="only Linux knows batches"
)


def test_no_process_of_the_shop_interrupts_another(live_shop: LiveShop) -> None:
    """Guards keeper.py: `run_in_batches()`; its children inherit it."""
    pids = processes_of(live_shop.mark)
    names = {psutil.Process(pid).name() for pid in pids}
    assert {"nats-server", "haproxy"} <= names
    assert len(pids) >= 15
    assert {os.sched_getscheduler(pid) for pid in pids} == {os.SCHED_BATCH}
