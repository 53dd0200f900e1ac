"""The forms of everything that is said: commands, queries and events."""

import re
from typing import Any, ClassVar, Generic, TypeVar, get_args

import msgspec

from bus.kit.addressing import slot_of
from bus.kit.context import NONE, Context
from bus.kit.values import Value

Reply = TypeVar("Reply")
MessageType = TypeVar("MessageType", bound="Message")

MESSAGE_TYPES: dict[str, type["Message"]] = {}


class by:  # noqa: N801 - reads as a word in `key = by("sku")`
    """Names the field that a message's key (or an event's subject) is read from."""

    def __init__(self, field: str) -> None:
        self.field = field

    def __get__(self, message: Any, owner: type | None = None) -> str:
        """The field's value as text; on the class, the field's name."""
        return self.field if message is None else str(getattr(message, self.field))


ANY = by("")
"""The key of a query that any shard of its domain can answer."""


class Message(Value, frozen=True, kw_only=True):
    """One thing said to one domain; it travels as msgpack, never as a pickled object.

    A message belongs to the domain of its module (`bus.orders` → `orders`) and is
    called there by its class's name in snake case. `key` says which shard gets it.
    Fields are added with defaults only, and unknown ones are ignored, so that two
    releases can run side by side; strictness is at the edge.
    """

    key: ClassVar[by]
    key_field: ClassVar[str] = ""
    domain: ClassVar[str] = ""
    message_name: ClassVar[str] = ""

    def __init_subclass__(cls, **options: Any) -> None:
        """Give the class its domain and name, and make it known by both."""
        super().__init_subclass__(**options)
        parts = cls.__module__.split(".")
        if "key" in cls.__dict__:
            cls.key_field = cls.__dict__["key"].field
        if "key" in cls.__dict__ and "kit" not in parts:
            cls.domain = parts[1] if len(parts) > 1 else parts[0]
            cls.message_name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
            MESSAGE_TYPES[f"{cls.domain}.{cls.message_name}"] = cls

    @property
    def slot(self) -> int:
        """The slot that the message's key falls into."""
        return slot_of(getattr(self, self.key_field))

    @classmethod
    def kind(cls) -> str:
        """The name on the wire: `orders.place_order`."""
        return f"{cls.domain}.{cls.message_name}"


class Command(Message, Generic[Reply], frozen=True, kw_only=True):
    """Asks for a change, once: its id acts a single time however often it comes.

    `remembered` says how: by a handled row that the kit keeps with the answer, or
    (False) by a row of its own that the domain inserts once. A command whose reply
    holds personal data must be of the second kind: handled rows hold ids only.

    `stands_in` marks one that is due only if the process which has set it dies: whoever
    takes its slot over runs it at once, for that process is gone.
    """

    remembered: ClassVar[bool] = True
    stands_in: ClassVar[bool] = False


class Query(Message, Generic[Reply], frozen=True, kw_only=True):
    """Asks for something that is known, and changes nothing."""


class Event(Message, frozen=True, kw_only=True):
    """Says what has happened: ids and facts, never anything of a person.

    `subject` is the entity that it happened to (contract §3), `key` its routing key,
    both where it is told and where it is consumed.
    """

    subject: ClassVar[by]
    type_version: ClassVar[int] = 1

    @classmethod
    def nats_subject(cls) -> str:
        """Where it is published: `events.orders.order_placed`."""
        return f"events.{cls.domain}.{cls.message_name}"


def reply_type(message: type[Message]) -> Any:
    """What a command or query answers with; events answer with nothing."""
    for base in getattr(message, "__orig_bases__", ()):
        if args := get_args(base):
            return args[0]
    return None


_encoder = msgspec.msgpack.Encoder()
_decoders: dict[Any, msgspec.msgpack.Decoder[Any]] = {}


def encode(value: Any) -> bytes:
    """A message or a reply as msgpack."""
    return _encoder.encode(value)


def decode(kind: Any, body: bytes | msgspec.Raw) -> Any:
    """Msgpack as a value of the type `kind`; raises msgspec.ValidationError."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.msgpack.Decoder(kind)
    return decoder.decode(body)


class _Preserved(Value, frozen=True, rename={"context": "~context"}):
    """What lies beside a message's own fields where it waits in a row."""

    context: Context = NONE


def preserve(message: Message, context: Context) -> bytes:
    """A message for a row, with the request that it goes back to.

    Whoever reads it as the message alone does not see the context.
    """
    if context == NONE:
        return encode(message)
    return encode({**msgspec.structs.asdict(message), "~context": context})


def revive(kind: str, row: bytes) -> tuple[Message, Context]:
    """The inverse of `preserve`."""
    return decode(MESSAGE_TYPES[kind], row), decode(_Preserved, row).context
