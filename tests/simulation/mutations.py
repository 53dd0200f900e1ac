"""Take away each line that protects the shop; some seed must break a promise.

`python -m tests.simulation.mutations` tries all; `--only WORD` those whose file, line
or scene holds the word. A line that no seed misses is not proven by the simulation.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.kit.deleted_lines import (
    ASKER,
    BATCH,
    BRIDGE,
    CONSUMER,
    FENCE,
    HANDLED,
    INGEST,
    LANE,
    ONCE,
    OUTBOX,
    PROCESS,
    RECEPTION,
    RELAY,
    SHARD,
    TRANSACTION,
)
from tests.kit.deletions import ENVIRONMENT, copy

PLACING, CHANGES = "actors/orders/placing.py", "actors/orders/changes.py"
FULFILMENT, HOLDS = "actors/orders/fulfilment.py", "actors/inventory/holds.py"
CHARGES, CLOSING = "actors/payments/charges.py", "actors/payments/closing.py"
PAYMENT_HOLDS, STATES = "actors/payments/holds.py", "persistence/payments/states.py"

SEEDS_MAX = 600
SECONDS_MAX = 900.0
COUNTING, ORDERING = "counting", "ordering"


class Mutation(NamedTuple):
    """`line` of `file` gives way to `instead`; then a seed of `scene` is broken."""

    file: str
    line: str
    instead: str
    scene: str = COUNTING


TABLE: list[Mutation] = [
    # one writer
    Mutation(FENCE, "    ):\n        raise Fenced\n", "    ):\n        pass\n"),
    Mutation(FENCE, '" FOR SHARE" if lock else ""', '""'),
    Mutation(FENCE, "raise SlotsMoved(moved)", "pass"),
    # lanes and resends
    Mutation(LANE, "self._waiting.appendleft(ask)", "pass"),
    Mutation(LANE, "await self._transport.replace(self.address)", "pass"),
    Mutation(LANE, "self._spawn(self._collect())", "pass"),
    Mutation(LANE, "id=sent.id,", "id=uuid4(),"),
    Mutation(ASKER, "self._owners[domain, message.slot] = answer.shard", "pass"),
    # once
    Mutation(ONCE, "_answer_as_before(firsts[command_id], row)", "pass"),
    Mutation(ONCE, "if item.process is None and command_id in firsts:", "if False:"),
    Mutation(BATCH, "await handled.write(connection, to_write, tx.now)", "pass"),
    Mutation(
        RECEPTION, "remembered = isinstance(message, Event) or (", "remembered = ("
    ),
    # the batch
    Mutation(
        BATCH,
        "if len(items) > 1:\n                await self._halve(items)\n"
        "                return\n            self._fail(items[0], error)",
        "self._fail(items[0], error)",
    ),
    Mutation(BATCH, "raise RefusedAfterWriting(refusal) from None", "pass"),
    Mutation(BATCH, "self.entities.forget(touched)", "pass"),
    Mutation(BATCH, "await self._catch_up(connection)", "pass"),
    Mutation(BATCH, "self._caught_up(last_n)", "pass"),
    Mutation(BATCH, "await claims.release(connection, dropped)", "pass"),
    Mutation(
        SHARD, "self.batches.entities.clear()\n        self.relay.own", "self.relay.own"
    ),
    # processes and timers
    Mutation(SHARD, "self.processes.resume(row)", "pass"),
    Mutation(PROCESS, "item.opens = (self, opens)", "pass"),
    Mutation(PROCESS, "if run.opened is None or bugs >= BUG_TRIES_MAX:", "if True:"),
    Mutation(PROCESS, "run.answer(Moved(moved[run.message.slot]))", "pass"),
    Mutation(BATCH, "item.settles.settle_with(item.answer)", "pass"),
    Mutation(TRANSACTION, "await due.finish(self._connection, done)", "pass"),
    Mutation(ONCE, "if item.due_id not in there:", "if False:"),
    Mutation(HANDLED, "UPDATE handled SET state = 2", "UPDATE handled SET state = 1"),
    # facts
    Mutation(BATCH, "self.last_n[row.slot] = row.n", "pass"),
    Mutation(
        OUTBOX,
        "sequence = sequences.sequence + excluded.sequence",
        "sequence = excluded.sequence",
    ),
    Mutation(RELAY, "self._sent[slot] = marks[slot] = n", "marks[slot] = n"),
    Mutation(RELAY, "raise ConnectionError(reply.failed)", "return"),
    Mutation(SHARD, "self.relay.own(tails)", "pass"),
    Mutation("actors/kit/stream.py", "self._shard.relay.rewind(before)", "pass"),
    Mutation(
        "actors/kit/marks.py",
        "(self._batches.marks if self._written else self._waiting)",
        "self._batches.marks",
    ),
    Mutation(BRIDGE, "return row.slot, done, repr(error)", "continue"),
    Mutation(INGEST, "if ack.error is not None or ack.count != last:", "if False:"),
    # consumers
    Mutation(
        CONSUMER, "while before is not None and not before.done():", "while False:"
    ),
    Mutation(
        CONSUMER,
        "except (Unavailable, Unknown) as end:",
        "except ZeroDivisionError as end:",
    ),
    # the order
    Mutation(PLACING, "opens=SettleOrder(order_id=order_id),", "", ORDERING),
    Mutation(
        PLACING,
        "            await self._release(run, order)\n            await",
        "            await",
        ORDERING,
    ),
    Mutation(PLACING, "            await self._refund(run, order)\n", "", ORDERING),
    Mutation(PLACING, "if not await self._commit(run, order):", "if False:", ORDERING),
    Mutation(CHANGES, "if order.status is not S.PENDING:", "if False:", ORDERING),
    Mutation(
        CHANGES,
        "if m.viewer is None and order.stage not in UNPAID:",
        "if False:",
        ORDERING,
    ),
    Mutation(
        CHANGES,
        "stage=Stage.COMPENSATING, **paid)",
        "stage=order.stage, **paid)",
        ORDERING,
    ),
    Mutation(FULFILMENT, "id=derived_id(m.shipment_id, sku),", "", ORDERING),
    # its stock
    Mutation(
        HOLDS,
        "return tombstone(m.order_id, m.sku, m.attempt)",
        'return conflict("no-hold")',
        ORDERING,
    ),
    Mutation(
        HOLDS,
        "if hold.state == RELEASED or hold.attempt > m.attempt:",
        "if hold.attempt > m.attempt:",
        ORDERING,
    ),
    # its money
    Mutation(
        STATES,
        "return uuid5(order_id, str(number))",
        "return UUID(bytes=__import__('os').urandom(16))",
        ORDERING,
    ),
    Mutation(CHARGES, "self.look_after(tx, payment, attempt)", "pass", ORDERING),
    Mutation(
        CHARGES,
        "if known := known_attempt(payment, charge):",
        "if False and (known := known_attempt(payment, charge)):",
        ORDERING,
    ),
    Mutation(
        CLOSING,
        "return S.LATE if attempt.given_up else S.SUCCEEDED",
        "return S.SUCCEEDED",
        ORDERING,
    ),
    Mutation(
        PAYMENT_HOLDS,
        "outcome = await provider.find_charge(ask)",
        "outcome = None",
        ORDERING,
    ),
    Mutation(PROCESS, "if self.opened is None:", "if True:", ORDERING),
    Mutation(ONCE, "elif item.opens:", "elif False:", ORDERING),
    Mutation(
        "actors/kit/reading.py",
        "raise Unavailable(NO_DATABASE) from error",
        "raise",
        ORDERING,
    ),
    Mutation(
        "actors/kit/domain.py",
        "except Unavailable as error:",
        "except ZeroDivisionError as error:",
        ORDERING,
    ),
]


def main() -> int:
    """Try what is asked for; 1 when a line is not missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX)
    options = parser.parse_args()
    chosen = [one for one in TABLE if options.only in " ".join(one)]
    unmissed = 0
    with tempfile.TemporaryDirectory(prefix="souk-mutations-") as folder:
        tree = copy(Path(folder))
        for one in chosen:
            said = attempt(tree, one, options.seeds)
            unmissed += not said.startswith("seed")
            print(f"{said:<14}{title(one)}", flush=True)
    print(f"{len(chosen)} lines, {unmissed} not missed")
    return 1 if unmissed or not chosen else 0


def attempt(tree: Path, one: Mutation, seeds: int) -> str:
    """Which seed misses the line, as `seed N`; otherwise why none does."""
    path = tree / one.file
    text = path.read_text()
    if text.count(one.line) != 1:
        return "no such line"
    path.write_text(text.replace(one.line, one.instead))
    command = ["-m", "tests.simulation", "--scene", one.scene, "--stop"]
    command += ["--seeds", str(seeds)]
    try:
        ended = subprocess.run(
            [sys.executable, *command],
            cwd=tree,
            env=os.environ | ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "not in time"
    finally:
        path.write_text(text)
    broken = re.search(r"^BROKEN \S+ (\d+): ", ended.stdout, re.MULTILINE)
    if broken:
        return f"seed {broken[1]}"
    return "NOT MISSED" if ended.returncode == 0 else f"died\n{ended.stderr[-1500:]}\n"


def title(one: Mutation) -> str:
    """The file, and the beginning of what is taken away."""
    return f"{one.scene} {one.file}: {' '.join(one.line.split())[:60]}"


if __name__ == "__main__":
    sys.exit(main())
