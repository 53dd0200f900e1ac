"""Each fault that a hand can plant into a running shop is found, named and mended."""

import pytest

from actors.auditing.books import name_of
from actors.auditing.checks import CHECKS
from tests.audit.plants import PLANTS, Plant
from tests.standing.planted import planted
from tests.standing.watching import Watched

LEFT = {
    # The books of a provider lie behind its API: reconciliation compares them.
    *("bank-charge-matches", "bank-hold-matches", "bank-moved-once"),
    *("bank-charge-known", "bank-charged-once", "bank-refund-matches"),
    "bank-refund-known",
    # The stream is published from the outboxes, which are compared; what is put into
    # it past the shop is seen by `scripts/audit`, and a dead letter raises its alert.
    *("event-known", "event-order", "no-person-in-stream", "no-dead-letters"),
}
"""What is left to `scripts/audit`."""
NAMELESS = {
    # No domain may tell another who somebody is: only the forms of addresses and
    # phones are known without.
    "no-person-in-handled",
    "no-person-in-handled:an address",
}
ALSO = {
    # A number that was left out is one that no stream has, as far as a domain knows.
    "outbox-gapless": {"event-published-once"},
    # It is put into the outbox by hand, so nobody publishes it.
    "no-person-in-outbox": {"event-published-once"},
}
STANDING = [
    plant for plant in PLANTS if plant.check not in LEFT and plant.name not in NAMELESS
]


@pytest.mark.full
@pytest.mark.parametrize("plant", STANDING, ids=lambda plant: plant.name)
async def test_a_planted_fault_is_found_within_ten_seconds(
    watched: Watched, plant: Plant
) -> None:
    await watched.until(lambda: watched.standing() == set())
    async with planted(watched.sold, plant):
        took = await watched.until(lambda: bool(watched.standing()))
        print(f"FOUND {plant.name} {took:.1f} {watched.standing()}")
        checks = {check for check, _, _ in watched.standing()}
        assert checks - ALSO.get(plant.check, set()) == {plant.check}
    await watched.until(lambda: watched.standing() == set())


def test_what_is_left_to_the_audit_by_hand_is_named() -> None:
    assert {plant.check for plant in STANDING} | LEFT | {"no-person-in-handled"} == {
        name_of(check) for check in CHECKS
    }
