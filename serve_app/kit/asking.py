"""How routes ask the domains: the process' asker, and one function on it."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar, overload
from uuid import UUID

from bus.kit.messages import Command, Query
from serve_app.kit.caller import CALLER

Reply = TypeVar("Reply")

TIMEOUT_SECONDS = 10.0


class Asker(Protocol):
    """What carries a message to its shard; `actors.kit` makes the real one."""

    async def ask(
        self,
        message: Any,
        *,
        id: UUID | None = None,  # noqa: A002 - the command's id
        body_hash: bytes | None = None,
        join: bool = False,
        timeout_seconds: float = 10.0,
    ) -> Any:
        """The reply; raises Refusal, Unavailable, Unknown or Failed."""
        ...

    async def health(self) -> Mapping[str, Mapping[str, bool]]:
        """For each domain whether its `pool` and its `database` answer.

        Under `bus` it may say the same of the bridges.
        """
        ...


ASKER: ContextVar[Asker] = ContextVar("souk_asker")
"""The asker of the gateway that the running request came to."""


@overload
async def ask(
    message: Command[Reply],
    *,
    id: UUID | None = None,
    join: bool = False,
    timeout_seconds: float | None = None,
) -> Reply: ...


@overload
async def ask(
    message: Query[Reply],
    *,
    id: UUID | None = None,
    join: bool = False,
    timeout_seconds: float | None = None,
) -> Reply: ...


async def ask(
    message: Any,
    *,
    id: UUID | None = None,  # noqa: A002 - the command's id
    join: bool = False,
    timeout_seconds: float | None = None,
) -> Any:
    """Ask the domain that `message` belongs to, and wait for its reply.

    A command of an idempotent route is sent with `id=caller.command_id()`; the body's
    hash then goes with it. Raises Refusal (nothing was changed), Unavailable (never
    begun), Unknown (it may have happened) or Failed (a bug); the gateway answers each
    with its problem document, so routes need not catch them.
    """
    caller = CALLER.get()
    return await ASKER.get().ask(
        message,
        id=id,
        body_hash=None if caller is None else caller.hash_for(id),
        join=join,
        timeout_seconds=TIMEOUT_SECONDS if timeout_seconds is None else timeout_seconds,
    )
