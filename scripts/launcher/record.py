"""What runs: `run.json` in the data folder, and finding what an ended keeper left."""

import fcntl
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self

import psutil

from scripts.embedded.process import Identity
from scripts.launcher.failures import Exit, Failure
from scripts.launcher.keys import write_private

RUN = "run.json"
MARK = "SOUK_RUN"
RESTORING = "restoring"
"""A file that is there while a restore is under way: what it left is no shop."""
RESTORED = "restored"
"""A file that is there until the first start after a restore."""
LEFTOVER_SECONDS_MAX = 10.0


@dataclass
class Run:
    """One start of a shop. Every process of it carries `mark` in its environment."""

    mark: str
    keeper: Identity
    ready: bool = False
    temp_dir: str = ""
    ports: dict[str, int] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    shards: dict[str, int] = field(default_factory=dict)
    processes: dict[str, Identity] = field(default_factory=dict)
    descendants: list[Identity] = field(default_factory=list)
    """All others as they were when the shop was ready: Ray's write over their mark."""

    @classmethod
    def read(cls, data_dir: Path) -> Self | None:
        """The run that the folder tells of, ended or not."""
        try:
            values = json.loads((data_dir / RUN).read_text())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise Failure(f"{data_dir / RUN} is not readable: {error}") from None
        known = {each.name for each in fields(cls)}
        values = {name: each for name, each in values.items() if name in known}
        values["keeper"] = Identity(**values["keeper"])
        values["processes"] = {
            name: Identity(**each) for name, each in values.get("processes", {}).items()
        }
        others = values.get("descendants", [])  # an older version kept none
        values["descendants"] = [Identity(**each) for each in others]
        return cls(**values)

    def write(self, data_dir: Path) -> None:
        """Keep it for `down`, `status` and the next `up`."""
        write_private(data_dir / RUN, json.dumps(asdict(self), indent=2))

    def leftovers(self) -> list[Identity]:
        """All processes of this run but the one that asks."""
        found = dict.fromkeys(_marked(self.mark))
        known = [self.keeper, *self.processes.values(), *self.descendants]
        found.update(dict.fromkeys(known))
        return [each for each in found if each.pid != os.getpid() and each.alive()]

    def end_leftovers(self) -> int:
        """End them all, the newest first; how many there were."""
        count = 0
        left = self.leftovers()
        while left:
            left.sort(key=lambda each: each.started, reverse=True)
            for each in left:
                count += 1
                if not each.end(_gentle(each), LEFTOVER_SECONDS_MAX):
                    raise Failure(f"process {each.pid} does not end")
            left = self.leftovers()  # one that was ended may have started another
        return count


def descendants() -> list[Identity]:
    """Everything that this process has started, and they in turn."""
    found = (
        Identity.of(each.pid) for each in psutil.Process().children(recursive=True)
    )
    return [each for each in found if each is not None]


@contextmanager
def sole_keeper(data_dir: Path) -> Iterator[None]:
    """Hold the folder for one keeper; raises `Failure` when another has it."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
    with (data_dir / "keeper.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(
                f"the shop in {data_dir} is already running", Exit.PORT_TAKEN
            ) from None
        yield


@contextmanager
def alone(data_dir: Path, name: str) -> Iterator[None]:
    """Let one command of a kind work on a shop; raises `Failure` for its twin."""
    with (data_dir / f"{name}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(f"another {name} of this shop is under way") from None
        yield


def _marked(mark: str) -> Iterator[Identity]:
    """Processes whose environment names this run."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                yield Identity(process.pid, process.create_time())
        except (psutil.Error, OSError):  # another user's, or gone meanwhile
            continue


def _gentle(process: Identity) -> signal.Signals:
    """Postgres ends its sessions and itself on SIGINT; on SIGTERM it would wait."""
    try:
        name = psutil.Process(process.pid).name()
    except psutil.Error:
        return signal.SIGTERM
    return signal.SIGINT if "postgres" in name else signal.SIGTERM
