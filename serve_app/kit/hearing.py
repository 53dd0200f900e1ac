"""The gateway's own ear: a subscription to the events that make answers forgotten."""

from collections.abc import Callable
from typing import Any

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from bus.kit import logs
from bus.kit.messages import Event
from bus.kit.settings import Settings
from serve_app.kit.near_cache import NearCache

CONNECT_SECONDS_MAX = 10
RECONNECT_SECONDS = 0.2

_log = logs.get("gateway")


class _Told(msgspec.Struct):
    """The part of a CloudEvents document that matters here."""

    data: msgspec.Raw


class Hearing:
    """Calls what is interested in an event; each replica hears all of them.

    Nothing is heard while the connection is away, so all that is kept near is dropped
    when it goes and again when it comes back. At-most-once delivery is enough: no
    answer from memory is older than its few seconds anyway.
    """

    def __init__(self, settings: Settings, near: NearCache) -> None:
        self._url = settings.nats_url or f"nats://127.0.0.1:{settings.nats_port}"
        self._client: Client | None = None
        self._calls: dict[str, list[Callable[[Any], None]]] = {}
        self._types: dict[str, type[Event]] = {}
        self._losses: list[Callable[[], None]] = [near.clear]

    def on_loss(self, call: Callable[[], None]) -> None:
        """Call `call` when events may have been missed."""
        self._losses.append(call)

    def on(self, event: type[Event], call: Callable[[Any], None]) -> None:
        """Call `call` with each event of this type; register before `connect`."""
        subject = event.nats_subject()
        self._types[subject] = event
        self._calls.setdefault(subject, []).append(call)

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
        for subject in self._types:
            await self._client.subscribe(subject, cb=self._hear)
        await self._client.flush()

    async def close(self) -> None:
        """Hear nothing more."""
        if self._client is not None:
            await self._client.close()

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

    async def _lost(self) -> None:
        self._forget_all()

    async def _failed(self, error: Exception) -> None:
        # nats-py reports slow consumers here too: messages were dropped.
        _log.warning("bus connection", reason=repr(error))
        self._forget_all()

    def _forget_all(self) -> None:
        for call in self._losses:
            call()
