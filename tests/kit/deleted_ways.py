"""More lines: of processes, timers, the fence, moves, the relay and consumers."""

from tests.kit.deleted_lines import (
    ASKER,
    BATCH,
    BRIDGE,
    CONSUMER,
    DATABASE,
    DEAD,
    DUE,
    FENCE,
    INGEST,
    ONCE,
    PROCESS,
    RECEPTION,
    RELAY,
    SHARD,
    TRANSACTION,
    Deletion,
)

PROCESSES = [
    Deletion(
        SHARD,
        "self.processes.resume(row)",
        "pass",
        "test_processes.py::"
        "test_nobody_has_to_ask_for_a_process_to_be_taken_up[errand:1]",
    ),
    Deletion(
        ONCE,
        "State.ANSWERED if run.opened and not item.last else State.DONE",
        "State.DONE",
        "test_processes.py::"
        "test_nobody_has_to_ask_for_a_process_to_be_taken_up[errand:3]",
    ),
    Deletion(
        PROCESS,
        "item.opens = (self, opens)",
        "pass",
        "test_processes.py::test_that_it_began_is_written_with_its_first_step",
    ),
    Deletion(
        BATCH,
        "item.settles.settle_with(item.answer)",
        "pass",
        "test_processes.py::test_a_settled_answer_is_given_at_once_and_survives_a_kill",
    ),
    Deletion(
        PROCESS,
        "if run.opened is None or bugs >= BUG_TRIES_MAX:",
        "if True:",
        "test_processes.py::test_a_process_that_has_begun_is_tried_until_it_settles",
    ),
    Deletion(
        RECEPTION,
        "return TICKET",
        "return run.answered",
        "test_processes.py::test_a_thousand_slow_processes_do_not_delay_a_step",
    ),
    Deletion(
        RECEPTION,
        "run = self._shard.processes.running.get(meta.id)",
        "run = None",
        "test_processes.py::test_of_one_process_only_one_runs",
    ),
    Deletion(
        BATCH,
        "await tx.flush_dues(due_ids)",
        "await tx.flush_dues(set())",
        "test_timers.py::test_what_is_due_comes_once",
    ),
    Deletion(
        SHARD,
        "self.timers.take(left)",
        "pass",
        "test_timers.py::test_what_stands_in_for_a_process_comes_when_its_shard_dies",
    ),
    Deletion(
        DUE,
        " AND kind = ANY($2)",
        " AND $2::text[] IS NOT NULL",
        "test_timers.py::test_what_stands_in_for_a_process_comes_when_its_shard_dies",
    ),
    Deletion(
        SHARD,
        "self.relay.run, self.timers.run)",
        "self.relay.run)",
        "test_timers.py::"
        "test_what_fell_due_while_the_shard_was_dead_comes_at_its_start",
    ),
    Deletion(
        DUE,
        "ON CONFLICT (name) DO UPDATE SET id = excluded.id, at = excluded.at,\n"
        "             kind = excluded.kind, message = excluded.message",
        "ON CONFLICT (name) DO NOTHING",
        "test_timers.py::test_the_same_name_replaces_and_a_cancelled_one_never_comes",
    ),
    Deletion(
        TRANSACTION,
        "await due.cancel(self._connection, cancelled)",
        "pass",
        "test_timers.py::test_the_same_name_replaces_and_a_cancelled_one_never_comes",
    ),
    Deletion(
        TRANSACTION,
        "await due.finish(self._connection, done)",
        "pass",
        "test_timers.py::"
        "test_a_crash_between_firing_and_effect_neither_loses_nor_doubles[after]",
    ),
    Deletion(
        BATCH,
        "(item.process is not None or item.direct)",
        "item.direct",
        "test_timers.py::test_a_process_that_fell_due_is_taken_up_and_not_begun_twice",
    ),
]

