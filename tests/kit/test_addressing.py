"""Ids made here: of version 7, each another one, and found by their key's hash."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import RFC_4122, UUID

from bus.kit.addressing import derived_id, new_id, route_hash, slot_of

FORKS = """
import os
from bus.kit.addressing import new_id
new_id()  # its random bytes are read ahead
child = os.fork()
if child:
    os.waitpid(child, 0)
print(new_id(), flush=True)
"""


def test_a_new_id_is_a_uuid_of_version_7_that_carries_its_keys_hash() -> None:
    before = time.time_ns() // 1_000_000
    for key in ("SKU-1", new_id(), str(new_id())):
        made = new_id(key)
        assert (made.version, made.variant) == (7, RFC_4122)
        assert before <= made.int >> 80 <= time.time_ns() // 1_000_000
        assert route_hash(made) == route_hash(key)
        assert slot_of(str(made)) == slot_of(key)
    assert UUID(str(made)) == made
    assert hash(UUID(str(made))) == hash(made)
    assert UUID(int=made.int).is_safe is made.is_safe


def test_no_two_ids_are_the_same_over_threads() -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: new_id(), range(20_000)))
    assert len(set(made)) == 20_000


def test_a_forked_process_makes_other_ids_than_its_parent() -> None:
    said = subprocess.check_output([sys.executable, "-c", FORKS], text=True)
    child, parent = (UUID(line) for line in said.split())
    random_bits = (1 << 62) - 1
    assert child.int & random_bits != parent.int & random_bits


def test_a_derived_id_is_the_same_each_time_and_another_for_another_purpose() -> None:
    source = UUID("0193a1b2-c3d4-7e5f-8a6b-123456789abc")
    made = derived_id(source, "email", "SKU-1")
    assert made == derived_id(source, "email", "SKU-1")
    assert str(made).startswith("0193a1b2-c3d4-7")
    assert made.variant == RFC_4122
    assert route_hash(made) == route_hash("SKU-1")
    assert made != derived_id(source, "sms", "SKU-1")
