"""CPU time of a shop by what its processes are."""

from collections.abc import Mapping, Sequence

import psutil

_BY_NAME = (
    ("ServeReplica", "gateway"),
    ("haproxy", "HAProxy"),
    ("nats-server", "NATS"),
    ("postgres", "Postgres"),
    ("scripts.bank", "bank"),
    ("gcs_server", "Ray gcs"),
    ("raylet/raylet", "Ray raylet"),
    ("ServeController", "Serve controller"),
    ("HAProxyManager", "Serve proxies"),
    ("ProxyActor", "Serve proxies"),
    ("scripts.launcher", "keeper"),
)
OTHER = "Ray, the rest"
POSTGRES = "Postgres"


class Usage:
    """CPU seconds of each process now; `since` gives those of a span by group.

    `apart` are processes that count for nothing: a load client that Ray runs.
    """

    def __init__(
        self, keeper: int, names: Mapping[int, str], apart: Sequence[int] = ()
    ) -> None:
        self._names = names
        self.seconds: dict[int, float] = {}
        self.groups: dict[int, str] = {}
        root = psutil.Process(keeper)
        for process in (root, *root.children(recursive=True)):
            if process.pid in apart:
                continue
            try:
                self._add(process)
            except psutil.NoSuchProcess:  # gone meanwhile
                continue

    def since(self, before: "Usage") -> dict[str, float]:
        """CPU seconds by group between the two.

        What a process that has ended spent is lost, but for Postgres' sessions:
        their first process counts it for them.
        """
        spent: dict[str, float] = {}
        for pid, seconds in self.seconds.items():
            group, then = self.groups[pid], before.seconds.get(pid, 0.0)
            spent[group] = spent.get(group, 0.0) + seconds - then
        for pid in before.seconds.keys() - self.seconds.keys():
            if before.groups[pid] == POSTGRES:
                spent[POSTGRES] -= before.seconds[pid]
        return spent

    def _add(self, process: psutil.Process) -> None:
        times = process.cpu_times()
        line = " ".join(process.cmdline()) or process.name()
        group = self._names.get(process.pid) or group_of(line)
        seconds = times.user + times.system
        if group == POSTGRES:
            seconds += times.children_user + times.children_system
        self.seconds[process.pid] = seconds
        self.groups[process.pid] = group


def group_of(line: str) -> str:
    """What a process is, by its command line."""
    return next((group for part, group in _BY_NAME if part in line), OTHER)


def pids_of(keeper: int, group: str) -> list[int]:
    """The shop's processes that are of this group by their command lines."""
    found = []
    for process in psutil.Process(keeper).children(recursive=True):
        try:
            if group_of(" ".join(process.cmdline())) == group:
                found.append(process.pid)
        except psutil.NoSuchProcess:  # gone meanwhile
            continue
    return found


def ray_address(keeper: int) -> str | None:
    """Where the shop's own Ray cluster is, as its raylet was told."""
    for process in psutil.Process(keeper).children(recursive=True):
        try:
            for word in process.cmdline():
                if word.startswith("--gcs-address="):
                    return word.partition("=")[2]
        except psutil.NoSuchProcess:
            continue
    return None
