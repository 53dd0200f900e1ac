"""The gateway's own ear: a subscription to the events that make answers forgotten."""

from collections.abc import Callable
from typing import Any

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from bus.kit import logs
from bus.kit.messages import Event
from bus.kit.settings import Settings
from serve_app.kit.near_cache import NearCache

CONNECT_SECONDS_MAX = 10
LISTEN_SECONDS_MAX = 2
RECONNECT_SECONDS = 0.2

_log = logs.get("gateway")


class _Told(msgspec.Struct):
    """The part of a CloudEvents document that matters here."""

    data: msgspec.Raw


class Hearing:
    """Calls what is interested in an event; each replica hears all of them.

    What only streams are about is heard while somebody follows one. Nothing is heard
    while the connection is away, so all that is kept near is dropped when it goes and
    again when it comes back. At-most-once delivery is enough: no answer from memory is
    older than its few seconds anyway, and a stream looks by itself now and then.
    """

    def __init__(self, settings: Settings, near: NearCache) -> None:
        self._url = settings.nats_url or f"nats://127.0.0.1:{settings.nats_port}"
        self._client: Client | None = None
        self._calls: dict[str, list[Callable[[Any], None]]] = {}
        self._types: dict[str, type[Event]] = {}
        self._kinds: dict[str, set[str]] = {"": set()}
        self._subscriptions: dict[str, Subscription] = {}
        self._losses: list[Callable[[], None]] = [near.clear]
        self._plain: dict[str, Callable[[bytes], None]] = {}

    def on(
        self, event: type[Event], call: Callable[[Any], None], *, kind: str = ""
    ) -> None:
        """Call `call` with each event of this type; register before `connect`.

        With a `kind` it is heard only between `listen(kind)` and `silence(kind)`.
        """
        subject = event.nats_subject()
        self._types[subject] = event
        self._calls.setdefault(subject, []).append(call)
        self._kinds.setdefault(kind, set()).add(subject)

    def on_plain(self, subject: str, call: Callable[[bytes], None]) -> None:
        """Call `call` with what is said under a subject that is no event's."""
        self._plain[subject] = call

    async def say(self, subject: str, payload: bytes) -> None:
        """Tell all who listen, at most once; raises OSError where that cannot be."""
        if self._client is None or not self._client.is_connected:
            raise ConnectionError("the bus is away")
        try:
            await self._client.publish(subject, payload)
        except nats.errors.Error as error:
            raise ConnectionError(repr(error)) from error

    def on_loss(self, call: Callable[[], None]) -> None:
        """Call `call` when events may have been missed."""
        self._losses.append(call)

    def connected(self) -> bool:
        """True while events are heard."""
        return self._client is not None and self._client.is_connected

    async def connect(self) -> None:
        """Subscribe; raises if the bus does not answer in time."""
        self._client = await nats.connect(
            self._url,
            connect_timeout=CONNECT_SECONDS_MAX,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_SECONDS,
            disconnected_cb=self._lost,
            reconnected_cb=self._lost,
            error_cb=self._failed,
        )
        await self._subscribe(self._client, "")
        for subject in sorted(self._plain):
            await self._client.subscribe(subject, cb=self._hear_plain)
        await self._client.flush()

    async def listen(self, kind: str) -> None:
        """Hear the events of this kind too; what fails is made good when connected."""
        client = self._client
        if client is None or client.is_closed:
            return
        await self._subscribe(client, kind)
        if client.is_connected:
            try:
                await client.flush(LISTEN_SECONDS_MAX)
            except nats.errors.Error as error:
                _log.warning("bus connection", reason=repr(error))

    async def silence(self, kind: str) -> None:
        """Hear no more what this kind alone is about."""
        if self._client is None or self._client.is_closed:
            return
        others = (each for name, each in self._kinds.items() if name != kind)
        for subject in self._kinds.get(kind, set()).difference(*others):
            if subscription := self._subscriptions.pop(subject, None):
                await subscription.unsubscribe()

    async def close(self) -> None:
        """Hear nothing more."""
        if self._client is not None:
            await self._client.close()

    async def _subscribe(self, client: Client, kind: str) -> None:
        for subject in sorted(self._kinds.get(kind, ())):
            if subject not in self._subscriptions:
                found = await client.subscribe(subject, cb=self._hear)
                self._subscriptions[subject] = found

    async def _hear(self, message: Msg) -> None:
        kind = self._types[message.subject]
        try:
            data = msgspec.json.decode(message.data, type=_Told).data
            told = msgspec.json.decode(data, type=kind)
        except msgspec.DecodeError:
            # What it says is not known, so everything may have changed.
            _log.exception("event not understood", subject=message.subject)
            self._forget_all()
            return
        for call in self._calls[message.subject]:
            call(told)

    async def _hear_plain(self, message: Msg) -> None:
        self._plain[message.subject](message.data)

    def _forget_all(self) -> None:
        for call in self._losses:
            call()

    async def _lost(self) -> None:
        self._forget_all()

    async def _failed(self, error: Exception) -> None:
        # nats-py reports slow consumers here too: messages were dropped.
        _log.warning("bus connection", reason=repr(error))
        self._forget_all()
