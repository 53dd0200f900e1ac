"""A shard's memory of its entities: a true cache, bounded, never the only copy."""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

ENTITIES_MAX = 50_000


class Entities:
    """States by (kind, key); what was used least recently goes first."""

    def __init__(self, entities_max: int = ENTITIES_MAX) -> None:
        self._states: OrderedDict[tuple[str, Any], Any] = OrderedDict()
        self._entities_max = entities_max

    def recall(self, kind: str, key: Any) -> Any:
        """The state as last committed, or None where it is not known here."""
        state = self._states.get((kind, key))
        if state is not None:
            self._states.move_to_end((kind, key))
        return state

    def commit(self, kept: dict[tuple[str, Any], Any]) -> None:
        """Take over what a committed batch kept."""
        for name, state in kept.items():
            if state is None:
                self._states.pop(name, None)
            else:
                self._states[name] = state
                self._states.move_to_end(name)
        while len(self._states) > self._entities_max:
            self._states.popitem(last=False)

    def forget(self, names: Iterable[tuple[str, Any]]) -> None:
        """Drop states whose batch failed, or may have."""
        for name in names:
            self._states.pop(name, None)

    def clear(self) -> None:
        """Drop everything."""
        self._states.clear()

    def __len__(self) -> int:
        return len(self._states)
