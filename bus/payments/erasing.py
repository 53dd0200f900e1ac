"""How payments forget a person and keep the books; nobody else sends these."""

from uuid import UUID

from bus.kit.messages import Command, by
from bus.kit.values import Done


class ForgetPayer(Command[Done], frozen=True, kw_only=True):
    """Drop a person's stored methods; their providers let them go afterwards."""

    key = by("user_id")
    remembered = False
    user_id: UUID


class ForgetReasons(Command[Done], frozen=True, kw_only=True):
    """Drop what people of the shop wrote to the refunds of an order."""

    key = by("order_id")
    remembered = False
    order_id: UUID
