"""What a request over NATS does, without NATS between: read, asked, answered."""

from typing import Any

import msgspec

from actors.kit.declarations import services
from bus.kit.refusals import Refusal
from bus.kit.services import answer
from tests.kit.local import LocalShop


async def over_nats(shop: LocalShop, subject: str, /, **body: Any) -> Any:
    """The reply, as JSON; raises what a bridge answers with a problem."""
    data = msgspec.json.encode(body)
    reply = await answer(subject, services()[subject], shop.ask, data)
    return msgspec.to_builtins(reply)


async def refused(shop: LocalShop, subject: str, /, **body: Any) -> str:
    """The code of the refusal that a request is answered with."""
    try:
        reply = await over_nats(shop, subject, **body)
    except Refusal as refusal:
        return refusal.code
    except msgspec.MsgspecError:
        return "invalid-request"
    raise AssertionError(f"{subject} was not refused: {reply}")
