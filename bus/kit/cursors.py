"""Cursors of lists that are ordered by id."""

from uuid import UUID

from bus.kit.refusals import invalid


def id_of(cursor: str | None) -> UUID | None:
    """The id that a page begins after; refuses a cursor that was never given."""
    try:
        return None if cursor is None else UUID(cursor)
    except ValueError:
        raise invalid("invalid-cursor", "This cursor was never given.") from None
