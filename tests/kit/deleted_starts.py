"""The lines by which the newest copy of a shard wins, and who misses them."""

from tests.kit.deleted_lines import FENCE, Deletion

STARTS = [
    Deletion(
        FENCE,
        "if newest != name:",
        "if False:",
        "test_fence.py::"
        "test_a_copy_cut_off_in_its_start_does_not_take_over_after_a_newer_one",
    ),
    Deletion(
        FENCE,
        "        )\n        await _be_newest(connection, shard, name)\n",
        "        )\n",
        "test_fence.py::test_of_two_take_overs_at_once_the_newer_one_stays",
    ),
]
