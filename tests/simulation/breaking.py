"""Does to a world what its seed has in store for it."""

import asyncio

from persistence.kit import fence
from tests.simulation.faults import FAULTS_SECONDS, Fault
from tests.simulation.processes import Process
from tests.simulation.store.client import Outside
from tests.simulation.world import World


async def break_things(world: World) -> None:
    """Let every fault come in its time; afterwards all is whole again."""
    for fault in world.faults:
        await asyncio.sleep(max(0.0, fault.at - world.loop.time()))
        world.note(f"fault {fault}")
        await _break(world, fault)
    last = max((one.at + one.seconds for one in world.faults), default=0.0)
    left = max(last, FAULTS_SECONDS) - world.loop.time()
    await asyncio.sleep(max(0.0, left))
    world.heal()


async def _break(world: World, fault: Fault) -> None:
    later = world.loop.world.later
    server = list(world.servers.values())[fault.choice % len(world.servers)]
    if fault.kind == "database_down":
        server.stop()
        later(fault.seconds, setattr, server, "up", True)
    elif fault.kind == "database_stalls":
        server.stalled_until = world.loop.time() + fault.seconds
    elif fault.kind == "bus_down":
        world.broker.up, world.disordered = False, True
        later(fault.seconds, world.broker.rise)
    elif fault.kind == "bus_lost":
        world.broker.lose()
    elif fault.kind == "move":
        shards = world.settings.shards(server.name)
        await fence.assign(Outside(server), 1 + fault.choice % shards)
    elif fault.kind == "kill_all":
        for process in list(world.current.values()):
            world.kill(process)
    else:
        _hit(world, fault)


def _hit(world: World, fault: Fault) -> None:
    """Break one process that lives."""
    of_bridge = fault.kind.endswith("_bridge")
    alive: list[Process] = [
        one
        for name, one in world.current.items()
        if one.node.alive and not one.node.frozen
        if name.startswith("bridge/") is of_bridge
    ]
    if not alive:
        return
    process = alive[fault.choice % len(alive)]
    world.disordered |= of_bridge
    if of_bridge or fault.choice % 3 == 0:
        _strike(world, process, fault)
    else:  # in the middle of what it is asked next
        process.doom = lambda: _strike(world, process, fault)


def _strike(world: World, process: Process, fault: Fault) -> None:
    if not process.node.alive or process.node.frozen:
        return
    world.note(f"hits {process.node.name}")
    if fault.kind.startswith("kill"):
        world.kill(process)
        return
    cut_off = fault.kind == "cut_off"
    if cut_off:
        world.cut_off(process)
    if not cut_off or fault.choice % 2:
        process.node.freeze()
    left = max(0.0, fault.at + fault.seconds - world.loop.time())
    world.loop.world.later(left, process.node.thaw)
