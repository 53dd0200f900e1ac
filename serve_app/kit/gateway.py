"""One gateway: all that a process holds to answer requests, none of it the truth."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from bus.kit import families
from bus.kit.outside import parse_limits, parse_origins, parse_proxies
from bus.kit.settings import Settings
from serve_app.kit.admission import Admission
from serve_app.kit.asking import Asker
from serve_app.kit.clients import Clients
from serve_app.kit.cors import Cors
from serve_app.kit.direct import Direct
from serve_app.kit.epochs import Epochs, Sessions
from serve_app.kit.facts import Facts
from serve_app.kit.identity import Tokens
from serve_app.kit.limits import Limits
from serve_app.kit.measures import Collected, Measures
from serve_app.kit.near_cache import NearCache
from serve_app.kit.sharing import Sharing
from serve_app.kit.shields import Shields, shields
from serve_app.kit.streams import Streams


@dataclass
class Gateway:
    """The parts of a replica; `bus_connected` says if it hears the events."""

    settings: Settings
    asker: Asker
    tokens: Tokens
    epochs: Epochs
    near: NearCache
    measures: Measures
    streams: Streams
    clients: Clients
    cors: Cors
    limits: Limits
    sharing: Sharing
    shields: Shields
    bus_connected: Callable[[], bool] = field(default=lambda: False)
    facts: Facts = field(default_factory=Facts)
    direct: Mapping[tuple[str, str], Direct] = field(default_factory=dict)
    admissions: Mapping[tuple[str, str], Admission] = field(default_factory=dict)
    draining: bool = False
    collected: Collected | None = None
    """What the shards and bridges count, where they can be asked."""

    @classmethod
    def of(
        cls, settings: Settings, asker: Asker, sessions: Sessions, replica: str = "0"
    ) -> "Gateway":
        """A gateway as the settings want it; raises SettingsError for bad keys."""
        tokens = Tokens.of(settings)
        epochs = Epochs(sessions, life_seconds=tokens.life_seconds)
        measures = Measures(replica)
        secret = sha256(b"souk clients" + settings.jwt_keys.encode()).digest()
        limits = Limits(
            parse_limits(settings.rate_limits).values(),
            shared=settings.gateway_replicas > 1,
            refused=lambda name: measures.count(families.LIMITED, limit=name),
        )
        collect = getattr(asker, "measures", None)
        return cls(
            settings=settings,
            asker=asker,
            tokens=tokens,
            epochs=epochs,
            near=NearCache(
                bytes_max=settings.near_cache_bytes_max,
                age_seconds_max=settings.near_cache_age_seconds_max,
            ),
            measures=measures,
            streams=Streams(settings, epochs, measures),
            clients=Clients(parse_proxies(settings.trusted_proxies), secret),
            cors=Cors(parse_origins(settings.cors_origins)),
            limits=limits,
            sharing=Sharing(limits, replica, measures),
            shields=shields(settings),
            collected=collect and Collected(collect, time.monotonic),
        )
