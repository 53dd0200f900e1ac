"""Holds that end by the clock: asked for by who has no order in this shop."""

from uuid import UUID

from bus.inventory.views import Held, HeldLine, HeldStock, Released, Taken
from bus.kit.messages import Command, by
from bus.kit.values import Done

HOLD_LINES_MAX = 50
HOLD_SECONDS = 900
HOLD_SECONDS_MAX = 86_400


class HoldStock(Command[HeldStock], frozen=True, kw_only=True):
    """Hold all lines for a time, or none; once by `hold_id`.

    Refused as `out-of-stock`, every short line named. `order_id` is noted and means
    nothing here: the hold is known by its own id, also in movements and events.
    """

    key = by("hold_id")
    hold_id: UUID
    lines: tuple[HeldLine, ...]
    expires_seconds: int = HOLD_SECONDS
    order_id: UUID | None = None


class ReleaseHold(Command[Released], frozen=True, kw_only=True):
    """Give a timed hold back before its time; 404 for one that never was.

    An order's hold is none: it ends by its order's process alone. Refused as
    `hold-taken` when its pieces have left.
    """

    key = by("hold_id")
    remembered = False
    hold_id: UUID


class TakeHold(Command[Taken], frozen=True, kw_only=True):
    """What a timed hold stood for was sold: all its pieces leave, or none.

    404 for one that never was; `hold-ended` when any line was given back already, and
    then the others are, too.
    """

    key = by("hold_id")
    hold_id: UUID


# --- steps, by SKU -----------------------------------------------------------


class HoldPieces(Command[Held], frozen=True, kw_only=True):
    """Hold pieces of one SKU until the time is up; once by (hold_id, sku)."""

    key = by("sku")
    remembered = False
    hold_id: UUID
    sku: str
    quantity: int
    expires_seconds: int
    order_id: UUID | None = None


class EndHold(Command[Done], frozen=True, kw_only=True):
    """Give one SKU of a timed hold back, because of `reason`.

    Leaves a tombstone where there is no hold yet.
    """

    key = by("sku")
    remembered = False
    hold_id: UUID
    sku: str
    reason: str


class BeginHold(Command[Done], frozen=True, kw_only=True):
    """That a hold was asked for is written; from now on it comes to an end."""

    key = by("hold_id")
    remembered = False
    hold_id: UUID
