"""The lines that implement the kit's features, and the test that misses each.

Each is deleted, or replaced by what somebody would write who did not know better.
"""

from typing import NamedTuple

ASKER, LANE = "actors/kit/asker.py", "actors/kit/lane.py"
BATCH, ONCE, ITEM = "actors/kit/batch.py", "actors/kit/once.py", "actors/kit/item.py"
SHARD, RECEPTION = "actors/kit/shard.py", "actors/kit/reception.py"
PROCESS, RELAY = "actors/kit/process.py", "actors/kit/relay.py"
CLAIMS, DATABASE = "persistence/kit/claims.py", "persistence/kit/database.py"
DUE, ENTITIES = "persistence/kit/due.py", "persistence/kit/entities.py"
FENCE, HANDLED = "persistence/kit/fence.py", "persistence/kit/handled.py"
OUTBOX, TRANSACTION = "persistence/kit/outbox.py", "persistence/kit/transaction.py"
BRIDGE, CONSUMER = "bus/kit/bridge.py", "bus/kit/consumer.py"
DEAD, INGEST = "bus/kit/dead_letters.py", "bus/kit/ingest.py"


class Deletion(NamedTuple):
    """`line` of `file` gives way to `instead`; then `test` of tests/kit is red."""

    file: str
    line: str
    instead: str
    test: str


LANES = [
    Deletion(
        LANE,
        "asyncio.get_running_loop().call_soon(self._pump)",
        "self._pump()",
        "test_lanes.py::test_asks_of_one_turn_go_in_one_envelope",
    ),
    Deletion(
        LANE,
        " and self._under_way < ENVELOPES_MAX",
        "",
        "test_lanes.py::test_two_envelopes_are_under_way_and_the_rest_goes_together",
    ),
    Deletion(
        LANE,
        "full = len(self._waiting) >= LANE_MESSAGES_MAX",
        "full = False",
        "test_lanes.py::test_past_its_messages_a_lane_refuses_at_once",
    ),
    Deletion(
        LANE,
        " or self._bytes + size > LANE_BYTES_MAX",
        "",
        "test_lanes.py::test_past_its_bytes_a_lane_refuses_at_once",
    ),
    Deletion(
        BATCH,
        "live = [item for item in items if self._in_time(item)]",
        "live = items",
        "test_lanes.py::"
        "test_a_message_whose_deadline_passed_before_its_batch_is_not_run",
    ),
    Deletion(
        LANE,
        "late = Unknown if ask.sent_once else Unavailable",
        "late = Unavailable",
        "test_lanes.py::test_what_was_sent_and_not_answered_in_time_is_unknown",
    ),
    Deletion(
        LANE,
        "self._waiting.appendleft(ask)",
        "pass",
        "test_lanes.py::test_a_shard_killed_around_its_commit_acts_once[before]",
    ),
    Deletion(
        ONCE,
        "_answer_as_before(firsts[command_id], row)",
        "pass",
        "test_lanes.py::test_a_shard_killed_around_its_commit_acts_once[after]",
    ),
    Deletion(
        LANE,
        "for ask in reversed(unanswered):",
        "for ask in unanswered:",
        "test_lanes.py::test_what_was_lost_is_sent_again_in_its_order",
    ),
    Deletion(
        LANE,
        "            self._recover()\n            return\n",
        "            return\n",
        "test_lanes.py::test_lost_answers_are_given_again",
    ),
    Deletion(
        LANE,
        "await self._transport.replace(self.address)",
        "pass",
        "test_lanes.py::test_a_silent_shard_is_replaced_and_its_neighbour_is_not",
    ),
    Deletion(
        LANE,
        "silent = 0 if await self._alive() else silent + 1",
        "silent += 1",
        "test_lanes.py::test_a_busy_shard_that_answers_pings_is_left_alone",
    ),
    Deletion(
        LANE,
        'self._close(ask, Unknown(f"its envelope broke: {error!r}"))',
        "pass",
        "test_lanes.py::test_an_envelope_that_breaks_does_not_stop_its_lane",
    ),
    Deletion(
        RECEPTION,
        "except msgspec.MsgspecError as error:",
        "except ZeroDivisionError as error:",
        "test_lanes.py::test_a_message_that_cannot_be_read_fails_alone",
    ),
    Deletion(
        LANE,
        "self._spawn(self._collect())",
        "pass",
        "test_processes.py::test_a_late_answer_comes_by_collect",
    ),
    Deletion(
        LANE,
        "self._early[ticket] = outcome",
        "pass",
        "test_processes.py::test_an_answer_that_overtakes_its_ticket_is_not_lost",
    ),
]

