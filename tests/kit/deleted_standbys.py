"""More lines: of standbys, and of who reaches shards by way of them."""

from tests.kit.deleted_lines import RECEPTION, Deletion

STANDBY, ADOPTING = "actors/kit/standby.py", "actors/kit/adopting.py"
HELD, TENURE = "actors/kit/held.py", "actors/kit/tenure.py"
TEST = "test_standby.py::"

STANDBYS = [
    Deletion(
        ADOPTING,
        "self._ways[address] = number",
        "pass",
        f"{TEST}test_a_dead_shard_is_adopted_once_by_whoever_reports_it",
    ),
    Deletion(
        STANDBY,
        "        if held is None:\n            if not self._has_room",
        "        if True:\n            if not self._has_room",
        f"{TEST}test_a_dead_shard_is_adopted_once_by_whoever_reports_it",
    ),
    Deletion(
        ADOPTING,
        "if not await self.report(address):",
        "if True:",
        f"{TEST}test_what_was_under_way_at_the_death_acts_once[before]",
    ),
    Deletion(
        STANDBY,
        "if not await self._is_dead(address):",
        "if False:",
        f"{TEST}test_a_shard_that_lives_is_not_adopted",
    ),
    Deletion(
        RECEPTION,
        "return pack(Moved(self._shard.shard))",
        'return pack(Unavailable("too late"))',
        f"{TEST}test_one_that_was_taken_for_dead_commits_nothing_more",
    ),
    Deletion(
        HELD,
        "await asyncio.wait(self.receiving, timeout=DRAIN_SECONDS_MAX)",
        "pass",
        f"{TEST}test_a_shard_is_handed_back_without_a_break",
    ),
    Deletion(
        ADOPTING,
        "            self._ways.pop(address, None)\n            raise",
        "            raise",
        f"{TEST}test_a_shard_is_handed_back_without_a_break",
    ),
    Deletion(
        HELD,
        "            call.cancel()",
        "            pass",
        f"{TEST}test_a_process_goes_on_where_its_shard_is_handed_back",
    ),
    Deletion(
        STANDBY,
        " and not self._was_handed_back(address)",
        "",
        f"{TEST}test_a_late_report_takes_nothing_away",
    ),
    Deletion(
        STANDBY,
        "await self._wake(address)",
        "pass",
        f"{TEST}test_the_shards_own_process_is_called_until_it_takes_over",
    ),
    Deletion(
        STANDBY,
        "held.waking.cancel()",
        "pass",
        f"{TEST}test_the_shards_own_process_is_called_until_it_takes_over",
    ),
    Deletion(
        STANDBY,
        "if not held.shard.batches.epochs:",
        "if False:",
        f"{TEST}test_a_shard_that_owns_nothing_is_not_adopted",
    ),
    Deletion(
        STANDBY,
        "len(self._held) < ADOPTED_MAX and ",
        "",
        f"{TEST}test_a_standby_that_is_full_takes_no_more",
    ),
    Deletion(
        ADOPTING,
        "            except ShardGone:\n                continue\n"
        "            except TimeoutError:",
        "            except TimeoutError:",
        f"{TEST}test_a_standby_that_dies_is_stood_in_for_by_the_next",
    ),
    Deletion(
        ADOPTING,
        "await self._standbys.replace(number)",
        "pass",
        f"{TEST}test_a_frozen_standby_is_replaced[idle]",
    ),
    Deletion(
        ADOPTING,
        "await self._standbys.replace(way)",
        "await self._direct.replace(address)",
        f"{TEST}test_a_frozen_standby_is_replaced[holding]",
    ),
    Deletion(
        ADOPTING,
        "            if await self._is_silent(number):\n                break\n",
        "",
        f"{TEST}test_a_frozen_standby_does_not_hold_up_a_start",
    ),
]

HANDING = "test_handing_over.py::"

HANDINGS = [
    Deletion(
        TENURE,
        "            self._gone = True\n            adopted",
        "            adopted",
        f"{HANDING}test_a_shard_is_handed_over_and_comes_back_under_load",
    ),
    Deletion(
        TENURE,
        "await self._stop()",
        "pass",
        f"{HANDING}test_a_shard_is_handed_over_and_comes_back_under_load",
    ),
    Deletion(
        TENURE,
        "self._held.closing = True",
        "pass",
        f"{HANDING}test_a_shard_is_handed_over_and_comes_back_under_load",
    ),
    Deletion(
        TENURE,
        "await self._adopting.hand_back(self._address)",
        "pass",
        f"{HANDING}test_a_shard_is_handed_over_and_comes_back_under_load",
    ),
    Deletion(
        TENURE,
        "await self._held.drain()",
        "pass",
        f"{HANDING}test_what_was_begun_is_answered_and_the_rest_waits",
    ),
    Deletion(
        TENURE,
        "await self._given.wait()",
        "pass",
        f"{HANDING}test_what_was_begun_is_answered_and_the_rest_waits",
    ),
    Deletion(
        TENURE,
        "self._held.cut()",
        "pass",
        f"{HANDING}test_a_process_goes_on_where_its_shard_is_handed_over",
    ),
    Deletion(
        TENURE,
        "if not await self._adopting.is_ready(self._address):",
        "if False:",
        f"{HANDING}test_where_no_standby_has_room_nothing_changes",
    ),
    Deletion(
        TENURE,
        "if self._handing is None or (",
        "if self._held or (",
        f"{HANDING}test_who_asks_twice_hears_of_one_handing_over",
    ),
    Deletion(
        TENURE,
        "self._end()",
        "pass",
        f"{HANDING}test_a_process_that_nobody_renews_ends_by_itself",
    ),
    Deletion(
        TENURE,
        "self._ending = asyncio.ensure_future(self._end_in_time())",
        "pass",
        f"{HANDING}test_a_standby_that_dies_in_the_middle_loses_nothing[1]",
    ),
    Deletion(
        TENURE,
        "self._given.set()",
        "pass",
        f"{HANDING}test_a_shard_is_handed_over_and_comes_back_under_load",
    ),
    Deletion(
        TENURE,
        "async with asyncio.timeout(STOP_SECONDS_MAX):",
        "if True:",
        f"{HANDING}test_a_process_that_cannot_end_is_fenced",
    ),
    Deletion(
        STANDBY,
        "while self._held and ",
        "while False and ",
        f"{HANDING}test_a_standby_is_renewed_when_it_holds_nothing",
    ),
    Deletion(
        STANDBY,
        " and self._clock.monotonic() < until:",
        ":",
        f"{HANDING}test_a_standby_is_renewed_when_it_holds_nothing",
    ),
]
