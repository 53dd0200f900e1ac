"""What goes along with a request through every process: its id and its trace."""

from contextvars import ContextVar

from bus.kit.values import Value


class Context(Value, frozen=True, array_like=True):
    """The request that work is done for; `traceparent` as in W3C Trace Context.

    `actor` is who asks: a person's id, or a name of `bus.kit.audit`.
    """

    request_id: str | None = None
    traceparent: str | None = None
    actor: str | None = None


NONE = Context()

CURRENT: ContextVar[Context] = ContextVar("souk_context", default=NONE)
"""The context of the running task."""