TAKEN_UP = [
    Deletion(
        ONCE,
        "if item.due_id not in there:",
        "if False:",
        "test_timers.py::test_what_is_due_acts_once_when_its_commit_gets_no_answer",
    ),
    Deletion(
        "actors/kit/marks.py",
        "(self._batches.marks if self._written else self._waiting)",
        "self._batches.marks",
        "test_relay.py::"
        "test_a_watermark_waits_until_it_is_written_of_which_stream_it_is",
    ),
]

OWNERS = [
    Deletion(
        FENCE,
        "        raise Fenced\n    if moved",
        "        pass\n    if moved",
        "test_fence.py::test_a_copy_that_thaws_commits_nothing_and_leaves",
    ),
    Deletion(
        SHARD,
        "await self._leave()",
        "pass",
        "test_fence.py::test_a_copy_that_thaws_commits_nothing_and_leaves",
    ),
    Deletion(
        FENCE,
        '" FOR SHARE" if lock else ""',
        '""',
        "test_fence.py::test_a_take_over_waits_for_the_commit_under_way",
    ),
    Deletion(
        FENCE,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
        "SELECT pid FROM pg_stat_activity",
        "test_fence.py::test_a_take_over_ends_the_sessions_of_a_frozen_copy",
    ),
    Deletion(
        SHARD,
        "if any(epoch != known[slot] for",
        "if False and any(epoch != known[slot] for",
        "test_fence.py::test_an_idle_copy_notices_by_itself",
    ),
    Deletion(
        SHARD,
        'self.log.warning("superseded", shard=self.shard)\n'
        "        self.processes.stop()",
        'self.log.warning("superseded", shard=self.shard)',
        "test_fence.py::test_its_processes_stop",
    ),
    Deletion(
        DATABASE,
        '"idle_in_transaction_session_timeout": str(',
        '"lock_timeout": str(',
        "test_fence.py::test_a_session_may_not_hold_the_fence_for_long",
    ),
    Deletion(
        SHARD,
        "item.finish(Moved(self.shard))",
        "pass",
        "test_fence.py::test_an_old_copy_answers_what_it_held",
    ),
    Deletion(
        ASKER,
        "self._owners[domain, message.slot] = answer.shard",
        "pass",
        "test_moves.py::"
        "test_while_all_slots_move_nothing_is_lost_and_nothing_acts_twice",
    ),
    Deletion(
        ASKER,
        "if move > 1:",
        "if False:",
        "test_moves.py::"
        "test_while_all_slots_move_nothing_is_lost_and_nothing_acts_twice",
    ),
    Deletion(
        ASKER,
        "sent = msgspec.structs.replace(sent, join=True)",
        "pass",
        "test_moves.py::test_a_process_goes_on_with_the_new_owner_who_answers",
    ),
    Deletion(
        PROCESS,
        "run.answer(Moved(moved[run.message.slot]))",
        "pass",
        "test_moves.py::test_a_process_goes_on_with_the_new_owner_who_answers",
    ),
    Deletion(
        SHARD,
        "self.batches.last_n.update(",
        "dict().update(",
        "test_moves.py::test_a_slot_that_comes_back_is_remembered_as_it_is_now",
    ),
    Deletion(
        ASKER,
        "self._owners.pop((domain, message.slot), None)",
        "pass",
        "test_moves.py::test_an_owner_that_is_no_more_is_forgotten",
    ),
]

