"""Each fault that a hand can plant into a running shop is found, named and mended."""

import pytest

from tests.audit.plants import PLANTS, Plant
from tests.standing.planted import planted
from tests.standing.watching import Watched

pytestmark = pytest.mark.full


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
async def test_a_planted_fault_is_found_within_ten_seconds(
    watched: Watched, plant: Plant
) -> None:
    await watched.until(lambda: watched.standing() == set())
    async with planted(watched.sold, plant):
        took = await watched.until(lambda: bool(watched.standing()))
        print("FOUND", plant.name, f"{took:.1f}", watched.standing())
        assert {check for check, _, _ in watched.standing()} == {plant.check}
    await watched.until(lambda: watched.standing() == set())
