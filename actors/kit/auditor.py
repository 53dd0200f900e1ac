"""The auditor's process: one in the shop, started again by Ray when it dies."""

import asyncio
import importlib
import os
import threading
from typing import Any

import ray

from actors import AUDITOR
from actors.kit.declarations import consumed_kinds
from actors.kit.reach import AUDITOR_NAME, NAMESPACE, connect
from bus.kit import logs, memory, telemetry
from bus.kit.messages import encode
from bus.kit.niceness import give_way
from bus.kit.settings import Settings


@ray.remote(concurrency_groups={"control": 4})  # type: ignore[call-overload]
class AuditorActor:
    """Runs the standing audit; it has no database, and asks like everybody else.

    Two at a time, such as a frozen copy that thaws, harm nobody: they only read, and
    an alert is raised once by what it says.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        os.environ.update(environment)
        settings = Settings.load()
        telemetry.start(settings, AUDITOR_NAME)
        self._asker = connect(settings, AUDITOR_NAME)
        module, _, name = AUDITOR.partition(":")
        self._auditor = getattr(importlib.import_module(module), name)(
            self._asker.ask,
            settings,
            consumed_kinds(),
            log=logs.get(AUDITOR_NAME),
        )
        memory.settle()
        give_way(settings.pool_nice)
        # A loop of its own, for nobody calls it: what an actor sends itself from its
        # constructor is lost while Ray still counts it as restarting.
        threading.Thread(target=self._run, name=AUDITOR_NAME, daemon=True).start()

    def _run(self) -> None:
        asyncio.run(self._auditor.run())

    async def start(self) -> None:
        """Answered once the process is there."""

    @ray.method(concurrency_group="control")
    async def measures(self) -> bytes:
        """What it counts, and what it has asked."""
        return encode([*self._auditor.counts.samples(), *self._asker.samples()])

    @ray.method(concurrency_group="control")
    async def ping(self) -> bytes:
        """Answered apart from all work."""
        return b""

    @ray.method(concurrency_group="control")
    async def pid(self) -> int:
        """The process, for tests and tools that kill it."""
        return os.getpid()


def make_auditor(settings: Settings) -> list[Any]:
    """Start (or find) the auditor, where there is to be one: its handle, or none."""
    if not settings.audit_seconds:
        return []
    actor: Any = AuditorActor
    return [
        actor.options(
            name=AUDITOR_NAME,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_task_retries=0,
            num_cpus=settings.actor_cpus,
            max_concurrency=100,
        ).remote(settings.export())
    ]