FACTS = [
    Deletion(
        RELAY,
        "self._sent[slot] = marks[slot] = n",
        "marks[slot] = n",
        "test_relay.py::test_the_first_failure_of_a_slot_stops_that_slot_alone",
    ),
    Deletion(
        RELAY,
        "except (*CONNECTION_LOST, ConnectionError) as error:",
        "except ZeroDivisionError as error:",
        "test_relay.py::test_a_stopped_bridge_loses_nothing_and_holds_nobody_up",
    ),
    Deletion(
        RELAY,
        " and self._rows < RELAY_ROWS_MAX",
        "",
        "test_relay.py::test_past_its_bound_memory_is_read_back_in_order",
    ),
    Deletion(
        SHARD,
        "self.relay.own(tails)",
        "pass",
        "test_relay.py::test_what_a_dead_shard_left_goes_out_at_its_next_start",
    ),
    Deletion(
        BATCH,
        "await outbox.mark_published(connection, marks)",
        "pass",
        "test_relay.py::test_the_watermark_rides_in_the_next_batch_or_after_a_second",
    ),
    Deletion(
        BATCH,
        "await outbox.mark_published(connection, owned)",
        "pass",
        "test_relay.py::test_the_watermark_rides_in_the_next_batch_or_after_a_second",
    ),
    Deletion(
        RELAY,
        "look = True\n                await asyncio.sleep",
        "await asyncio.sleep",
        "test_relay.py::test_a_younger_stream_gets_the_rows_before_first",
    ),
    Deletion(
        BRIDGE,
        "self._told.clear()",
        "pass",
        "test_consumers.py::"
        "test_a_stream_that_was_lost_has_each_entitys_events_in_their_order_again",
    ),
    Deletion(
        RELAY,
        "await self._send([])",
        "pass",
        "test_relay.py::test_a_stream_that_lost_its_end_gets_everything_again",
    ),
    Deletion(
        CONSUMER,
        "while before is not None and not before.done():",
        "while False:",
        "test_consumers.py"
        "::test_what_fails_at_first_still_acts_before_what_comes_later",
    ),
    Deletion(
        RECEPTION,
        "remembered = isinstance(message, Event) or (",
        "remembered = (",
        "test_consumers.py::test_what_is_delivered_again_acts_once",
    ),
    Deletion(
        CONSUMER,
        "except (Unavailable, Unknown) as end:",
        "except ZeroDivisionError as end:",
        "test_consumers.py::test_a_domain_that_is_away_gets_its_events_later",
    ),
    Deletion(
        CONSUMER,
        "if failures >= TRIES_MAX:",
        "if False:",
        "test_consumers.py::"
        "test_what_fails_again_and_again_is_parked_with_its_later_events",
    ),
    Deletion(
        DEAD,
        "return (domain, token(entity)) in self._parked",
        "return False",
        "test_consumers.py::"
        "test_what_fails_again_and_again_is_parked_with_its_later_events",
    ),
    Deletion(
        CONSUMER,
        "await self._dead.load(self.domain)",
        "pass",
        "test_consumers.py::"
        "test_what_fails_again_and_again_is_parked_with_its_later_events",
    ),
    Deletion(
        DEAD,
        "stuck.add(subject)",
        "pass",
        "test_consumers.py::test_a_replay_stops_an_entity_at_its_first_failure",
    ),
    Deletion(
        CONSUMER,
        'await self._park(message, "unreadable", repr(error))',
        "raise",
        "test_consumers.py::test_what_nobody_can_read_does_not_stop_the_consumer",
    ),
    Deletion(
        BRIDGE,
        'headers={"Nats-Msg-Id": str(row.id)},',
        "",
        "test_consumers.py"
        "::test_the_events_of_an_hour_without_nats_arrive_each_once[one]",
    ),
    Deletion(
        INGEST,
        'headers={"Nats-Msg-Id": str(row.id)},',
        "",
        "test_consumers.py"
        "::test_the_events_of_an_hour_without_nats_arrive_each_once[a batch]",
    ),
    Deletion(
        INGEST,
        "if ack.error is not None or ack.count != last:",
        "if False:",
        "test_ingest.py::test_a_batch_that_is_stored_in_part_is_not_stored",
    ),
    Deletion(
        "bus/kit/tasks.py",
        "while left:",
        "if left:",
        "test_tasks.py::test_a_task_that_forgets_a_cancellation_is_told_again",
    ),
    Deletion(
        BRIDGE,
        "return row.slot, done, repr(error)",
        "continue",
        "test_consumers.py::test_one_that_is_too_large_stops_its_own_slot_alone",
    ),
    Deletion(
        BRIDGE,
        " or time.monotonic() > self._look_at",
        "",
        "test_consumers.py::test_a_lost_stream_gets_everything_again[publishing]",
    ),
]
