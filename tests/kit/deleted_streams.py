"""The lines by which a stream that lost events is told them again, and only then."""

from tests.kit.deleted_lines import Deletion

STREAM = "actors/kit/stream.py"

STREAMS = [
    Deletion(
        STREAM,
        "return await outbox.oldest(db, sorted(slots))",
        "return {}",
        "test_moves.py::"
        "test_a_slot_that_moves_before_a_lost_stream_is_noticed_is_told_again",
    ),
    Deletion(
        STREAM,
        "await shard.relay.look()",
        "shard.marks.stream or seen[0]",
        "test_moves.py::test_a_slot_that_moves_under_load_is_told_once",
    ),
    Deletion(
        STREAM,
        "self._shard.relay.rewind(before)",
        "pass",
        "test_relay.py::test_a_younger_stream_gets_everything_again",
    ),
    Deletion(
        STREAM,
        "self._shard.marks.published(before)",
        "pass",
        "test_relay.py::test_a_crash_amid_a_replay_goes_on_with_it",
    ),
    Deletion(
        STREAM,
        " and before[1] <= sequence",
        "",
        "test_relay.py::test_a_stream_that_lost_its_end_gets_everything_again",
    ),
]
