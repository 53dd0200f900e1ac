"""What payments says of the providers that move the money."""

from bus.kit.messages import Event, by


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
