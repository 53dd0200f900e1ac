"""How messaging forgets a person; nobody else sends this."""

from uuid import UUID

from bus.kit.messages import Command, by
from bus.kit.values import Done


class ForgetRecipients(Command[Done], frozen=True, kw_only=True):
    """Drop what was still on its way when its person was erased (a due message)."""

    key = by("user_id")
    remembered = False
    user_id: UUID
