"""What payments says of the providers that move the money."""

from uuid import UUID

from bus.kit.messages import Command, Event, by
from bus.kit.values import Done


class ProviderEvent(Event, frozen=True, kw_only=True):
    """What every event of a provider says; `provider` is its name in the settings."""

    provider: str


class ProviderFailing(ProviderEvent, frozen=True, kw_only=True):
    """A provider has not answered for some time; told once until it recovers.

    `failures` is how many asks in a row had no usable answer.
    """

    key = by("provider")
    subject = by("provider")
    failures: int


class ProviderRecovered(ProviderEvent, frozen=True, kw_only=True):
    """A provider that was failing answers again."""

    key = by("provider")
    subject = by("provider")


# --- steps and timers --------------------------------------------------------


class NoteProvider(Command[Done], frozen=True, kw_only=True):
    """Remember whether a provider fails; only a change is told."""

    key = by("provider")
    remembered = False
    provider: str
    failing: bool
    failures: int = 0


class CheckProvider(Command[Done], frozen=True, kw_only=True):
    """Ask a provider that was failing whether it answers again (a timer's)."""

    key = by("provider")
    remembered = False
    provider: str


class ScheduleReseal(Command[Done], frozen=True, kw_only=True):
    """See to it that what an old key has sealed is sealed anew."""

    key = by("vault")
    remembered = False
    vault: str
    begun: bool = False


class Reseal(Command[Done], frozen=True, kw_only=True):
    """Seal anew what an old key has sealed (a timer's)."""

    key = by("vault")
    remembered = False
    vault: str


class ResealMethods(Command[Done], frozen=True, kw_only=True):
    """Seal some of a person's stored methods with the first key."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    method_ids: tuple[UUID, ...]