BATCHES = [
    Deletion(
        SHARD,
        "timeout=rest)",
        "timeout=0)",
        "test_batches.py::"
        "test_after_a_large_batch_the_next_gathers_until_it_is_as_large",
    ),
    Deletion(
        SHARD,
        "self._gathered.set_result(None)",
        "pass",
        "test_batches.py::"
        "test_after_a_large_batch_the_next_gathers_until_it_is_as_large",
    ),
    Deletion(
        SHARD,
        "count = min(len(self._inbox), BATCH_MAX)",
        "count = 1",
        "test_batches.py::test_a_batch_is_one_transaction",
    ),
    Deletion(
        ITEM,
        "last_round[item.key] = place",
        "pass",
        "test_batches.py::test_rounds_keep_the_order_of_a_key",
    ),
    Deletion(
        BATCH,
        "if len(items) > 1:\n                await self._halve(items)\n"
        "                return\n            self._fail(items[0], error)",
        "self._fail(items[0], error)",
        "test_batches.py::test_one_poison_message_among_two_hundred_fails_alone",
    ),
    Deletion(
        BATCH,
        "raise RefusedAfterWriting(refusal) from None",
        "pass",
        "test_batches.py::test_a_refusal_after_writing_changes_nothing",
    ),
    Deletion(
        BATCH,
        "except CONNECTION_LOST as error:\n                self._unsure",
        "except ZeroDivisionError as error:\n                self._unsure",
        "test_batches.py::test_a_commit_without_an_answer_is_looked_up[committed]",
    ),
    Deletion(
        BATCH,
        "self.entities.forget(touched)",
        "pass",
        "test_batches.py::test_after_a_lost_answer_memory_is_not_trusted",
    ),
    Deletion(
        BATCH,
        "await self._catch_up(connection)",
        "pass",
        "test_batches.py::test_after_a_lost_answer_events_go_on_without_a_gap",
    ),
    Deletion(
        BATCH,
        "self._caught_up(last_n)",
        "pass",
        "test_batches.py::test_after_a_lost_answer_events_go_on_without_a_gap",
    ),
    Deletion(
        ONCE,
        "if item.process is None and command_id in firsts:",
        "if False:",
        "test_batches.py::"
        "test_a_command_twice_in_a_batch_runs_once_and_is_answered_twice",
    ),
    Deletion(
        ONCE,
        "if item.known or item.looks:",
        "if item.looks:",
        "test_batches.py::"
        "test_the_same_key_with_another_body_is_refused_and_changes_nothing",
    ),
    Deletion(
        ONCE,
        "if row.body_hash and body_hash and row.body_hash != body_hash:",
        "if False:",
        "test_batches.py::"
        "test_the_same_key_with_another_body_is_refused_and_changes_nothing",
    ),
    Deletion(
        BATCH,
        "first.answer if same_body(item, first) else reused()",
        "first.answer",
        "test_batches.py::test_the_same_key_with_another_body_in_one_batch_is_refused",
    ),
    Deletion(
        SHARD,
        "if item.future.done():",
        "if False:",
        "test_batches.py::"
        "test_what_committed_in_halves_is_not_run_again_when_slots_move",
    ),
    Deletion(
        BATCH,
        "TRANSIENT = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)",
        "TRANSIENT = ()",
        "test_batches.py::"
        "test_what_the_server_gives_up_for_anothers_sake_goes_once_more",
    ),
    Deletion(
        ENTITIES,
        "while len(self._states) > self._entities_max:",
        "while False:",
        "test_batches.py::test_memory_is_bounded_and_what_was_used_last_stays",
    ),
    Deletion(
        BATCH,
        "self.last_n[row.slot] = row.n",
        "pass",
        "test_outbox.py::"
        "test_numbers_have_no_gap_under_concurrent_batches_and_rollbacks",
    ),
    Deletion(
        OUTBOX,
        "sequence = sequences.sequence + excluded.sequence",
        "sequence = excluded.sequence",
        "test_outbox.py::"
        "test_numbers_have_no_gap_under_concurrent_batches_and_rollbacks",
    ),
]

READING = [
    Deletion(
        "actors/kit/reading.py",
        "await self._round(handler, [each])",
        "pass",
        "test_reading.py::test_a_query_that_breaks_its_round_fails_alone[bad]",
    ),
    Deletion(
        "actors/kit/reading.py",
        "if handler.many and len(answer) != len(asked):",
        "if False:",
        "test_reading.py::test_a_query_that_breaks_its_round_fails_alone[short]",
    ),
    Deletion(
        "actors/kit/reading.py",
        "if self._rounds[handler] < ROUNDS_MAX:",
        "if True:",
        "test_reading.py::test_queries_gather_while_others_are_read",
    ),
]

ONCE_ONLY = [
    Deletion(
        BATCH,
        "await handled.write(connection, to_write, tx.now)",
        "pass",
        "test_handled.py::test_answers_are_remembered_over_a_restart",
    ),
    Deletion(
        ONCE,
        "if isinstance(answer, Exception) and not isinstance(answer, Refusal):",
        "if isinstance(answer, Exception):",
        "test_handled.py::test_a_refusal_is_an_answer_and_a_bug_is_none",
    ),
    Deletion(
        HANDLED,
        "yesterday = now.date() - timedelta(days=1)",
        "yesterday = now.date()",
        "test_handled.py::test_a_key_is_good_over_midnight",
    ),
    Deletion(
        RECEPTION,
        "elif not sent.join and not run.settled:",
        "elif False:",
        "test_handled.py::test_a_running_process_is_joined_or_refused",
    ),
    Deletion(
        CLAIMS,
        "wanted = sorted(set(claims))",
        "wanted = list(dict.fromkeys(claims))",
        "test_claims.py::"
        "test_two_shards_that_claim_in_opposite_orders_share_without_deadlock",
    ),
    Deletion(
        BATCH,
        "await claims.release(connection, dropped)",
        "pass",
        "test_claims.py::"
        "test_the_claim_of_a_command_that_did_not_act_is_free_again[refuse]",
    ),
    Deletion(
        BATCH,
        " - _claims_of(fresh, tx, refused=False)",
        "",
        "test_claims.py::test_a_refusal_does_not_take_the_claim_of_another_message",
    ),
    Deletion(
        CLAIMS,
        "\n             AND claims.owner_id = gone.owner_id",
        "",
        "test_claims.py::test_a_held_value_stays_with_its_owner_until_it_is_let_go",
    ),
]
