"""The plan of faults: the same for a seed, and whole."""

from collections import Counter
from itertools import pairwise

import pytest

from actors import DOMAINS
from scripts.breaking.commands import kinds_of
from scripts.breaking.plan import (
    DELAY_SECONDS,
    FIRST_SECONDS,
    GAP_SECONDS,
    LASTING,
    LENGTH_SECONDS,
    OWN_SHOP,
    Kind,
    plan,
    targets_of,
)
from scripts.launcher.failures import Failure

SHARDS = dict.fromkeys(DOMAINS, 2)
THROUGH = ("nats", "postgres/orders")
TARGETS = targets_of(SHARDS, 1, 1, standbys=1, through=THROUGH)


def test_a_seed_plans_the_same_faults_each_time_and_another_seed_others() -> None:
    assert plan(7, 3, 300, Kind, TARGETS) == plan(7, 3, 300, Kind, TARGETS)
    assert plan(7, 3, 300, Kind, TARGETS) != plan(8, 3, 300, Kind, TARGETS)
    assert plan(7, 3, 300, Kind, TARGETS) != plan(7, 4, 300, Kind, TARGETS)


def test_a_plan_does_not_depend_on_the_order_in_which_its_kinds_are_given() -> None:
    kinds = [Kind.CUT, Kind.KILL, Kind.FREEZE]
    assert plan(1, 0, 60, kinds, TARGETS) == plan(1, 0, 60, kinds[::-1], TARGETS)


def test_faults_follow_each_other_with_gaps_and_each_has_a_target_of_its_kind() -> None:
    faults = plan(1, 0, 300, Kind, TARGETS)
    assert {fault.kind for fault in faults} == set(Kind)
    assert faults[0].at_seconds == FIRST_SECONDS
    assert all(fault.target in TARGETS[fault.kind] for fault in faults)
    for one, following in pairwise(faults):
        gap = following.at_seconds - one.ends_seconds
        assert GAP_SECONDS[0] - 0.01 <= gap <= GAP_SECONDS[1] + 0.01
    assert faults[-1].at_seconds < 300


def test_only_what_lasts_has_a_length_and_only_a_delay_delays() -> None:
    for fault in (f for seed in range(20) for f in plan(seed, 0, 200, Kind, TARGETS)):
        low, high = LENGTH_SECONDS if fault.kind in LASTING else (0, 0)
        assert low <= fault.lasts_seconds <= high
        low, high = DELAY_SECONDS if fault.kind is Kind.DELAY else (0, 0)
        assert low <= fault.delay_seconds <= high


def test_everything_dies_once_a_round() -> None:
    counts = Counter(fault.kind for fault in plan(5, 0, 600, Kind, TARGETS))
    assert counts[Kind.EVERYTHING] == 1
    assert len(plan(5, 0, 600, [Kind.EVERYTHING], TARGETS)) == 1


def test_every_shard_bridge_replica_and_server_can_be_hit() -> None:
    faults = [f for seed in range(200) for f in plan(seed, 0, 60, [Kind.KILL], TARGETS)]
    actors = {f"{name}/{number}" for name in DOMAINS for number in range(2)}
    others = {"bridge/0", "standby/0", "gateway/0", "postgres", "nats", "bank"}
    assert {fault.target for fault in faults} == actors | others


def test_a_kind_that_nothing_can_be_hit_by_is_left_out() -> None:
    without = targets_of(SHARDS, 1, 1, through=())
    assert plan(1, 0, 60, [Kind.CUT], without) == []
    kinds = {f.kind for f in plan(1, 0, 60, [Kind.CUT, Kind.KILL], without)}
    assert kinds == {Kind.KILL}


def test_a_running_shop_is_only_hit_by_what_it_recovers_from_alone() -> None:
    assert set(kinds_of("", start=False)) == set(Kind) - OWN_SHOP
    assert set(kinds_of("", start=True)) == set(Kind) - {Kind.DISK}
    assert kinds_of("kill, freeze,kill", start=True) == (Kind.KILL, Kind.FREEZE)
    with pytest.raises(Failure, match="no such kind: fire"):
        kinds_of("kill,fire", start=True)
