"""All scenes, by their names."""

from tests.simulation.counting import Adopted, Counting
from tests.simulation.ordering import Ordering
from tests.simulation.running import Scene

SCENES: dict[str, type[Scene]] = {
    "counting": Counting,
    "adopted": Adopted,
    "ordering": Ordering,
}
