"""Makes an incarnation of a shard, as a process of the shop's own holds it."""

from collections.abc import Awaitable, Callable
from uuid import uuid4

from actors.kit.adopting import Adopting
from actors.kit.asker import Asker
from actors.kit.declarations import domain_class
from actors.kit.lane import Address
from actors.kit.reach import RayTransport
from actors.kit.shard import Shard
from bus.kit import logs
from bus.kit.settings import Settings
from persistence.kit.database import Database


def make_shard(
    settings: Settings,
    address: Address,
    reach: RayTransport,
    adopting: Adopting,
    leave: Callable[[], Awaitable[None]],
) -> tuple[Shard, Asker]:
    """The shard, which is not started yet, and what it asks other domains by."""
    name, number = address
    domain = domain_class(name)()
    domain.settings = settings
    asker = Asker(adopting, settings.shards, name=str(address))
    domain.ask = asker.ask
    bridge = f"bridge/{number % settings.bridges}"
    application = f"souk:{address}:{uuid4().hex[:12]}"
    shard = Shard(
        domain,
        number,
        Database(settings.database_url(name), application),
        publish=lambda rows: reach.publish(bridge, rows),
        leave=leave,
        log=logs.get(name),
    )
    return shard, asker
